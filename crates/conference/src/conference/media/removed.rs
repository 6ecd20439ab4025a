//! Results of a removal, from which notices and commands are made.

use std::collections::BTreeSet;
use std::sync::Arc;

use watersmeet_engine::command::{ProducerId, TransportId};
use watersmeet_wire::units::Time;

use super::objects::OwnedTrack;
use crate::message::ShardId;

/// Announced producer that was removed.
#[derive(Debug, PartialEq, Eq)]
pub struct RemovedProducer {
    /// Id of the producer.
    pub producer: ProducerId,
    /// Room in which it was announced.
    pub room: Arc<str>,
    /// Other shards to which it was piped.
    pub pipes: BTreeSet<ShardId>,
    /// Time for which the timer of its scores is set.
    pub score_timer: Option<Time>,
    /// The producer as room events name it.
    pub track: OwnedTrack,
}

/// Transport that was removed.
#[derive(Debug, Default)]
pub struct RemovedTransport {
    /// Shard of the transport. `None` when the session had no such transport.
    pub shard: Option<ShardId>,
    /// Announced producers on this transport.
    pub producers: Vec<RemovedProducer>,
}

/// All media of a session, removed without following dependencies.
#[derive(Debug, Default)]
pub struct RemovedMedia {
    /// Transports and their shards.
    pub transports: Vec<(ShardId, TransportId)>,
    /// Announced producers of the session.
    pub producers: Vec<RemovedProducer>,
}
