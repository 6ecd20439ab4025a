//! Who listens to whom: the producers of one room on this worker, and the consumers of each.
//! Nothing else; it neither sees packets nor closes anything.

use watersmeet_wire::params::RtpCapabilities;
use watersmeet_wire::units::Map;

use crate::ids::RouterId;
use crate::slots::{ConsumerKey, ProducerKey, TransportKey};
use crate::ticket_queue::TicketQueue;

/// One room's share of a worker. Members are known by their places in the worker.
#[derive(Debug)]
pub struct Router {
    /// Its id.
    pub id: RouterId,
    /// What it can forward.
    pub capabilities: RtpCapabilities,
    /// The transports in it.
    pub transports: TicketQueue<TransportKey>,
    /// The producers that other shards hand over.
    pub pipes: Vec<ProducerKey>,
    /// The consumers of each producer.
    consumers: Map<ProducerKey, Vec<ConsumerKey>>,
}

impl Router {
    /// An empty router.
    pub fn new(id: RouterId, capabilities: RtpCapabilities) -> Self {
        Self {
            id,
            capabilities,
            transports: TicketQueue::default(),
            pipes: Vec::new(),
            consumers: Map::new(),
        }
    }

    /// Enters a producer.
    pub fn add_producer(&mut self, producer: ProducerKey) {
        self.consumers.insert(producer, Vec::new());
    }

    /// Takes a producer out, with the list of those who consumed it.
    pub fn remove_producer(&mut self, producer: ProducerKey) -> Vec<ConsumerKey> {
        self.pipes.retain(|pipe| *pipe != producer);
        self.consumers.remove(&producer).unwrap_or_default()
    }

    /// Enters a consumer of a producer.
    pub fn add_consumer(&mut self, producer: ProducerKey, consumer: ConsumerKey) {
        self.consumers.entry(producer).or_default().push(consumer);
    }

    /// Takes a consumer out.
    pub fn remove_consumer(&mut self, producer: ProducerKey, consumer: ConsumerKey) {
        if let Some(consumers) = self.consumers.get_mut(&producer)
            && let Some(index) = consumers.iter().position(|&known| known == consumer)
        {
            consumers.remove(index);
        }
    }

    /// Everybody who listens to a producer.
    pub fn consumers_of(&self, producer: ProducerKey) -> &[ConsumerKey] {
        self.consumers.get(&producer).map_or(&[], Vec::as_slice)
    }
}
