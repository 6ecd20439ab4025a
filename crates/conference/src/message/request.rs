//! Requests of participants.

use serde_json::Value;
use watersmeet_engine::command::{ConsumerId, Layers, ProducerId, TransportId};
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};

use super::breakouts::BreakoutsRequest;
use super::conversation::{CaptionRequest, ChatPolicy, ChatRequest, PollRequest};
use super::media::{Direction, StatsSubject, TransportKey};
use super::page_report::PageReport;
use super::participant::{ClientDevice, MediaSource};
use super::role::{Policy, Sharing};

/// A request of a participant.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Returns the codecs and header extensions that routers forward. Allowed outside of rooms.
    RouterCapabilities,
    /// Enters a room, creating it if necessary, and leaves the previous one. Entering the current
    /// room again closes the participant's media there.
    Join(Box<JoinRequest>),
    /// Reserves a place in a room without announcing the participant, so that transports can be
    /// created before the join. Joining that room keeps them.
    PrepareJoin {
        /// Name of the room.
        room: String,
    },
    /// Enters a room of its own for some seconds, whose media is sent back, to test the connection
    /// before joining. Only allowed outside of rooms.
    TestConnection,
    /// Leaves the room.
    Leave,
    /// Changes the participant's display name.
    ChangeDisplayName {
        /// New display name.
        display_name: String,
    },
    /// Creates a transport.
    CreateTransport {
        /// Direction of its media.
        direction: Direction,
        /// Purpose of the transport, in dialects in which the request may be sent twice.
        key: Option<TransportKey>,
    },
    /// Closes a transport of the participant with everything on it.
    CloseTransport {
        /// Id of the transport.
        transport: TransportId,
    },
    /// Gives a transport the client's DTLS parameters.
    ConnectTransport {
        /// Id of the transport.
        transport: TransportId,
        /// DTLS role and fingerprints of the client.
        dtls: DtlsParameters,
    },
    /// Generates new ICE credentials for a transport.
    RestartIce {
        /// Id of the transport.
        transport: TransportId,
    },
    /// Creates a producer for media that is sent on a transport.
    Produce {
        /// Transport that carries the media.
        transport: TransportId,
        /// Audio or video.
        kind: MediaKind,
        /// RTP parameters of the sender.
        rtp: RtpParameters,
        /// Capture source; `None` when the client did not say.
        source: Option<MediaSource>,
        /// Whether the producer starts paused.
        paused: bool,
        /// Free-form data for other clients: a JSON object.
        app_data: Option<Value>,
    },
    /// Pauses or resumes a producer of the participant.
    PauseProducer {
        /// Id of the producer.
        producer: ProducerId,
        /// True to pause, false to resume.
        paused: bool,
    },
    /// Closes a producer of the participant.
    CloseProducer {
        /// Id of the producer.
        producer: ProducerId,
    },
    /// Creates a consumer of a producer in the room. Waits for a receive transport if the
    /// participant has none yet.
    Consume {
        /// Id of the producer.
        producer: ProducerId,
        /// Transport to receive on. `None` means the newest receive transport.
        transport: Option<TransportId>,
        /// RTP capabilities of the client.
        capabilities: RtpCapabilities,
        /// Whether the consumer starts paused, until `PauseConsumer { paused: false }`.
        start_paused: bool,
    },
    /// Pauses or resumes a consumer of the participant.
    PauseConsumer {
        /// Id of the consumer.
        consumer: ConsumerId,
        /// True to pause, false to resume.
        paused: bool,
    },
    /// Closes a consumer of the participant.
    CloseConsumer {
        /// Id of the consumer.
        consumer: ConsumerId,
    },
    /// Sets the preferred simulcast or SVC layers of a consumer.
    SetPreferredLayers {
        /// Id of the consumer.
        consumer: ConsumerId,
        /// Highest layers wanted.
        layers: Layers,
    },
    /// Sets the priority of a consumer among those of the participant.
    SetPriority {
        /// Id of the consumer.
        consumer: ConsumerId,
        /// Priority; a higher one is more important.
        priority: u8,
    },
    /// Requests a keyframe for a consumer.
    RequestKeyframe {
        /// Id of the consumer that needs it.
        consumer: ConsumerId,
    },
    /// Returns statistics.
    Stats {
        /// Object that they describe.
        subject: StatsSubject,
    },
    /// Returns all participants in the room, including the requester.
    ListParticipants,
    /// Sends a chat message to all other participants, or to one.
    Chat(ChatRequest),
    /// Returns chat messages, raised hands and polls.
    ReadConversation {
        /// Id of the latest message that the client has; 0 for none.
        after: u64,
    },
    /// Raises or lowers a hand.
    RaiseHand {
        /// True to raise, false to lower.
        raised: bool,
        /// Id of the owner, which only hosts may name. `None` means the participant.
        peer: Option<String>,
    },
    /// Shows a reaction to the others for some seconds.
    React {
        /// One of [`super::REACTIONS`].
        reaction: String,
    },
    /// Shows what somebody says to the others, as text.
    Caption(CaptionRequest),
    /// Starts a poll, votes in it, or closes it.
    Poll(PollRequest),
    /// Notifies others whether the participant's devices are on, for clients that show it.
    MediaState {
        /// Whether the microphone is on.
        audio: bool,
        /// Whether the camera is on.
        video: bool,
    },
    /// Forwards a message that only clients understand to one participant or to all others.
    Relay {
        /// Id of the receiver. `None` means all others.
        to: Option<String>,
        /// Content of the message, in the format of the clients.
        body: Value,
    },
    /// Shows that the client and its connection are alive. Allowed outside of rooms. A participant
    /// that has sent one is expected to send more, about one per second.
    Ping {
        /// Number of the last frame that the client has received.
        seq: Option<u64>,
    },
    /// Reports what only the client knows of its call, for the history of calls.
    ReportQuality(PageReport),
    /// Goes on with a session over this connection. Only allowed outside of rooms.
    Resume(ResumeRequest),
    /// Asks the hosts for the role of a speaker.
    RequestToSpeak,
    /// Moves to a breakout room, or back to the main room.
    EnterBreakout {
        /// Name of the breakout room. `None` means the main room.
        room: Option<String>,
    },
    /// Moderates the room. Only hosts may do this.
    Moderate(Moderation),
}

/// Request to enter a room.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// Name of the room.
    pub room: String,
    /// Name to show to others.
    pub display_name: Option<String>,
    /// Access token, unless the connection came with one.
    pub token: Option<String>,
    /// Claimed user id, not verified: no permission depends on it.
    pub user: Option<String>,
    /// Software of the client, shown to others.
    pub device: Option<ClientDevice>,
    /// Policy of the room if this request creates it. `None` means the configured one.
    pub policy: Option<Policy>,
    /// Secret by which the client is recognised when it comes back.
    pub resume: Option<String>,
    /// Whether the client can resume its session over another connection.
    pub is_resumable: bool,
}

/// Request to go on with a session that the client had over another connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeRequest {
    /// Id of the participant in that session.
    pub peer: String,
    /// Secret with which the client joined.
    pub secret: String,
    /// Number of the last frame that it has received.
    pub seq: u64,
}

/// A moderation request of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moderation {
    /// Admits a waiting participant.
    Admit {
        /// Id of the participant.
        peer: String,
        /// Whether the participant becomes a speaker instead of a viewer.
        promote: bool,
    },
    /// Rejects a waiting participant.
    Deny {
        /// Id of the participant.
        peer: String,
        /// Whether it may not ask again while the room exists.
        ban: bool,
    },
    /// Makes a viewer a speaker.
    Promote {
        /// Id of the participant.
        peer: String,
    },
    /// Makes a speaker a viewer and closes its producers.
    Demote {
        /// Id of the participant.
        peer: String,
    },
    /// Pauses producers of a participant.
    Mute {
        /// Id of the participant.
        peer: String,
        /// Kind of the producers. `None` means all.
        kind: Option<MediaKind>,
    },
    /// Pauses producers of all participants but the host that requests it.
    MuteAll {
        /// Kind of the producers. `None` means all.
        kind: Option<MediaKind>,
    },
    /// Asks a participant to switch its microphone on. Only its owner can do that.
    AskToUnmute {
        /// Id of the participant.
        peer: String,
    },
    /// Closes the producers of a participant's shared screens.
    StopSharing {
        /// Id of the participant.
        peer: String,
    },
    /// Makes a speaker or viewer a host.
    AppointHost {
        /// Id of the participant.
        peer: String,
    },
    /// Shows one participant large to everybody.
    Spotlight {
        /// Id of the participant. `None` ends it.
        peer: Option<String>,
    },
    /// Sets who may share screens. Screens that are shared already stay.
    SetSharing {
        /// The new rule.
        sharing: Sharing,
    },
    /// Manages the breakout rooms of the meeting.
    Breakouts(BreakoutsRequest),
    /// Ends the meeting: removes everybody, and then the room.
    End,
    /// Removes a participant from the room.
    Remove {
        /// Id of the participant.
        peer: String,
        /// Whether it may not come back while the room exists.
        ban: bool,
    },
    /// Sets the policy that decides who may enter the room.
    SetPolicy {
        /// The new policy.
        policy: Policy,
    },
    /// Sets who may write chat messages.
    SetChatPolicy {
        /// The new policy.
        policy: ChatPolicy,
    },
}
