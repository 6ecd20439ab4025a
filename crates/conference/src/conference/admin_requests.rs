//! Requests of the program itself and of its REST API, and their responses.

use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};

use crate::connect_request::ClientKey;
use crate::message::{Moderation, ParticipantSummary, Policy, ShardId};

/// Maximum number of rooms in one list.
pub const ROOMS_LISTED_MAX: usize = 1_000;

/// Request of the program or its REST API. The caller has checked that it is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminRequest {
    /// Creates a room in advance. It is removed when no participant joins in time.
    CreateRoom {
        /// Name of the room.
        room: String,
        /// Name of the person who creates it.
        host_name: Option<String>,
        /// Name of the meeting for people to read.
        title: Option<String>,
        /// Policy; absent means the configured one.
        policy: Option<Policy>,
        /// Whether tokens decide who is a host. Otherwise the first participant is the host.
        has_host_token: bool,
        /// Cameras that each participant is sent, 0 for all; absent means the configured number.
        last_n_video: Option<u16>,
        /// Voices that each participant is sent, 0 for all; absent means the configured number.
        top_n_audio: Option<u8>,
        /// Client that creates the room.
        creator: RoomCreator,
    },
    /// Returns the summary of one room.
    Room {
        /// Name of the room.
        room: String,
    },
    /// Lists rooms by name.
    Rooms {
        /// Last room name of the previous list; `None` starts at the first room.
        after: Option<String>,
        /// Maximum number of rooms to list.
        limit: usize,
    },
    /// Lists the participants of a room.
    Participants {
        /// Name of the room.
        room: String,
    },
    /// Lists the participants of a room with the ids of their media objects.
    RoomMedia {
        /// Name of the room.
        room: String,
    },
    /// Begins or ends draining: no further rooms are opened while it lasts.
    SetDraining {
        /// Whether it begins.
        is_draining: bool,
    },
    /// Removes all participants from a room, and then the room.
    DeleteRoom {
        /// Name of the room.
        room: String,
    },
    /// Carries out a moderation request in place of a host.
    Moderate {
        /// Name of the room.
        room: String,
        /// Moderation to carry out.
        moderation: Moderation,
    },
}

/// Creator of a room in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomCreator {
    /// The operator, whose rooms wait for a day and are not counted.
    Operator,
    /// A client with this network address; `None` when it distinguishes nobody.
    Client(Option<ClientKey>),
}

/// Response to an `AdminRequest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminResponse {
    /// Summary of one room.
    Room(RoomSummary),
    /// Summaries of rooms, sorted by name.
    Rooms(Vec<RoomSummary>),
    /// People of a room.
    Participants {
        /// Participants, in order of joining.
        participants: Vec<ParticipantSummary>,
        /// Participants that wait until a host admits them.
        waiting: Vec<ParticipantSummary>,
    },
    /// Participants with their media objects, in order of joining.
    RoomMedia(Vec<ParticipantObjects>),
    /// The request was carried out.
    Done,
}

/// Summary of one room for the REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// Name of the room.
    pub room: Arc<str>,
    /// Name of the person who created it in advance.
    pub host_name: Option<Arc<str>>,
    /// Name of the meeting for people to read.
    pub title: Option<Arc<str>>,
    /// Rule that decides who may enter.
    pub policy: Policy,
    /// Time of creation, in milliseconds since 1970.
    pub created_unix_ms: u64,
    /// Number of participants.
    pub participants: usize,
    /// Number of participants that wait until a host admits them.
    pub waiting: usize,
    /// Number of producers.
    pub producers: usize,
    /// Number of consumers of these producers.
    pub consumers: usize,
    /// Media of each participant in order of joining. Empty outside of lists.
    pub media_by_participant: Vec<ParticipantMedia>,
    /// Signalling dialects of its participants, each once, in alphabetical order.
    pub dialects: Vec<&'static str>,
}

/// Media of one participant, without its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParticipantMedia {
    /// Number of producers.
    pub producers: usize,
    /// Number of consumers.
    pub consumers: usize,
}

/// A participant with the ids of its media objects, by which shards are asked for statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantObjects {
    /// The participant, with its announced producers.
    pub participant: ParticipantSummary,
    /// Signalling dialect of its client.
    pub dialect: &'static str,
    /// Its transports and their shards.
    pub transports: Vec<(ShardId, TransportId)>,
    /// Its announced producers and the shards that receive them.
    pub producers: Vec<(ShardId, ProducerId)>,
    /// Its consumers and the shards of their transports.
    pub consumers: Vec<(ShardId, ConsumerId)>,
}
