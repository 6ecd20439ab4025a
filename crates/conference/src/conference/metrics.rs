//! Metrics of a conference: current counts and totals. They contain no names of rooms or people.

mod observing;

use std::time::Duration;

use watersmeet_wire::units::{Histogram, Map};

use crate::message::Refusal;

/// Bounds of the time from joining to the first connected transport, in microseconds. A handshake
/// over a distance of 100 ms takes half a second.
const JOIN_DURATION_BOUNDS: [u64; 10] = [
    50_000, 100_000, 200_000, 400_000, 800_000, 1_500_000, 3_000_000, 6_000_000, 15_000_000,
    60_000_000,
];

/// Times from joining a room to the first connected transport.
pub type JoinDurations = Histogram<10>;

/// Current counts and totals of a conference.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ConferenceGauges {
    /// Open connections.
    pub sessions: usize,
    /// Rooms, including those created in advance.
    pub rooms: usize,
    /// Participants of all rooms.
    pub participants: usize,
    /// Participants that wait until a host admits them.
    pub waiting: usize,
    /// Transports, including those being created.
    pub transports: usize,
    /// Producers that were announced to other participants.
    pub producers: usize,
    /// Consumers, including those being created.
    pub consumers: usize,
    /// Commands to which no shard has replied yet.
    pub pending: usize,
    /// Totals since the start.
    pub totals: ConferenceTotals,
}

/// Totals since the start. They never decrease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConferenceTotals {
    /// Participants who joined a room.
    pub joins: u64,
    /// Times from joining to the first connected transport.
    pub join_durations: JoinDurations,
    /// Refused requests, by the code of the refusal. Bounded by the number of codes.
    pub refusals: Map<&'static str, u64>,
    /// Panics while an input was handled. Each closed a session or a room.
    pub panics: u64,
    /// Messages of participants that were not sent to one that does not keep up.
    pub dropped_messages: u64,
}

impl Default for ConferenceTotals {
    fn default() -> Self {
        Self {
            joins: 0,
            join_durations: Histogram::new(JOIN_DURATION_BOUNDS),
            refusals: Map::new(),
            panics: 0,
            dropped_messages: 0,
        }
    }
}

/// Records the totals of a conference.
#[derive(Debug, Default)]
pub(super) struct ConferenceMetrics {
    /// Totals since the start.
    totals: ConferenceTotals,
}

impl ConferenceMetrics {
    /// Returns the totals since the start.
    pub(super) const fn totals(&self) -> &ConferenceTotals {
        &self.totals
    }

    /// Records a refused request.
    pub(super) fn record_refusal(&mut self, refusal: &Refusal) {
        *self.totals.refusals.entry(refusal.code()).or_default() += 1;
    }

    /// Records a participant who joined a room.
    pub(super) const fn record_join(&mut self) {
        self.totals.joins += 1;
    }

    /// Records the time from joining to the first connected transport.
    pub(super) fn record_join_duration(&mut self, took: Duration) {
        self.totals.join_durations.observe(took);
    }

    /// Records a message that was not sent to a participant that does not keep up.
    pub(super) const fn record_dropped_message(&mut self) {
        self.totals.dropped_messages += 1;
    }

    /// Records a panic while an input was handled.
    pub(super) const fn record_panic(&mut self) {
        self.totals.panics += 1;
    }
}
