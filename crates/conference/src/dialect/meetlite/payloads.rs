//! What meetlite clients send and are sent: the shapes, without what they lead to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};

use super::NAMESPACE;
use crate::dialect::{Effect, RequestTag, media_json};
use crate::message::{
    Direction, MediaSource, ParticipantSummary, PeerId, ProducerSummary, Refusal, User,
};

/// What a participant sends, of which there is one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Label {
    Audio,
    Video,
    ScreenAudio,
    ScreenVideo,
}

impl Label {
    /// What a producer is to these clients.
    pub(super) fn of(producer: &ProducerSummary) -> Self {
        let is_screen = matches!(
            producer.source,
            Some(MediaSource::Screen | MediaSource::ScreenAudio)
        );
        let label = match producer.kind {
            MediaKind::Audio => Self::Audio,
            MediaKind::Video => Self::Video,
        };
        label.of_screen(is_screen)
    }

    /// The same of a screen, if it is of one.
    pub(super) const fn of_screen(self, is_screen: bool) -> Self {
        match self {
            Self::Audio if is_screen => Self::ScreenAudio,
            Self::Video if is_screen => Self::ScreenVideo,
            _ => self,
        }
    }

    /// Reads what a tag was given.
    pub(super) fn parse(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    /// Audio or video.
    pub(super) const fn kind(self) -> MediaKind {
        match self {
            Self::Audio | Self::ScreenAudio => MediaKind::Audio,
            Self::Video | Self::ScreenVideo => MediaKind::Video,
        }
    }

    /// What it shows to people.
    pub(super) const fn source(self) -> MediaSource {
        match self {
            Self::Audio => MediaSource::Mic,
            Self::Video => MediaSource::Camera,
            Self::ScreenAudio => MediaSource::ScreenAudio,
            Self::ScreenVideo => MediaSource::Screen,
        }
    }

    /// Whether it is of a screen.
    const fn is_screen(self) -> bool {
        matches!(self, Self::ScreenAudio | Self::ScreenVideo)
    }
}

/// `join-room`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomRef {
    pub room_id: String,
}

/// `ready`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ready {
    pub room_id: String,
    pub media_state: Option<Devices>,
}

/// What somebody's devices do. They are on until it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Devices {
    /// Whether the microphone is on.
    #[serde(alias = "audio")]
    pub audio_enabled: bool,
    /// Whether the camera is on.
    #[serde(alias = "video")]
    pub video_enabled: bool,
}

impl Default for Devices {
    fn default() -> Self {
        Self {
            audio_enabled: true,
            video_enabled: true,
        }
    }
}

/// `media-state-change`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MediaState {
    pub room_id: Option<String>,
    #[serde(flatten)]
    pub devices: Devices,
}

/// `create-webrtc-transport`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateTransport {
    pub room_id: Option<String>,
    pub direction: Direction,
}

/// `connect-webrtc-transport`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectTransport {
    pub dtls_parameters: DtlsParameters,
    pub direction: Direction,
}

/// `set-rtp-capabilities`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetCapabilities {
    pub rtp_capabilities: RtpCapabilities,
}

/// `create-producer`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateProducer {
    pub kind: Label,
    pub rtp_parameters: RtpParameters,
    pub app_data: Option<Value>,
}

/// `pause-producer`, `resume-producer` and `close-producer`
#[derive(Deserialize)]
pub(super) struct KindRef {
    pub kind: Label,
}

/// `resume-consumer` and `pause-consumer`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumerRef {
    pub consumer_id: String,
}

/// An event for the client.
pub(super) fn told(name: &str, payload: Value) -> Effect {
    media_json::told(NAMESPACE, name, payload)
}

/// Whom somebody is to these clients. Those that come with other dialects have no address; they
/// have a name perhaps.
pub(super) fn user_info(peer: &PeerId, user: Option<&User>, name: Option<&str>) -> Value {
    let email = user.and_then(|it| it.email.as_deref());
    json!({ "email": email.or(name).unwrap_or_default(), "userId": peer.as_str() })
}

/// What others are told of a producer beside its kind. Of what its owner's client says, only what
/// these clients know.
fn app_data(producer: &ProducerSummary) -> Value {
    match Label::of(producer).is_screen() {
        true => json!({ "screen": true }),
        false => json!({}),
    }
}

/// `existing-participants`
pub(super) fn existing_participants(others: &[ParticipantSummary]) -> Effect {
    let participants = others.iter().map(|other| {
        let producers = other.producers.iter().map(|it| {
            json!({
                "producerId": it.producer.to_string(),
                "kind": it.kind,
                "appData": app_data(it),
            })
        });
        let producers: Vec<_> = producers.collect();
        json!({
            "participantId": other.peer.as_str(),
            "userInfo": info(other),
            "producers": producers,
        })
    });
    let participants: Vec<_> = participants.collect();
    let payload = json!({ "participants": participants });
    told("existing-participants", payload)
}

/// Whom a participant is to these clients.
pub(super) fn info(other: &ParticipantSummary) -> Value {
    user_info(
        &other.peer,
        other.user.as_ref(),
        other.display_name.as_deref(),
    )
}

/// `producer-created`: its own client gets back what it said of it.
pub(super) fn producer_created(producer: &ProducerSummary) -> Effect {
    let said = producer.app_data.as_deref();
    let payload = json!({
        "producerId": producer.producer.to_string(),
        "kind": producer.kind,
        "appData": said.cloned().unwrap_or_else(|| app_data(producer)),
    });
    told("producer-created", payload)
}

/// What is added to a consumer of a screen: its kind stays what media it is.
pub(super) fn screen_marks(producer: &ProducerSummary) -> Map<String, Value> {
    let label = Label::of(producer);
    let mut marks = Map::new();
    if label.is_screen() {
        marks.insert("mediaType".to_owned(), json!(label));
        marks.insert("appData".to_owned(), app_data(producer));
    }
    marks
}

/// `consumer-error`
pub(super) fn consumer_error(tag: &RequestTag, refusal: &Refusal) -> Effect {
    let payload = json!({ "consumerId": tag.id, "error": refusal.to_string() });
    told("consumer-error", payload)
}

/// `media-state-update`
pub(super) fn media_state(peer: &PeerId, devices: Devices) -> Effect {
    let payload = json!({
        "userId": peer.as_str(),
        "audioEnabled": devices.audio_enabled,
        "videoEnabled": devices.video_enabled,
    });
    told("media-state-update", payload)
}

/// `chat:message`
pub(super) fn chat(peer: &PeerId, user: Option<&User>, text: &str) -> Effect {
    let mut payload = sender(peer, user);
    payload.insert("message".to_owned(), json!(text));
    told("chat:message", payload.into())
}

/// Who sent something, by name and address.
pub(super) fn sender(peer: &PeerId, user: Option<&User>) -> Map<String, Value> {
    let email = user.and_then(|it| it.email.as_deref());
    let mut sender = Map::new();
    sender.insert("userId".to_owned(), json!(peer.as_str()));
    sender.insert("userEmail".to_owned(), json!(email.unwrap_or_default()));
    sender
}
