//! Transports, consumers and media as requests and replies describe them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{
    DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpParameters,
};

use super::ids::PeerId;
use super::participant::ProducerSummary;
use crate::turn::IceServer;

/// Direction of the media on a transport, as the participant sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The participant sends.
    Send,
    /// The participant receives.
    Recv,
}

/// Purpose of a transport, for dialects in which the same request may be sent twice: the second
/// `CreateTransport` with an equal key is answered with the first transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransportKey {
    /// The transport to send on.
    Send,
    /// The transport to receive on.
    Recv,
    /// The transport to receive this producer on.
    RecvProducer(ProducerId),
}

/// Object whose statistics are requested. A participant can only ask for its own objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatsSubject {
    /// A transport.
    Transport(TransportId),
    /// A producer.
    Producer(ProducerId),
    /// A consumer.
    Consumer(ConsumerId),
}

/// A new transport with everything its client needs to connect to it.
#[derive(Debug, Clone)]
pub struct CreatedTransport {
    /// Id of the transport.
    pub transport: TransportId,
    /// Direction of its media.
    pub direction: Direction,
    /// Key that the request carried.
    pub key: Option<TransportKey>,
    /// ICE credentials of the server.
    pub ice: IceParameters,
    /// Addresses of the server.
    pub candidates: Vec<IceCandidate>,
    /// DTLS role and fingerprints of the server.
    pub dtls: DtlsParameters,
    /// STUN and TURN servers that the client may use to reach the server.
    pub ice_servers: Arc<[IceServer]>,
}

/// A new consumer with everything its client needs to receive it.
#[derive(Debug, Clone)]
pub struct CreatedConsumer {
    /// Id of the consumer.
    pub consumer: ConsumerId,
    /// Producer that it receives.
    pub producer: ProducerId,
    /// Participant that owns the producer.
    pub producer_peer: PeerId,
    /// The producer, as other participants see it.
    pub producer_summary: ProducerSummary,
    /// Transport that it arrives on.
    pub transport: TransportId,
    /// Audio or video.
    pub kind: MediaKind,
    /// RTP parameters of the packets that will arrive.
    pub rtp: RtpParameters,
    /// Whether it sends nothing until it is resumed.
    pub paused: bool,
}
