//! Routers: the transports and producers of one room on this worker, and the consumers of each
//! producer. A router neither handles packets nor closes anything.

use watersmeet_wire::params::RtpCapabilities;
use watersmeet_wire::units::Map;

use crate::ids::RouterId;
use crate::slots::{ConsumerKey, ProducerKey, TransportKey};
use crate::ticket_queue::TicketQueue;

/// The part of a room that one worker serves.
#[derive(Debug)]
pub struct Router {
    /// Id that commands and events use.
    pub id: RouterId,
    /// RTP capabilities.
    pub capabilities: RtpCapabilities,
    /// Its transports, in the order of their creation.
    pub transports: TicketQueue<TransportKey>,
    /// Its producers that are piped from other shards.
    pub pipes: Vec<ProducerKey>,
    /// Consumers of each producer, in the order of their creation.
    consumers: Map<ProducerKey, Vec<ConsumerKey>>,
}

impl Router {
    /// Creates an empty router.
    pub fn new(id: RouterId, capabilities: RtpCapabilities) -> Self {
        Self {
            id,
            capabilities,
            transports: TicketQueue::default(),
            pipes: Vec::new(),
            consumers: Map::new(),
        }
    }

    /// Adds a producer.
    pub fn add_producer(&mut self, producer: ProducerKey) {
        self.consumers.insert(producer, Vec::new());
    }

    /// Removes a producer and returns its consumers.
    pub fn remove_producer(&mut self, producer: ProducerKey) -> Vec<ConsumerKey> {
        self.pipes.retain(|pipe| *pipe != producer);
        self.consumers.remove(&producer).unwrap_or_default()
    }

    /// Adds a consumer of a producer.
    pub fn add_consumer(&mut self, producer: ProducerKey, consumer: ConsumerKey) {
        self.consumers.entry(producer).or_default().push(consumer);
    }

    /// Removes a consumer of a producer.
    pub fn remove_consumer(&mut self, producer: ProducerKey, consumer: ConsumerKey) {
        if let Some(consumers) = self.consumers.get_mut(&producer)
            && let Some(index) = consumers.iter().position(|&known| known == consumer)
        {
            consumers.remove(index);
        }
    }

    /// Returns the consumers of a producer.
    pub fn consumers_of(&self, producer: ProducerKey) -> &[ConsumerKey] {
        self.consumers.get(&producer).map_or(&[], Vec::as_slice)
    }
}
