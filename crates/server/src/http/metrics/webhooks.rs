//! Metrics of events of rooms and of webhooks, which are named by their number in the configuration.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::super::site::SiteContext;
use super::encoder::{FamilyEncoder, seconds};
use crate::webhooks::QueueMetrics;

/// Collects the metrics of webhooks.
#[derive(Debug)]
pub struct WebhookCollector {
    /// Events that parts of the program have lost.
    lost: u64,
    /// Metrics of each webhook with its number.
    webhooks: Vec<(String, QueueMetrics)>,
}

impl WebhookCollector {
    /// Takes the current values.
    pub fn collect(site: &SiteContext) -> Self {
        let queues = site.webhook_queues.iter().map(Arc::as_ref);
        let numbered = (1..).zip(queues);
        Self {
            lost: site.room_events_lost.load(Ordering::Relaxed),
            webhooks: numbered
                .map(|(number, queue)| (number.to_string(), queue.metrics()))
                .collect(),
        }
    }
}

impl Collector for WebhookCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = FamilyEncoder::new(encoder);
        families.counter(
            "room_events_lost",
            "Events of rooms lost inside the program because a part of it did not keep up",
            self.lost,
        )?;
        let mut events = families.counters("webhook_events", "Events of webhooks by outcome")?;
        for (number, metrics) in &self.webhooks {
            let outcomes = [
                ("delivered", metrics.delivered),
                ("dropped", metrics.dropped),
            ];
            for (outcome, count) in outcomes {
                events.counter(&[("webhook", &**number), ("outcome", outcome)], count)?;
            }
        }
        let help = "Requests to webhooks that failed; most are repeated";
        let mut failures = families.counters("webhook_failures", help)?;
        for (number, metrics) in &self.webhooks {
            failures.counter(&[("webhook", &**number)], metrics.failures)?;
        }
        let mut queued =
            families.gauges("webhook_queue_events", "Events that wait for a webhook")?;
        for (number, metrics) in &self.webhooks {
            queued.gauge(&[("webhook", &**number)], metrics.events)?;
        }
        let help = "Bytes of events that wait for a webhook";
        let mut bytes = families.gauges("webhook_queue_bytes", help)?;
        for (number, metrics) in &self.webhooks {
            bytes.gauge(&[("webhook", &**number)], metrics.bytes)?;
        }
        let help = "Age of the oldest event that waits for a webhook";
        let mut age = families.gauges("webhook_queue_age_seconds", help)?;
        for (number, metrics) in &self.webhooks {
            age.gauge_seconds(&[("webhook", &**number)], seconds(metrics.age_micros))?;
        }
        Ok(())
    }
}
