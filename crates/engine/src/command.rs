//! The whole control vocabulary of a worker: what it can be told (`Command`), how it answers
//! (`Reply` or `Refusal`) and what it reports unasked (`Event`).
//!
//! Ids are chosen by whoever sends the command, so a caller may name an object before it has seen
//! the answer that made it. Nothing here holds state or does work.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;
use watersmeet_wire::params::{
    DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpCapabilities, RtpCodecCapability,
    RtpParameters,
};
use watersmeet_wire::units::{Bitrate, Rng};

use crate::stats::{ConsumerStats, ProducerStats, TransportStats};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Draws a new id: a version 4 UUID.
            pub fn generate(rng: &mut Rng) -> Self {
                let mut bytes = [0; 16];
                rand_chacha::rand_core::Rng::fill_bytes(rng, &mut bytes);
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }

            /// Reads an id from a client's text.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// Names one router: one room's share of a worker.
    RouterId
}
id! {
    /// Names one transport: one secure pipe to one peer.
    TransportId
}
id! {
    /// Names one producer: one media source that a peer sends.
    ProducerId
}
id! {
    /// Names one consumer: one producer on its way to one peer.
    ConsumerId
}

/// A rung of a simulcast or SVC ladder, counted from the lowest quality at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layers {
    /// Which resolution: the index of the simulcast encoding.
    pub spatial_layer: u8,
    /// Which frame rate; absent means the highest there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporal_layer: Option<u8>,
}

/// Something a worker is told to do.
#[derive(Debug, Clone)]
pub enum Command {
    /// Makes a router with these codecs.
    CreateRouter {
        /// Its id.
        router: RouterId,
        /// Codecs it forwards, in order of preference.
        media_codecs: Vec<RtpCodecCapability>,
    },
    /// Closes a router and everything in it.
    CloseRouter {
        /// Which.
        router: RouterId,
    },
    /// Makes a WebRTC transport.
    CreateTransport {
        /// The router it belongs to.
        router: RouterId,
        /// Its id.
        transport: TransportId,
        /// What it may use.
        options: TransportOptions,
    },
    /// Gives a transport the peer's DTLS parameters. The same again is fine, others are refused.
    ConnectTransport {
        /// Which.
        transport: TransportId,
        /// Role and fingerprints of the peer.
        dtls: DtlsParameters,
    },
    /// Draws new ICE credentials; the old ones hold until the new ones are seen.
    RestartIce {
        /// Which.
        transport: TransportId,
    },
    /// Closes a transport with its producers and consumers.
    CloseTransport {
        /// Which.
        transport: TransportId,
    },
    /// Announces media that the peer sends on a transport.
    Produce {
        /// The transport it arrives on.
        transport: TransportId,
        /// Its id.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
        /// What the peer sends.
        rtp: RtpParameters,
        /// Whether it begins paused.
        paused: bool,
    },
    /// Makes a producer of another shard's router known in a router of the same room here. Its media
    /// is handed over as long as somebody consumes it. It is closed like any other producer.
    CreatePipedProducer {
        /// The router it is consumed in.
        router: RouterId,
        /// Its id there and here.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
        /// What can be consumed of it, as its own worker answered.
        consumable: Box<RtpParameters>,
        /// Whether it is paused.
        paused: bool,
        /// The shard that the peer sends it to.
        origin: u8,
    },
    /// Stops forwarding a producer.
    PauseProducer {
        /// Which.
        producer: ProducerId,
    },
    /// Goes on forwarding a producer.
    ResumeProducer {
        /// Which.
        producer: ProducerId,
    },
    /// Closes a producer and its consumers.
    CloseProducer {
        /// Which.
        producer: ProducerId,
    },
    /// Sends a producer's media out on a transport of the same router.
    Consume {
        /// The transport it leaves on.
        transport: TransportId,
        /// Its id.
        consumer: ConsumerId,
        /// What is sent.
        producer: ProducerId,
        /// What the peer can receive.
        capabilities: RtpCapabilities,
        /// Whether it begins paused.
        paused: bool,
        /// The layer wished for; absent means the highest.
        preferred_layers: Option<Layers>,
    },
    /// Stops sending a consumer.
    PauseConsumer {
        /// Which.
        consumer: ConsumerId,
    },
    /// Goes on sending a consumer, from a keyframe if it is video.
    ResumeConsumer {
        /// Which.
        consumer: ConsumerId,
    },
    /// Closes a consumer.
    CloseConsumer {
        /// Which.
        consumer: ConsumerId,
    },
    /// Wishes for a layer of a simulcast producer.
    SetPreferredLayers {
        /// Which.
        consumer: ConsumerId,
        /// The wish.
        layers: Layers,
    },
    /// Asks the producer behind a video consumer for a keyframe.
    RequestKeyframe {
        /// Which.
        consumer: ConsumerId,
    },
    /// Reads a transport's statistics.
    TransportStats {
        /// Which.
        transport: TransportId,
    },
    /// Reads a producer's statistics.
    ProducerStats {
        /// Which.
        producer: ProducerId,
    },
    /// Reads a consumer's statistics.
    ConsumerStats {
        /// Which.
        consumer: ConsumerId,
    },
}

/// What a WebRTC transport may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportOptions {
    /// Offers UDP candidates.
    pub enable_udp: bool,
    /// Offers passive TCP candidates (RFC 6544).
    pub enable_tcp: bool,
    /// Ranks UDP candidates above TCP ones.
    pub prefer_udp: bool,
    /// What the outgoing path is believed to carry before anything was measured.
    pub initial_outgoing_bitrate: Bitrate,
    /// The most that the peer is asked to send; absent means no limit is signalled.
    pub max_incoming_bitrate: Option<Bitrate>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            enable_udp: true,
            enable_tcp: true,
            prefer_udp: true,
            initial_outgoing_bitrate: Bitrate::from_kbps(1_000),
            max_incoming_bitrate: None,
        }
    }
}

/// How a worker answers a command it carried out.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Done; there is nothing more to tell.
    Done,
    /// A router was made.
    Router {
        /// What it can forward.
        capabilities: RtpCapabilities,
    },
    /// A transport was made.
    Transport {
        /// Our ICE credentials.
        ice: IceParameters,
        /// Where we can be reached.
        candidates: Vec<IceCandidate>,
        /// Our fingerprints; the role is `auto`.
        dtls: DtlsParameters,
    },
    /// ICE was restarted.
    IceRestarted {
        /// The new credentials.
        ice: IceParameters,
    },
    /// A producer was made.
    Producer {
        /// What can be consumed of it.
        consumable: Box<RtpParameters>,
    },
    /// A consumer was made.
    Consumer {
        /// Audio or video.
        kind: MediaKind,
        /// What the peer will receive.
        rtp: RtpParameters,
        /// Whether its producer is paused.
        producer_paused: bool,
        /// Whether the producer has several layers to choose from.
        simulcast: bool,
    },
    /// A transport's statistics.
    TransportStats(Box<TransportStats>),
    /// A producer's statistics, one per stream.
    ProducerStats(Vec<ProducerStats>),
    /// A consumer's statistics.
    ConsumerStats(Box<ConsumerStats>),
}

/// Why a command was refused. Each has a stable code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such router here.
    #[error("Router not found")]
    RouterNotFound,
    /// No such transport here.
    #[error("Transport not found")]
    TransportNotFound,
    /// No such producer here.
    #[error("Producer not found")]
    ProducerNotFound,
    /// No such consumer here.
    #[error("Consumer not found")]
    ConsumerNotFound,
    /// The id is taken.
    #[error("Id already in use")]
    IdInUse,
    /// The peer's capabilities do not fit the producer.
    #[error("Cannot consume")]
    CannotConsume,
    /// The transport has other DTLS parameters already.
    #[error("Transport already connected")]
    AlreadyConnected,
    /// Parameters that do not make sense.
    #[error("{0}")]
    BadParameters(String),
    /// A cap was reached; the text names it.
    #[error("Too many {0}")]
    LimitReached(&'static str),
    /// The worker that held the object is gone.
    #[error("Worker lost")]
    WorkerLost,
}

impl Refusal {
    /// The stable name of the refusal on the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RouterNotFound => "router-not-found",
            Self::TransportNotFound => "transport-not-found",
            Self::ProducerNotFound => "producer-not-found",
            Self::ConsumerNotFound => "consumer-not-found",
            Self::IdInUse => "id-in-use",
            Self::CannotConsume => "cannot-consume",
            Self::AlreadyConnected => "already-connected",
            Self::BadParameters(_) => "bad-parameters",
            Self::LimitReached(_) => "limit-reached",
            Self::WorkerLost => "worker-lost",
        }
    }
}

/// The state of ICE on a transport, in mediasoup's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IceState {
    /// No valid check has arrived.
    New,
    /// A valid check arrived, none nominated.
    Connected,
    /// A pair was nominated.
    Completed,
    /// Consent was lost (RFC 7675).
    Disconnected,
    /// The transport was closed.
    Closed,
}

/// The state of DTLS on a transport, in mediasoup's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsState {
    /// Waiting for the peer's parameters or for ICE.
    New,
    /// Shaking hands.
    Connecting,
    /// Keys agreed and the peer's fingerprint verified.
    Connected,
    /// The handshake failed or the fingerprint did not match.
    Failed,
    /// The peer closed it.
    Closed,
}

/// Why the engine closed something by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloseReason {
    /// The peer said goodbye over DTLS.
    DtlsClosed,
    /// The handshake failed.
    DtlsFailed,
    /// The peer gave no consent for too long.
    ConsentLost,
    /// What it depended on was closed.
    ParentClosed,
    /// Its code failed; only this object was given up.
    Fault,
}

/// Something a worker reports unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A transport's ICE state changed.
    IceStateChanged {
        /// Which.
        transport: TransportId,
        /// To what.
        state: IceState,
    },
    /// A transport's DTLS state changed.
    DtlsStateChanged {
        /// Which.
        transport: TransportId,
        /// To what.
        state: DtlsState,
    },
    /// A transport was closed by the engine, with all that was on it.
    TransportClosed {
        /// Which.
        transport: TransportId,
        /// Why.
        reason: CloseReason,
    },
    /// A producer was closed because its transport was.
    ProducerClosed {
        /// Which.
        producer: ProducerId,
    },
    /// A producer of another shard is no longer known here.
    PipedProducerClosed {
        /// Which.
        producer: ProducerId,
    },
    /// A consumer was closed because its producer or its transport was.
    ConsumerClosed {
        /// Which.
        consumer: ConsumerId,
    },
    /// A consumer's producer was paused or resumed.
    ConsumerProducerPaused {
        /// Which.
        consumer: ConsumerId,
        /// Whether it is paused now.
        paused: bool,
    },
    /// How well a producer's streams arrive, 0 (nothing) to 10 (all), one per encoding.
    ProducerScore {
        /// Which.
        producer: ProducerId,
        /// In the order of the encodings.
        scores: Vec<u8>,
    },
    /// Another layer goes to a consumer now; absent means none.
    ConsumerLayersChanged {
        /// Which.
        consumer: ConsumerId,
        /// What goes to it.
        layers: Option<Layers>,
    },
}

/// Protocol that carries a path's datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// One datagram per packet.
    Udp,
    /// Packets framed by RFC 4571 in a connection that the peer opened.
    Tcp,
}

/// Index of a local address among the addresses a worker listens on. An index and not the address
/// itself, so that a path stays at 40 bytes: it is compared and copied for every packet.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalAddress(pub u8);

/// A pair of local and remote address (mediasoup: tuple). Two paths are equal only when both ends
/// are, so that a response leaves from the address that the request was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// UDP or TCP.
    pub protocol: Protocol,
    /// Address of the peer, as the socket reported it.
    pub remote: SocketAddr,
    /// Number of the TCP connection; zero for UDP.
    pub connection: u32,
    /// Local end; the first address while the server has one socket per protocol.
    pub local: LocalAddress,
}

impl Path {
    /// Returns the UDP path to `remote` from the first local address.
    pub const fn udp(remote: SocketAddr) -> Self {
        Self {
            protocol: Protocol::Udp,
            remote,
            connection: 0,
            local: LocalAddress(0),
        }
    }

    /// Returns the path of the TCP connection from `remote` to the first local address.
    pub const fn tcp(remote: SocketAddr, connection: u32) -> Self {
        Self {
            protocol: Protocol::Tcp,
            remote,
            connection,
            local: LocalAddress(0),
        }
    }
}

const _: () = assert!(size_of::<Path>() == 40, "paths are copied per packet");

/// An address at which a worker can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    /// How.
    pub protocol: Protocol,
    /// The address that peers are told.
    pub ip: IpAddr,
    /// The port that peers are told.
    pub port: u16,
}
