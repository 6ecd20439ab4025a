//! Payloads that meetlite clients send and receive.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};

use crate::connect_request::Namespace;
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::socketio_event;
use crate::message::{
    Direction, MediaSource, ParticipantSummary, PeerId, ProducerSummary, Refusal, User,
};

/// Namespace of all clients.
const NAMESPACE: Namespace = Namespace::Main;

/// Kind of a producer in this dialect. A client has at most one producer of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ProducerLabel {
    Audio,
    Video,
    ScreenAudio,
    ScreenVideo,
}

impl ProducerLabel {
    /// Returns the label of a producer.
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

    /// Returns the label for a screen of the same kind if `is_screen`, otherwise the label itself.
    pub(super) const fn of_screen(self, is_screen: bool) -> Self {
        match self {
            Self::Audio if is_screen => Self::ScreenAudio,
            Self::Video if is_screen => Self::ScreenVideo,
            _ => self,
        }
    }

    /// Reads the label that a request was tagged with.
    pub(super) fn from_tag(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    /// Returns the media kind: audio or video.
    pub(super) const fn kind(self) -> MediaKind {
        match self {
            Self::Audio | Self::ScreenAudio => MediaKind::Audio,
            Self::Video | Self::ScreenVideo => MediaKind::Video,
        }
    }

    /// Returns the capture source.
    pub(super) const fn source(self) -> MediaSource {
        match self {
            Self::Audio => MediaSource::Mic,
            Self::Video => MediaSource::Camera,
            Self::ScreenAudio => MediaSource::ScreenAudio,
            Self::ScreenVideo => MediaSource::Screen,
        }
    }

    /// Returns whether a screen was captured.
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
    pub media_state: Option<DeviceState>,
}

/// Devices of a participant. A device is on unless the client says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeviceState {
    /// Whether the microphone is on.
    #[serde(alias = "audio")]
    pub audio_enabled: bool,
    /// Whether the camera is on.
    #[serde(alias = "video")]
    pub video_enabled: bool,
}

impl Default for DeviceState {
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
    pub devices: DeviceState,
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
    pub kind: ProducerLabel,
    pub rtp_parameters: RtpParameters,
    pub app_data: Option<Value>,
}

/// `pause-producer`, `resume-producer` and `close-producer`
#[derive(Deserialize)]
pub(super) struct KindRef {
    pub kind: ProducerLabel,
}

/// `resume-consumer` and `pause-consumer`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumerRef {
    pub consumer_id: String,
}

/// Writes an event for the client.
pub(super) fn emit(name: &str, payload: Value) -> Effect {
    socketio_event::emit(NAMESPACE, name, payload)
}

/// Returns the `appData` of a producer for others. It only says whether a screen was captured,
/// because the owner's `appData` may come from a client of another dialect.
fn app_data(producer: &ProducerSummary) -> Value {
    match ProducerLabel::of(producer).is_screen() {
        true => json!({ "screen": true }),
        false => json!({}),
    }
}

/// Writes `existing-participants`.
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
            "userInfo": participant_info(other),
            "producers": producers,
        })
    });
    let participants: Vec<_> = participants.collect();
    let payload = json!({ "participants": participants });
    emit("existing-participants", payload)
}

/// Returns `userInfo` of a participant. Participants of other dialects may have no email address;
/// their display name takes its place.
pub(super) fn participant_info(other: &ParticipantSummary) -> Value {
    let email = other.user.as_ref().and_then(|it| it.email.as_deref());
    let name = other.display_name.as_deref();
    json!({ "email": email.or(name).unwrap_or_default(), "userId": other.peer.as_str() })
}

/// Writes `producer-created`, with the `appData` that the client itself sent.
pub(super) fn producer_created(producer: &ProducerSummary) -> Effect {
    let own = producer.app_data.as_deref();
    let payload = json!({
        "producerId": producer.producer.to_string(),
        "kind": producer.kind,
        "appData": own.cloned().unwrap_or_else(|| app_data(producer)),
    });
    emit("producer-created", payload)
}

/// Returns members that are added to the consumer of a screen. Its `kind` stays audio or video.
pub(super) fn screen_members(producer: &ProducerSummary) -> Map<String, Value> {
    let label = ProducerLabel::of(producer);
    let mut members = Map::new();
    if label.is_screen() {
        members.insert("mediaType".to_owned(), json!(label));
        members.insert("appData".to_owned(), app_data(producer));
    }
    members
}

/// Writes `consumer-error`.
pub(super) fn consumer_error(tag: &RequestTag, refusal: &Refusal) -> Effect {
    let payload = json!({ "consumerId": tag.id, "error": refusal.to_string() });
    emit("consumer-error", payload)
}

/// Writes `media-state-update`.
pub(super) fn media_state(peer: &PeerId, devices: DeviceState) -> Effect {
    let payload = json!({
        "userId": peer.as_str(),
        "audioEnabled": devices.audio_enabled,
        "videoEnabled": devices.video_enabled,
    });
    emit("media-state-update", payload)
}

/// Writes `chat:message`.
pub(super) fn chat(peer: &PeerId, user: Option<&User>, text: &str) -> Effect {
    let mut payload = sender(peer, user);
    payload.insert("message".to_owned(), json!(text));
    emit("chat:message", payload.into())
}

/// Returns the members that name the sender of a message.
pub(super) fn sender(peer: &PeerId, user: Option<&User>) -> Map<String, Value> {
    let email = user.and_then(|it| it.email.as_deref());
    let mut sender = Map::new();
    sender.insert("userId".to_owned(), json!(peer.as_str()));
    sender.insert("userEmail".to_owned(), json!(email.unwrap_or_default()));
    sender
}
