//! Events of rooms, for webhooks and the history of calls. Participants are told by notices instead. Events change
//! nothing in the conference and are never answered.

use std::sync::Arc;

use watersmeet_engine::command::ProducerId;
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::Time;

use crate::message::{MediaSource, PeerId, RemovalReason, Role};

/// Something that happened in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomEvent {
    /// Time at which it happened.
    pub at: Time,
    /// Room in which it happened.
    pub room: RoomRecord,
    /// Kind of the event, with its details.
    pub kind: RoomEventKind,
}

/// Kind of an event, with those whom it concerns.
///
/// A room starts with its first participant, not when it is created in advance, and finishes when nobody is in
/// it or expected back. A session that is resumed, or that joins its room again, neither leaves nor joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomEventKind {
    /// The first participant is about to enter.
    RoomStarted,
    /// The room is gone. Ends everything that was in it, also after an internal error.
    RoomFinished,
    /// A participant has entered.
    ParticipantJoined {
        /// The participant.
        participant: ParticipantRecord,
        /// Whether it comes from another room of the same meeting: to or from a breakout room.
        is_moved: bool,
    },
    /// A participant has left. Its tracks were unpublished before.
    ParticipantLeft {
        /// The participant.
        participant: ParticipantRecord,
        /// Why it left.
        reason: DepartureReason,
        /// Whether a transport of it was ever connected in this room.
        has_connected: bool,
    },
    /// A participant sends a new track.
    TrackPublished {
        /// Its sender.
        participant: ParticipantRecord,
        /// The track.
        track: TrackRecord,
    },
    /// A track has ended.
    TrackUnpublished {
        /// Its sender.
        participant: ParticipantRecord,
        /// The track.
        track: TrackRecord,
    },
    /// A track was muted or unmuted, as `TrackRecord::is_muted` says.
    TrackMuteChanged {
        /// Its sender.
        participant: ParticipantRecord,
        /// The track.
        track: TrackRecord,
    },
}

/// A room at the time of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRecord {
    /// Name by which participants join.
    pub name: Arc<str>,
    /// Id of this life of the room, never reused. A later room of the same name has another one.
    pub session: Arc<str>,
    /// Name of the meeting for people to read.
    pub title: Option<Arc<str>>,
    /// Main room, if this is a breakout room.
    pub main: Option<Arc<str>>,
    /// Time at which it started.
    pub started_at: Time,
    /// Number of participants after the event.
    pub participants: usize,
}

/// A participant at the time of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantRecord {
    /// Id of its stay in the meeting, never reused. Breakout rooms and resumed connections keep it.
    pub session: Arc<str>,
    /// Id by which other participants know it: the user's id where a token names a user.
    pub peer: PeerId,
    /// Name shown to others.
    pub display_name: Option<Arc<str>>,
    /// Id of the user whom its token names.
    pub user: Option<Arc<str>>,
    /// Role in the room.
    pub role: Role,
    /// Name of the signalling protocol of its client, as in `docs/protocol.md`.
    pub dialect: &'static str,
    /// Time at which its stay began.
    pub joined_at: Time,
}

/// A track, which is the same as a producer, at the time of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackRecord {
    /// Id of the producer.
    pub producer: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// Captured source. `None` when the client did not say.
    pub source: Option<MediaSource>,
    /// MIME type of its codec, such as `video/VP8`.
    pub mime_type: Arc<str>,
    /// Whether it is sent in several encodings.
    pub is_simulcast: bool,
    /// Whether its owner or a host has paused it.
    pub is_muted: bool,
}

/// Why a participant left its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepartureReason {
    /// Its client left, closed the connection, or joined another room.
    Left,
    /// Its connection was lost, and its client did not come back in time.
    ConnectionLost,
    /// The server closed its connection: the token expired, a limit was exceeded, or an internal error.
    Disconnected,
    /// A host removed it.
    Removed,
    /// The same user, or the same client after a lost connection, joined on another connection.
    Replaced,
    /// A host ended the meeting.
    Ended,
    /// The operator closed the room.
    RoomClosed,
    /// The participant was moved to another room of its meeting.
    Moved,
    /// The server stops.
    ServerStopped,
}

impl DepartureReason {
    /// Returns the reason as a stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::ConnectionLost => "connection-lost",
            Self::Disconnected => "disconnected",
            Self::Removed => "removed",
            Self::Replaced => "replaced",
            Self::Ended => "ended",
            Self::RoomClosed => "room-closed",
            Self::Moved => "moved",
            Self::ServerStopped => "server-stopped",
        }
    }
}

impl From<RemovalReason> for DepartureReason {
    fn from(reason: RemovalReason) -> Self {
        match reason {
            RemovalReason::Denied | RemovalReason::Removed => Self::Removed,
            RemovalReason::Replaced => Self::Replaced,
            RemovalReason::RoomClosed => Self::RoomClosed,
            RemovalReason::Ended => Self::Ended,
        }
    }
}
