//! The one signalling language: what a participant may ask (`Request`), what it is answered
//! (`Reply` or `Refusal`) and what it is told unasked (`Notice`).
//!
//! Every dialect translates between these and its own frames. Nothing here knows JSON, sockets or
//! media, and nothing here may carry what only one dialect needs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use watersmeet_engine::command::{self, CloseReason, ConsumerId, Layers, ProducerId, TransportId};
use watersmeet_wire::params::{
    DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpCapabilities, RtpParameters,
};
use watersmeet_wire::units::Rng;

use crate::turn::IceServer;

/// Names one connection. Chosen by the server, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Names one shard: one thread with one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u8);

/// Names one command on its way to a shard and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandToken(pub u64);

/// The public name of a participant. Drawn, it has 128 random bits, so that nobody guesses
/// another's; a participant that a token names goes by that name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<str>);

impl PeerId {
    /// Draws a new id that begins so.
    pub fn draw(rng: &mut Rng, prefix: &str) -> Self {
        let mut bytes = [0; 16];
        rand_chacha::rand_core::Rng::fill_bytes(rng, &mut bytes);
        Self(format!("{prefix}{:032x}", u128::from_le_bytes(bytes)).into())
    }

    /// The id of somebody whom a token names.
    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody whom a token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, unique where the token comes from.
    pub id: Arc<str>,
    /// The address for mail.
    pub email: Option<Arc<str>>,
}

/// What a participant may do in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sends, receives and decides about others.
    Host,
    /// Sends and receives.
    Speaker,
    /// Receives.
    Viewer,
}

/// Who may enter a room.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Everybody who knows its name.
    #[default]
    Open,
    /// Whoever brings a token for it.
    InviteOnly,
    /// Whoever a host lets in; the others wait.
    Approval,
    /// Nobody but hosts.
    Locked,
}

/// What a transport is for, in the words of clients that ask twice: the second time they get the
/// first one again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransportKey {
    /// The one to send on.
    Send,
    /// The one to receive on.
    Recv,
    /// The one to receive this producer on.
    RecvOf(ProducerId),
}

/// Which way media goes on a transport, as the participant sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The participant sends on it.
    Send,
    /// The participant receives on it.
    Recv,
}

/// What a producer shows or sounds like to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A voice.
    Mic,
    /// A face.
    Camera,
    /// A shared screen.
    Screen,
    /// What a shared screen sounds like.
    ScreenAudio,
}

/// Whose statistics are asked for. Only one's own objects answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A transport.
    Transport(TransportId),
    /// A producer.
    Producer(ProducerId),
    /// A consumer.
    Consumer(ConsumerId),
}

/// What a participant asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// What the routers of this place can forward. Needs no room.
    RouterCapabilities,
    /// Enters a room, which is made when it is not there, and leaves the one before. Entering the
    /// room one is in starts afresh there.
    Join {
        /// The room's name.
        room: String,
        /// How others shall see the participant.
        display_name: Option<String>,
        /// A token that says what it may do, when it was not brought at the opening.
        token: Option<String>,
        /// Who it says it is; hosts are told, nothing is decided by it.
        user: Option<String>,
        /// Who may enter, should this make the room. Absent: as configured.
        policy: Option<Policy>,
    },
    /// Leaves the room.
    Leave,
    /// Makes a transport.
    CreateTransport {
        /// What it is for.
        direction: Direction,
        /// Which one it is, for clients that ask twice.
        key: Option<TransportKey>,
    },
    /// Ends one's own transport with all that is on it.
    CloseTransport {
        /// Which.
        transport: TransportId,
    },
    /// Tells a transport the participant's DTLS parameters.
    ConnectTransport {
        /// Which.
        transport: TransportId,
        /// Role and fingerprints.
        dtls: DtlsParameters,
    },
    /// Draws new ICE credentials for a transport.
    RestartIce {
        /// Which.
        transport: TransportId,
    },
    /// Announces media that is sent on a transport.
    Produce {
        /// The transport it is sent on.
        transport: TransportId,
        /// Audio or video.
        kind: MediaKind,
        /// What is sent.
        rtp: RtpParameters,
        /// What people will make of it.
        source: Option<Source>,
        /// Whether it begins paused.
        paused: bool,
        /// Anything, for the clients of others: a JSON object.
        app_data: Option<Value>,
    },
    /// Stops one's own producer for a while, or lets it go on.
    PauseProducer {
        /// Which.
        producer: ProducerId,
        /// True to stop, false to go on.
        paused: bool,
    },
    /// Ends one's own producer.
    CloseProducer {
        /// Which.
        producer: ProducerId,
    },
    /// Asks to receive a producer of the room. Waits for the receive transport when there is none
    /// yet.
    Consume {
        /// Which.
        producer: ProducerId,
        /// Where; absent means the newest receive transport.
        transport: Option<TransportId>,
        /// What the participant can receive.
        capabilities: RtpCapabilities,
        /// Whether it waits for `PauseConsumer { paused: false }` before anything is sent.
        start_paused: bool,
    },
    /// Stops one's own consumer for a while, or lets it go on.
    PauseConsumer {
        /// Which.
        consumer: ConsumerId,
        /// True to stop, false to go on.
        paused: bool,
    },
    /// Ends one's own consumer.
    CloseConsumer {
        /// Which.
        consumer: ConsumerId,
    },
    /// Wishes for a layer.
    SetPreferredLayers {
        /// Of which consumer.
        consumer: ConsumerId,
        /// The wish.
        layers: Layers,
    },
    /// Asks for a keyframe.
    RequestKeyframe {
        /// For which consumer.
        consumer: ConsumerId,
    },
    /// Asks for statistics.
    Stats {
        /// Of what.
        subject: Subject,
    },
    /// Who is in the room, oneself included.
    ListParticipants,
    /// Says something to everybody.
    Chat {
        /// What.
        text: String,
    },
    /// Tells what one's devices do, for clients that show it.
    MediaState {
        /// Whether the microphone is on.
        audio: bool,
        /// Whether the camera is on.
        video: bool,
    },
    /// Hands a message of the client's own kind to another client, or to all.
    Relay {
        /// To whom; absent means all others.
        to: Option<String>,
        /// The message.
        body: Value,
    },
    /// Asks the hosts to be made a speaker.
    RequestToSpeak,
    /// Something that only a host may ask.
    Moderate(Moderation),
}

/// What a host decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moderation {
    /// Lets in somebody who waits.
    Admit {
        /// Who.
        peer: String,
        /// Whether it may speak.
        promote: bool,
    },
    /// Sends away somebody who waits.
    Deny {
        /// Who.
        peer: String,
    },
    /// Makes a viewer a speaker.
    Promote {
        /// Who.
        peer: String,
    },
    /// Makes a speaker a viewer, and ends what it sends.
    Demote {
        /// Who.
        peer: String,
    },
    /// Pauses what somebody sends.
    Mute {
        /// Who.
        peer: String,
        /// What; absent means all.
        kind: Option<MediaKind>,
    },
    /// Sends somebody away.
    Remove {
        /// Who.
        peer: String,
    },
    /// Decides who may enter.
    SetPolicy {
        /// The policy.
        policy: Policy,
    },
}

/// One producer, as others are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerSummary {
    /// Its id.
    pub producer: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What it shows, if its owner said so.
    pub source: Option<Source>,
    /// Whether its owner has paused it.
    pub paused: bool,
    /// What its owner's client says of it to other clients.
    pub app_data: Option<Arc<Value>>,
}

/// One participant, as others are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantSummary {
    /// Its public name.
    pub peer: PeerId,
    /// How it wants to be seen.
    pub display_name: Option<Arc<str>>,
    /// Whom its token names.
    pub user: Option<User>,
    /// What it may do.
    pub role: Role,
    /// What it sends, oldest first.
    pub producers: Vec<ProducerSummary>,
}

/// A transport that was made.
#[derive(Debug, Clone)]
pub struct TransportOffer {
    /// Its id.
    pub transport: TransportId,
    /// What it is for.
    pub direction: Direction,
    /// Which one it is, if the client asked for it so.
    pub key: Option<TransportKey>,
    /// The server's ICE credentials.
    pub ice: IceParameters,
    /// Where the server is reached.
    pub candidates: Vec<IceCandidate>,
    /// The server's fingerprints.
    pub dtls: DtlsParameters,
    /// STUN and TURN servers that help to reach it.
    pub ice_servers: Arc<[IceServer]>,
}

/// A consumer that was made.
#[derive(Debug, Clone)]
pub struct ConsumerOffer {
    /// Its id.
    pub consumer: ConsumerId,
    /// What it receives.
    pub producer: ProducerId,
    /// Whose that is.
    pub producer_peer: PeerId,
    /// What others are told of that.
    pub source: ProducerSummary,
    /// Where it arrives.
    pub transport: TransportId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What will arrive.
    pub rtp: RtpParameters,
    /// Whether it waits to be resumed.
    pub paused: bool,
}

/// How a request that was carried out is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// What routers can forward.
    RouterCapabilities(Arc<RtpCapabilities>),
    /// The room was entered.
    Joined {
        /// Its name.
        room: Arc<str>,
        /// What one may do there.
        role: Role,
        /// Who else is there, longest first, and what they send. Whatever comes later is told by
        /// notices.
        others: Vec<ParticipantSummary>,
    },
    /// A host has to let one in first.
    Waiting {
        /// The room's name.
        room: Arc<str>,
    },
    /// The room was left.
    Left {
        /// Its name.
        room: Arc<str>,
    },
    /// A transport was made.
    TransportCreated(Box<TransportOffer>),
    /// A transport knows its peer.
    TransportConnected {
        /// Which.
        transport: TransportId,
    },
    /// A transport has new ICE credentials.
    IceRestarted {
        /// Which.
        transport: TransportId,
        /// The credentials.
        ice: IceParameters,
    },
    /// One's transport was closed.
    TransportClosed {
        /// Which.
        transport: TransportId,
    },
    /// A producer was made.
    Produced {
        /// What others are told of it.
        producer: ProducerSummary,
        /// How many producers of others are in the room.
        others: usize,
    },
    /// One's producer was paused or resumed.
    ProducerPaused {
        /// Which.
        producer: ProducerId,
        /// Whether it is paused now.
        paused: bool,
    },
    /// One's producer was closed.
    ProducerClosed {
        /// Which.
        producer: ProducerId,
    },
    /// A consumer was made.
    Consumed(Box<ConsumerOffer>),
    /// One's consumer was paused or resumed.
    ConsumerPaused {
        /// Which.
        consumer: ConsumerId,
        /// Whether it is paused now.
        paused: bool,
    },
    /// One's consumer was closed.
    ConsumerClosed {
        /// Which.
        consumer: ConsumerId,
    },
    /// A layer was wished for.
    PreferredLayersSet {
        /// Of which consumer.
        consumer: ConsumerId,
    },
    /// A keyframe was asked for.
    KeyframeRequested {
        /// For which consumer.
        consumer: ConsumerId,
    },
    /// Statistics, in mediasoup's shape: a list of reports.
    Stats {
        /// Of what.
        subject: Subject,
        /// The reports.
        reports: Vec<Value>,
    },
    /// Who is in the room.
    Participants(Vec<ParticipantSummary>),
    /// It was said, relayed, asked or decided.
    Done,
}

/// What a participant is told unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Somebody entered the room.
    ParticipantJoined {
        /// Who.
        peer: PeerId,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
        /// Whom its token names.
        user: Option<User>,
        /// What it may do.
        role: Role,
    },
    /// Somebody left, with all it produced.
    ParticipantLeft {
        /// Who.
        peer: PeerId,
        /// How it wanted to be seen.
        display_name: Option<Arc<str>>,
        /// What it sent; each ended with it.
        producers: Vec<ProducerId>,
    },
    /// Somebody sends something new.
    ProducerAdded {
        /// Who.
        peer: PeerId,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
        /// What.
        producer: ProducerSummary,
    },
    /// Somebody paused or resumed a producer.
    ProducerPaused {
        /// Who.
        peer: PeerId,
        /// Which.
        producer: ProducerId,
        /// Whether it is paused now.
        paused: bool,
    },
    /// A producer ended, and every consumer of it.
    ProducerClosed {
        /// Whose.
        peer: PeerId,
        /// Which.
        producer: ProducerId,
    },
    /// One's transport ended, with all that was on it.
    TransportClosed {
        /// Which.
        transport: TransportId,
        /// Why.
        reason: CloseReason,
    },
    /// The producer behind one's consumer was paused or resumed.
    ConsumerPaused {
        /// Which.
        consumer: ConsumerId,
        /// Whether nothing comes now.
        paused: bool,
    },
    /// One's consumer ended though its producer did not.
    ConsumerClosed {
        /// Which.
        consumer: ConsumerId,
        /// What it received.
        producer: ProducerId,
    },
    /// Another layer comes to one's consumer; absent means none.
    ConsumerLayersChanged {
        /// Which.
        consumer: ConsumerId,
        /// What comes.
        layers: Option<Layers>,
    },
    /// All one's transports are gone, with everything on them. Joining again brings it back.
    WorkerLost,
    /// Somebody said something.
    Chat {
        /// Who.
        peer: PeerId,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
        /// What.
        text: Arc<str>,
    },
    /// Somebody's devices changed.
    MediaState {
        /// Whose.
        peer: PeerId,
        /// Whether the microphone is on.
        audio: bool,
        /// Whether the camera is on.
        video: bool,
    },
    /// Another client sent a message of its own kind.
    Relayed {
        /// Who.
        from: PeerId,
        /// Whom its token names.
        user: Option<User>,
        /// The message.
        body: Arc<Value>,
    },
    /// Somebody waits to be let in. Hosts are told.
    JoinRequested {
        /// Who.
        peer: PeerId,
        /// Who it says it is.
        user: Option<Arc<str>>,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
    },
    /// Somebody who waited does so no more: it was let in, sent away, or left. Hosts are told.
    JoinSettled {
        /// Who.
        peer: PeerId,
    },
    /// One was let in.
    Admitted {
        /// The room's name.
        room: Arc<str>,
        /// What one may do there.
        role: Role,
        /// Who is there and what they send, as after entering.
        others: Vec<ParticipantSummary>,
    },
    /// Somebody may do more or less than before, oneself perhaps.
    RoleChanged {
        /// Who.
        peer: PeerId,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
        /// What it may do now.
        role: Role,
    },
    /// A viewer asks to speak. Hosts are told.
    SpeakRequested {
        /// Who.
        peer: PeerId,
        /// Who it says it is.
        user: Option<Arc<str>>,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
    },
    /// A host paused what one sends.
    Muted {
        /// Which producer.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
    },
    /// Others decide who may enter now.
    PolicyChanged {
        /// How.
        policy: Policy,
    },
    /// One is in the room no more.
    Removed {
        /// Why.
        reason: Removal,
    },
}

/// Why somebody is in a room no more, though it did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    /// A host did not let it in.
    Denied,
    /// A host sent it away.
    Removed,
    /// The same user came in by another connection.
    Replaced,
    /// The room was closed.
    RoomClosed,
}

/// Why a request was refused. Each has a stable code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The frame or a part of it makes no sense; the text says which.
    #[error("{0}")]
    BadRequest(String),
    /// The dialect has no such request.
    #[error("Unknown message type")]
    UnknownType,
    /// Only somebody in a room can ask this.
    #[error("Not in a room")]
    NotInRoom,
    /// There is no such room, or none for the one who asks.
    #[error("Room not found")]
    RoomNotFound,
    /// There is nobody of this name in the room.
    #[error("Participant not found")]
    ParticipantNotFound,
    /// A token is missing, or it is none of ours, or none for this.
    #[error("Invalid token")]
    InvalidToken,
    /// One's role does not allow it.
    #[error("Not allowed")]
    Forbidden,
    /// Nobody may enter now.
    #[error("Room is locked")]
    RoomLocked,
    /// The room is there already.
    #[error("Room already exists")]
    RoomExists,
    /// It has no such transport, or not for this direction.
    #[error("Transport not found")]
    TransportNotFound,
    /// There is no such producer in the room, or it is another's.
    #[error("Producer not found")]
    ProducerNotFound,
    /// It has no such consumer.
    #[error("Consumer not found")]
    ConsumerNotFound,
    /// What it can receive does not fit the producer.
    #[error("Cannot consume")]
    CannotConsume,
    /// The transport has other DTLS parameters already.
    #[error("Transport already connected")]
    AlreadyConnected,
    /// A cap was reached; the text names it.
    #[error("Too many {0}")]
    LimitReached(&'static str),
    /// It asks too much in too short a time.
    #[error("Too many messages")]
    RateLimited,
    /// The media engine did not answer in time.
    #[error("Request timed out")]
    TimedOut,
    /// The worker that held the object is gone. Joining again helps.
    #[error("Worker lost")]
    WorkerLost,
    /// The server contradicts itself.
    #[error("Internal error")]
    Internal,
}

impl Refusal {
    /// The stable name of the refusal on the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad-request",
            Self::UnknownType => "unknown-type",
            Self::NotInRoom => "not-in-room",
            Self::RoomNotFound => "room-not-found",
            Self::ParticipantNotFound => "participant-not-found",
            Self::InvalidToken => "invalid-token",
            Self::Forbidden => "forbidden",
            Self::RoomLocked => "room-locked",
            Self::RoomExists => "room-exists",
            Self::TransportNotFound => "transport-not-found",
            Self::ProducerNotFound => "producer-not-found",
            Self::ConsumerNotFound => "consumer-not-found",
            Self::CannotConsume => "cannot-consume",
            Self::AlreadyConnected => "already-connected",
            Self::LimitReached(_) => "limit-reached",
            Self::RateLimited => "rate-limited",
            Self::TimedOut => "timed-out",
            Self::WorkerLost => "worker-lost",
            Self::Internal => "internal",
        }
    }
}

impl From<command::Refusal> for Refusal {
    fn from(refusal: command::Refusal) -> Self {
        match refusal {
            // The conference makes a router before it uses it: without one, its worker lost it.
            command::Refusal::RouterNotFound | command::Refusal::WorkerLost => Self::WorkerLost,
            command::Refusal::TransportNotFound => Self::TransportNotFound,
            command::Refusal::ProducerNotFound => Self::ProducerNotFound,
            command::Refusal::ConsumerNotFound => Self::ConsumerNotFound,
            command::Refusal::IdInUse => Self::Internal,
            command::Refusal::CannotConsume => Self::CannotConsume,
            command::Refusal::AlreadyConnected => Self::AlreadyConnected,
            command::Refusal::BadParameters(what) => Self::BadRequest(what),
            command::Refusal::LimitReached(what) => Self::LimitReached(what),
        }
    }
}
