//! Sends queued packets: transport by transport, ordered for segmentation offload, written from the
//! producers' packet caches and encrypted in the arena that the socket sends.

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::rtp::extension::AbsSendTime;
use watersmeet_wire::units::{SeqNo, Time};

use super::Worker;
use super::network_limit::NetworkLimit;
use super::outbound::{Outbound, SendingState};
use super::transport_entry::TransportEntry;
use crate::consumer::Consumer;
use crate::consumer::queued_packet::{QueuedPacket, SendPriority, Transmission, WireFields};
use crate::consumer::screen::Excess;
use crate::egress::gso_order::{GsoOrder, PACKETS_MAX, PacketSize};
use crate::egress::{Batch, DATAGRAM_LEN_MAX, Egress};
use crate::packet_cache::PacketInCache;
use crate::path::Path;
use crate::probation;
use crate::producer::Producer;
use crate::retransmissions_in_flight::MediaPacket;
use crate::slots::{ConsumerKey, Key as _, ProducerKey, Slots};
use crate::transport::Transport;
use crate::transport::srtp::SrtpSender;

impl Worker {
    /// Returns the next batch of datagrams to send; `None` when nothing is queued.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Batch<'_>> {
        self.poll_transmit_at(now, now)
    }

    /// Returns the next batch as [`Self::poll_transmit`] does, of datagrams that leave at `departure`. That
    /// is later than `now` when the iteration of the event loop has taken long, and congestion control must
    /// not take the difference for a queue on the path.
    pub fn poll_transmit_at(&mut self, now: Time, departure: Time) -> Option<Batch<'_>> {
        self.egress.clear();
        while self.egress.has_room(1)
            && let Some((path, datagram)) = self.close_datagrams.pop_front()
        {
            push_datagram(&mut self.egress, path, &datagram);
        }
        self.send_queue.release_due(now);
        let (mut late, mut late_screens, mut restarting) = (Vec::new(), Vec::new(), Vec::new());
        let mut pass = TransmitPass {
            padding_max: self.send_queue.padding_max(),
            order: &mut self.order,
            network_limit: &mut self.network_limit,
            writer: PacketWriter {
                now,
                departure,
                consumers: &mut self.consumers,
                producers: &self.producers,
                egress: &mut self.egress,
            },
        };
        while let Some(key) = self.send_queue.first_ready() {
            let mut held = None;
            if let Some(entry) = self.transports.get_mut(key) {
                if !pass.send_all(entry) {
                    break;
                }
                let outbound = &mut entry.outbound;
                outbound.queue_entry.end();
                late.extend(outbound.late_consumer(now, |key| pass.writer.is_screen(key)));
                late_screens.extend(pass.writer.late_screen(outbound));
                restarting.extend(outbound.take_restarting());
                held = outbound.next_due(now).map(|due| (due, outbound));
            }
            self.send_queue.pop_ready();
            if let Some((due, outbound)) = held {
                self.send_queue
                    .enqueue_again(now, due, key, &mut outbound.queue_entry);
            }
        }
        for consumer in late {
            self.restart_video(now, consumer);
        }
        for (consumer, excess) in late_screens {
            self.drop_excess(now, consumer, excess);
        }
        for consumer in restarting {
            self.request_awaited_keyframe(now, consumer);
        }
        self.egress.batch()
    }
}

/// One call of [`Worker::poll_transmit`].
struct TransmitPass<'a> {
    /// Upper bound of the padding of one packet, in bytes.
    padding_max: u8,
    /// Orders the packets of one transport.
    order: &'a mut GsoOrder,
    /// Limits datagrams to unproven addresses.
    network_limit: &'a mut NetworkLimit,
    /// Writes packets into the batch.
    writer: PacketWriter<'a>,
}

/// Writes packets into a batch.
struct PacketWriter<'a> {
    /// Time of the iteration of the event loop.
    now: Time,
    /// Time of sending, as congestion control records it.
    departure: Time,
    /// Consumers, which know the headers.
    consumers: &'a mut Slots<ConsumerKey, Consumer>,
    /// Producers, which cache the payloads.
    producers: &'a Slots<ProducerKey, Producer>,
    /// Batch under construction.
    egress: &'a mut Egress,
}

/// Parts of a transport that sending a packet needs.
struct TransportSink<'a> {
    path: Path,
    sender: &'a mut SrtpSender,
    state: SendingState<'a>,
}

impl TransmitPass<'_> {
    /// Sends everything that is queued for a transport. Returns false when the batch is full.
    fn send_all(&mut self, entry: &mut TransportEntry) -> bool {
        if entry.outbound.queue_entry.has_control() && !self.send_control(entry) {
            return false;
        }
        self.send_media(entry)
    }

    /// Sends queued STUN, DTLS and RTCP datagrams. Returns false when the batch is full.
    fn send_control(&mut self, entry: &mut TransportEntry) -> bool {
        let PacketWriter { now, egress, .. } = &mut self.writer;
        while egress.has_room(1) {
            let Some((path, datagram)) = entry.transport.poll_transmit() else {
                return send_rtcp(*now, &mut entry.transport, &mut entry.outbound, egress);
            };
            // The transport limits its own requests and DTLS by what the address sent.
            let is_limited = is_stun_response(&datagram) && !entry.transport.is_proven(path);
            if is_limited && !self.network_limit.allows(*now, path.remote.ip()) {
                continue;
            }
            push_datagram(egress, path, &datagram);
            entry.outbound.traffic.record(*now, datagram.len());
        }
        false
    }

    /// Sends queued media packets, in groups of those that are ordered together, as far as pacing allows,
    /// and padding for a probe. Returns false when the batch is full.
    fn send_media(&mut self, entry: &mut TransportEntry) -> bool {
        loop {
            let count = self.writer.count_ready(&mut entry.outbound);
            if count == 0 {
                return !entry.outbound.unsent().is_empty() || self.send_padding(entry);
            }
            if !self.writer.egress.has_room(count) {
                return false;
            }
            self.send_group(entry, count);
            entry.outbound.mark_sent(count);
        }
    }

    /// Sends padding for a probe, as far as pacing allows. Returns false when the batch is full.
    fn send_padding(&mut self, entry: &mut TransportEntry) -> bool {
        let now = self.writer.now;
        let egress = &mut *self.writer.egress;
        let outbound = &mut entry.outbound;
        let (Some(path), Some(sender)) = (outbound.path, entry.transport.sender()) else {
            return true;
        };
        while let Some(bandwidth) = &mut outbound.bandwidth
            && bandwidth.estimator.wants_padding()
            && bandwidth.estimator.allowance(now) > 0
        {
            if !egress.has_room(1) {
                return false;
            }
            let slot = egress.slot();
            let written = bandwidth.probation.write(now, outbound.transport_seq, slot);
            let Some((seq, len)) = written.and_then(|(seq, header_len, len)| {
                let len = sender.protect_rtp(probation::SSRC, seq, slot, header_len, len)?;
                Some((seq, len))
            }) else {
                return true;
            };
            egress.push_media(path, len, MediaKind::Video);
            outbound.record_padding(now, self.writer.departure, seq.raw(), len);
        }
        true
    }

    /// Sends the next `count` media packets, ordered so that packets of equal length follow each
    /// other.
    fn send_group(&mut self, entry: &mut TransportEntry, count: usize) {
        let (Some(path), Some(sender)) = (entry.outbound.path, entry.transport.sender()) else {
            return;
        };
        let (packets, state) = entry.outbound.next_packets(count);
        let mut sink = TransportSink {
            path,
            sender,
            state,
        };
        let sent_before = sink.state.traffic.bytes;
        if let [packet] = packets {
            self.writer.send(&mut sink, packet, 0);
        } else {
            self.order.clear();
            for packet in packets {
                self.order.push(self.writer.packet_size(packet));
            }
            for ordered in self.order.group(self.padding_max) {
                if let Some(packet) = packets.get(usize::from(ordered.index)) {
                    self.writer.send(&mut sink, packet, ordered.padding);
                }
            }
        }
        let traffic = sink.state.traffic;
        let sent = traffic.bytes - sent_before;
        traffic.rate.add(self.writer.now, sent);
    }
}

impl PacketWriter<'_> {
    /// Returns how many of the queued packets may be sent now. Audio never waits.
    fn count_ready(&self, outbound: &mut Outbound) -> usize {
        let waiting = outbound.unsent().len().min(PACKETS_MAX);
        let is_even = outbound.waiting_screen().is_some();
        let bandwidth = outbound.bandwidth.as_mut().filter(|_| waiting > 0);
        let Some(bandwidth) = bandwidth else {
            return waiting;
        };
        bandwidth.estimator.send_evenly(is_even);
        let allowance = bandwidth.estimator.allowance(self.now);
        if allowance >= (waiting * DATAGRAM_LEN_MAX) as u64 {
            return waiting;
        }
        let mut used = 0;
        let packets = outbound.unsent().iter().take(waiting);
        packets
            .take_while(|packet| {
                let is_ready = packet.priority == SendPriority::Audio || used < allowance;
                used += u64::from(self.packet_size(packet).len);
                is_ready
            })
            .count()
    }

    fn is_screen(&self, key: ConsumerKey) -> bool {
        let consumer = self.consumers.get(key);
        consumer.is_some_and(|consumer| consumer.screen.is_some())
    }

    /// Returns the screen that is sent next, if more of it waits than should.
    fn late_screen(&self, outbound: &Outbound) -> Option<(ConsumerKey, Excess)> {
        let key = outbound.waiting_screen()?;
        let screen = self.consumers.get(key)?.screen.as_ref()?;
        let bandwidth = outbound.bandwidth.as_ref()?;
        let estimate = bandwidth.estimator.estimate(self.now)?;
        let packets = outbound.unsent().iter();
        let waiting = packets
            .filter(|it| it.consumer == key && it.is_first())
            .map(|it| (it, u64::from(self.packet_size(it).len)));
        let excess = screen.excess(self.now, estimate.as_bps() / 8, waiting)?;
        Some((key, excess))
    }

    /// Returns the stream and length of a queued packet, for ordering.
    #[inline]
    fn packet_size(&self, packet: &QueuedPacket) -> PacketSize {
        let consumer = self.consumers.get(packet.consumer);
        let len = consumer.and_then(|consumer| {
            let cached = cached_packet(self.producers, consumer, packet)?;
            consumer.packet_len(packet, cached)
        });
        let consumer = packet.consumer.index() as u64;
        PacketSize {
            stream: consumer << 1 | u64::from(packet.transmission != Transmission::First),
            len: len.and_then(|len| u16::try_from(len).ok()).unwrap_or(0),
        }
    }

    /// Writes, encrypts and counts a packet; counts it as discarded when that fails.
    #[inline]
    fn send(&mut self, sink: &mut TransportSink<'_>, packet: &QueuedPacket, padding: u8) {
        if self.try_send(sink, packet, padding).is_none() {
            sink.state.traffic.packets_discarded += 1;
        }
    }

    #[inline]
    fn try_send(
        &mut self,
        sink: &mut TransportSink<'_>,
        packet: &QueuedPacket,
        padding: u8,
    ) -> Option<()> {
        let consumer = self.consumers.get_mut(packet.consumer)?;
        let cached = cached_packet(self.producers, consumer, packet)?;
        let fields = match packet.transmission {
            Transmission::Repetition => consumer.written_fields(packet)?,
            Transmission::First | Transmission::Rtx(_) => WireFields {
                abs_send_time: AbsSendTime::from_micros(self.departure.as_micros()),
                transport_seq: *sink.state.transport_seq,
                padding,
            },
        };
        let slot = self.egress.slot();
        debug_assert_eq!(slot.len(), DATAGRAM_LEN_MAX);
        let ssrc = consumer.outgoing_ssrc(packet);
        let seq = SeqNo(packet.seq);
        let written = consumer.write(packet, cached, &fields, slot);
        if let Some((_, plain_len)) = written
            && !consumer.check_written(packet, &fields, slot.get(..plain_len)?)
        {
            return None;
        }
        let protected = written.and_then(|(header_len, plain_len)| {
            let len = sink
                .sender
                .protect_rtp(ssrc, seq, slot, header_len, plain_len)?;
            Some((header_len, plain_len, len))
        });
        let Some((header_len, plain_len, len)) = protected else {
            sink.state.traffic.packets_too_long += 1;
            return Some(());
        };
        self.egress.push_media(sink.path, len, consumer.kind);
        // Sender reports do not count padding (RFC 3550 §6.4.1).
        consumer.record_sent(
            self.now,
            packet,
            header_len,
            plain_len - usize::from(fields.padding),
        );
        if consumer.has_arrival_feedback() && packet.transmission != Transmission::Repetition {
            if let Transmission::Rtx(seq) = packet.transmission {
                let ssrc = consumer.ssrc;
                sink.state.record_retransmission(MediaPacket { ssrc, seq });
            }
            let seq = seq.raw();
            let sent = MediaPacket { ssrc, seq };
            sink.state.record_sent(self.now, self.departure, sent, len);
        } else if let Some(bandwidth) = &mut sink.state.bandwidth {
            bandwidth.estimator.record_unreported(self.now, len);
        }
        let traffic = &mut *sink.state.traffic;
        traffic.bytes += len as u64;
        traffic.rtp_bytes += plain_len as u64;
        traffic.padding_bytes += u64::from(fields.padding);
        if packet.transmission != Transmission::First {
            traffic.rtx_bytes += plain_len as u64;
            traffic.rtx_rate.add(self.now, plain_len as u64);
        }
        Some(())
    }
}

/// Returns the producer's packet that a queued packet refers to, and those before it, while it is cached.
#[inline]
pub(super) fn cached_packet<'a>(
    producers: &'a Slots<ProducerKey, Producer>,
    consumer: &Consumer,
    packet: &QueuedPacket,
) -> Option<PacketInCache<'a>> {
    let producer = producers.get(consumer.producer)?;
    producer
        .streams
        .get(usize::from(packet.stream))?
        .cache
        .find(packet.origin)
}

/// Returns whether a datagram of a transport is a STUN response, by its first byte (RFC 8489 §5).
fn is_stun_response(datagram: &[u8]) -> bool {
    datagram.first() == Some(&1)
}

/// Copies a complete datagram into the batch.
fn push_datagram(egress: &mut Egress, path: Path, datagram: &[u8]) {
    if let Some(slot) = egress.slot().get_mut(..datagram.len()) {
        slot.copy_from_slice(datagram);
        egress.push(path, datagram.len());
    }
}

/// Encrypts and sends queued RTCP datagrams. Returns false when the batch is full.
fn send_rtcp(
    now: Time,
    transport: &mut Transport,
    outbound: &mut Outbound,
    egress: &mut Egress,
) -> bool {
    let mut sent = 0;
    let all = outbound.control.drain(|datagram| {
        if !egress.has_room(1) {
            return false;
        }
        // The RTCP packets of a transport that has closed meanwhile are dropped.
        let path = transport.path();
        if let (Some(path), Some(sender)) = (path, transport.sender())
            && let Some(len) = protect_rtcp(sender, egress.slot(), datagram)
        {
            egress.push(path, len);
            sent += len;
        }
        true
    });
    outbound.traffic.record(now, sent);
    all
}

fn protect_rtcp(sender: &mut SrtpSender, slot: &mut [u8], datagram: &[u8]) -> Option<usize> {
    slot.get_mut(..datagram.len())?.copy_from_slice(datagram);
    sender.protect_rtcp(slot, datagram.len())
}
