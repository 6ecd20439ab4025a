//! Request and response bodies of the REST interface. Their doc comments are the texts of the OpenAPI
//! description, which clients read.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use watersmeet_conference::conference::RoomSummary;
use watersmeet_conference::message::{ParticipantSummary, Policy, Role};
use watersmeet_conference::turn;
use watersmeet_wire::params::MediaKind;

use super::super::json_response::format_time;

/// Who may enter a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RoomPolicy {
    /// Everybody who knows its name.
    Open,
    /// Whoever brings a token for it.
    InviteOnly,
    /// Whoever a host lets in.
    Approval,
    /// Nobody but hosts.
    Locked,
}

/// Sound or pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Kind)]
#[serde(rename_all = "lowercase")]
pub enum TrackKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// A room to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRoom {
    /// How whoever makes it wants to be called.
    #[schema(example = "Alice", min_length = 1, max_length = 64)]
    pub host_name: String,
    /// What the meeting is called, for people to read. Invitations tell it. Absent: the room has its id only.
    #[serde(default)]
    #[schema(example = "Weekly meeting", min_length = 1, max_length = 64)]
    pub title: Option<String>,
    /// Who may enter. Absent: as the server is configured.
    #[serde(default)]
    pub policy: Option<RoomPolicy>,
    /// Whether to answer with a token that makes its bearer the host. Without it the first who
    /// enters is the host.
    #[serde(default)]
    pub host_token: bool,
    /// How many cameras each participant is sent: those of the latest speakers, then those of who came first;
    /// 0 is all. Absent: as the server is configured.
    #[serde(default, deserialize_with = "whole_number")]
    #[schema(maximum = 65_535)]
    pub last_n_video: Option<u16>,
    /// How many voices each participant is sent: the loudest; 0 is all. Absent: as the server is configured.
    #[serde(default, deserialize_with = "whole_number")]
    #[schema(maximum = 64)]
    pub top_n_audio: Option<u8>,
}

/// Reads an integer as JSON Schema defines it: `18.0` is one too.
fn whole_number<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let Some(value) = Option::<f64>::deserialize(deserializer)? else {
        return Ok(None);
    };
    // Whole floating-point numbers are written without a fraction. The sum removes the sign of -0.
    let number = (value + 0.0).to_string().parse();
    number.map(Some).map_err(D::Error::custom)
}

/// A room that was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MadeRoom)]
#[serde(rename_all = "camelCase")]
pub struct CreatedRoom {
    /// Its name, which nobody guesses.
    #[schema(example = "room-1733738400000-Jk3mYl0c4yTn9qG5v8w2bA")]
    pub room_id: String,
    /// A link for guests. It holds for a day.
    pub invite_link: String,
    /// As it was asked for.
    #[schema(example = "Alice")]
    pub host_name: String,
    /// What the meeting is called. Only if it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub title: Option<String>,
    /// Makes its bearer the host of this room, for a day. Only if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub host_token: Option<String>,
}

/// A room, as guests are told of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomState {
    /// Its name.
    pub room_id: String,
    /// Who made it; null if nobody did before the first came, or if you may not know.
    pub host_name: Option<String>,
    /// What the meeting is called; null if it was given no name, or if you may not know.
    pub title: Option<String>,
    /// How many are in it.
    pub participant_count: usize,
    /// Since when it is there (ISO 8601).
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// A room, as operators are told of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomDetails {
    /// Its name.
    pub room_id: String,
    /// Who made it; null if nobody did before the first came.
    pub host_name: Option<String>,
    /// What the meeting is called; null if it was given no name.
    pub title: Option<String>,
    /// How many are in it.
    pub participant_count: usize,
    /// Since when it is there (ISO 8601).
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Who may enter.
    pub policy: RoomPolicy,
    /// How many wait to be let in.
    pub waiting_count: usize,
    /// How many sources they have.
    pub producer_count: usize,
    /// How many ways those go to others.
    pub consumer_count: usize,
}

/// Some of all rooms, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomPage {
    /// The rooms.
    pub rooms: Vec<RoomDetails>,
    /// What to give as `after` for those that follow; null when there are none.
    pub next: Option<String>,
}

/// Somebody in a room.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// Its public name.
    pub id: String,
    /// How it wants to be seen.
    #[schema(example = "Alice")]
    pub display_name: String,
    /// Whether it sends sound.
    pub has_audio: bool,
    /// Whether it sends pictures.
    pub has_video: bool,
    /// What it may do.
    pub role: ParticipantRole,
    /// Its user id: the one in its token, or else what it says itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user_id: Option<String>,
}

/// What somebody may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Role)]
#[serde(rename_all = "lowercase")]
pub enum ParticipantRole {
    /// Sends, receives and decides.
    Host,
    /// Sends and receives.
    Producer,
    /// Receives.
    Consumer,
    /// Waits to be let in.
    Waiting,
}

/// Who is in a room, longest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParticipantList {
    /// Who.
    pub participants: Vec<Participant>,
}

/// What to pause of somebody.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mute {
    /// What. Absent: all of it.
    #[serde(default)]
    pub kind: Option<TrackKind>,
}

/// Who may enter from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    /// Who.
    pub policy: RoomPolicy,
}

/// Nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Nothing)]
#[serde(deny_unknown_fields)]
pub struct EmptyBody {}

/// An invitation into a room.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// The link for a guest.
    pub invite_link: String,
    /// The token in it.
    pub token: String,
    /// When it ends (ISO 8601).
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// A STUN or TURN server, as `RTCPeerConnection` takes it.
#[derive(Debug, Serialize, ToSchema)]
pub struct IceServer {
    /// Its addresses.
    pub urls: Vec<String>,
    /// Who it is asked as.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub username: Option<String>,
    /// What proves it; a password that ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub credential: Option<String>,
}

/// The servers that help to reach this one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IceServerList {
    /// The servers.
    pub ice_servers: Vec<IceServer>,
}

impl From<&RoomSummary> for RoomState {
    fn from(room: &RoomSummary) -> Self {
        Self {
            room_id: room.room.to_string(),
            host_name: room.host_name.as_deref().map(str::to_owned),
            title: room.title.as_deref().map(str::to_owned),
            participant_count: room.participants,
            created_at: format_time(room.created_unix_ms),
        }
    }
}

impl From<&RoomSummary> for RoomDetails {
    fn from(room: &RoomSummary) -> Self {
        Self {
            room_id: room.room.to_string(),
            host_name: room.host_name.as_deref().map(str::to_owned),
            title: room.title.as_deref().map(str::to_owned),
            participant_count: room.participants,
            created_at: format_time(room.created_unix_ms),
            policy: room.policy.into(),
            waiting_count: room.waiting,
            producer_count: room.producers,
            consumer_count: room.consumers,
        }
    }
}

impl From<&ParticipantSummary> for Participant {
    fn from(participant: &ParticipantSummary) -> Self {
        let has = |kind| participant.producers.iter().any(|it| it.kind == kind);
        let id = participant.peer.as_str();
        Self {
            id: id.to_owned(),
            display_name: participant.display_name.as_deref().unwrap_or(id).to_owned(),
            has_audio: has(MediaKind::Audio),
            has_video: has(MediaKind::Video),
            role: match participant.role {
                Role::Host => ParticipantRole::Host,
                Role::Speaker => ParticipantRole::Producer,
                Role::Viewer => ParticipantRole::Consumer,
            },
            user_id: participant.known_as().map(str::to_owned),
        }
    }
}

impl Participant {
    /// Describes a participant that waits for a host.
    pub fn waiting(participant: &ParticipantSummary) -> Self {
        Self {
            role: ParticipantRole::Waiting,
            ..Self::from(participant)
        }
    }
}

impl From<turn::IceServer> for IceServer {
    fn from(server: turn::IceServer) -> Self {
        Self {
            urls: server.urls,
            username: server.username,
            credential: server.credential,
        }
    }
}

impl From<TrackKind> for MediaKind {
    fn from(kind: TrackKind) -> Self {
        match kind {
            TrackKind::Audio => Self::Audio,
            TrackKind::Video => Self::Video,
        }
    }
}

impl From<MediaKind> for TrackKind {
    fn from(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Audio => Self::Audio,
            MediaKind::Video => Self::Video,
        }
    }
}

impl From<Policy> for RoomPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Open => Self::Open,
            Policy::InviteOnly => Self::InviteOnly,
            Policy::Approval => Self::Approval,
            Policy::Locked => Self::Locked,
        }
    }
}

impl From<RoomPolicy> for Policy {
    fn from(policy: RoomPolicy) -> Self {
        match policy {
            RoomPolicy::Open => Self::Open,
            RoomPolicy::InviteOnly => Self::InviteOnly,
            RoomPolicy::Approval => Self::Approval,
            RoomPolicy::Locked => Self::Locked,
        }
    }
}
