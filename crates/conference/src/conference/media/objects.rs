//! Media objects as the conference knows them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{RtpCapabilities, RtpParameters};
use watersmeet_wire::units::{Map, Time};

use crate::dialect::RequestTag;
use crate::message::{
    CreatedTransport, Direction, ProducerSummary, SessionId, ShardId, TransportKey,
};

/// What a session owns. All of it includes what is being created.
#[derive(Debug, Default)]
pub(super) struct SessionMedia {
    /// Transports.
    pub transports: Map<TransportId, Transport>,
    /// Newest transport that it receives on, once that is created.
    pub receive_transport: Option<TransportId>,
    /// Producers and the transports they are on.
    pub producers: Map<ProducerId, TransportId>,
    /// Those of the producers that others know of, oldest first.
    pub announced: Vec<ProducerId>,
    /// Consumers.
    pub consumers: Map<ConsumerId, Consumer>,
    /// Requests to consume that wait for a receive transport, oldest first.
    pub held: VecDeque<HeldConsume>,
}

impl SessionMedia {
    /// Whether the session owns nothing.
    pub fn is_empty(&self) -> bool {
        self.transports.is_empty()
            && self.producers.is_empty()
            && self.consumers.is_empty()
            && self.held.is_empty()
    }
}

/// Transport of a session.
#[derive(Debug)]
pub(super) struct Transport {
    /// Direction of its media.
    pub direction: Direction,
    /// Shard that it is on.
    pub shard: ShardId,
    /// Key by which its client requested it.
    pub key: Option<TransportKey>,
    /// Description for its client, once its shard has created it.
    pub offer: Option<Box<CreatedTransport>>,
    /// Further requests for it, which wait until its shard has created it.
    pub waiting_tags: Vec<RequestTag>,
}

/// Producer that other participants know of.
#[derive(Debug)]
pub(super) struct AnnouncedProducer {
    /// Session that sends it.
    pub owner: SessionId,
    /// Room that it is in.
    pub room: Arc<str>,
    /// Summary for other participants.
    pub summary: ProducerSummary,
    /// Shard that receives it.
    pub shard: ShardId,
    /// What can be consumed of it, as its shard reported.
    pub consumable: Box<RtpParameters>,
    /// Other shards on which it is known.
    pub pipes: BTreeSet<ShardId>,
    /// Its consumers and their owners, including those being created.
    pub consumers: Map<ConsumerId, SessionId>,
}

/// Consumer of a session.
#[derive(Debug)]
pub struct Consumer {
    /// Transport that it is sent on.
    pub transport: TransportId,
    /// Producer that it receives.
    pub producer: ProducerId,
}

/// Request to consume that waits for a receive transport.
#[derive(Debug)]
pub struct HeldConsume {
    /// Time at which it is refused.
    pub deadline: Time,
    /// Identifies the request to the dialect.
    pub tag: RequestTag,
    /// Producer to receive.
    pub producer: ProducerId,
    /// RTP capabilities of the participant.
    pub capabilities: RtpCapabilities,
    /// Whether the consumer starts paused.
    pub start_paused: bool,
}
