//! Ids for room events: one for the life of a room, one for the stay of a participant.

use std::sync::Arc;

use watersmeet_wire::units::Time;

/// Life of a room, from its first participant on.
#[derive(Debug)]
pub(crate) struct RoomLife {
    /// Id that no other room has, also not a later one of the same name.
    pub id: Arc<str>,
    /// Time at which the first participant entered.
    pub started_at: Time,
}

/// Stay of a participant in a meeting, also in its breakout rooms.
#[derive(Debug, Clone)]
pub(crate) struct Stay {
    /// Id that no other stay has.
    pub id: Arc<str>,
    /// Time at which the participant joined.
    pub joined_at: Time,
    /// Name of the dialect of its client.
    pub dialect: &'static str,
}
