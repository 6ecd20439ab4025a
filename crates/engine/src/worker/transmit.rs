//! Media and control on their way out: transport by transport, written from the shared packet and
//! sealed straight into the arena that the socket sends.

use slab::Slab;
use watersmeet_wire::rtp::extension::AbsSendTime;
use watersmeet_wire::units::{SeqNo, Time};

use super::Worker;
use super::line::Line;
use crate::command::Path;
use crate::consumer::Consumer;
use crate::consumer::departure::{Departure, Stamp};
use crate::egress::{Batch, DATAGRAM_LEN_MAX, Egress};
use crate::history::Stored;
use crate::producer::Producer;
use crate::transport::srtp::SrtpSender;

impl Worker {
    /// The next batch to send, until there is none.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Batch<'_>> {
        self.egress.clear();
        while self.egress.has_room()
            && let Some((path, datagram)) = self.farewells.pop_front()
        {
            copy_datagram(&mut self.egress, path, &datagram);
        }
        while self.egress.has_room()
            && let Some(&key) = self.dirty.front()
        {
            let Some(line) = self
                .lines
                .get_mut(key as usize)
                .filter(|line| line.is_dirty)
            else {
                self.dirty.pop_front();
                continue;
            };
            if !drain(
                now,
                line,
                &mut self.consumers,
                &self.producers,
                &mut self.egress,
            ) {
                break;
            }
            line.is_dirty = false;
            self.dirty.pop_front();
        }
        self.egress.batch()
    }
}

/// Sends what waits for one transport. Says whether all of it went.
fn drain(
    now: Time,
    line: &mut Line,
    consumers: &mut Slab<Consumer>,
    producers: &Slab<Producer>,
    egress: &mut Egress,
) -> bool {
    while egress.has_room() {
        let Some((path, datagram)) = line.transport.poll_transmit() else {
            return drain_control(now, line, egress)
                && drain_media(now, line, consumers, producers, egress);
        };
        copy_datagram(egress, path, &datagram);
        line.note_sent(now, datagram.len());
    }
    false
}

/// Copies a datagram that is as it should be sent.
fn copy_datagram(egress: &mut Egress, path: Path, datagram: &[u8]) {
    if let Some(room) = egress.slot().get_mut(..datagram.len()) {
        room.copy_from_slice(datagram);
        egress.push(path, datagram.len());
    }
}

fn drain_control(now: Time, line: &mut Line, egress: &mut Egress) -> bool {
    let mut sent = 0;
    let all = line.drain_control(|transport, datagram| {
        if !egress.has_room() {
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
    line.note_sent(now, sent);
    all
}

fn seal_control(sender: &mut SrtpSender, slot: &mut [u8], datagram: &[u8]) -> Option<usize> {
    slot.get_mut(..datagram.len())?.copy_from_slice(datagram);
    sender.protect_rtcp(slot, datagram.len())
}

fn drain_media(
    now: Time,
    line: &mut Line,
    consumers: &mut Slab<Consumer>,
    producers: &Slab<Producer>,
    egress: &mut Egress,
) -> bool {
    let path = line.transport.path();
    let (Some(path), Some(sender)) = (path, line.transport.sender()) else {
        line.pending.clear();
        line.pending_done = 0;
        return true;
    };
    let abs_send_time = AbsSendTime::from_micros(now.as_micros());
    let traffic = &mut line.traffic;
    for departure in line.pending.iter().skip(line.pending_done) {
        if !egress.has_room() {
            return false;
        }
        line.pending_done += 1;
        let stamp = Stamp {
            abs_send_time,
            transport_seq: line.transport_seq,
        };
        let Some(consumer) = consumers.get_mut(departure.consumer as usize) else {
            continue;
        };
        let stored = stored_packet(producers, consumer, departure);
        let sealed =
            stored.and_then(|it| seal_media(sender, consumer, departure, it, &stamp, egress));
        let Some(Sealed {
            header_len,
            plain_len,
            len,
        }) = sealed
        else {
            traffic.packets_discarded += 1;
            continue;
        };
        egress.push(path, len);
        consumer.note_sent(now, departure, header_len, plain_len);
        if consumer.uses_transport_seq() {
            line.transport_seq = line.transport_seq.wrapping_add(1);
        }
        traffic.bytes_sent += len as u64;
        traffic.send_rate.add(now, len);
        traffic.rtp_bytes_sent += plain_len as u64;
        if departure.repeats.is_some() {
            traffic.rtx_bytes_sent += plain_len as u64;
        }
    }
    line.pending.clear();
    line.pending_done = 0;
    true
}

/// The packet that a departure names, while it is kept.
#[inline]
fn stored_packet<'a>(
    producers: &'a Slab<Producer>,
    consumer: &Consumer,
    departure: &Departure,
) -> Option<&'a Stored> {
    let producer = producers.get(consumer.producer as usize)?;
    producer
        .streams
        .get(usize::from(departure.stream))?
        .history
        .get(departure.origin)
}

/// Lengths of a packet that stands in the arena.
struct Sealed {
    header_len: usize,
    plain_len: usize,
    len: usize,
}

/// Writes and seals a packet into the arena's next slot.
#[inline]
fn seal_media(
    sender: &mut SrtpSender,
    consumer: &Consumer,
    departure: &Departure,
    stored: &Stored,
    stamp: &Stamp,
    egress: &mut Egress,
) -> Option<Sealed> {
    let slot = egress.slot();
    debug_assert_eq!(slot.len(), DATAGRAM_LEN_MAX);
    let (header_len, plain_len) = consumer.write(departure, stored, stamp, slot)?;
    let (_, ssrc) = consumer.outgoing_stream(departure);
    let len = sender.protect_rtp(ssrc, SeqNo(departure.seq), slot, header_len, plain_len)?;
    Some(Sealed {
        header_len,
        plain_len,
        len,
    })
}
