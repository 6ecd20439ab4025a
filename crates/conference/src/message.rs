//! The one signalling language: what a participant may ask (`Request`), what it is answered
//! (`Reply` or `Refusal`) and what it is told unasked (`Notice`).
//!
//! Every dialect translates between these and its own frames. Nothing here knows JSON, sockets or
//! media, and nothing here may carry what only one dialect needs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use watersmeet_engine::command::{self, CloseReason, ConsumerId, Layers, ProducerId, TransportId};
use watersmeet_wire::params::{
    DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpCapabilities, RtpParameters,
};
use watersmeet_wire::units::Rng;

/// Names one connection. Chosen by the server, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Names one shard: one thread with one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u8);

/// Names one command on its way to a shard and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandToken(pub u64);

/// The public name of a participant: 128 random bits, so that nobody guesses another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(u128);

impl PeerId {
    /// Draws a new id.
    pub fn draw(rng: &mut Rng) -> Self {
        let mut bytes = [0; 16];
        rand_chacha::rand_core::Rng::fill_bytes(rng, &mut bytes);
        Self(u128::from_le_bytes(bytes))
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer_{:032x}", self.0)
    }
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
    },
    /// Leaves the room.
    Leave,
    /// Makes a transport.
    CreateTransport {
        /// What it is for.
        direction: Direction,
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
}

/// One participant, as others are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantSummary {
    /// Its public name.
    pub peer: PeerId,
    /// How it wants to be seen.
    pub display_name: Option<Arc<str>>,
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
    /// The server's ICE credentials.
    pub ice: IceParameters,
    /// Where the server is reached.
    pub candidates: Vec<IceCandidate>,
    /// The server's fingerprints.
    pub dtls: DtlsParameters,
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
    /// Audio or video.
    pub kind: MediaKind,
    /// What will arrive.
    pub rtp: RtpParameters,
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
        /// Who else is there, longest first, and what they send. Whatever comes later is told by
        /// notices.
        others: Vec<ParticipantSummary>,
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
    /// A producer was made.
    Produced {
        /// Its id.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
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
        reports: Vec<serde_json::Value>,
    },
    /// Who is in the room.
    Participants(Vec<ParticipantSummary>),
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
    },
    /// Somebody left, with all it produced.
    ParticipantLeft {
        /// Who.
        peer: PeerId,
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
