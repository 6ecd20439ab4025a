//! Figures of the conference: rooms, people, and how long they wait for media.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use watersmeet_conference::ConferenceGauges;

use super::encoder::FamilyEncoder;

/// What the conference counts.
#[derive(Debug)]
pub struct ConferenceCollector {
    /// The counts.
    pub counts: ConferenceGauges,
}

impl Collector for ConferenceCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = FamilyEncoder::new(encoder);
        let counts = &self.counts;
        page.gauge("rooms", "Rooms that are there", counts.rooms as u64)?;
        page.gauge(
            "participants",
            "People in rooms",
            counts.participants as u64,
        )?;
        page.gauge(
            "participants_waiting",
            "People who wait to be let into a room",
            counts.waiting as u64,
        )?;
        page.gauge("sessions", "Signalling sessions", counts.sessions as u64)?;
        page.gauge(
            "commands_pending",
            "Commands to workers whose answer is awaited",
            counts.pending as u64,
        )?;
        page.counter("joins", "People who entered a room", counts.totals.joins)?;
        page.histogram(
            "join_duration_seconds",
            "Time from entering a room to the first transport that can carry media",
            &counts.totals.join_durations,
        )?;
        page.counter(
            "session_panics",
            "Panics while an input was handled; each closed a session or its room",
            counts.totals.panics,
        )?;
        let mut refused = page.counters(
            "requests_refused",
            "Signalling requests that were refused, by the code of the refusal",
        )?;
        for (code, count) in &counts.totals.refusals {
            refused.count(&[("code", *code)], *count)?;
        }
        Ok(())
    }
}
