//! Metrics of the conference: rooms, participants, requests, and the time until media can flow.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use watersmeet_conference::ConferenceGauges;

use super::encoder::FamilyEncoder;

/// Collects the metrics of the conference.
#[derive(Debug)]
pub struct ConferenceCollector {
    /// Metrics of the conference.
    pub gauges: ConferenceGauges,
}

impl Collector for ConferenceCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = FamilyEncoder::new(encoder);
        let gauges = &self.gauges;
        families.gauge("rooms", "Open rooms", gauges.rooms as u64)?;
        families.gauge(
            "participants",
            "Participants in rooms",
            gauges.participants as u64,
        )?;
        families.gauge(
            "participants_waiting",
            "Participants waiting for a host to admit them",
            gauges.waiting as u64,
        )?;
        families.gauge(
            "sessions",
            "Open signalling sessions",
            gauges.sessions as u64,
        )?;
        families.gauge(
            "commands_pending",
            "Commands sent to workers and not yet replied to",
            gauges.pending as u64,
        )?;
        families.counter(
            "joins",
            "Participants that joined a room",
            gauges.totals.joins,
        )?;
        families.histogram(
            "join_duration_seconds",
            "Time from joining a room to the first transport that can carry media",
            &gauges.totals.join_durations,
        )?;
        families.counter(
            "session_panics",
            "Panics while an input was handled; each closed a session or its room",
            gauges.totals.panics,
        )?;
        families.counter(
            "messages_dropped",
            "Messages of participants not sent to one that does not keep up",
            gauges.totals.dropped_messages,
        )?;
        let mut refused = families.counters(
            "requests_refused",
            "Signalling requests refused, by refusal code",
        )?;
        for (code, count) in &gauges.totals.refusals {
            refused.counter(&[("code", *code)], *count)?;
        }
        Ok(())
    }
}
