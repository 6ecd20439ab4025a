//! Descriptions of participants and their producers for other participants.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use watersmeet_engine::command::ProducerId;
use watersmeet_wire::params::MediaKind;

use super::ids::PeerId;
use super::role::{Role, Sharing};

/// A user whom a token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Id of the user, unique at the issuer of the token.
    pub id: Arc<str>,
    /// Email address of the user.
    pub email: Option<Arc<str>>,
}

impl User {
    /// Returns the part of the email address before the `@`. It is shown as the display name of a
    /// user who gives none.
    pub fn email_local_part(&self) -> Option<Arc<str>> {
        let (local_part, _) = self.email.as_deref()?.split_once('@')?;
        Some(local_part.into()).filter(|_| !local_part.is_empty())
    }
}

/// Software of a client, as the client describes it. Not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientDevice {
    /// Short name for programs, such as `chrome`.
    pub flag: Option<Arc<str>>,
    /// Name for people, such as `Chrome`.
    pub name: Option<Arc<str>>,
    /// Version of the software.
    pub version: Option<Arc<str>>,
}

impl ClientDevice {
    /// Returns all texts of the description.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = [&self.flag, &self.name, &self.version];
        texts.into_iter().filter_map(|it| it.as_deref())
    }
}

/// Source that the media of a producer was captured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum MediaSource {
    /// A microphone.
    Mic,
    /// A camera.
    Camera,
    /// A shared screen.
    Screen,
    /// Sound of a shared screen.
    ScreenAudio,
}

/// One producer, as other participants see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerSummary {
    /// Id of the producer.
    pub producer: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// Captured source. `None` when the client did not say.
    pub source: Option<MediaSource>,
    /// Whether its owner has paused it.
    pub paused: bool,
    /// Free-form data from its owner's client for other clients: a JSON object.
    pub app_data: Option<Arc<Value>>,
}

impl ProducerSummary {
    /// Returns whether it is the picture of a shared screen.
    pub fn is_screen(&self) -> bool {
        self.source == Some(MediaSource::Screen)
    }
}

/// One participant, as other participants see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantSummary {
    /// Public id of the participant.
    pub peer: PeerId,
    /// Name to show.
    pub display_name: Option<Arc<str>>,
    /// User whom its token names.
    pub user: Option<User>,
    /// Claimed user id, not verified.
    pub claimed_user: Option<Arc<str>>,
    /// Software of its client.
    pub device: Option<Arc<ClientDevice>>,
    /// Role in the room.
    pub role: Role,
    /// Whether nothing arrives from it at the moment.
    pub is_interrupted: bool,
    /// Announced producers, oldest first.
    pub producers: Vec<ProducerSummary>,
}

/// A room as a participant that enters it is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSnapshot {
    /// Name of the room.
    pub room: Arc<str>,
    /// Name of the meeting for people to read.
    pub title: Option<Arc<str>>,
    /// Role of the participant in the room.
    pub role: Role,
    /// The other participants and their producers, in order of joining. Later changes follow as
    /// notices.
    pub others: Vec<ParticipantSummary>,
    /// Number of participants in the room, where `others` does not list all of them.
    pub count: Option<usize>,
    /// Participant that is speaking, as the others were told.
    pub active_speaker: Option<PeerId>,
    /// Participant that a host shows large to everybody.
    pub spotlight: Option<PeerId>,
    /// Rule for sharing screens.
    pub sharing: Sharing,
}

/// A room as a participant in its lobby is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LobbyState {
    /// Name of the room.
    pub room: Arc<str>,
    /// Name of the meeting for people to read.
    pub title: Option<Arc<str>>,
    /// Whether a host is in the room, who sees that the participant waits.
    pub has_host: bool,
}

impl ParticipantSummary {
    /// Returns the user id in the token, or else the claimed one.
    pub fn known_as(&self) -> Option<&str> {
        let user = self.user.as_ref().map(|it| &*it.id);
        user.or(self.claimed_user.as_deref())
    }
}
