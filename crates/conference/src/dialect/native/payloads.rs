//! The shapes of the native dialect's payloads, one type each, named and spelled as they are on
//! the wire. The web client's types are generated from these.
//!
//! Ids that a client sends are plain text here: a text that is no id names nothing, which is
//! "not found" and not "malformed".

use serde::{Deserialize, Serialize};
use watersmeet_wire::params::{
    DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpCapabilities, RtpParameters,
};

use crate::message::{Direction, MediaSource, Policy, RemovalReason, Role};
use crate::turn::IceServer;

/// Nothing at all.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "Record<string, never>"))]
pub(super) struct Empty {}

/// `joinRoom`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct JoinRoom {
    /// The room's name; it is made when it is not there.
    pub room_id: String,
    /// How others shall see the participant.
    pub display_name: Option<String>,
    /// A token that says what the participant may do.
    pub token: Option<String>,
    /// A secret of the client, the same whenever it comes back. Only its length matters yet.
    pub resume: Option<String>,
}

/// `createTransport`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateTransport {
    /// What it is for.
    pub direction: Direction,
}

/// `connectTransport`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectTransport {
    /// Which.
    pub transport_id: String,
    /// Role and fingerprints of the client.
    #[cfg_attr(test, ts(type = "DtlsParameters"))]
    pub dtls_parameters: DtlsParameters,
}

/// A transport, named.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct TransportRef {
    /// Which.
    pub transport_id: String,
}

/// A producer, named.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct ProducerRef {
    /// Which.
    pub producer_id: String,
}

/// A consumer, named.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumerRef {
    /// Which.
    pub consumer_id: String,
}

/// `produce`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Produce {
    /// The transport it is sent on.
    pub transport_id: String,
    /// Audio or video.
    #[cfg_attr(test, ts(type = "Kind"))]
    pub kind: MediaKind,
    /// What is sent.
    #[cfg_attr(test, ts(type = "RtpParameters"))]
    pub rtp_parameters: RtpParameters,
    /// What people will make of it.
    pub source: Option<MediaSource>,
    /// Whether it begins paused.
    pub paused: Option<bool>,
    /// Anything; other clients that know of it are told.
    #[cfg_attr(test, ts(optional, type = "Record<string, unknown>"))]
    pub app_data: Option<serde_json::Value>,
}

/// `consume`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Consume {
    /// What to receive.
    pub producer_id: String,
    /// What the client can receive.
    #[cfg_attr(test, ts(type = "RtpCapabilities"))]
    pub rtp_capabilities: RtpCapabilities,
    /// Where; absent means the newest receive transport.
    pub transport_id: Option<String>,
}

/// `setPreferredLayers`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct SetPreferredLayers {
    /// Of which consumer.
    pub consumer_id: String,
    /// The highest resolution wanted, the lowest being zero.
    pub spatial_layer: u8,
    /// The highest frame rate wanted; absent means any.
    pub temporal_layer: Option<u8>,
}

/// `chat`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct Chat {
    /// What is said to everybody.
    pub text: String,
}

/// `moderate`: what a host decides.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(
    tag = "action",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(super) enum Moderate {
    /// Lets in somebody who waits.
    Admit {
        /// Who.
        peer_id: String,
        /// Whether it may speak; absent means yes.
        #[cfg_attr(test, ts(optional))]
        promote: Option<bool>,
    },
    /// Sends away somebody who waits.
    Deny {
        /// Who.
        peer_id: String,
    },
    /// Makes a viewer a speaker.
    Promote {
        /// Who.
        peer_id: String,
    },
    /// Makes a speaker a viewer.
    Demote {
        /// Who.
        peer_id: String,
    },
    /// Pauses what somebody sends.
    Mute {
        /// Who.
        peer_id: String,
        /// What; absent means all.
        #[cfg_attr(test, ts(optional, type = "Kind"))]
        kind: Option<MediaKind>,
    },
    /// Sends somebody away.
    Remove {
        /// Who.
        peer_id: String,
    },
    /// Decides who may enter.
    SetPolicy {
        /// The policy.
        policy: Policy,
    },
}

/// One object, named by its kind.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct SubjectRef {
    /// A transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport_id: Option<String>,
    /// A producer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer_id: Option<String>,
    /// A consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<String>,
}

/// What the server wants its clients to do differently.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ClientOptions {
    /// The video codec to publish with, as `video/VP9`; absent leaves the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_video_codec: Option<String>,
}

/// `connected`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Connected {
    /// The public name of this participant.
    pub peer_id: String,
    /// What helps to reach the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_servers: Option<Vec<IceServer>>,
    /// What to do differently.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<ClientOptions>,
}

/// `routerRtpCapabilities`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct RouterRtpCapabilities<'a> {
    /// What routers can forward.
    #[cfg_attr(test, ts(type = "RtpCapabilities"))]
    pub rtp_capabilities: &'a RtpCapabilities,
}

/// One producer of a participant.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct ProducerSummary {
    /// Its id.
    pub producer_id: String,
    /// Audio or video.
    #[cfg_attr(test, ts(type = "Kind"))]
    pub kind: MediaKind,
    /// What it shows; absent means what its kind suggests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<MediaSource>,
    /// Whether it is paused; absent means that it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// What one participant sends.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerProducers {
    /// Who.
    pub peer_id: String,
    /// How it wants to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What, oldest first.
    pub producers: Vec<ProducerSummary>,
}

/// One participant at a glance.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct ParticipantSummary {
    /// Who.
    pub peer_id: String,
    /// How it wants to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether it can be heard.
    pub audio: bool,
    /// Whether it can be seen.
    pub video: bool,
    /// What it may do.
    pub role: Role,
}

/// `roomJoined`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomJoined {
    /// The room's name.
    pub room_id: String,
    /// Who else is there, longest first.
    pub peers: Vec<String>,
    /// What they send; whoever sends nothing is left out.
    pub existing_producers: Vec<PeerProducers>,
    /// The others once more, with names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<ParticipantSummary>>,
    /// What this participant may do here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// `roomLeft`, and `waiting` when a host has to let one in first
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomLeft {
    /// The room's name.
    pub room_id: String,
}

/// `participants`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(super) struct Participants {
    /// Everybody in the room, oneself included, longest first.
    pub participants: Vec<ParticipantSummary>,
}

/// `transportCreated`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct TransportCreated<'a> {
    /// Its id.
    pub transport_id: String,
    /// The server's ICE credentials.
    #[cfg_attr(test, ts(type = "IceParameters"))]
    pub ice_parameters: &'a IceParameters,
    /// Where the server is reached.
    #[cfg_attr(test, ts(type = "IceCandidate[]"))]
    pub ice_candidates: &'a [IceCandidate],
    /// The server's fingerprints.
    #[cfg_attr(test, ts(type = "DtlsParameters"))]
    pub dtls_parameters: &'a DtlsParameters,
    /// What it is for.
    pub direction: Direction,
}

/// `iceRestarted`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct IceRestarted<'a> {
    /// Which.
    pub transport_id: String,
    /// The new credentials.
    #[cfg_attr(test, ts(type = "IceParameters"))]
    pub ice_parameters: &'a IceParameters,
}

/// `produced`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct Produced {
    /// Its id.
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
    /// Its id. It is paused until `resumeConsumer`.
    pub consumer_id: String,
    /// What it receives.
    pub producer_id: String,
    /// Whose that is.
    pub producer_peer_id: String,
    /// Audio or video.
    #[cfg_attr(test, ts(type = "Kind"))]
    pub kind: MediaKind,
    /// What will arrive.
    #[cfg_attr(test, ts(type = "RtpParameters"))]
    pub rtp_parameters: &'a RtpParameters,
}

/// `stats`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats<'a> {
    /// Of what.
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
    /// Who.
    pub peer_id: String,
    /// How it wants to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// `peerLeft`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerLeft {
    /// Who; all its producers are closed.
    pub peer_id: String,
}

/// Somebody, named.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerRef {
    /// Who.
    pub peer_id: String,
}

/// `joinRequested` and `speakRequested`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerRequest {
    /// Who.
    pub peer_id: String,
    /// Who it says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// How it wants to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// `roleChanged`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleChanged {
    /// Who; oneself perhaps.
    pub peer_id: String,
    /// What it may do now.
    pub role: Role,
}

/// `chat` as a notice
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct ChatNotice {
    /// Who said it.
    pub peer_id: String,
    /// How it wants to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What.
    pub text: String,
}

/// `policyChanged`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(super) struct PolicyChanged {
    /// Who may enter now.
    pub policy: Policy,
}

/// `removed`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(super) struct Removed {
    /// Why.
    pub reason: RemovalReason,
}

/// `newProducer`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct NewProducer {
    /// Who.
    pub peer_id: String,
    /// How it wants to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What.
    #[serde(flatten)]
    pub producer: ProducerSummary,
}

/// A producer of somebody.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerProducerRef {
    /// Whose.
    pub peer_id: String,
    /// Which.
    pub producer_id: String,
}

/// `consumerPaused` and `consumerResumed` as notices
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumerPausedNotice {
    /// Which.
    pub consumer_id: String,
    /// Always true: its producer did it.
    pub by_producer: bool,
}

/// `consumerClosed`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumerClosed {
    /// Which.
    pub consumer_id: String,
    /// What it received.
    pub producer_id: String,
}

/// `consumerLayersChanged`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumerLayersChanged {
    /// Which.
    pub consumer_id: String,
    /// The resolution that comes; absent means that nothing comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spatial_layer: Option<u8>,
    /// The frame rate that comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporal_layer: Option<u8>,
}

/// `transportClosed`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(super) struct TransportClosed {
    /// Which; everything on it is closed.
    pub transport_id: String,
    /// Why, in one word.
    #[cfg_attr(test, ts(type = "string"))]
    pub reason: watersmeet_engine::command::CloseReason,
}

/// `error`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(super) struct ErrorPayload {
    /// For people.
    pub message: String,
    /// For programs; it never changes.
    pub code: &'static str,
}
