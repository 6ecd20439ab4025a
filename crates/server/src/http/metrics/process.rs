//! Figures of the process, under the names that all of Prometheus' clients use.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::super::SiteContext;
use super::encoder::FamilyEncoder;
use crate::process_metrics::{self, Process};

/// What the process costs.
#[derive(Debug)]
pub struct ProcessCollector {
    /// As the machine says; nothing where it does not say.
    process: Option<Process>,
    /// When it started, in seconds since 1970.
    started: f64,
}

impl ProcessCollector {
    /// The figures at this moment.
    pub fn read(site: &SiteContext) -> Self {
        Self {
            process: process_metrics::process(),
            started: site.clock.unix_epoch().as_secs_f64(),
        }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = FamilyEncoder::new(encoder);
        page.gauges("process_start_time_seconds", "When it started, since 1970")?
            .set_seconds(&NONE, self.started)?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        page.gauges("watersmeet_build_info", "Always 1; the version is a label")?
            .set(&version, 1)?;
        let Some(process) = &self.process else {
            return Ok(());
        };
        let cpu = process.cpu.user + process.cpu.system;
        page.counters("process_cpu_seconds", "Time on processors")?
            .count_seconds(&NONE, cpu.as_secs_f64())?;
        page.gauge(
            "process_resident_memory_bytes",
            "Memory that is really there",
            process.resident_bytes,
        )?;
        page.gauge(
            "process_virtual_memory_bytes",
            "Memory that was asked for",
            process.virtual_bytes,
        )?;
        page.gauge(
            "process_open_fds",
            "Open files and sockets",
            process.descriptors,
        )?;
        page.gauge(
            "process_max_fds",
            "How many files and sockets may be open",
            process.descriptors_max,
        )
    }
}

/// No labels.
const NONE: [(&str, &str); 0] = [];
