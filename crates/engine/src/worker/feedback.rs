//! RTCP in both directions: reports and requests of peers, and requests to publishers. A packet
//! counts only for streams that are received or sent on the transport it arrives on.

use std::time::Duration;

use watersmeet_wire::rtcp::feedback::{FirEntry, Nack};
use watersmeet_wire::rtcp::report::{ReportBlock, SenderInfo};
use watersmeet_wire::rtcp::{Packet, packets};
use watersmeet_wire::units::{Ssrc, Time};

use super::Worker;
use super::transmit::cached_packet;
use crate::arrival_log;
use crate::command::Event;
use crate::packet_cache;
use crate::producer::Origin;
use crate::producer::activity::bit;
use crate::publisher_clock::ReportClock;
use crate::retransmission_budget::Importance;
use crate::shard_message::ShardMessage;
use crate::slots::{ConsumerKey, ProducerKey, TransportKey};
use crate::timers::TimerKind;

/// Upper bound of the packets read from one compound; the rest is ignored.
const PACKETS_MAX: usize = 64;

/// Upper bound of the retransmissions for one NACK packet; the rest is ignored.
const RESENDS_MAX: usize = 512;

impl Worker {
    /// Handles a decrypted RTCP compound of a transport.
    pub(super) fn accept_rtcp(&mut self, now: Time, key: TransportKey, datagram: &[u8]) {
        for packet in packets(datagram).take(PACKETS_MAX).map_while(Result::ok) {
            match packet {
                Packet::SenderReport(report) => {
                    self.record_sender_report(now, key, &report.info);
                    report
                        .blocks()
                        .for_each(|block| self.record_report_block(now, key, &block));
                }
                Packet::ReceiverReport(report) => {
                    report
                        .blocks()
                        .for_each(|block| self.record_report_block(now, key, &block));
                }
                Packet::Nack(nack) => self.accept_nack(now, key, &nack),
                Packet::Pli(pli) => self.handle_keyframe_request(now, key, pli.media, false),
                Packet::Fir(fir) => {
                    let entries = fir.entries();
                    entries.for_each(|it| self.handle_keyframe_request(now, key, it.ssrc, true));
                }
                Packet::Remb(remb) => {
                    if let Some(entry) = self.transports.get_mut(key) {
                        entry.outbound.remote_estimate = Some(remb.bitrate);
                    }
                }
                Packet::TransportFeedback(feedback) => {
                    self.accept_transport_feedback(now, key, &feedback);
                }
                Packet::CongestionFeedback(feedback) => {
                    self.accept_congestion_feedback(now, key, &feedback);
                }
                // BYE is ignored: it announces silence, which is noticed anyway, and must not end
                // what signalling holds. CNAMEs are known from signalling.
                Packet::Bye(_) | Packet::SourceDescription(_) | Packet::ExtendedReport(_) => {}
            }
        }
    }

    /// Records a publisher's sender report, which maps media time to its wall clock.
    fn record_sender_report(&mut self, now: Time, key: TransportKey, info: &SenderInfo) {
        let wall = self.wall_micros(now);
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let inbound = &mut entry.inbound;
        let owner = inbound.rtp_listener.owner(info.ssrc);
        let Some(owner) = owner.filter(|owner| !owner.retransmission) else {
            return;
        };
        let report = ReportClock {
            ntp: info.ntp,
            timestamp: info.rtp_timestamp,
        };
        let Some(producer) = self.producers.get_mut(owner.producer) else {
            return;
        };
        producer.record_sender_report(now, wall, info.ssrc, report, &mut inbound.clock);
        if producer.is_keyframe_overdue(now, owner.stream) {
            self.repeat_keyframe_request(now, owner.producer, owner.stream);
        }
    }

    fn record_report_block(&mut self, now: Time, key: TransportKey, block: &ReportBlock) {
        let Some(consumer_key) = self.consumer_of(key, block.ssrc) else {
            return;
        };
        let Some(consumer) = self.consumers.get_mut(consumer_key) else {
            return;
        };
        if consumer.ssrc != block.ssrc {
            return;
        }
        let round_trip = consumer.record_report(now, block);
        let id = consumer.id;
        let score = consumer.take_changed_score(now);
        if let Some(round_trip) = round_trip
            && let Some(entry) = self.transports.get_mut(key)
        {
            entry.outbound.round_trip.record(now, round_trip);
            let shortest = &mut entry.outbound.shortest_round_trip;
            shortest.record(round_trip);
            let span = packet_cache::kept_for(shortest.get());
            self.keep_packets_for(consumer_key, span);
        }
        if let Some(score) = score {
            let consumer = id;
            self.report_event(Event::ConsumerScore { consumer, score });
        }
    }

    /// Keeps packets of a consumer for this time, to retransmit them.
    fn keep_packets_for(&mut self, key: ConsumerKey, span: Duration) {
        let Some(consumer) = self.consumers.get_mut(key) else {
            return;
        };
        consumer.keep_packets_for(span);
        if let Some(producer) = self.producers.get_mut(consumer.producer) {
            producer.keep_packets_for(span);
        }
    }

    /// Returns the consumer that sends this SSRC on this transport.
    fn consumer_of(&self, key: TransportKey, ssrc: Ssrc) -> Option<ConsumerKey> {
        let entry = self.transports.get(key)?;
        entry.outbound.streams.get(&ssrc).copied()
    }

    /// Handles a peer's request for packets that it misses.
    fn accept_nack(&mut self, now: Time, key: TransportKey, nack: &Nack<'_>) {
        let consumer = self.consumer_of(key, nack.media);
        let consumer = consumer.and_then(|key| self.consumers.get_mut(key));
        let Some(consumer) = consumer.filter(|it| it.ssrc == nack.media) else {
            return;
        };
        consumer.counters.nacks += 1;
        consumer.counters.nacked_packets += nack.seqs().take(RESENDS_MAX).count() as u64;
        self.resend(now, key, nack.media, true, nack.seqs());
    }

    /// Queues retransmissions of packets that a peer misses, or may miss where that is not certain, as far as the transport's budget
    /// allows. Where it does not allow what all later pictures depend on, or a packet is not available
    /// any more, a keyframe replaces it: the peer itself would request one only after some seconds.
    pub(super) fn resend(
        &mut self,
        now: Time,
        key: TransportKey,
        media: Ssrc,
        is_certain: bool,
        seqs: impl Iterator<Item = u16>,
    ) {
        let Some(consumer_key) = self.consumer_of(key, media) else {
            return;
        };
        let Some(consumer) = self.consumers.get_mut(consumer_key) else {
            return;
        };
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let outbound = &mut entry.outbound;
        if consumer.ssrc != media {
            return;
        }
        let round_trip = outbound.round_trip.get(now);
        let mut is_picture_lost = false;
        for seq in seqs.take(RESENDS_MAX) {
            if consumer.is_beyond_repair(now, seq) {
                is_picture_lost |= is_certain || consumer.is_repair_exhausted(seq);
                continue;
            }
            let due = consumer.due_retransmission(now, seq, round_trip);
            let Some((packet, importance)) = due else {
                continue;
            };
            let Some(cached) = cached_packet(&self.producers, consumer, &packet) else {
                is_picture_lost |= is_certain && consumer.needs(seq);
                continue;
            };
            let media = cached.packet.incoming().map(|incoming| incoming.pt);
            let packet = media.and_then(|pt| consumer.on_retransmission_stream(packet, pt));
            let Some(packet) = packet else {
                continue;
            };
            let Some(len) = consumer.packet_len(&packet, cached) else {
                continue;
            };
            if !outbound.grants_retransmission(now, importance, len) {
                is_picture_lost |= is_certain && importance == Importance::BaseLayer;
                continue;
            }
            consumer.record_retransmission(now, seq, &packet);
            outbound.enqueue(packet);
            self.send_queue
                .enqueue_media(now, now, key, &mut outbound.queue_entry);
        }
        if is_picture_lost {
            self.request_keyframe(now, consumer_key);
        }
    }

    fn handle_keyframe_request(
        &mut self,
        now: Time,
        key: TransportKey,
        media: Ssrc,
        full_intra: bool,
    ) {
        let Some(consumer_key) = self.consumer_of(key, media) else {
            return;
        };
        let Some(consumer) = self.consumers.get_mut(consumer_key) else {
            return;
        };
        if consumer.accepts_keyframe_request(now, full_intra)
            && !self.is_keyframe_leaving(now, consumer_key)
        {
            self.request_keyframe(now, consumer_key);
        }
    }

    /// Requests a keyframe of the layer that a consumer sends or is about to send.
    pub(super) fn request_keyframe(&mut self, now: Time, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get(key) else {
            return;
        };
        let layer = consumer
            .layers
            .target()
            .or_else(|| consumer.layers.current());
        let (key, transport) = (consumer.producer, consumer.transport);
        if self.defers_keyframes(now, transport) {
            return;
        }
        if let (Some(layer), Some(producer)) = (layer, self.producers.get_mut(key))
            && !producer.paused
        {
            producer.request_keyframe(producer.stream_of(layer));
            self.send_keyframe_requests(now, key);
        }
    }

    /// Requests a keyframe for every consumer of a transport: after a change of its path, whatever was
    /// on the way to the former one is lost.
    pub(super) fn request_keyframes_on(&mut self, now: Time, key: TransportKey) {
        let entry = self.transports.get(key);
        let consumers = entry.map(|entry| entry.outbound.consumers.clone());
        for consumer_key in consumers.unwrap_or_default() {
            let consumer = self.consumers.get(consumer_key);
            if consumer.is_some_and(|consumer| !consumer.paused) {
                self.request_keyframe(now, consumer_key);
            }
        }
    }

    /// Requests a keyframe once more after unanswered requests, if somebody still waits for it.
    pub(super) fn repeat_keyframe_request(&mut self, now: Time, key: ProducerKey, stream: u8) {
        let is_wanted = self.is_keyframe_wanted(now, key, stream);
        let Some(producer) = self.producers.get_mut(key) else {
            return;
        };
        producer.repeat_keyframe_request(stream, is_wanted);
        self.send_keyframe_requests(now, key);
    }

    /// Returns whether a consumer of a stream, here or on another shard, waits for a keyframe.
    pub(super) fn is_keyframe_wanted(&self, now: Time, key: ProducerKey, stream: u8) -> bool {
        let Some(producer) = self.producers.get(key).filter(|it| !it.paused) else {
            return false;
        };
        producer
            .pipes
            .iter()
            .any(|pipe| pipe.awaited & bit(stream) != 0)
            || self.consumers_of(key).iter().any(|consumer| {
                let consumer = self.consumers.get(*consumer);
                let layer = consumer.and_then(|it| it.wanted_keyframe(now));
                layer.is_some_and(|layer| producer.stream_of(layer) == stream)
            })
    }

    /// Starts with a cached keyframe if a consumer waits for one, or else requests one. Its publisher is told
    /// if it wants a better layer than before.
    pub(super) fn request_awaited_keyframe(&mut self, now: Time, key: ConsumerKey) {
        self.raise_demand(now, key);
        let consumer = self.consumers.get(key);
        if consumer.is_some_and(|consumer| consumer.awaited_keyframe().is_some())
            && !self.awaits_sending(key)
            && !self.start_from_cache(now, key)
        {
            self.request_keyframe(now, key);
        }
    }

    /// Sends the keyframe requests of a producer that are due, to its publisher or to the shard it is
    /// piped from.
    pub(super) fn send_keyframe_requests(&mut self, now: Time, key: ProducerKey) {
        match self.producers.get(key).map(|it| it.origin) {
            Some(Origin::Transport(transport)) => {
                self.send_keyframe_requests_to_publisher(now, key, transport);
            }
            Some(Origin::Shard(origin)) => {
                self.send_keyframe_requests_to_shard(now, key, origin);
            }
            None => {}
        }
    }

    fn send_keyframe_requests_to_shard(&mut self, now: Time, key: ProducerKey, origin: u8) {
        while let Some(pipe) = self.producers.get_mut(key) {
            let producer = pipe.id;
            let Some(stream) = pipe.take_piped_keyframe_request(now) else {
                let due = pipe.keyframe_timeout();
                self.timers
                    .set(&mut pipe.keyframe_deadline, due, TimerKind::Keyframe(key));
                return;
            };
            self.send_to_shard(origin, ShardMessage::Keyframe { producer, stream });
        }
    }

    fn send_keyframe_requests_to_publisher(
        &mut self,
        now: Time,
        key: ProducerKey,
        transport: TransportKey,
    ) {
        let Some(producer) = self.producers.get_mut(key) else {
            return;
        };
        let Some(entry) = self.transports.get_mut(transport) else {
            return;
        };
        let outbound = &mut entry.outbound;
        let sender = outbound.control_ssrc;
        let mut is_any_written = false;
        while outbound.is_open()
            && let Some(request) = producer.take_keyframe_request(now)
        {
            is_any_written = true;
            outbound.write_control(|compound| {
                let written = match request.fir {
                    None => compound.write_pli(sender, request.ssrc),
                    Some(seq) => compound.write_fir(
                        sender,
                        &[FirEntry {
                            ssrc: request.ssrc,
                            seq,
                        }],
                    ),
                };
                debug_assert!(written, "a request fits an empty datagram");
            });
        }
        // Requests to a closed transport wait until it opens.
        if outbound.is_open() {
            let due = producer.keyframe_timeout();
            self.timers.set(
                &mut producer.keyframe_deadline,
                due,
                TimerKind::Keyframe(key),
            );
        }
        if is_any_written {
            self.enqueue_control(now, transport);
        }
    }

    /// Requests retransmissions of a producer's missing packets from its publisher.
    pub(super) fn request_retransmissions(&mut self, now: Time, key: ProducerKey) {
        let Some(producer) = self.producers.get_mut(key) else {
            return;
        };
        let Origin::Transport(transport) = producer.origin else {
            return;
        };
        let Some(entry) = self.transports.get_mut(transport) else {
            return;
        };
        let outbound = &mut entry.outbound;
        let sender = outbound.control_ssrc;
        for index in 0..producer.streams.len() {
            self.nack_buffer.clear();
            let Some(media) = producer.collect_nacks(now, index, &mut self.nack_buffer) else {
                continue;
            };
            let mut seqs = self.nack_buffer.as_slice();
            while !seqs.is_empty() {
                let mut taken = 0;
                outbound.write_control(|compound| taken = compound.write_nack(sender, media, seqs));
                if taken == 0 {
                    break;
                }
                seqs = seqs.get(taken..).unwrap_or_default();
            }
        }
        let due = producer.nack_timeout();
        self.timers
            .set(&mut producer.nack_deadline, due, TimerKind::Nack(key));
        self.enqueue_control(now, transport);
        self.send_keyframe_requests(now, key);
    }

    /// Sends a publisher the arrival times of its packets (transport-wide feedback).
    pub(super) fn send_transport_feedback(&mut self, now: Time, key: TransportKey) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let (inbound, outbound) = (&mut entry.inbound, &mut entry.outbound);
        if inbound.arrival_log.is_empty() {
            return;
        }
        let sender = outbound.control_ssrc;
        inbound
            .arrival_log
            .write_feedback(sender, &mut self.feedback_buffer, |datagram| {
                outbound.push_control(datagram);
            });
        let due = now + arrival_log::FEEDBACK_INTERVAL;
        self.timers.set(
            &mut inbound.feedback_deadline,
            due,
            TimerKind::Feedback(key),
        );
        self.enqueue_control(now, key);
    }
}
