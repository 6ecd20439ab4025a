//! Metrics of a conference: current numbers and totals. They name nobody.

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

/// Current numbers of everything, and the totals.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ConferenceGauges {
    /// Connections.
    pub sessions: usize,
    /// Rooms, including those created in advance.
    pub rooms: usize,
    /// Participants of all rooms.
    pub participants: usize,
    /// Participants that wait until a host admits them.
    pub waiting: usize,
    /// Transports, including those being created.
    pub transports: usize,
    /// Producers that other participants know of.
    pub producers: usize,
    /// Consumers, including those being created.
    pub consumers: usize,
    /// Commands to which no shard has replied yet.
    pub pending: usize,
    /// What has happened since the start.
    pub totals: ConferenceTotals,
}

/// What has happened since the start. Numbers never decrease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConferenceTotals {
    /// Participants who joined a room.
    pub joins: u64,
    /// Times that they took to their first connected transport.
    pub join_durations: JoinDurations,
    /// Refused requests, by the code of the refusal. Bounded by the number of codes.
    pub refusals: Map<&'static str, u64>,
    /// Panics while an input was handled. Each closed a session or a room.
    pub panics: u64,
}

impl Default for ConferenceTotals {
    fn default() -> Self {
        Self {
            joins: 0,
            join_durations: Histogram::new(JOIN_DURATION_BOUNDS),
            refusals: Map::new(),
            panics: 0,
        }
    }
}

/// Totals of a conference.
#[derive(Debug, Default)]
pub(super) struct ConferenceMetrics {
    /// The totals.
    totals: ConferenceTotals,
}

impl ConferenceMetrics {
    /// The totals so far.
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

    /// Records a panic while an input was handled.
    pub(super) const fn record_panic(&mut self) {
        self.totals.panics += 1;
    }
}
