//! Metrics of the embedded TURN server. They stay zero where it is off.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::super::site::SiteContext;
use super::encoder::FamilyEncoder;
use crate::turn_server::TurnMetrics;

/// Collects the metrics of the TURN server.
#[derive(Debug)]
pub struct TurnCollector {
    /// Counters of the server.
    metrics: Arc<TurnMetrics>,
}

impl TurnCollector {
    /// Takes the counters of a site.
    pub fn new(site: &SiteContext) -> Self {
        Self {
            metrics: Arc::clone(&site.turn_metrics),
        }
    }
}

impl Collector for TurnCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let mut families = FamilyEncoder::new(encoder);
        families.gauge(
            "turn_allocations",
            "Allocations of the embedded TURN server",
            metrics.allocations(),
        )?;
        families.counter(
            "turn_allocations_made",
            "Allocations made by clients of the embedded TURN server",
            metrics.allocations_made(),
        )?;
        let mut bytes = families.counters(
            "turn_relayed_bytes",
            "Payload relayed by the embedded TURN server from clients (in) and to them (out)",
        )?;
        for (direction, count) in metrics.bytes() {
            bytes.counter(&[("direction", direction)], count)?;
        }
        let mut refused = families.counters(
            "turn_requests_refused",
            "Error responses of the embedded TURN server by code",
        )?;
        for (code, count) in metrics.refused() {
            refused.counter(&[("code", code.to_string())], count)?;
        }
        let mut dropped = families.counters(
            "turn_datagrams_dropped",
            "Datagrams that the embedded TURN server did not relay or answer",
        )?;
        for (reason, count) in metrics.dropped() {
            dropped.counter(&[("reason", reason)], count)?;
        }
        Ok(())
    }
}
