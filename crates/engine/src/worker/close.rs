//! Closes routers, transports, producers and consumers. Closing a router closes its transports,
//! closing a transport its producers and consumers, closing a producer its consumers. Each kind has
//! one function, through which every object of it is closed.
//!
//! The cost of closing a transport does not depend on how many others the worker has: nothing here
//! searches the paths, queues or timers of the shard.

use watersmeet_wire::units::Time;

use super::Worker;
use crate::command::Event;
use crate::producer::{Origin, Producer};
use crate::shard_message::ShardMessage;
use crate::slots::{ConsumerKey, ProducerKey, RouterKey, TransportKey};
use crate::transport_state::CloseReason;

/// Capacity of the queue of close alerts; when it is full, peers notice by losing consent.
const CLOSE_DATAGRAMS_MAX: usize = 1_024;

impl Worker {
    /// Closes a router and everything in it.
    pub(super) fn close_router(&mut self, now: Time, key: RouterKey) {
        while let Some(router) = self.routers.get_mut(key)
            && let Some(transport) = router.transports.pop_front()
        {
            self.close_transport(now, transport, None);
        }
        let router = self.routers.get(key);
        for pipe in router.map_or_else(Vec::new, |router| router.pipes.clone()) {
            self.close_producer(now, pipe, false);
        }
        if let Some(router) = self.routers.remove(key) {
            self.router_keys.remove(&router.id);
        }
    }

    /// Closes a transport with its producers and consumers. Reports it when a `reason` is given,
    /// that is, unless a command closes it.
    pub(super) fn close_transport(
        &mut self,
        now: Time,
        key: TransportKey,
        reason: Option<CloseReason>,
    ) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        entry.transport.close(now);
        while let Some(datagram) = entry.transport.poll_transmit() {
            if self.close_datagrams.len() < CLOSE_DATAGRAMS_MAX {
                self.close_datagrams.push_back(datagram);
            }
        }
        entry.outbound.clear_packets();
        let producers = std::mem::take(&mut entry.inbound.producers);
        let consumers = std::mem::take(&mut entry.outbound.consumers);
        for consumer in consumers {
            self.close_consumer(consumer);
        }
        for producer in producers {
            self.close_producer(now, producer, reason.is_some());
        }
        self.demux.remove(key);
        let Some(entry) = self.transports.remove(key) else {
            return;
        };
        self.closed_totals.add_transport(&entry);
        self.transport_keys.remove(&entry.id);
        self.send_queue.remove(key, &entry.outbound.queue_entry);
        self.handshakes.remove(&entry.handshake);
        if let Some(router) = self.routers.get_mut(entry.router) {
            router.transports.remove(entry.router_ticket);
        }
        if let Some(reason) = reason {
            self.report_event(Event::TransportClosed {
                transport: entry.id,
                reason,
            });
        }
    }

    /// Closes a producer with its consumers, which are reported.
    pub(super) fn close_producer(&mut self, now: Time, key: ProducerKey, is_reported: bool) {
        let Some(producer) = self.producers.remove(key) else {
            return;
        };
        self.closed_totals.add_producer(&producer);
        self.producer_keys.remove(&producer.id);
        let router = self.routers.get_mut(producer.router);
        let consumers = router
            .map(|router| router.remove_producer(key))
            .unwrap_or_default();
        self.report_speaker(producer.router);
        self.detach(now, key, &producer, !consumers.is_empty());
        for consumer in consumers {
            let id = self.consumers.get(consumer).map(|consumer| consumer.id);
            self.close_consumer(consumer);
            if let Some(consumer) = id {
                self.report_event(Event::ConsumerClosed { consumer });
            }
        }
        if is_reported {
            self.report_event(Event::ProducerClosed {
                producer: producer.id,
            });
        }
    }

    /// Removes a closed producer from its transport, and notifies the shards it is piped from and to.
    fn detach(&mut self, now: Time, key: ProducerKey, closed: &Producer, had_consumers: bool) {
        let producer = closed.id;
        match closed.origin {
            Origin::Transport(transport) => {
                if let Some(entry) = self.transports.get_mut(transport) {
                    entry.inbound.rtp_listener.remove(now, key);
                    entry.inbound.producers.retain(|known| *known != key);
                }
            }
            Origin::Shard(origin) if had_consumers => {
                self.send_to_shard(origin, ShardMessage::Unsubscribe { producer });
            }
            Origin::Shard(_) => {}
        }
        for pipe in &closed.pipes {
            self.send_to_shard(pipe.shard, ShardMessage::Closed { producer });
        }
    }

    /// Closes a consumer.
    pub(super) fn close_consumer(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.remove(key) else {
            return;
        };
        self.closed_totals.add_consumer(&consumer);
        self.consumer_keys.remove(&consumer.id);
        if let Some(entry) = self.transports.get_mut(consumer.transport) {
            let outbound = &mut entry.outbound;
            outbound.consumers.retain(|known| *known != key);
            for ssrc in consumer.ssrcs() {
                outbound.streams.remove(&ssrc);
            }
            outbound.remove_packets_if(|packet| packet.consumer == key);
        }
        let producer = self.producers.get(consumer.producer);
        let router = producer.and_then(|it| self.routers.get_mut(it.router));
        if let Some(router) = router {
            router.remove_consumer(consumer.producer, key);
            self.unsubscribe_if_unused(consumer.producer);
        }
    }
}
