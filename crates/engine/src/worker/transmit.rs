//! Media and control on their way out: transport by transport, put in order, written from the shared
//! packet and sealed straight into the arena that the socket sends.

use slab::Slab;
use watersmeet_wire::rtp::extension::AbsSendTime;
use watersmeet_wire::units::{SeqNo, Time};

use super::Worker;
use super::line::{Line, Traffic};
use crate::command::Path;
use crate::consumer::Consumer;
use crate::consumer::departure::{Departure, Stamp};
use crate::egress::order::{Order, PARCELS_MAX, Parcel};
use crate::egress::{Batch, DATAGRAM_LEN_MAX, Egress};
use crate::history::Stored;
use crate::producer::Producer;
use crate::transport::srtp::SrtpSender;

impl Worker {
    /// The next batch to send, until there is none.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Batch<'_>> {
        self.egress.clear();
        while self.egress.has_room(1)
            && let Some((path, datagram)) = self.farewells.pop_front()
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
            if let Some(line) = self.lines.get_mut(key as usize) {
                if !outlet.drain(line) {
                    break;
                }
                line.turn.end();
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
    order: &'a mut Order,
    /// Where they are written.
    desk: Desk<'a>,
}

/// Where packets are written.
struct Desk<'a> {
    /// When they leave.
    now: Time,
    /// Who writes them.
    consumers: &'a mut Slab<Consumer>,
    /// Who keeps them.
    producers: &'a Slab<Producer>,
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
    fn drain(&mut self, line: &mut Line) -> bool {
        if line.turn.has_control() && !self.drain_others(line) {
            return false;
        }
        self.drain_media(line)
    }

    /// Sends what is no media.
    fn drain_others(&mut self, line: &mut Line) -> bool {
        let Desk { now, egress, .. } = &mut self.desk;
        while egress.has_room(1) {
            let Some((path, datagram)) = line.transport.poll_transmit() else {
                return drain_control(*now, line, egress);
            };
            copy_datagram(egress, path, &datagram);
            line.note_sent(*now, datagram.len());
        }
        false
    }

    /// Sends the media, as many packets at a time as are put in order together.
    fn drain_media(&mut self, line: &mut Line) -> bool {
        while line.pending_done < line.pending.len() {
            let count = (line.pending.len() - line.pending_done).min(PARCELS_MAX);
            if !self.desk.egress.has_room(count) {
                return false;
            }
            self.send_some(line, count);
            line.pending_done += count;
        }
        line.pending.clear();
        line.pending_done = 0;
        true
    }

    /// Sends the next packets of a transport, ordered so that equal lengths meet.
    fn send_some(&mut self, line: &mut Line, count: usize) {
        let (Some(path), Some(sender)) = (line.path, line.transport.sender()) else {
            return;
        };
        let mut pipe = Pipe {
            path,
            sender,
            transport_seq: &mut line.transport_seq,
            traffic: &mut line.traffic,
        };
        let departures = line
            .pending
            .get(line.pending_done..line.pending_done + count);
        let departures = departures.unwrap_or_default();
        let sent_before = pipe.traffic.bytes_sent;
        if let [departure] = departures {
            self.desk.send(&mut pipe, departure, 0);
        } else {
            self.order.clear();
            for departure in departures {
                self.order.push(self.desk.parcel(departure));
            }
            for step in self.order.arrange(self.padding_max) {
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
    fn parcel(&self, departure: &Departure) -> Parcel {
        let consumer = self.consumers.get(departure.consumer as usize);
        let len = consumer.and_then(|consumer| {
            let stored = stored_packet(self.producers, consumer, departure)?;
            consumer.packet_len(departure, stored)
        });
        Parcel {
            stream: u64::from(departure.consumer) << 1 | u64::from(departure.repeats.is_some()),
            len: len.and_then(|len| u16::try_from(len).ok()).unwrap_or(0),
        }
    }

    /// Writes, seals and counts a packet, or counts it as thrown away.
    #[inline]
    fn send(&mut self, pipe: &mut Pipe<'_>, departure: &Departure, padding: u8) {
        if self.try_send(pipe, departure, padding).is_none() {
            pipe.traffic.packets_discarded += 1;
        }
    }

    #[inline]
    fn try_send(&mut self, pipe: &mut Pipe<'_>, departure: &Departure, padding: u8) -> Option<()> {
        let consumer = self.consumers.get_mut(departure.consumer as usize)?;
        let stored = stored_packet(self.producers, consumer, departure)?;
        let stamp = Stamp {
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
        consumer.note_sent(
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
    line.note_sent(now, sent);
    all
}

fn seal_control(sender: &mut SrtpSender, slot: &mut [u8], datagram: &[u8]) -> Option<usize> {
    slot.get_mut(..datagram.len())?.copy_from_slice(datagram);
    sender.protect_rtcp(slot, datagram.len())
}
