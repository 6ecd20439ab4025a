//! Descriptions of participants and their producers for other participants.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use watersmeet_engine::command::ProducerId;
use watersmeet_wire::params::MediaKind;

use super::ids::PeerId;
use super::role::Role;

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

/// One participant, as other participants see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantSummary {
    /// Public id of the participant.
    pub peer: PeerId,
    /// Name to show.
    pub display_name: Option<Arc<str>>,
    /// User whom its token names.
    pub user: Option<User>,
    /// Role in the room.
    pub role: Role,
    /// Announced producers, oldest first.
    pub producers: Vec<ProducerSummary>,
}
