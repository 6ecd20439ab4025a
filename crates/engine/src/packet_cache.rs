//! Cache of the last second of one stream, decrypted; of a longer time where a viewer is far away, and for
//! shared screens.
//! Consumers send and retransmit from it.
//!
//! Consumers hold numbers, not bytes: a packet that has left the cache can no longer be sent. Slots
//! are reused with their memory, so that a stream allocates nothing after its first second.

use std::time::Duration;

use watersmeet_wire::codec::red;
use watersmeet_wire::units::{SeqNo, Time};

use crate::packet::{ExtensionSpans, Incoming};

/// Time for which a packet is usually kept: a receiver's jitter buffer waits for about a second.
pub const KEPT_FOR: Duration = Duration::from_secs(1);

/// Upper bound of that time for viewers with a long round trip.
const KEPT_FOR_MAX: Duration = Duration::from_millis(2_500);

/// Round trips for which packets are kept, if that is longer: one that was lost three times is requested again
/// after more than three.
const KEPT_FOR_ROUND_TRIPS: u32 = 4;

/// Initial number of slots: enough for a second of audio.
const SLOTS_MIN: usize = 64;

/// Upper bound of the packets of one stream: a second of video at 9 Mbit/s.
pub const SLOTS_MAX: usize = 1_024;

/// Upper bound of the memory, in bytes, of packets that are kept for longer than usual; those of the last
/// second do not count. It holds 15 s at 280 kbit/s, and two keyframes of the densest page of 1920×1080 with
/// more than a second of what a faster path carries.
const LONG_KEPT_BYTES_MAX: usize = 512 * 1_024;

/// Returns how long packets are kept for a viewer with this round-trip time.
pub fn kept_for(round_trip: Duration) -> Duration {
    (round_trip * KEPT_FOR_ROUND_TRIPS).clamp(KEPT_FOR, KEPT_FOR_MAX)
}

/// A cached packet.
#[derive(Debug, Default)]
pub struct CachedPacket {
    /// Sequence number; `None` while the slot is unused.
    seq: Option<SeqNo>,
    /// Arrival time; of a packet that came late, when it would have arrived in the order of sending.
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
    /// State of keeping packets for longer than usual; absent where they are not.
    long: Option<LongKept>,
}

/// Memory of packets that are kept for longer than usual.
#[derive(Debug, Default)]
struct LongKept {
    /// Bytes allocated for all packets.
    allocated: usize,
    /// Number up to which all packets have been removed, as far as they could be.
    removed_to: SeqNo,
    /// Memory of the packet removed last, for the next one.
    spare: Vec<u8>,
}

impl Default for PacketCache {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            kept_for: KEPT_FOR,
            long: None,
        }
    }
}

impl PacketCache {
    /// Keeps packets for this time, longer than usual, as far as they fit [`LONG_KEPT_BYTES_MAX`].
    pub fn keep_for(&mut self, span: Duration) {
        self.kept_for = span;
        self.long = Some(LongKept {
            allocated: self.slots.iter().map(|slot| slot.bytes.capacity()).sum(),
            ..LongKept::default()
        });
    }

    /// Keeps packets for this time at least, for a viewer with a long round trip.
    pub fn keep_for_viewer(&mut self, span: Duration) {
        self.kept_for = self.kept_for.max(span);
    }

    /// Inserts a packet, replacing the one whose slot it gets.
    pub fn insert(&mut self, now: Time, seq: SeqNo, incoming: &Incoming, packet: &[u8]) {
        self.make_room(now, seq);
        self.limit_memory(now, seq, packet.len());
        let index = self.index(seq);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        slot.seq = Some(seq);
        slot.arrived = now;
        slot.incoming = Some(*incoming);
        slot.bytes.clear();
        let Some(long) = &mut self.long else {
            slot.bytes.extend_from_slice(packet);
            return;
        };
        if slot.bytes.capacity() == 0 {
            slot.bytes = std::mem::take(&mut long.spare);
        } else {
            long.allocated -= slot.bytes.capacity();
        }
        slot.bytes.extend_from_slice(packet);
        long.allocated += slot.bytes.capacity();
    }

    /// Sets when a cached packet arrived, in the order of sending.
    pub fn set_arrival(&mut self, seq: SeqNo, at: Time) {
        let index = self.index(seq);
        if let Some(slot) = self.slots.get_mut(index).filter(|it| it.seq == Some(seq)) {
            slot.arrived = at;
        }
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

    /// Removes packets older than a second, oldest first, until one of `len` bytes with this number fits the
    /// memory of packets that are kept for long.
    fn limit_memory(&mut self, now: Time, seq: SeqNo, len: usize) {
        let Some(mut long) = self.long.take() else {
            return;
        };
        // The ring has one slot for each of these numbers.
        let first = (seq.0 + 1).saturating_sub(self.slots.len() as u64);
        long.removed_to = long.removed_to.max(SeqNo(first));
        while long.allocated + len > LONG_KEPT_BYTES_MAX && long.removed_to < seq {
            let index = self.index(long.removed_to);
            let Some(slot) = self.slots.get_mut(index) else {
                break;
            };
            if slot.seq.is_some_and(|it| it <= long.removed_to) {
                if now.since(slot.arrived) < KEPT_FOR {
                    break;
                }
                long.spare = std::mem::take(slot).bytes;
                long.spare.clear();
                long.allocated -= long.spare.capacity();
            }
            long.removed_to.0 += 1;
        }
        self.long = Some(long);
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

    /// Inserts `count` packets of 1,200 bytes from the number `first` on, evenly within `span`.
    fn insert_large(cache: &mut PacketCache, start: Time, first: u16, count: u16, span: Duration) {
        for step in 0..count {
            let (incoming, mut bytes) = packet(first + step);
            bytes.resize(1_200, 7);
            let now = start + span * u32::from(step) / u32::from(count);
            cache.insert(now, SeqNo::first(first + step), &incoming, &bytes);
        }
    }

    fn allocated(cache: &PacketCache) -> usize {
        cache.slots.iter().map(|slot| slot.bytes.capacity()).sum()
    }

    fn screen_cache() -> PacketCache {
        let mut cache = PacketCache::default();
        cache.keep_for(Duration::from_secs(17));
        cache
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
    fn packets_are_kept_for_longer_for_a_viewer_with_a_long_round_trip() {
        let mut cache = PacketCache::default();
        cache.keep_for_viewer(kept_for(Duration::from_millis(600)));
        cache.keep_for_viewer(kept_for(Duration::from_millis(20)));
        insert_large(&mut cache, Time::ZERO, 0, 240, Duration::from_millis(2_400));
        assert!((0..240).all(|raw| cache.get(SeqNo::first(raw)).is_some()));
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

    #[test]
    fn memory_of_a_moving_screen_is_bounded_beyond_its_last_second() {
        let mut cache = screen_cache();
        // 2.5 Mbit/s for 12 s: more packets than the ring holds.
        insert_large(&mut cache, Time::ZERO, 0, 3_120, Duration::from_secs(12));
        assert!(
            allocated(&cache) <= LONG_KEPT_BYTES_MAX,
            "{}",
            allocated(&cache)
        );
        let kept = u16::try_from(LONG_KEPT_BYTES_MAX / 1_200).unwrap();
        assert!((3_120 - kept..3_120).all(|raw| cache.get(SeqNo::first(raw)).is_some()));
        assert!(cache.get(SeqNo::first(3_120 - kept - 1)).is_none());

        // 9.6 Mbit/s: the last second alone is more, and is kept.
        let start = Time::from_millis(12_000);
        insert_large(&mut cache, start, 3_120, 3_000, Duration::from_secs(3));
        assert!((5_121..6_120).all(|raw| cache.get(SeqNo::first(raw)).is_some()));
        // When it moves less, the bound holds again.
        let start = Time::from_millis(15_000);
        insert_large(&mut cache, start, 6_120, 600, Duration::from_secs(6));
        assert!(allocated(&cache) <= LONG_KEPT_BYTES_MAX);
    }

    #[test]
    fn two_dense_pages_are_kept_as_long_as_they_may_wait() {
        let mut cache = screen_cache();
        // 144 KB each, and 10 kbit/s behind each.
        let page = Duration::from_millis(200);
        let mut now = Time::ZERO;
        for first in [0, 130] {
            insert_large(&mut cache, now, first, 120, page);
            let still = Duration::from_secs(8);
            insert_large(&mut cache, now + page, first + 120, 10, still);
            now = now + page + still;
        }
        assert!((0..260).all(|raw| cache.get(SeqNo::first(raw)).is_some()));
    }

    #[test]
    fn numbers_that_are_left_out_do_not_take_memory_for_ever() {
        let mut cache = screen_cache();
        let mut now = Time::ZERO;
        for round in 0..40_u64 {
            for step in 0..100_u64 {
                let raw = u16::try_from((round * 1_500 + step * 3) % 65_536).unwrap();
                let (incoming, mut bytes) = packet(raw);
                bytes.resize(1_200, 7);
                let seq = SeqNo(SeqNo::first(0).0 + round * 1_500 + step * 3);
                cache.insert(now, seq, &incoming, &bytes);
                now = now + Duration::from_millis(10);
            }
        }
        assert!(allocated(&cache) <= LONG_KEPT_BYTES_MAX);
    }
}
