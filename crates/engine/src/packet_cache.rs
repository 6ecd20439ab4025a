//! The last second of one stream, decrypted: consumers send from it, now and again.
//!
//! Consumers keep numbers, not bytes; a packet that has left the history can no longer be sent.
//! Slots are reused with their memory, so a stream that has run for a second allocates nothing.

use std::time::Duration;

use watersmeet_wire::units::{SeqNo, Time};

use crate::packet::{ExtensionPlaces, Incoming};

/// How long a packet is worth keeping: a receiver's jitter buffer gives up after about a second.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Slots at the start; enough for a second of audio.
const SLOTS_MIN: usize = 64;

/// The most packets kept of one stream: a second of 9 Mbit/s video.
pub const SLOTS_MAX: usize = 1_024;

/// One kept packet.
#[derive(Debug, Default)]
pub struct CachedPacket {
    /// Its number; `None` while the slot is unused.
    seq: Option<SeqNo>,
    /// When it arrived.
    arrived: Time,
    /// What is known of it.
    incoming: Option<Incoming>,
    /// Its decrypted bytes.
    bytes: Vec<u8>,
}

impl CachedPacket {
    /// What is known of the packet.
    #[inline]
    pub fn incoming(&self) -> Option<&Incoming> {
        self.incoming.as_ref()
    }

    /// All its bytes, header included.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The media bytes.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        self.incoming
            .map_or(&[], |incoming| incoming.payload(&self.bytes))
    }

    /// Where the extensions lie and the bytes they lie in.
    #[inline]
    pub fn extensions(&self) -> Option<(&ExtensionPlaces, &[u8])> {
        Some((&self.incoming.as_ref()?.extensions, &self.bytes))
    }
}

/// A ring of packets, found by number.
#[derive(Debug, Default)]
pub struct PacketCache {
    /// A power of two of slots; the slot of a packet is its number modulo their count.
    slots: Vec<CachedPacket>,
}

impl PacketCache {
    /// Keeps a packet, in place of the one that many numbers older.
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

    /// The packet with this number, while it is kept.
    #[inline]
    pub fn get(&self, seq: SeqNo) -> Option<&CachedPacket> {
        self.slots
            .get(self.index(seq))
            .filter(|slot| slot.seq == Some(seq))
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the mask leaves ten bits at most"
    )]
    fn index(&self, seq: SeqNo) -> usize {
        (seq.0 & (self.slots.len() as u64).wrapping_sub(1)) as usize
    }

    /// Doubles the ring when it would overwrite a packet that is still worth keeping.
    fn make_room(&mut self, now: Time, seq: SeqNo) {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS_MIN, CachedPacket::default);
            return;
        }
        let Some(slot) = self.slots.get(self.index(seq)) else {
            return;
        };
        let young = slot.seq.is_some() && now.since(slot.arrived) < KEPT_FOR;
        if !young || self.slots.len() >= SLOTS_MAX {
            return;
        }
        let mut old = std::mem::take(&mut self.slots);
        self.slots.resize_with(old.len() * 2, CachedPacket::default);
        for stored in old.drain(..) {
            let Some(index) = stored.seq.map(|seq| self.index(seq)) else {
                continue;
            };
            if let Some(slot) = self.slots.get_mut(index) {
                *slot = stored;
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
            Incoming::new(&header, &bytes, ExtensionPlaces::default()).unwrap(),
            bytes,
        )
    }

    fn filled(count: u16, spacing: Duration) -> PacketCache {
        let mut history = PacketCache::default();
        let mut now = Time::ZERO;
        for raw in 0..count {
            let (incoming, bytes) = packet(raw);
            history.insert(now, SeqNo::first(raw), &incoming, &bytes);
            now = now + spacing;
        }
        history
    }

    #[test]
    fn a_second_of_a_fast_stream_is_kept() {
        let history = filled(600, Duration::from_millis(2));
        for raw in 100..600 {
            let stored = history.get(SeqNo::first(raw)).unwrap();
            assert_eq!(stored.payload(), &[raw.to_be_bytes()[1]]);
        }
    }

    #[test]
    fn a_slow_stream_stays_small() {
        let history = filled(600, Duration::from_millis(20));
        assert_eq!(history.slots.len(), SLOTS_MIN);
        assert!(history.get(SeqNo::first(1)).is_none());
    }

    #[test]
    fn the_ring_never_grows_past_its_limit() {
        let history = filled(5_000, Duration::from_micros(1));
        assert_eq!(history.slots.len(), SLOTS_MAX);
    }
}
