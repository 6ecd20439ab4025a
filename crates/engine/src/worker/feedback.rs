//! RTCP in both directions: what peers report and ask for, and what publishers are asked for.
//! Feedback counts only for what the transport it came on sends or receives itself.

use watersmeet_wire::rtcp::feedback::FirEntry;
use watersmeet_wire::rtcp::report::{ReportBlock, SenderInfo};
use watersmeet_wire::rtcp::{Packet, packets};
use watersmeet_wire::units::{Ssrc, Time};

use super::Worker;
use super::report::{compact_ntp, wall_micros_of};
use crate::arrival_log;
use crate::packet::ClockReference;
use crate::producer::Origin;
use crate::shard_message::ShardMessage;
use crate::slots::{ConsumerKey, ProducerKey, TransportKey};
use crate::timers::TimerKind;

/// The most packets that one compound may hold before the rest is ignored.
const PACKETS_MAX: usize = 64;

/// The most retransmissions that one compound may ask for.
const RESENDS_MAX: usize = 512;

impl Worker {
    /// Takes a decrypted compound of a transport.
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
                Packet::Nack(nack) => self.resend(now, key, nack.media, nack.seqs()),
                Packet::Pli(pli) => self.handle_keyframe_request(now, key, pli.media, false),
                Packet::Fir(fir) => {
                    let entries = fir.entries();
                    entries.for_each(|it| self.handle_keyframe_request(now, key, it.ssrc, true));
                }
                Packet::Remb(remb) => {
                    if let Some(entry) = self.transports.get_mut(key) {
                        entry.traffic.remote_estimate = Some(remb.bitrate);
                    }
                }
                // A goodbye is a hint that silence follows, and silence is noticed by itself: it
                // must not let a peer end what signalling holds. Names are known from signalling.
                Packet::Bye(_)
                | Packet::SourceDescription(_)
                | Packet::TransportFeedback(_)
                | Packet::ExtendedReport(_) => {}
            }
        }
    }

    /// A publisher says what its wall clock was at a media time. The first report on a transport
    /// ties its clock to ours; all its streams then share the tie, and lips stay with voices.
    fn record_sender_report(&mut self, now: Time, key: TransportKey, info: &SenderInfo) {
        let wall = self.wall_micros(now);
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let Some(owner) = entry
            .rtp_listener
            .owner(info.ssrc)
            .filter(|it| !it.retransmission)
        else {
            return;
        };
        let theirs = wall_micros_of(info.ntp);
        let difference = wall.cast_signed().wrapping_sub(theirs.cast_signed());
        let offset = *entry.clock_offset.get_or_insert(difference);
        let reference = ClockReference {
            wall_micros: theirs.wrapping_add_signed(offset),
            timestamp: info.rtp_timestamp,
        };
        if let Some(producer) = self.producers.get_mut(owner.producer) {
            producer.record_sender_report(now, info.ssrc, compact_ntp(info.ntp), reference);
        }
    }

    fn record_report_block(&mut self, now: Time, key: TransportKey, block: &ReportBlock) {
        let Some(consumer) = self.consumer_of(key, block.ssrc) else {
            return;
        };
        let Some(consumer) = self.consumers.get_mut(consumer) else {
            return;
        };
        if consumer.ssrc == block.ssrc {
            consumer.record_report(now, block);
        }
    }

    /// The consumer that sends this SSRC on this transport.
    fn consumer_of(&self, key: TransportKey, ssrc: Ssrc) -> Option<ConsumerKey> {
        self.transports.get(key)?.outgoing.get(&ssrc).copied()
    }

    /// Sends packets again that a peer has missed.
    fn resend(
        &mut self,
        now: Time,
        key: TransportKey,
        media: Ssrc,
        seqs: impl Iterator<Item = u16>,
    ) {
        let Some(consumer) = self.consumer_of(key, media) else {
            return;
        };
        let Some(consumer) = self.consumers.get_mut(consumer) else {
            return;
        };
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        consumer.counters.nacks += 1;
        for seq in seqs.take(RESENDS_MAX) {
            consumer.counters.nacked_packets += 1;
            if let Some(departure) = consumer.resend(now, seq) {
                entry.enqueue(departure);
                self.schedule.enqueue_media(now, key, &mut entry.turn);
            }
        }
    }

    fn handle_keyframe_request(
        &mut self,
        now: Time,
        key: TransportKey,
        media: Ssrc,
        full_intra: bool,
    ) {
        let Some(place) = self.consumer_of(key, media) else {
            return;
        };
        let Some(consumer) = self.consumers.get_mut(place) else {
            return;
        };
        if consumer.hears_keyframe_request(now, full_intra) {
            self.request_keyframe(now, place);
        }
    }

    /// Asks the publisher for a keyframe of what a consumer is sent, or waits for.
    pub(super) fn request_keyframe(&mut self, now: Time, place: ConsumerKey) {
        let Some(consumer) = self.consumers.get(place) else {
            return;
        };
        let stream = consumer
            .layers
            .target()
            .or_else(|| consumer.layers.current());
        let key = consumer.producer;
        if let (Some(stream), Some(producer)) = (stream, self.producers.get_mut(key)) {
            producer.request_keyframe(stream);
            self.send_keyframe_requests(now, key);
        }
    }

    /// Asks for a keyframe if a consumer waits for one.
    pub(super) fn request_awaited_keyframe(&mut self, now: Time, place: ConsumerKey) {
        let consumer = self.consumers.get(place);
        if consumer.is_some_and(|consumer| consumer.awaited_keyframe().is_some()) {
            self.request_keyframe(now, place);
        }
    }

    /// Sends the keyframe requests of a producer that are due: to its publisher, or to the shard
    /// that it comes from.
    pub(super) fn send_keyframe_requests(&mut self, now: Time, key: ProducerKey) {
        match self.producers.get(key).map(|it| it.origin) {
            Some(Origin::Transport(entry)) => {
                self.send_keyframe_requests_to_publisher(now, key, entry)
            }
            Some(Origin::Shard(origin)) => self.send_keyframe_requests_to_origin(now, key, origin),
            None => {}
        }
    }

    fn send_keyframe_requests_to_origin(&mut self, now: Time, key: ProducerKey, origin: u8) {
        while let Some(pipe) = self.producers.get_mut(key) {
            let producer = pipe.id;
            let Some(stream) = pipe.take_keyframe_wish(now) else {
                let due = pipe.keyframe_timeout();
                self.timers
                    .set(&mut pipe.keyframe_deadline, due, TimerKind::Keyframe(key));
                return;
            };
            self.cross(origin, ShardMessage::Keyframe { producer, stream });
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
        let sender = entry.ssrc;
        let mut asked = false;
        while entry.is_open()
            && let Some(request) = producer.take_keyframe_request(now)
        {
            asked = true;
            entry.write_control(|compound| {
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
        // Without an open transport there is nobody to ask; whoever waits asks again when the
        // publisher's first packet has come.
        if entry.is_open() {
            let due = producer.keyframe_timeout();
            self.timers.set(
                &mut producer.keyframe_deadline,
                due,
                TimerKind::Keyframe(key),
            );
        }
        if asked {
            self.enqueue_control(transport);
        }
    }

    /// Asks a publisher for the packets of a producer that are missing.
    pub(super) fn request_retransmissions(&mut self, now: Time, key: ProducerKey) {
        let Some(producer) = self.producers.get_mut(key) else {
            return;
        };
        let Origin::Transport(place) = producer.origin else {
            return;
        };
        let Some(entry) = self.transports.get_mut(place) else {
            return;
        };
        let sender = entry.ssrc;
        for index in 0..producer.streams.len() {
            self.nack_buffer.clear();
            let Some(media) = producer.collect_nacks(now, index, &mut self.nack_buffer) else {
                continue;
            };
            let mut seqs = self.nack_buffer.as_slice();
            while !seqs.is_empty() {
                let mut taken = 0;
                entry.write_control(|compound| taken = compound.write_nack(sender, media, seqs));
                if taken == 0 {
                    break;
                }
                seqs = seqs.get(taken..).unwrap_or_default();
            }
        }
        let due = producer.nack_timeout();
        self.timers
            .set(&mut producer.nack_deadline, due, TimerKind::Nack(key));
        self.enqueue_control(place);
        self.send_keyframe_requests(now, key);
    }

    /// Tells a publisher which of its packets arrived, and when.
    pub(super) fn send_transport_feedback(&mut self, now: Time, key: TransportKey) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        if entry.arrival_log.is_empty() {
            return;
        }
        let mut arrivals = std::mem::take(&mut entry.arrival_log);
        arrivals.write_feedback(entry.ssrc, &mut self.feedback_buffer, |datagram| {
            entry.push_control(datagram);
        });
        entry.arrival_log = arrivals;
        let due = now + arrival_log::INTERVAL;
        self.timers
            .set(&mut entry.feedback_deadline, due, TimerKind::Feedback(key));
        self.enqueue_control(key);
    }
}
