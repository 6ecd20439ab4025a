//! Metrics of the process, with the names that all Prometheus clients use.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::super::site::SiteContext;
use super::encoder::FamilyEncoder;
use crate::process_metrics::{self, ProcessMetrics};

/// Collects the metrics of the process.
#[derive(Debug)]
pub struct ProcessCollector {
    /// Resource usage; `None` where the system does not report it.
    process: Option<ProcessMetrics>,
    /// Start of the process, in seconds since 1970.
    started: f64,
}

impl ProcessCollector {
    /// Collects the current values.
    pub fn collect(site: &SiteContext) -> Self {
        Self {
            process: process_metrics::read(),
            started: site.clock.unix_epoch().as_secs_f64(),
        }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = FamilyEncoder::new(encoder);
        families
            .gauges(
                "process_start_time_seconds",
                "Start time of the process, in seconds since 1970",
            )?
            .gauge_seconds(&NO_LABELS, self.started)?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        families
            .gauges("watersmeet_build_info", "Always 1; the version is a label")?
            .gauge(&version, 1)?;
        let Some(process) = &self.process else {
            return Ok(());
        };
        let cpu = process.cpu.user + process.cpu.system;
        families
            .counters("process_cpu_seconds", "CPU time in user and kernel mode")?
            .counter_seconds(&NO_LABELS, cpu.as_secs_f64())?;
        families.gauge(
            "process_resident_memory_bytes",
            "Resident memory",
            process.resident_bytes,
        )?;
        families.gauge(
            "process_virtual_memory_bytes",
            "Virtual memory",
            process.virtual_bytes,
        )?;
        families.gauge(
            "process_open_fds",
            "Open file descriptors, sockets included",
            process.descriptors,
        )?;
        families.gauge(
            "process_max_fds",
            "Upper bound of open file descriptors",
            process.descriptors_max,
        )
    }
}

/// No labels.
const NO_LABELS: [(&str, &str); 0] = [];
