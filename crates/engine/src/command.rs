//! Control vocabulary of a worker: commands ([`Command`]), their results ([`Reply`] or
//! [`Refusal`]) and unsolicited reports ([`Event`]).
//!
//! Ids are chosen by the caller, which may therefore refer to an object before the command that
//! creates it is answered. Nothing here holds state or does work.

use std::time::Duration;

use thiserror::Error;
use watersmeet_wire::params::{
    DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpCapabilities, RtpCodecCapability,
    RtpParameters,
};
use watersmeet_wire::units::Bitrate;

pub use crate::allocation::DegradationPreference;
pub use crate::ids::{ConsumerId, ProducerId, RouterId, TransportId};
pub use crate::layers::{Layers, LayersReason};
pub use crate::loudest_voices::LOUDEST_MAX;
pub use crate::path::{ListenAddress, LocalAddress, Path, Protocol};
pub use crate::producer::demand::Demand;
pub use crate::sample::{FlowSample, PictureCounts, ProducerSample, TransportSample};
pub use crate::score::EncodingScore;
pub use crate::stats::{ConsumerStats, ProducerStats, TransportStats};
pub use crate::transport_state::{CloseReason, DtlsState, IceState};

/// Request to a worker. Each is carried out at once and completely, or refused without effect.
#[derive(Debug, Clone)]
pub enum Command {
    /// Creates a router. Replies [`Reply::Router`].
    CreateRouter {
        /// Id of the new router.
        router: RouterId,
        /// Codecs it forwards, in order of preference.
        media_codecs: Vec<RtpCodecCapability>,
    },
    /// Closes a router and everything in it.
    CloseRouter {
        /// Router to close.
        router: RouterId,
    },
    /// Forwards only the loudest voices of a router from now on. Refused when it has producers already.
    LimitVoices {
        /// Router concerned.
        router: RouterId,
        /// Number of audio producers that are forwarded at a time, up to [`LOUDEST_MAX`].
        count: u8,
    },
    /// Creates a WebRTC transport. Replies [`Reply::Transport`].
    CreateTransport {
        /// Router it belongs to.
        router: RouterId,
        /// Id of the new transport.
        transport: TransportId,
        /// Options of the transport.
        options: TransportOptions,
    },
    /// Sets the peer's DTLS parameters. Equal parameters may be set again; different ones are
    /// refused with [`Refusal::AlreadyConnected`].
    ConnectTransport {
        /// Transport to connect.
        transport: TransportId,
        /// Role and fingerprints of the peer.
        dtls: DtlsParameters,
    },
    /// Generates new ICE credentials; the old ones stay valid until a check uses the new ones.
    /// Replies [`Reply::IceRestarted`].
    RestartIce {
        /// Transport whose ICE restarts.
        transport: TransportId,
    },
    /// Closes a transport with its producers and consumers.
    CloseTransport {
        /// Transport to close.
        transport: TransportId,
    },
    /// Creates a producer for media that the peer sends on a transport. Replies
    /// [`Reply::Producer`].
    Produce {
        /// Transport on which the media arrives.
        transport: TransportId,
        /// Id of the new producer.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
        /// RTP parameters of the media that the peer sends.
        rtp: RtpParameters,
        /// Whether it starts paused.
        paused: bool,
        /// Whether it is a shared screen: its pictures are sent whole, however long that takes.
        is_screen: bool,
    },
    /// Creates a producer that is piped from another shard's router of the same room. The other
    /// shard forwards its media while it has consumers here. It is closed like any producer.
    CreatePipedProducer {
        /// Router in which it is consumed.
        router: RouterId,
        /// Its id, the same on both shards.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
        /// Consumable RTP parameters, as its own worker replied.
        consumable: Box<RtpParameters>,
        /// Whether it is paused.
        paused: bool,
        /// Whether it is a shared screen.
        is_screen: bool,
        /// Shard on which the peer's transport is.
        origin: u8,
    },
    /// Stops forwarding a producer.
    PauseProducer {
        /// Producer to pause.
        producer: ProducerId,
    },
    /// Resumes forwarding a producer.
    ResumeProducer {
        /// Producer to resume.
        producer: ProducerId,
    },
    /// Closes a producer and its consumers.
    CloseProducer {
        /// Producer to close.
        producer: ProducerId,
    },
    /// Creates a consumer: forwards a producer on a transport of the same router. Replies
    /// [`Reply::Consumer`].
    Consume {
        /// Transport on which the media is sent.
        transport: TransportId,
        /// Id of the new consumer.
        consumer: ConsumerId,
        /// Producer to forward.
        producer: ProducerId,
        /// RTP capabilities of the peer.
        capabilities: RtpCapabilities,
        /// Whether it starts paused.
        paused: bool,
        /// Preferred layers; absent means the highest.
        preferred_layers: Option<Layers>,
        /// Importance among the consumers of the transport, from [`PRIORITY_DEFAULT`] up: those of a
        /// higher priority are sent first where not all fit.
        priority: u8,
        /// Whether frame rate or resolution is kept when the bandwidth does not suffice for both.
        degradation_preference: DegradationPreference,
    },
    /// Stops sending a consumer.
    PauseConsumer {
        /// Consumer to pause.
        consumer: ConsumerId,
    },
    /// Resumes a consumer, starting with a keyframe if it is video.
    ResumeConsumer {
        /// Consumer to resume.
        consumer: ConsumerId,
    },
    /// Holds a consumer back, or lets it go on, starting with a keyframe if it is video. For its client it is
    /// not paused.
    HoldConsumer {
        /// Consumer to change.
        consumer: ConsumerId,
        /// Whether nothing is sent.
        held: bool,
    },
    /// Closes a consumer.
    CloseConsumer {
        /// Consumer to close.
        consumer: ConsumerId,
    },
    /// Sets the preferred layers of a consumer whose producer has several.
    SetPreferredLayers {
        /// Consumer to change.
        consumer: ConsumerId,
        /// Highest layers it should receive.
        layers: Layers,
    },
    /// Sets the priority of a consumer among those of its transport.
    SetPriority {
        /// Consumer to change.
        consumer: ConsumerId,
        /// Priority; a higher one is more important.
        priority: u8,
    },
    /// Requests a keyframe from the producer of a video consumer.
    RequestKeyframe {
        /// Consumer that needs the keyframe.
        consumer: ConsumerId,
    },
    /// Reads a transport's statistics. Replies [`Reply::TransportStats`].
    TransportStats {
        /// Transport to read.
        transport: TransportId,
    },
    /// Reads for how long nothing has arrived on a transport. Replies [`Reply::TransportSilence`].
    TransportSilence {
        /// Transport to read.
        transport: TransportId,
    },
    /// Reads a producer's statistics. Replies [`Reply::ProducerStats`].
    ProducerStats {
        /// Producer to read.
        producer: ProducerId,
    },
    /// Reads a consumer's statistics. Replies [`Reply::ConsumerStats`].
    ConsumerStats {
        /// Consumer to read.
        consumer: ConsumerId,
    },
}

/// Priority of a consumer that is as important as most.
pub const PRIORITY_DEFAULT: u8 = 1;

/// Options of a WebRTC transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportOptions {
    /// Whether UDP candidates are offered.
    pub enable_udp: bool,
    /// Whether passive TCP candidates (RFC 6544) are offered.
    pub enable_tcp: bool,
    /// Whether UDP candidates have a higher priority than TCP candidates.
    pub prefer_udp: bool,
    /// Outgoing bitrate reported as available until the peer reports its own estimate.
    pub initial_outgoing_bitrate: Bitrate,
    /// Highest bitrate that the peer is told to send; absent means that no limit is signalled.
    pub max_incoming_bitrate: Option<Bitrate>,
    /// RTP bytes that are accepted from the peer in total; absent means that there is no limit. Later
    /// packets are discarded.
    pub incoming_bytes_max: Option<u64>,
    /// Whether what is sent follows the bandwidth of the path: it is estimated, packets are paced, and
    /// layers are distributed.
    pub adapts_to_bandwidth: bool,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            enable_udp: true,
            enable_tcp: true,
            prefer_udp: true,
            initial_outgoing_bitrate: Bitrate::from_kbps(1_000),
            max_incoming_bitrate: None,
            incoming_bytes_max: None,
            adapts_to_bandwidth: true,
        }
    }
}

/// Result of a command that was carried out.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Carried out; there is no further result.
    Done,
    /// A router was created.
    Router {
        /// RTP capabilities of the router.
        capabilities: RtpCapabilities,
    },
    /// A transport was created.
    Transport {
        /// ICE credentials of the transport.
        ice: IceParameters,
        /// ICE candidates of the worker.
        candidates: Vec<IceCandidate>,
        /// DTLS fingerprints of the worker; the role is `auto`.
        dtls: DtlsParameters,
    },
    /// ICE was restarted.
    IceRestarted {
        /// New ICE credentials.
        ice: IceParameters,
    },
    /// A producer was created.
    Producer {
        /// Consumable RTP parameters, from which consumers' parameters are derived.
        consumable: Box<RtpParameters>,
    },
    /// A consumer was created.
    Consumer {
        /// Audio or video.
        kind: MediaKind,
        /// RTP parameters of the media that the peer receives.
        rtp: RtpParameters,
        /// Whether its producer is paused.
        producer_paused: bool,
        /// Whether the producer has several simulcast encodings.
        simulcast: bool,
    },
    /// Statistics of a transport.
    TransportStats(Box<TransportStats>),
    /// Time for which nothing has arrived on a transport, to a tenth of a second.
    TransportSilence(Duration),
    /// Statistics of a producer, one entry per stream.
    ProducerStats(Vec<ProducerStats>),
    /// Statistics of a consumer.
    ConsumerStats(Box<ConsumerStats>),
}

/// Reason for which a command was refused. Each has a stable [`Refusal::code`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No router has this id.
    #[error("Router not found")]
    RouterNotFound,
    /// No transport has this id.
    #[error("Transport not found")]
    TransportNotFound,
    /// No producer has this id, or it belongs to another router.
    #[error("Producer not found")]
    ProducerNotFound,
    /// No consumer has this id.
    #[error("Consumer not found")]
    ConsumerNotFound,
    /// Another object of this kind has the id.
    #[error("Id already in use")]
    IdInUse,
    /// The peer's capabilities do not fit the producer.
    #[error("Cannot consume")]
    CannotConsume,
    /// The transport already has different DTLS parameters.
    #[error("Transport already connected")]
    AlreadyConnected,
    /// The parameters are invalid; the text says how.
    #[error("{0}")]
    BadParameters(String),
    /// A limit was reached; the text names the limited objects.
    #[error("Too many {0}")]
    LimitReached(&'static str),
    /// The worker that held the object has failed.
    #[error("Worker lost")]
    WorkerLost,
}

impl Refusal {
    /// Returns a `BadParameters` refusal with the text of `error`.
    pub fn bad_parameters(error: impl std::fmt::Display) -> Self {
        Self::BadParameters(error.to_string())
    }

    /// Returns the code by which clients recognise the refusal.
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

/// Change that a worker reports without having been asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The ICE state of a transport changed.
    IceStateChanged {
        /// Transport concerned.
        transport: TransportId,
        /// New state.
        state: IceState,
    },
    /// The DTLS state of a transport changed.
    DtlsStateChanged {
        /// Transport concerned.
        transport: TransportId,
        /// New state.
        state: DtlsState,
    },
    /// The engine closed a transport with its producers and consumers.
    TransportClosed {
        /// Transport that is closed.
        transport: TransportId,
        /// Reason why it was closed.
        reason: CloseReason,
    },
    /// A producer was closed because its transport was.
    ProducerClosed {
        /// Producer that is closed.
        producer: ProducerId,
    },
    /// A piped producer was closed because its shard closed or lost the original.
    PipedProducerClosed {
        /// Producer that is closed here.
        producer: ProducerId,
    },
    /// A consumer was closed because its producer or its transport was.
    ConsumerClosed {
        /// Consumer that is closed.
        consumer: ConsumerId,
    },
    /// A consumer's producer was paused or resumed.
    ConsumerProducerPaused {
        /// Consumer concerned.
        consumer: ConsumerId,
        /// Whether the producer is paused now.
        paused: bool,
    },
    /// The reception scores of a producer changed notably. Reported at most once a second.
    ProducerScore {
        /// Producer concerned.
        producer: ProducerId,
        /// Scores of the encodings of which something has arrived.
        scores: Vec<EncodingScore>,
    },
    /// The share of a consumer's packets that its peer receives changed notably. Reported at most once a
    /// second.
    ConsumerScore {
        /// Consumer concerned.
        consumer: ConsumerId,
        /// Score from 0 (nothing arrives) to 10 (nothing is lost).
        score: u8,
    },
    /// The consumers of a producer want other layers or bitrates of it than before.
    ProducerDemandChanged {
        /// Producer concerned.
        producer: ProducerId,
        /// Layers and bitrates that they want.
        demand: Demand,
    },
    /// A consumer switched to another layer, or is sent a lower one than it prefers for another reason.
    ConsumerLayersChanged {
        /// Consumer concerned.
        consumer: ConsumerId,
        /// Layers sent now; absent means none.
        layers: Option<Layers>,
        /// Why no better layer is sent; absent where the preferred one is, or is about to be.
        reason: Option<LayersReason>,
    },
    /// Another producer is the active speaker of a router, or none is any more. Only producers whose
    /// publisher sends to this worker count.
    ActiveSpeakerChanged {
        /// Router concerned.
        router: RouterId,
        /// Audio producer that is speaking; absent in silence.
        producer: Option<ProducerId>,
    },
}
