//! What a removal has removed, for the notices and commands that follow from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use watersmeet_engine::command::{ProducerId, TransportId};

use crate::message::ShardId;

/// Announced producer that was removed.
#[derive(Debug, PartialEq, Eq)]
pub struct RemovedProducer {
    /// The producer.
    pub producer: ProducerId,
    /// Room that it was in.
    pub room: Arc<str>,
    /// Other shards on which it was known.
    pub pipes: BTreeSet<ShardId>,
}

/// Transport that was removed.
#[derive(Debug, Default)]
pub struct RemovedTransport {
    /// Shard that it was on. None when the session had no such transport.
    pub shard: Option<ShardId>,
    /// Announced producers that were on it.
    pub producers: Vec<RemovedProducer>,
}

/// All media of a session, removed without regard to what depends on what.
#[derive(Debug, Default)]
pub struct RemovedMedia {
    /// Transports and their shards.
    pub transports: Vec<(ShardId, TransportId)>,
    /// Announced producers.
    pub producers: Vec<RemovedProducer>,
}
