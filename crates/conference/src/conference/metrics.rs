//! How much there is of everything, and what has happened so far: figures for operators, which
//! name nobody.

use watersmeet_wire::units::{Histogram, Map};

use super::Conference;
use crate::message::{Refusal, SessionId};

/// How long it may take from entering a room to the first transport that can carry media, in
/// microseconds. A handshake over a distance of 100 ms takes half a second.
const ENTRY_BOUNDS: [u64; 10] = [
    50_000, 100_000, 200_000, 400_000, 800_000, 1_500_000, 3_000_000, 6_000_000, 15_000_000,
    60_000_000,
];

/// How long entering took, to the first transport that can carry media.
pub type JoinDurations = Histogram<10>;

/// How much there is of everything.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ConferenceGauges {
    /// Connections.
    pub sessions: usize,
    /// Rooms, those that were made in advance included.
    pub rooms: usize,
    /// Connections that are in a room.
    pub participants: usize,
    /// Connections that wait to be let into a room.
    pub waiting: usize,
    /// Transports, those that are being made included.
    pub transports: usize,
    /// Producers that others know of.
    pub producers: usize,
    /// Consumers, those that are being made included.
    pub consumers: usize,
    /// Commands whose answer is awaited.
    pub pending: usize,
    /// What has happened so far.
    pub totals: ConferenceTotals,
}

/// What has happened so far. It only grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConferenceTotals {
    /// Participants who entered a room.
    pub joins: u64,
    /// How long it took them to have media.
    pub join_durations: JoinDurations,
    /// Requests that were refused, by the code of the refusal. There are as many as codes.
    pub refusals: Map<&'static str, u64>,
}

impl Default for ConferenceTotals {
    fn default() -> Self {
        Self {
            joins: 0,
            join_durations: Histogram::new(ENTRY_BOUNDS),
            refusals: Map::new(),
        }
    }
}

impl Conference {
    /// How much there is of everything.
    pub fn gauges(&self) -> ConferenceGauges {
        ConferenceGauges {
            sessions: self.sessions.len(),
            rooms: self.rooms.len(),
            participants: self.rooms.values().map(|it| it.participants.len()).sum(),
            waiting: self.rooms.values().map(|it| it.waiting.len()).sum(),
            transports: self.transports.len(),
            producers: self.producers.len(),
            consumers: self.consumers.len(),
            pending: self.pending.len(),
            totals: self.totals.clone(),
        }
    }

    /// A request is refused.
    pub(super) fn tally_refusal(&mut self, refusal: &Refusal) {
        *self.totals.refusals.entry(refusal.code()).or_default() += 1;
    }

    /// Somebody entered a room.
    pub(super) fn tally_entry(&mut self, id: SessionId) {
        self.totals.joins += 1;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.entered_at = Some(self.now);
        }
    }

    /// A transport of somebody can carry media. The first one after entering is what people wait
    /// for.
    pub(super) fn tally_connection(&mut self, id: SessionId) {
        let entered_at = self
            .sessions
            .get_mut(&id)
            .and_then(|it| it.entered_at.take());
        if let Some(entered_at) = entered_at {
            let took = self.now.since(entered_at);
            self.totals.join_durations.observe(took);
        }
    }
}
