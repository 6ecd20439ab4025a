//! Payloads of the native dialect. Each type has the name and the fields that it has on the wire;
//! the web client's types are generated from these.
//!
//! Ids from clients are plain text here: text that is not an id is "not found", not "malformed".

mod breakouts;
mod conversation;
mod media_notices;
mod moderation;
mod resuming;
mod room_notices;

use serde::{Deserialize, Serialize};
use watersmeet_wire::params::{
    DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpCapabilities, RtpParameters,
};

pub(super) use self::breakouts::*;
pub(super) use self::conversation::*;
pub(super) use self::media_notices::*;
pub(super) use self::moderation::*;
pub(super) use self::resuming::*;
pub(super) use self::room_notices::*;
use crate::message::{Direction, MediaSource, Policy, RemovalReason, Role, Sharing};
use crate::turn::IceServer;

/// An empty payload.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "Record<string, never>"))]
pub(super) struct Empty {}

/// `joinRoom`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct JoinRoom {
    /// Name of the room; it is created if necessary.
    pub room_id: String,
    /// Name to show to others.
    pub display_name: Option<String>,
    /// Access token.
    pub token: Option<String>,
    /// Secret of the client, at least 16 characters that nobody guesses and the same whenever it
    /// reconnects. Its participant takes the place of the one before, with the same role.
    pub resume: Option<String>,
    /// Whether the client can resume its session over another connection. Needs `resume`.
    pub resumable: Option<bool>,
}

/// `createTransport`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateTransport {
    /// Direction of the media, as the client sees it.
    pub direction: Direction,
}

/// `connectTransport`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectTransport {
    /// Id of the transport.
    pub transport_id: String,
    /// DTLS role and fingerprints of the client.
    #[cfg_attr(test, ts(type = "DtlsParameters"))]
    pub dtls_parameters: DtlsParameters,
}

/// Names a transport.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct TransportRef {
    /// Id of the transport.
    pub transport_id: String,
}

/// Names a producer.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct ProducerRef {
    /// Id of the producer.
    pub producer_id: String,
}

/// Names a consumer.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumerRef {
    /// Id of the consumer.
    pub consumer_id: String,
}

/// `produce`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Produce {
    /// Transport to send on.
    pub transport_id: String,
    /// Audio or video.
    #[cfg_attr(test, ts(type = "Kind"))]
    pub kind: MediaKind,
    /// RTP parameters of the sender.
    #[cfg_attr(test, ts(type = "RtpParameters"))]
    pub rtp_parameters: RtpParameters,
    /// Captured source.
    pub source: Option<MediaSource>,
    /// Whether the producer starts paused.
    pub paused: Option<bool>,
    /// Free-form data for other clients.
    #[cfg_attr(test, ts(optional, type = "Record<string, unknown>"))]
    pub app_data: Option<serde_json::Value>,
}

/// `consume`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Consume {
    /// Producer to receive.
    pub producer_id: String,
    /// RTP capabilities of the client.
    #[cfg_attr(test, ts(type = "RtpCapabilities"))]
    pub rtp_capabilities: RtpCapabilities,
    /// Transport to receive on; absent means the newest receive transport.
    pub transport_id: Option<String>,
}

/// `setPreferredLayers`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct SetPreferredLayers {
    /// Id of the consumer.
    pub consumer_id: String,
    /// Highest resolution wanted; the lowest is zero.
    pub spatial_layer: u8,
    /// Highest frame rate wanted; absent means any.
    pub temporal_layer: Option<u8>,
}

/// `setPriority`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct SetPriority {
    /// Id of the consumer.
    pub consumer_id: String,
    /// Priority of the consumer in the distribution of bandwidth: higher ones get bitrate first. A camera above 1
    /// does not count for `last_n_video`. New consumers have 1, those of shared screens 128.
    pub priority: u8,
}

/// Names a transport, a producer or a consumer.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct SubjectRef {
    /// Id of a transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport_id: Option<String>,
    /// Id of a producer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer_id: Option<String>,
    /// Id of a consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<String>,
}

/// Options of clients that the server sets.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ClientOptions {
    /// Video codec to publish with, such as `video/VP9`; absent leaves the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_video_codec: Option<String>,
    /// Interval, in seconds, at which the page reports on its call; absent when nobody wants reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_interval_s: Option<u16>,
}

/// `connected`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Connected {
    /// Public id of this participant.
    pub peer_id: String,
    /// STUN and TURN servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_servers: Option<Vec<IceServer>>,
    /// Options that the server sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<ClientOptions>,
}

/// `routerRtpCapabilities`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct RouterRtpCapabilities<'a> {
    /// Codecs and header extensions that routers forward.
    #[cfg_attr(test, ts(type = "RtpCapabilities"))]
    pub rtp_capabilities: &'a RtpCapabilities,
}

/// A producer of a participant.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct ProducerSummary {
    /// Id of the producer.
    pub producer_id: String,
    /// Audio or video.
    #[cfg_attr(test, ts(type = "Kind"))]
    pub kind: MediaKind,
    /// Captured source; absent means the usual one of its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<MediaSource>,
    /// Whether it is paused; absent means that it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// The producers of one participant.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerProducers {
    /// Id of the participant.
    pub peer_id: String,
    /// Name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Its producers, oldest first.
    pub producers: Vec<ProducerSummary>,
}

/// A participant with its role and media.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct ParticipantSummary {
    /// Id of the participant.
    pub peer_id: String,
    /// Name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether it sends sound of a microphone.
    pub audio: bool,
    /// Whether it sends video of a camera.
    pub video: bool,
    /// Role in the room.
    pub role: Role,
    /// Whether nothing arrives from it at the moment; absent means that something does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<bool>,
}

/// `roomJoined`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomJoined {
    /// Name of the room.
    pub room_id: String,
    /// Name of the meeting for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Ids of the other participants, first to join first.
    pub peers: Vec<String>,
    /// Their producers; participants without any are left out.
    pub existing_producers: Vec<PeerProducers>,
    /// The other participants once more, with names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<ParticipantSummary>>,
    /// What this participant may do here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Number of participants, this one included; present where not all of them are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant_count: Option<usize>,
    /// Participant that is speaking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_speaker: Option<String>,
    /// Participant that a host shows large to everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spotlight: Option<String>,
    /// Rule for sharing screens; absent means that hosts and speakers may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
}

/// `waiting`, until a host admits the client
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Waiting {
    /// Name of the room.
    pub room_id: String,
    /// Name of the meeting for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether a host is in the room, who sees that the client waits.
    pub host_present: bool,
}

/// `roomLeft`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomLeft {
    /// Name of the room.
    pub room_id: String,
}

/// `participants`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(super) struct Participants {
    /// Everybody in the room, this participant included, first to join first.
    pub participants: Vec<ParticipantSummary>,
}

/// `transportCreated`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct TransportCreated<'a> {
    /// Id of the transport.
    pub transport_id: String,
    /// ICE credentials of the server.
    #[cfg_attr(test, ts(type = "IceParameters"))]
    pub ice_parameters: &'a IceParameters,
    /// Addresses of the server.
    #[cfg_attr(test, ts(type = "IceCandidate[]"))]
    pub ice_candidates: &'a [IceCandidate],
    /// DTLS role and fingerprints of the server.
    #[cfg_attr(test, ts(type = "DtlsParameters"))]
    pub dtls_parameters: &'a DtlsParameters,
    /// Direction of the media, as the client sees it.
    pub direction: Direction,
}

/// `iceRestarted`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct IceRestarted<'a> {
    /// Id of the transport.
    pub transport_id: String,
    /// The new ICE credentials.
    #[cfg_attr(test, ts(type = "IceParameters"))]
    pub ice_parameters: &'a IceParameters,
}

/// `produced`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct Produced {
    /// Id of the producer.
    pub producer_id: String,
    /// Audio or video.
    #[cfg_attr(test, ts(type = "Kind"))]
    pub kind: MediaKind,
}

/// `consumed`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct Consumed<'a> {
    /// Id of the consumer. It is paused until `resumeConsumer`.
    pub consumer_id: String,
    /// Producer that it receives.
    pub producer_id: String,
    /// Owner of the producer.
    pub producer_peer_id: String,
    /// Audio or video.
    #[cfg_attr(test, ts(type = "Kind"))]
    pub kind: MediaKind,
    /// RTP parameters of the packets that will arrive.
    #[cfg_attr(test, ts(type = "RtpParameters"))]
    pub rtp_parameters: &'a RtpParameters,
}

/// `stats`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats<'a> {
    /// Object that they describe.
    #[serde(flatten)]
    pub subject: SubjectRef,
    /// Reports with mediasoup's field names.
    #[cfg_attr(test, ts(type = "Record<string, unknown>[]"))]
    pub stats: &'a [serde_json::Value],
}

/// `newPeer`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct NewPeer {
    /// Id of the participant.
    pub peer_id: String,
    /// Name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Role of the participant; absent means `speaker`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// `peerLeft`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerLeft {
    /// Id of the participant; all its producers are closed.
    pub peer_id: String,
}

/// Names a participant.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerRef {
    /// Id of the participant.
    pub peer_id: String,
}

/// `joinRequested` and `speakRequested`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerRequest {
    /// Id of the participant.
    pub peer_id: String,
    /// Claimed user id, not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// `roleChanged`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleChanged {
    /// Id of the participant, perhaps of this one.
    pub peer_id: String,
    /// What it may do now.
    pub role: Role,
}

/// `policyChanged`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(super) struct PolicyChanged {
    /// The new policy.
    pub policy: Policy,
}

/// `removed`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(super) struct Removed {
    /// Why this participant was removed.
    pub reason: RemovalReason,
}

/// `newProducer`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct NewProducer {
    /// Id of the owner.
    pub peer_id: String,
    /// Name of the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The producer.
    #[serde(flatten)]
    pub producer: ProducerSummary,
}

/// Names a producer of a participant.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerProducerRef {
    /// Id of the owner.
    pub peer_id: String,
    /// Id of the producer.
    pub producer_id: String,
}

/// `consumerPaused` and `consumerResumed` as notices
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumerPausedNotice {
    /// Id of the consumer.
    pub consumer_id: String,
    /// Always true: the consumer follows its producer.
    pub by_producer: bool,
}

/// `consumerClosed`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumerClosed {
    /// Id of the consumer.
    pub consumer_id: String,
    /// Producer that it received.
    pub producer_id: String,
}

/// `error`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(super) struct ErrorPayload {
    /// Message for people.
    pub message: String,
    /// Stable code for programs.
    pub code: &'static str,
}
