//! Metrics of the history of calls. Where it is off, they stay zero, and there is none of its state.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::super::site::SiteContext;
use super::encoder::FamilyEncoder;
use crate::call_history::{CallHistory, HistoryCounters};

/// Collects the metrics of the history.
#[derive(Debug)]
pub struct HistoryCollector {
    /// The history; `None` where it is off.
    history: Option<CallHistory>,
}

impl HistoryCollector {
    /// Takes the counters of a site.
    pub fn new(site: &SiteContext) -> Self {
        Self {
            history: site.history.clone(),
        }
    }
}

impl Collector for HistoryCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let off = HistoryCounters::default();
        let history = self.history.as_ref();
        let counters = history.map_or(&off, CallHistory::counters);
        let mut families = FamilyEncoder::new(encoder);
        if history.is_some() {
            families.gauge(
                "history_up",
                "Whether the history of calls can be written (1) or not (0)",
                u64::from(counters.is_open()),
            )?;
        }
        families.gauge(
            "history_bytes",
            "Bytes in use in the file of the history of calls",
            counters.bytes(),
        )?;
        families.counter(
            "history_failures",
            "Failures to open or write the file of the history of calls",
            counters.failures(),
        )?;
        families.counter(
            "history_inputs_dropped",
            "Events and observations that were not written because the queue of the history was full",
            counters.dropped(),
        )
    }
}
