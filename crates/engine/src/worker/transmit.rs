//! Media and control on their way out: transport by transport, put in order, written from the shared
//! packet and sealed straight into the arena that the socket sends.

use watersmeet_wire::rtp::extension::AbsSendTime;
use watersmeet_wire::units::{SeqNo, Time};

use super::Worker;
use super::transport_entry::{Traffic, TransportEntry};
use crate::consumer::Consumer;
use crate::consumer::queued_packet::{QueuedPacket, WireFields};
use crate::egress::gso_order::{GsoOrder, PACKETS_MAX, PacketSize};
use crate::egress::{Batch, DATAGRAM_LEN_MAX, Egress};
use crate::packet_cache::CachedPacket;
use crate::path::Path;
use crate::producer::Producer;
use crate::slots::{ConsumerKey, Key as _, ProducerKey, Slots};
use crate::transport::srtp::SrtpSender;

impl Worker {
    /// The next batch to send, until there is none.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Batch<'_>> {
        self.egress.clear();
        while self.egress.has_room(1)
            && let Some((path, datagram)) = self.close_datagrams.pop_front()
        {
            copy_datagram(&mut self.egress, path, &datagram);
        }
        let mut outlet = Outlet {
            padding_max: self.schedule.padding_max(),
            order: &mut self.order,
            desk: Desk {
                now,
                consumers: &mut self.consumers,
                producers: &self.producers,
                egress: &mut self.egress,
            },
        };
        while let Some(key) = self.schedule.first_ready() {
            if let Some(entry) = self.transports.get_mut(key) {
                if !outlet.drain(entry) {
                    break;
                }
                entry.turn.end();
            }
            self.schedule.pop_ready();
        }
        self.egress.batch()
    }
}

/// The way out of a worker.
struct Outlet<'a> {
    /// The most padding for one packet.
    padding_max: u8,
    /// Where packets are put in order.
    order: &'a mut GsoOrder,
    /// Where they are written.
    desk: Desk<'a>,
}

/// Where packets are written.
struct Desk<'a> {
    /// When they leave.
    now: Time,
    /// Who writes them.
    consumers: &'a mut Slots<ConsumerKey, Consumer>,
    /// Who keeps them.
    producers: &'a Slots<ProducerKey, Producer>,
    /// Where they go.
    egress: &'a mut Egress,
}

/// What a transport adds to its packets, and counts of them.
struct Pipe<'a> {
    path: Path,
    sender: &'a mut SrtpSender,
    /// The number of the next packet.
    transport_seq: &'a mut u16,
    traffic: &'a mut Traffic,
}

impl Outlet<'_> {
    /// Sends what may leave over one transport. Says whether all of it went.
    fn drain(&mut self, entry: &mut TransportEntry) -> bool {
        if entry.turn.has_control() && !self.drain_others(entry) {
            return false;
        }
        self.drain_media(entry)
    }

    /// Sends what is no media.
    fn drain_others(&mut self, entry: &mut TransportEntry) -> bool {
        let Desk { now, egress, .. } = &mut self.desk;
        while egress.has_room(1) {
            let Some((path, datagram)) = entry.transport.poll_transmit() else {
                return drain_control(*now, entry, egress);
            };
            copy_datagram(egress, path, &datagram);
            entry.record_sent(*now, datagram.len());
        }
        false
    }

    /// Sends the media, as many packets at a time as are put in order together.
    fn drain_media(&mut self, entry: &mut TransportEntry) -> bool {
        while entry.pending_done < entry.pending.len() {
            let count = (entry.pending.len() - entry.pending_done).min(PACKETS_MAX);
            if !self.desk.egress.has_room(count) {
                return false;
            }
            self.send_some(entry, count);
            entry.pending_done += count;
        }
        entry.pending.clear();
        entry.pending_done = 0;
        true
    }

    /// Sends the next packets of a transport, ordered so that equal lengths meet.
    fn send_some(&mut self, entry: &mut TransportEntry, count: usize) {
        let (Some(path), Some(sender)) = (entry.path, entry.transport.sender()) else {
            return;
        };
        let mut pipe = Pipe {
            path,
            sender,
            transport_seq: &mut entry.transport_seq,
            traffic: &mut entry.traffic,
        };
        let departures = entry
            .pending
            .get(entry.pending_done..entry.pending_done + count);
        let departures = departures.unwrap_or_default();
        let sent_before = pipe.traffic.bytes_sent;
        if let [departure] = departures {
            self.desk.send(&mut pipe, departure, 0);
        } else {
            self.order.clear();
            for departure in departures {
                self.order.push(self.desk.parcel(departure));
            }
            for step in self.order.group(self.padding_max) {
                if let Some(departure) = departures.get(usize::from(step.index)) {
                    self.desk.send(&mut pipe, departure, step.padding);
                }
            }
        }
        let traffic = pipe.traffic;
        let sent = traffic.bytes_sent - sent_before;
        traffic.send_rate.add(self.desk.now, sent);
    }
}

impl Desk<'_> {
    /// What a packet will be like.
    #[inline]
    fn parcel(&self, departure: &QueuedPacket) -> PacketSize {
        let consumer = self.consumers.get(departure.consumer);
        let len = consumer.and_then(|consumer| {
            let stored = stored_packet(self.producers, consumer, departure)?;
            consumer.packet_len(departure, stored)
        });
        PacketSize {
            stream: (departure.consumer.index() as u64) << 1
                | u64::from(departure.repeats.is_some()),
            len: len.and_then(|len| u16::try_from(len).ok()).unwrap_or(0),
        }
    }

    /// Writes, seals and counts a packet, or counts it as thrown away.
    #[inline]
    fn send(&mut self, pipe: &mut Pipe<'_>, departure: &QueuedPacket, padding: u8) {
        if self.try_send(pipe, departure, padding).is_none() {
            pipe.traffic.packets_discarded += 1;
        }
    }

    #[inline]
    fn try_send(
        &mut self,
        pipe: &mut Pipe<'_>,
        departure: &QueuedPacket,
        padding: u8,
    ) -> Option<()> {
        let consumer = self.consumers.get_mut(departure.consumer)?;
        let stored = stored_packet(self.producers, consumer, departure)?;
        let stamp = WireFields {
            abs_send_time: AbsSendTime::from_micros(self.now.as_micros()),
            transport_seq: *pipe.transport_seq,
            padding,
        };
        let slot = self.egress.slot();
        debug_assert_eq!(slot.len(), DATAGRAM_LEN_MAX);
        let (header_len, plain_len) = consumer.write(departure, stored, &stamp, slot)?;
        let (_, ssrc) = consumer.outgoing_stream(departure);
        let seq = SeqNo(departure.seq);
        let len = pipe
            .sender
            .protect_rtp(ssrc, seq, slot, header_len, plain_len)?;
        self.egress.push_media(pipe.path, len);
        // Padding is no media: reports leave it out (RFC 3550 §6.4.1).
        consumer.record_sent(
            self.now,
            departure,
            header_len,
            plain_len - usize::from(padding),
        );
        if consumer.uses_transport_seq() {
            *pipe.transport_seq = pipe.transport_seq.wrapping_add(1);
        }
        let traffic = &mut *pipe.traffic;
        traffic.bytes_sent += len as u64;
        traffic.rtp_bytes_sent += plain_len as u64;
        traffic.padding_bytes_sent += u64::from(padding);
        if departure.repeats.is_some() {
            traffic.rtx_bytes_sent += plain_len as u64;
        }
        Some(())
    }
}

/// The packet that a departure names, while it is kept.
#[inline]
fn stored_packet<'a>(
    producers: &'a Slots<ProducerKey, Producer>,
    consumer: &Consumer,
    departure: &QueuedPacket,
) -> Option<&'a CachedPacket> {
    let producer = producers.get(consumer.producer)?;
    producer
        .streams
        .get(usize::from(departure.stream))?
        .history
        .get(departure.origin)
}

/// Copies a datagram that is as it should be sent.
fn copy_datagram(egress: &mut Egress, path: Path, datagram: &[u8]) {
    if let Some(room) = egress.slot().get_mut(..datagram.len()) {
        room.copy_from_slice(datagram);
        egress.push(path, datagram.len());
    }
}

fn drain_control(now: Time, entry: &mut TransportEntry, egress: &mut Egress) -> bool {
    let mut sent = 0;
    let all = entry.drain_control(|transport, datagram| {
        if !egress.has_room(1) {
            return false;
        }
        // A transport that closed meanwhile takes its control packets with it.
        let path = transport.path();
        if let (Some(path), Some(sender)) = (path, transport.sender())
            && let Some(len) = seal_control(sender, egress.slot(), datagram)
        {
            egress.push(path, len);
            sent += len;
        }
        true
    });
    entry.record_sent(now, sent);
    all
}

fn seal_control(sender: &mut SrtpSender, slot: &mut [u8], datagram: &[u8]) -> Option<usize> {
    slot.get_mut(..datagram.len())?.copy_from_slice(datagram);
    sender.protect_rtcp(slot, datagram.len())
}
