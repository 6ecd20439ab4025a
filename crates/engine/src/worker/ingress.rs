//! Routes received media: from a decrypted packet to the send queues of those who consume it.

use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::rtp::extension::{ExtensionKind, parse_transport_seq};
use watersmeet_wire::units::{SeqNo, Time};

use super::layer_reports::layers_event;
use super::voices::VoiceChoice;
use super::{EVENTS_MAX, Worker};
use crate::arrival_log;
use crate::consumer::forward::Forwarding;
use crate::loudest_voices::Choice;
use crate::packet::{Arrival, ExtensionSpans, Incoming};
use crate::rtp_listener::StreamOwner;
use crate::slots::{ProducerKey, TransportKey};
use crate::timers::TimerKind;

impl Worker {
    /// Handles a decrypted RTP packet of a transport.
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
        let inbound = &mut entry.inbound;
        inbound.rtp_bytes += packet.len() as u64;
        if inbound.rtp_bytes > inbound.rtp_bytes_max {
            inbound.packets_over_limit += 1;
            return;
        }
        let (owner, spans) = inbound.rtp_listener.locate(now, header, packet);
        self.record_arrival(now, key, header, &spans, packet);
        let Some(owner) = owner else {
            if let Some(entry) = self.transports.get_mut(key) {
                entry.inbound.packets_unrouted += 1;
            }
            return;
        };
        let accepted = self.accept_media(now, key, owner, header, spans, packet);
        if let Some((arrival, recovered)) = accepted {
            let level = self.record_audio_level(now, owner.producer, &spans, packet);
            let choice = self.choose_voice(now, owner.producer, level);
            if recovered < arrival.seq && choice.here == Choice::Forward {
                self.forward_recovered(now, owner.producer, &arrival, recovered, choice);
            }
            self.forward_voice(now, owner.producer, &arrival, choice);
        }
    }

    /// Records the packet's transport-wide sequence number for feedback to the sender.
    fn record_arrival(
        &mut self,
        now: Time,
        key: TransportKey,
        header: &RtpHeader,
        spans: &ExtensionSpans,
        packet: &[u8],
    ) {
        let value = spans.value(ExtensionKind::TransportWideCc, packet);
        let Some(seq) = value.and_then(parse_transport_seq) else {
            return;
        };
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let inbound = &mut entry.inbound;
        let is_full = inbound.arrival_log.record(self.arrived, seq, header.ssrc);
        let due = now + arrival_log::FEEDBACK_INTERVAL;
        self.timers.set(
            &mut inbound.feedback_deadline,
            due,
            TimerKind::Feedback(key),
        );
        if is_full {
            self.send_transport_feedback(now, key);
        }
    }

    /// Forwards a packet here and to other shards, as far as its voice was chosen.
    fn forward_voice(
        &mut self,
        now: Time,
        key: ProducerKey,
        arrival: &Arrival,
        choice: VoiceChoice,
    ) {
        self.fan_out_voice(now, key, arrival, choice.here);
        if choice.piped.is_forwarded() {
            self.forward_to_shards(key, arrival, choice.piped_state());
        }
    }

    /// Forwards the packets from `first` on that were recovered from the redundancy of an arrival.
    fn forward_recovered(
        &mut self,
        now: Time,
        key: ProducerKey,
        arrival: &Arrival,
        first: SeqNo,
        choice: VoiceChoice,
    ) {
        for seq in (first.0..arrival.seq.0).map(SeqNo) {
            let producer = self.producers.get(key);
            let recovered = producer.and_then(|it| it.cached_arrival(arrival.stream, seq));
            if let Some(recovered) = recovered {
                self.forward_voice(now, key, &recovered, choice);
            }
        }
    }

    /// Passes the packet to its producer and requests retransmissions of packets it shows missing. Returns
    /// also from which number on packets before it were recovered from its redundancy.
    fn accept_media(
        &mut self,
        now: Time,
        key: TransportKey,
        owner: StreamOwner,
        header: &RtpHeader,
        spans: ExtensionSpans,
        packet: &[u8],
    ) -> Option<(Arrival, SeqNo)> {
        let incoming = Incoming::new(header, packet, spans)?;
        let producer = self.producers.get_mut(owner.producer)?;
        let acceptance = producer.accept(
            now,
            owner.stream,
            header.ssrc,
            incoming,
            packet,
            owner.retransmission,
        );
        let Ok(acceptance) = acceptance else {
            if let Some(entry) = self.transports.get_mut(key) {
                entry.inbound.packets_of_unknown_type += 1;
            }
            return None;
        };
        // Only new packets show that an encoding is active: publishers probe with old ones.
        let arrival = acceptance.arrival;
        let redundant = arrival.filter(|it| it.redundancy.is_of_publisher());
        let recovered = redundant.map(|it| producer.recover(now, &it, packet));
        let is_activity_changed = arrival.is_some_and(|it| producer.record_activity(now, &it));
        let (is_paused, structure) = (producer.paused, producer.structure());
        if acceptance.found_gap {
            self.request_retransmissions(now, owner.producer);
            self.send_keyframe_requests(now, owner.producer);
        }
        if acceptance.is_keyframe_overdue {
            self.repeat_keyframe_request(now, owner.producer, owner.stream);
        }
        if is_activity_changed {
            let is_start = |it: &Arrival| structure.starts_layer(&it.descriptor);
            let started = arrival.filter(|it| is_start(it) && !is_paused);
            self.notify_active_streams(now, owner.producer, started.map(|it| it.layer));
        }
        let arrival = arrival.filter(|_| !is_paused)?;
        Some((arrival, recovered.unwrap_or(arrival.seq)))
    }

    /// Notifies the consumers of a producer, here and on other shards, which of its streams are active.
    /// Nobody requests a keyframe of the layer `started`, which is about to be forwarded from one on.
    pub(super) fn notify_active_streams(
        &mut self,
        now: Time,
        key: ProducerKey,
        started: Option<u8>,
    ) {
        let Some(producer) = self.producers.get(key) else {
            return;
        };
        let active = producer.activity.active();
        self.send_producer_state(key, started);
        for consumer_key in self.consumers_of(key).to_vec() {
            let Some(consumer) = self.consumers.get_mut(consumer_key) else {
                continue;
            };
            consumer.layers.set_active(active);
        }
        self.allocate_for_consumers_of(now, key);
        for consumer_key in self.consumers_of(key).to_vec() {
            let Some(consumer) = self.consumers.get(consumer_key) else {
                continue;
            };
            if started.is_none() || consumer.awaited_keyframe() != started {
                self.request_awaited_keyframe(now, consumer_key);
            }
        }
    }

    /// Offers a packet to all consumers of its producer.
    pub(super) fn fan_out(&mut self, now: Time, key: ProducerKey, arrival: &Arrival) {
        let Some(producer) = self.producers.get_mut(key) else {
            return;
        };
        producer.record_bitrate(now, arrival);
        let arrival = &producer.with_redundancy(*arrival);
        let has_layers = producer.layer_count() > 1;
        let mut is_interrupted = false;
        let Some(router) = self.routers.get(producer.router) else {
            return;
        };
        for &consumer_key in router.consumers_of(key) {
            let Some(consumer) = self.consumers.get_mut(consumer_key) else {
                continue;
            };
            let (queued, is_first, has_changed) = match consumer.forward(now, arrival) {
                Forwarding::Nothing => continue,
                Forwarding::Interrupted => {
                    is_interrupted = true;
                    continue;
                }
                Forwarding::Packet(queued) => (queued, false, false),
                Forwarding::Changed(queued) => (queued, false, true),
                Forwarding::First(queued) => {
                    (queued, true, !consumer.layers.changes_within_stream())
                }
            };
            let Some(entry) = self.transports.get_mut(consumer.transport) else {
                continue;
            };
            let outbound = &mut entry.outbound;
            outbound.enqueue(queued);
            if is_first {
                // When the first packet of a keyframe was lost and is repaired, the rest of the
                // keyframe has already arrived and would not be offered again.
                for later in producer.cached_after(arrival) {
                    if let Forwarding::Packet(queued) | Forwarding::Changed(queued) =
                        consumer.forward(now, &later)
                    {
                        outbound.enqueue(queued);
                    }
                }
            }
            self.send_queue
                .enqueue_media(now, now, consumer.transport, &mut outbound.queue_entry);
            let is_told =
                has_layers || consumer.layers.is_slowed() || consumer.told.reason().is_some();
            if has_changed && is_told && self.events.len() < EVENTS_MAX {
                self.events.push_back(layers_event(now, consumer, producer));
            }
        }
        if is_interrupted {
            if let Some(producer) = self.producers.get_mut(key) {
                producer.request_keyframe(arrival.stream);
            }
            self.send_keyframe_requests(now, key);
        }
    }
}
