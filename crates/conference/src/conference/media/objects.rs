//! Records of media objects: transports, producers and consumers.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, EncodingScore, ProducerId, TransportId};
use watersmeet_wire::params::{RtpCapabilities, RtpParameters};
use watersmeet_wire::units::{Map, Time};

use crate::dialect::RequestTag;
use crate::message::{
    CreatedTransport, Direction, ProducerSummary, SessionId, ShardId, TransportKey,
};
use crate::room_event::TrackRecord;

/// Score of what arrives completely.
pub const SCORE_MAX: u8 = 10;

/// Media objects of a session, including those being created.
#[derive(Debug, Default)]
pub(super) struct SessionMedia {
    /// Transports of the session.
    pub transports: Map<TransportId, Transport>,
    /// Newest receive transport, once its shard has created it.
    pub receive_transport: Option<TransportId>,
    /// Producers and their transports.
    pub producers: Map<ProducerId, TransportId>,
    /// Announced producers, oldest first.
    pub announced: Vec<ProducerId>,
    /// Consumers of the session.
    pub consumers: Map<ConsumerId, Consumer>,
    /// Requests to consume that wait for a receive transport, oldest first.
    pub held: VecDeque<HeldConsume>,
}

impl SessionMedia {
    /// Returns whether the session owns no media and holds no requests.
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
    /// Parameters for its client, once its shard has created it.
    pub offer: Option<Box<CreatedTransport>>,
    /// Tags of further requests for it, which wait until its shard has created it.
    pub waiting_tags: Vec<RequestTag>,
}

/// Producer that was announced to other participants.
#[derive(Debug)]
pub(super) struct AnnouncedProducer {
    /// Session that sends it.
    pub owner: SessionId,
    /// Room in which it was announced.
    pub room: Arc<str>,
    /// Summary for other participants.
    pub summary: ProducerSummary,
    /// Shard that receives its media from the client.
    pub shard: ShardId,
    /// RTP parameters that consumers receive, as its shard reported them.
    pub consumable: Box<RtpParameters>,
    /// Other shards to which it is piped.
    pub pipes: BTreeSet<ShardId>,
    /// Its consumers and their owners, including those being created.
    pub consumers: Map<ConsumerId, SessionId>,
    /// Reception scores of its encodings.
    pub scores: ProducerScores,
}

impl AnnouncedProducer {
    /// Returns the producer as room events name it.
    pub fn track(&self) -> OwnedTrack {
        let codec = self.consumable.codecs.iter().find(|it| it.is_media());
        OwnedTrack {
            owner: self.owner,
            room: Arc::clone(&self.room),
            track: TrackRecord {
                producer: self.summary.producer,
                kind: self.summary.kind,
                source: self.summary.source,
                mime_type: codec.map_or("", |it| &it.mime_type).into(),
                is_simulcast: self.consumable.encodings.len() > 1,
                is_muted: self.summary.paused,
            },
        }
    }
}

/// A track with its owner and room.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnedTrack {
    /// Session that sends it.
    pub owner: SessionId,
    /// Room in which it was announced.
    pub room: Arc<str>,
    /// The track.
    pub track: TrackRecord,
}

/// Reception scores of a producer.
#[derive(Debug, Default)]
pub struct ProducerScores {
    /// Latest scores of the encodings that have arrived.
    pub current: Vec<EncodingScore>,
    /// Earliest time at which they are told again.
    pub next: Time,
    /// Time for which their timer is set, while a change waits to be told.
    pub timer: Option<Time>,
}

/// Consumer of a session.
#[derive(Debug)]
pub struct Consumer {
    /// Transport that it is sent on.
    pub transport: TransportId,
    /// Producer that it receives.
    pub producer: ProducerId,
    /// Score of what arrives at the session, from 0 to 10.
    pub score: u8,
    /// Whether it is held back, because the room sends only some of its cameras.
    pub is_held: bool,
    /// Whether the client has asked for it before others.
    pub is_pinned: bool,
}

/// Request to consume that waits for a receive transport.
#[derive(Debug)]
pub struct HeldConsume {
    /// Time at which it is refused.
    pub deadline: Time,
    /// Tag that identifies the request to the dialect.
    pub tag: RequestTag,
    /// Producer to receive.
    pub producer: ProducerId,
    /// RTP capabilities of the participant.
    pub capabilities: RtpCapabilities,
    /// Whether the consumer starts paused.
    pub start_paused: bool,
}
