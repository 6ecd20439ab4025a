//! Requests of the program itself and of its REST API, which come from outside of any room.

use std::sync::Arc;

use crate::message::{Moderation, ParticipantSummary, Policy};

/// Most rooms in one list.
pub const ROOMS_LISTED_MAX: usize = 1_000;

/// Request from outside of any room. Whether it may be made was checked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminRequest {
    /// Creates a room in advance. It is removed when nobody joins for a while.
    CreateRoom {
        /// Name of the room.
        room: String,
        /// Name of who creates it.
        host_name: Option<String>,
        /// Policy; absent means the configured one.
        policy: Option<Policy>,
        /// Whether hosts are known by their tokens. Otherwise the first who joins is the host.
        has_host_token: bool,
    },
    /// Reads one room.
    Room {
        /// Name of the room.
        room: String,
    },
    /// Lists rooms by name.
    Rooms {
        /// Last name of the list before.
        after: Option<String>,
        /// Most rooms to list.
        limit: usize,
    },
    /// Lists the participants of a room.
    Participants {
        /// Name of the room.
        room: String,
    },
    /// Removes everybody from a room, and the room.
    DeleteRoom {
        /// Name of the room.
        room: String,
    },
    /// Carries out what a host could decide.
    Moderate {
        /// Name of the room.
        room: String,
        /// The decision.
        moderation: Moderation,
    },
}

/// Response to an `AdminRequest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminResponse {
    /// One room.
    Room(RoomSummary),
    /// Rooms, by name.
    Rooms(Vec<RoomSummary>),
    /// Participants of a room.
    Participants(Vec<ParticipantSummary>),
    /// The request was carried out.
    Done,
}

/// One room, as it is shown outside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// Name of the room.
    pub room: Arc<str>,
    /// Name of who created it, if that was done in advance.
    pub host_name: Option<Arc<str>>,
    /// Who may enter.
    pub policy: Policy,
    /// Time of creation, in milliseconds since 1970.
    pub created_unix_ms: u64,
    /// Number of participants.
    pub participants: usize,
    /// Number of participants that wait until a host admits them.
    pub waiting: usize,
    /// Number of producers.
    pub producers: usize,
    /// Number of their consumers.
    pub consumers: usize,
    /// Media of each participant, longest here first. Filled only in lists.
    pub media_by_participant: Vec<ParticipantMedia>,
}

/// Media of one participant, who is not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParticipantMedia {
    /// Number of producers.
    pub producers: usize,
    /// Number of consumers.
    pub consumers: usize,
}
