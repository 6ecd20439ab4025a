//! Messages about breakout rooms.

use std::sync::Arc;
use std::time::Duration;

use super::ids::PeerId;

/// Request of a host about breakout rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BreakoutsRequest {
    /// Opens breakout rooms, and invites those who are assigned to them.
    Open(Vec<BreakoutPlan>),
    /// Assigns a participant of the main room to a breakout room that is open, and invites it.
    Assign {
        /// Id of the participant.
        peer: String,
        /// Name of the breakout room.
        room: String,
    },
    /// Sends a chat message to everybody in the main room and its breakout rooms.
    Tell {
        /// Text of the message.
        text: String,
    },
    /// Ends the breakout rooms: everybody returns to the main room.
    Close {
        /// Seconds until then.
        seconds: u32,
    },
}

/// A breakout room to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakoutPlan {
    /// Name for people to read.
    pub name: String,
    /// Ids of the participants who are assigned to it.
    pub peers: Vec<String>,
}

/// A breakout room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakoutRoom {
    /// Name by which clients enter it.
    pub room: Arc<str>,
    /// Name for people to read.
    pub name: Arc<str>,
}

/// A participant and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakoutPerson {
    /// Id of the participant.
    pub peer: PeerId,
    /// Name of the participant.
    pub display_name: Option<Arc<str>>,
    /// Breakout room that it is in; `None` for the main room.
    pub room: Option<Arc<str>>,
}

/// Breakout rooms of a meeting as a participant is told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakoutState {
    /// All breakout rooms.
    pub rooms: Vec<BreakoutRoom>,
    /// Breakout room that the receiver is in; `None` for the main room.
    pub current: Option<Arc<str>>,
    /// Breakout room to which the receiver is assigned.
    pub assigned: Option<Arc<str>>,
    /// Time until everybody returns; `None` while the rooms stay open.
    pub closes_in: Option<Duration>,
    /// Everybody in the breakout rooms, for hosts.
    pub people: Option<Vec<BreakoutPerson>>,
}
