//! What requests are answered with, and how participants and producers look to others.

use std::sync::Arc;

use serde_json::Value;
use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{
    DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpCapabilities, RtpParameters,
};

use super::{Direction, MediaSource, PeerId, Role, StatsSubject, TransportKey, User};
use crate::turn::IceServer;

/// One producer, as others are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerSummary {
    /// Its id.
    pub producer: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What it shows, if its owner said so.
    pub source: Option<MediaSource>,
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
pub struct CreatedTransport {
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
pub struct CreatedConsumer {
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
    WaitingForApproval {
        /// The room's name.
        room: Arc<str>,
    },
    /// The room was left.
    Left {
        /// Its name.
        room: Arc<str>,
    },
    /// A transport was made.
    TransportCreated(Box<CreatedTransport>),
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
    Consumed(Box<CreatedConsumer>),
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
        subject: StatsSubject,
        /// The reports.
        reports: Vec<Value>,
    },
    /// Who is in the room.
    Participants(Vec<ParticipantSummary>),
    /// It was said, relayed, asked or decided.
    Done,
}
