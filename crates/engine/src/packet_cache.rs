//! Cache of the last second of one stream, or of what a shared screen sent in a longer time, decrypted.
//! Consumers send and retransmit from it.
//!
//! Consumers hold numbers, not bytes: a packet that has left the cache can no longer be sent. Slots
//! are reused with their memory, so that a stream allocates nothing after its first second.

use std::time::Duration;

use watersmeet_wire::codec::red;
use watersmeet_wire::units::{SeqNo, Time};

use crate::packet::{ExtensionSpans, Incoming};

/// Time for which a packet is usually kept: a receiver's jitter buffer waits for about a second.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Initial number of slots: enough for a second of audio.
const SLOTS_MIN: usize = 64;

/// Upper bound of the packets of one stream: a second of video at 9 Mbit/s.
pub const SLOTS_MAX: usize = 1_024;

/// A cached packet.
#[derive(Debug, Default)]
pub struct CachedPacket {
    /// Sequence number; `None` while the slot is unused.
    seq: Option<SeqNo>,
    /// Arrival time.
    pub arrived: Time,
    /// Its parsed header; `None` while the slot is unused.
    incoming: Option<Incoming>,
    /// Decrypted bytes.
    bytes: Vec<u8>,
}

impl CachedPacket {
    /// Returns its parsed header.
    #[inline]
    pub fn incoming(&self) -> Option<&Incoming> {
        self.incoming.as_ref()
    }

    /// Returns all its bytes, header included.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns its payload.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        self.incoming
            .map_or(&[], |incoming| incoming.payload(&self.bytes))
    }

    /// Returns its payload with the redundancy that the publisher put before it (RFC 2198).
    pub fn redundant_payload(&self) -> &[u8] {
        self.incoming
            .map_or(&[], |incoming| incoming.redundant_payload(&self.bytes))
    }

    /// Returns the positions of its header extensions, and the bytes they refer to.
    #[inline]
    pub fn extensions(&self) -> Option<(&ExtensionSpans, &[u8])> {
        Some((&self.incoming.as_ref()?.extensions, &self.bytes))
    }
}

/// A packet with the cache it is in, to find those before it.
#[derive(Debug, Clone, Copy)]
pub struct PacketInCache<'a> {
    /// The packet.
    pub packet: &'a CachedPacket,
    /// Its cache.
    cache: &'a PacketCache,
}

impl<'a> PacketInCache<'a> {
    /// Returns the packet that is `distance` before, while it is cached.
    pub fn before(self, distance: u8) -> Option<&'a CachedPacket> {
        let seq = self.packet.seq?.0.checked_sub(distance.into())?;
        self.cache.get(SeqNo(seq))
    }
}

/// Ring of packets, found by sequence number.
#[derive(Debug)]
pub struct PacketCache {
    /// A packet is in the slot with its sequence number modulo the length, a power of two.
    slots: Vec<CachedPacket>,
    /// Time for which a packet is kept, unless there are too many.
    kept_for: Duration,
}

impl Default for PacketCache {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            kept_for: KEPT_FOR,
        }
    }
}

impl PacketCache {
    /// Keeps packets for this time.
    pub const fn keep_for(&mut self, span: Duration) {
        self.kept_for = span;
    }

    /// Inserts a packet, replacing the one whose slot it gets.
    pub fn insert(&mut self, now: Time, seq: SeqNo, incoming: &Incoming, packet: &[u8]) {
        self.make_room(now, seq);
        let index = self.index(seq);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        slot.seq = Some(seq);
        slot.arrived = now;
        slot.incoming = Some(*incoming);
        slot.bytes.clear();
        slot.bytes.extend_from_slice(packet);
    }

    /// Returns the packet with this sequence number, and those before it, while it is cached.
    #[inline]
    pub fn find(&self, seq: SeqNo) -> Option<PacketInCache<'_>> {
        let packet = self.get(seq)?;
        Some(PacketInCache {
            packet,
            cache: self,
        })
    }

    /// Returns the packet with this sequence number, while it is cached.
    #[inline]
    pub fn get(&self, seq: SeqNo) -> Option<&CachedPacket> {
        self.slots
            .get(self.index(seq))
            .filter(|slot| slot.seq == Some(seq))
    }

    /// Gives the redundancy of a packet, and the payload behind it, the payload type of the router.
    pub fn map_redundancy(&mut self, seq: SeqNo) {
        let index = self.index(seq);
        let slot = self.slots.get_mut(index).filter(|it| it.seq == Some(seq));
        let Some(CachedPacket {
            incoming: Some(incoming),
            bytes,
            ..
        }) = slot
        else {
            return;
        };
        if let Some(payload) = bytes.get_mut(incoming.redundant_range()) {
            red::set_payload_type(payload, incoming.pt);
        }
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the mask leaves ten bits at most"
    )]
    fn index(&self, seq: SeqNo) -> usize {
        (seq.0 & (self.slots.len() as u64).wrapping_sub(1)) as usize
    }

    /// Doubles the ring when it would overwrite a packet that is still kept.
    fn make_room(&mut self, now: Time, seq: SeqNo) {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS_MIN, CachedPacket::default);
            return;
        }
        let Some(slot) = self.slots.get(self.index(seq)) else {
            return;
        };
        let is_recent = slot.seq.is_some() && now.since(slot.arrived) < self.kept_for;
        if !is_recent || self.slots.len() >= SLOTS_MAX {
            return;
        }
        let mut old = std::mem::take(&mut self.slots);
        self.slots.resize_with(old.len() * 2, CachedPacket::default);
        for cached in old.drain(..) {
            let Some(index) = cached.seq.map(|seq| self.index(seq)) else {
                continue;
            };
            if let Some(slot) = self.slots.get_mut(index) {
                *slot = cached;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watersmeet_wire::rtp::RtpHeader;

    fn packet(seq: u16) -> (Incoming, Vec<u8>) {
        let mut bytes = vec![0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        bytes[2..4].copy_from_slice(&seq.to_be_bytes());
        bytes.push(seq.to_be_bytes()[1]);
        let header = RtpHeader::parse(&bytes).unwrap();
        (
            Incoming::new(&header, &bytes, ExtensionSpans::default()).unwrap(),
            bytes,
        )
    }

    fn filled(count: u16, spacing: Duration) -> PacketCache {
        let mut cache = PacketCache::default();
        let mut now = Time::ZERO;
        for raw in 0..count {
            let (incoming, bytes) = packet(raw);
            cache.insert(now, SeqNo::first(raw), &incoming, &bytes);
            now = now + spacing;
        }
        cache
    }

    #[test]
    fn cache_holds_a_second_of_a_fast_stream() {
        let cache = filled(600, Duration::from_millis(2));
        for raw in 100..600 {
            let cached = cache.get(SeqNo::first(raw)).unwrap();
            assert_eq!(cached.payload(), &[raw.to_be_bytes()[1]]);
        }
    }

    #[test]
    fn cache_of_a_slow_stream_stays_small() {
        let cache = filled(600, Duration::from_millis(20));
        assert_eq!(cache.slots.len(), SLOTS_MIN);
        assert!(cache.get(SeqNo::first(1)).is_none());
    }

    #[test]
    fn ring_is_bounded() {
        let cache = filled(5_000, Duration::from_micros(1));
        assert_eq!(cache.slots.len(), SLOTS_MAX);
    }

    #[test]
    fn packets_of_a_screen_are_kept_for_longer() {
        let mut cache = PacketCache::default();
        cache.keep_for(Duration::from_secs(10));
        for raw in 0..150 {
            let (incoming, bytes) = packet(raw);
            let now = Time::from_millis(u64::from(raw) * 100);
            cache.insert(now, SeqNo::first(raw), &incoming, &bytes);
        }
        assert!((50..150).all(|raw| cache.get(SeqNo::first(raw)).is_some()));
    }
}
