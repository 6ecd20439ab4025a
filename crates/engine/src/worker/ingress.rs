//! Media on its way in: from a decrypted packet to the lists of those who will be sent it.

use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::rtp::extension::{ExtensionKind, parse_transport_seq};
use watersmeet_wire::units::Time;

use super::{EVENTS_MAX, Worker};
use crate::arrival_log;
use crate::command::{Event, Layers};
use crate::packet::{Arrival, ExtensionPlaces, Incoming};
use crate::rtp_listener::Owner;
use crate::slots::{ProducerKey, TransportKey};
use crate::timers::TimerKind;

impl Worker {
    /// Takes a decrypted RTP packet of a transport.
    pub(super) fn accept_rtp(
        &mut self,
        now: Time,
        key: TransportKey,
        header: &RtpHeader,
        packet: &[u8],
    ) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        entry.traffic.rtp_bytes_received += packet.len() as u64;
        let places = entry.rtp_listener.extension_ids.locate(header, packet);
        self.record_arrival(now, key, header, &places, packet);
        let Some(owner) = self.owner(key, header, &places, packet) else {
            if let Some(entry) = self.transports.get_mut(key) {
                entry.traffic.packets_discarded += 1;
            }
            return;
        };
        let arrival = self.accept_media(now, owner, header, places, packet);
        if let Some(arrival) = arrival {
            self.fan_out(now, owner.producer, &arrival);
            self.forward_to_shards(owner.producer, &arrival);
        }
    }

    /// Notes the packet's number on the transport, to feed it back to the sender.
    fn record_arrival(
        &mut self,
        now: Time,
        key: TransportKey,
        header: &RtpHeader,
        places: &ExtensionPlaces,
        packet: &[u8],
    ) {
        let value = places.value(ExtensionKind::TransportWideCc, packet);
        let Some(seq) = value.and_then(parse_transport_seq) else {
            return;
        };
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let is_full = entry.arrival_log.note(now, seq, header.ssrc);
        let due = now + arrival_log::INTERVAL;
        self.timers
            .set(&mut entry.feedback_deadline, due, TimerKind::Feedback(key));
        if is_full {
            self.send_transport_feedback(now, key);
        }
    }

    fn owner(
        &mut self,
        key: TransportKey,
        header: &RtpHeader,
        places: &ExtensionPlaces,
        packet: &[u8],
    ) -> Option<Owner> {
        let listener = &mut self.transports.get_mut(key)?.rtp_listener;
        match listener.owner(header.ssrc) {
            Some(owner) => Some(owner),
            None => listener.learn(header, places, packet),
        }
    }

    /// Gives the packet to its producer, and asks the publisher for what that shows to be missing.
    fn accept_media(
        &mut self,
        now: Time,
        owner: Owner,
        header: &RtpHeader,
        places: ExtensionPlaces,
        packet: &[u8],
    ) -> Option<Arrival> {
        let incoming = Incoming::new(header, packet, places)?;
        let producer = self.producers.get_mut(owner.producer)?;
        let acceptance = producer.accept(
            now,
            owner.stream,
            header.ssrc,
            incoming,
            packet,
            owner.retransmission,
        )?;
        let is_news = producer.activity.record_packet(now, owner.stream);
        let is_paused = producer.paused;
        if acceptance.found_gap {
            self.request_retransmissions(now, owner.producer);
            self.send_keyframe_requests(now, owner.producer);
        }
        if is_news {
            self.notify_active_streams(now, owner.producer);
        }
        acceptance.arrival.filter(|_| !is_paused)
    }

    /// Tells the consumers of a producer which of its streams bring packets.
    pub(super) fn notify_active_streams(&mut self, now: Time, key: ProducerKey) {
        let Some(producer) = self.producers.get(key) else {
            return;
        };
        let active = producer.activity.active();
        self.send_producer_state(key);
        for listener in self.listeners(key).to_vec() {
            if let Some(consumer) = self.consumers.get_mut(listener) {
                consumer.layers.set_active(active);
            }
            self.request_awaited_keyframe(now, listener);
        }
    }

    /// Offers a packet to everybody who consumes its producer.
    pub(super) fn fan_out(&mut self, now: Time, key: ProducerKey, arrival: &Arrival) {
        let Some(producer) = self.producers.get(key) else {
            return;
        };
        let is_layered = producer.streams.len() > 1;
        let Some(router) = self.routers.get(producer.router) else {
            return;
        };
        for &listener in router.consumers_of(key) {
            let Some(consumer) = self.consumers.get_mut(listener) else {
                continue;
            };
            let Some((departure, switched)) = consumer.forward(now, arrival) else {
                continue;
            };
            let Some(entry) = self.transports.get_mut(consumer.transport) else {
                continue;
            };
            entry.enqueue(departure);
            if switched {
                // The beginning of a keyframe was lost and came back: the rest of it is here, and
                // would never be sent.
                for later in producer.kept_after(arrival) {
                    if let Some((departure, _)) = consumer.forward(now, &later) {
                        entry.enqueue(departure);
                    }
                }
            }
            self.schedule
                .enqueue_media(now, consumer.transport, &mut entry.turn);
            if switched && is_layered && self.events.len() < EVENTS_MAX {
                let layers = Layers {
                    spatial_layer: arrival.stream,
                    temporal_layer: None,
                };
                let event = Event::ConsumerLayersChanged {
                    consumer: consumer.id,
                    layers: Some(layers),
                };
                self.events.push_back(event);
            }
        }
    }
}
