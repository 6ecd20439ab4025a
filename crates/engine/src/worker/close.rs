//! Who closes when something closes: a router takes its transports with it, a transport its
//! producers and consumers, a producer its consumers. One function each, and every object goes
//! through its own, whatever the reason.

use watersmeet_wire::units::Time;

use super::Worker;
use crate::command::{CloseReason, Event};
use crate::producer::{Origin, Producer};
use crate::shard_message::ShardMessage;
use crate::slots::{ConsumerKey, ProducerKey, RouterKey, TransportKey};

/// The most goodbyes that wait to be sent.
const CLOSE_DATAGRAMS_MAX: usize = 1_024;

impl Worker {
    /// Closes a router with all that is in it.
    pub(super) fn close_router(&mut self, now: Time, key: RouterKey) {
        let transports = self
            .routers
            .get(key)
            .map(|router| router.transports.clone());
        for transport in transports.unwrap_or_default() {
            self.close_transport(now, transport, None);
        }
        let router = self.routers.get(key);
        for pipe in router.map_or_else(Vec::new, |router| router.pipes.clone()) {
            self.close_producer(pipe, false);
        }
        if let Some(router) = self.routers.remove(key) {
            self.router_keys.remove(&router.id);
        }
    }

    /// Closes a transport with all that is on it. It is reported when it was not commanded.
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
        let (id, router) = (entry.id, entry.router);
        let producers = std::mem::take(&mut entry.producers);
        let consumers = std::mem::take(&mut entry.consumers);
        for consumer in consumers {
            self.close_consumer(consumer);
        }
        for producer in producers {
            self.close_producer(producer, reason.is_some());
        }
        self.demux.remove(key);
        if let Some(entry) = self.transports.remove(key) {
            self.retired.add_transport(&entry);
        }
        self.transport_keys.remove(&id);
        // Its place may be given to another before the lists are next walked.
        self.schedule.remove(key);
        self.handshakes.retain(|waiting| *waiting != key);
        if let Some(router) = self.routers.get_mut(router) {
            router.transports.retain(|transport| *transport != key);
        }
        if let Some(reason) = reason {
            self.report_event(Event::TransportClosed {
                transport: id,
                reason,
            });
        }
    }

    /// Closes a producer with its consumers, which are reported.
    pub(super) fn close_producer(&mut self, key: ProducerKey, is_reported: bool) {
        let Some(producer) = self.producers.remove(key) else {
            return;
        };
        self.retired.add_producer(&producer);
        self.producer_keys.remove(&producer.id);
        let router = self.routers.get_mut(producer.router);
        let listeners = router
            .map(|router| router.remove_producer(key))
            .unwrap_or_default();
        self.detach(key, &producer, !listeners.is_empty());
        for listener in listeners {
            let id = self.consumers.get(listener).map(|consumer| consumer.id);
            self.close_consumer(listener);
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

    /// Tells where a producer that is closed came from, and where it went.
    fn detach(&mut self, key: ProducerKey, closed: &Producer, was_wanted: bool) {
        let producer = closed.id;
        match closed.origin {
            Origin::Transport(entry) => {
                if let Some(entry) = self.transports.get_mut(entry) {
                    entry.rtp_listener.remove(key);
                    entry.producers.retain(|place| *place != key);
                }
            }
            Origin::Shard(origin) if was_wanted => {
                self.cross(origin, ShardMessage::Unsubscribe { producer });
            }
            Origin::Shard(_) => {}
        }
        for &shard in &closed.pipes {
            self.cross(shard, ShardMessage::Closed { producer });
        }
    }

    /// Closes a consumer.
    pub(super) fn close_consumer(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.remove(key) else {
            return;
        };
        self.retired.add_consumer(&consumer);
        self.consumer_keys.remove(&consumer.id);
        if let Some(entry) = self.transports.get_mut(consumer.transport) {
            entry.consumers.retain(|place| *place != key);
            entry.outgoing.retain(|_, place| *place != key);
            entry.remove_packets_of(key);
        }
        let producer = self.producers.get(consumer.producer);
        let router = producer.and_then(|it| self.routers.get_mut(it.router));
        if let Some(router) = router {
            router.remove_consumer(consumer.producer, key);
            self.unsubscribe_if_unused(consumer.producer);
        }
    }
}
