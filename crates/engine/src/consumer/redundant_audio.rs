//! Redundant audio of a consumer (RFC 2198): what a packet repeats, and writing it. A packet that is sent
//! again has the same bytes, because what it repeats is part of its [`PacketPatch`].
//!
//! [`PacketPatch`]: super::queued_packet::PacketPatch

use arrayvec::ArrayVec;
use watersmeet_wire::codec::red::{
    self, EarlierPayload, PRIMARY_HEADER_LEN, REDUNDANT_HEADER_LEN, REDUNDANT_WRITTEN_MAX,
};

use super::Consumer;
use crate::consumer::queued_packet::QueuedPacket;
use crate::packet::Arrival;
use crate::packet_cache::PacketInCache;
use crate::redundancy::Redundancy;

impl Consumer {
    /// Returns what to send with a packet of the producer: what its publisher has added, or earlier
    /// payloads up to the present distance, as far as they were sent to the peer in a row with it.
    #[inline]
    pub(super) fn redundancy_for(&self, arrival: &Arrival) -> Redundancy {
        if arrival.redundancy.is_none() || self.red_pt.is_none() {
            return Redundancy::NONE;
        }
        let run = u8::try_from(self.sequence.run_before(arrival.seq)).unwrap_or(u8::MAX);
        arrival.redundancy.up_to(self.distance.min(run))
    }

    /// Returns whether the peer receives redundant audio.
    pub const fn accepts_redundancy(&self) -> bool {
        self.red_pt.is_some()
    }

    /// Returns how many earlier payloads the losses of the peer call for.
    pub const fn wanted_distance(&self) -> u8 {
        match self.red_pt {
            Some(_) => self.distance_control.distance(),
            None => 0,
        }
    }

    /// Returns how many earlier payloads a packet repeats at most.
    pub const fn distance(&self) -> u8 {
        self.distance
    }

    /// Sets how many earlier payloads a packet repeats at most.
    pub fn set_distance(&mut self, distance: u8) {
        self.distance = distance;
    }
}

/// Returns the length of the payload with its redundancy.
#[inline]
pub(super) fn payload_len(packet: &QueuedPacket, cached: PacketInCache<'_>) -> usize {
    match packet.patch.redundancy.is_none() {
        true => cached.packet.payload().len(),
        false => redundant_len(packet, cached),
    }
}

#[inline(never)]
fn redundant_len(packet: &QueuedPacket, cached: PacketInCache<'_>) -> usize {
    let redundancy = packet.patch.redundancy;
    if redundancy.is_of_publisher() {
        return cached.packet.redundant_payload().len();
    }
    let earlier = earlier_payloads(packet, cached);
    let blocks = earlier
        .iter()
        .map(|it| REDUNDANT_HEADER_LEN + it.payload.len());
    PRIMARY_HEADER_LEN + cached.packet.payload().len() + blocks.sum::<usize>()
}

/// Writes the payload of a packet with its redundancy, and returns the length. `None` when it does not fit.
#[inline(never)]
pub(super) fn write(
    packet: &QueuedPacket,
    cached: PacketInCache<'_>,
    out: &mut [u8],
) -> Option<usize> {
    if packet.patch.redundancy.is_of_publisher() {
        let payload = cached.packet.redundant_payload();
        out.get_mut(..payload.len())?.copy_from_slice(payload);
        return Some(payload.len());
    }
    let incoming = cached.packet.incoming()?;
    let earlier = earlier_payloads(packet, cached);
    let len_max = out.len();
    red::write(
        out,
        len_max,
        incoming.pt,
        incoming.timestamp,
        cached.packet.payload(),
        &earlier,
    )
}

/// Returns the earlier payloads that a packet repeats, as far as they are still cached, newest first.
fn earlier_payloads<'a>(
    packet: &QueuedPacket,
    cached: PacketInCache<'a>,
) -> ArrayVec<EarlierPayload<'a>, REDUNDANT_WRITTEN_MAX> {
    let distances = packet.patch.redundancy.distances();
    let earlier = distances.filter_map(|distance| {
        let earlier = cached.before(distance)?;
        Some(EarlierPayload {
            timestamp: earlier.incoming()?.timestamp,
            payload: earlier.payload(),
        })
    });
    earlier.collect()
}
