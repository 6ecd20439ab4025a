//! Where a new receiver of a stream can start: at the last keyframe that is cached completely, with all
//! packets after it. So it sees a picture at once, and the publisher is not asked for a keyframe.
//!
//! The index holds numbers only; the packets are in the cache of the stream.

use std::collections::BTreeSet;

use arrayvec::ArrayVec;
use watersmeet_wire::units::SeqNo;

use crate::packet_cache::PacketCache;

/// Most keyframes that are remembered. The newest may be incomplete, so the one before it counts too.
pub const KEYFRAMES_MAX: usize = 4;

/// Most packets without payload that are remembered. They are not cached, and are no gaps.
pub const PADDING_MAX: usize = 256;

/// Keyframes of one stream.
#[derive(Debug, Default)]
pub struct KeyframeIndex {
    /// First packets of keyframes, oldest first.
    keyframes: ArrayVec<Keyframe, KEYFRAMES_MAX>,
    /// Packets without payload since the oldest keyframe.
    padding: BTreeSet<SeqNo>,
}

#[derive(Debug, Clone, Copy)]
struct Keyframe {
    first: SeqNo,
    timestamp: u32,
}

/// Upper bounds of what a new receiver is sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatchUpLimits {
    /// Packets.
    pub packets: usize,
    /// Bytes, with RTP headers.
    pub bytes: usize,
}

/// Packets that a new receiver is sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatchUp {
    /// First packet of the keyframe.
    pub first: SeqNo,
    /// Newest packet of the stream.
    pub last: SeqNo,
    /// Number of packets with a payload.
    pub packets: usize,
    /// Their length, with RTP headers.
    pub bytes: usize,
}

impl KeyframeIndex {
    /// Records a packet in which a keyframe starts. A keyframe may have several, such as its H.264
    /// parameter sets and its first slice; the first one counts.
    pub fn record_keyframe(&mut self, seq: SeqNo, timestamp: u32) {
        let same_frame = |keyframe: &&mut Keyframe| keyframe.timestamp == timestamp;
        if let Some(known) = self.keyframes.iter_mut().find(same_frame) {
            known.first = known.first.min(seq);
            return;
        }
        let newer = self.keyframes.iter().position(|it| it.first > seq);
        let mut at = newer.unwrap_or(self.keyframes.len());
        if self.keyframes.is_full() {
            if at == 0 {
                return;
            }
            self.keyframes.remove(0);
            at -= 1;
        }
        let first = seq;
        self.keyframes.insert(at, Keyframe { first, timestamp });
        if let Some(oldest) = self.keyframes.first() {
            self.padding = self.padding.split_off(&oldest.first);
        }
    }

    /// Records a packet without payload.
    pub fn record_padding(&mut self, seq: SeqNo) {
        let is_needed = self.keyframes.first().is_some_and(|it| it.first < seq);
        if is_needed && self.padding.insert(seq) && self.padding.len() > PADDING_MAX {
            self.padding.pop_first();
        }
    }

    /// Forgets everything, when the numbers of the stream start anew.
    pub fn clear(&mut self) {
        self.keyframes.clear();
        self.padding.clear();
    }

    /// Returns the packets to send to a new receiver; `newest` is the highest number of the stream.
    ///
    /// Returns `None` when no complete keyframe is cached, when a packet after it is missing, or when
    /// the packets exceed the limits.
    pub fn catch_up(
        &self,
        cache: &PacketCache,
        newest: SeqNo,
        limits: CatchUpLimits,
    ) -> Option<CatchUp> {
        let mut newest_first = self.keyframes.iter().rev();
        newest_first.find_map(|keyframe| self.catch_up_from(*keyframe, cache, newest, limits))
    }

    fn catch_up_from(
        &self,
        keyframe: Keyframe,
        cache: &PacketCache,
        newest: SeqNo,
        limits: CatchUpLimits,
    ) -> Option<CatchUp> {
        let mut found = CatchUp {
            first: keyframe.first,
            last: newest,
            packets: 0,
            bytes: 0,
        };
        let mut is_complete = false;
        for seq in (keyframe.first.0..=newest.0).map(SeqNo) {
            let Some(cached) = cache.get(seq) else {
                if self.padding.contains(&seq) {
                    continue;
                }
                return None;
            };
            let incoming = cached.incoming()?;
            let is_first = seq == keyframe.first;
            if is_first && incoming.timestamp != keyframe.timestamp {
                return None;
            }
            is_complete |= incoming.marker || incoming.timestamp != keyframe.timestamp;
            found.packets += 1;
            found.bytes += cached.bytes().len();
            if found.packets > limits.packets || found.bytes > limits.bytes {
                return None;
            }
        }
        is_complete.then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::rtp::RtpHeader;
    use watersmeet_wire::units::Time;

    use super::*;
    use crate::packet::{ExtensionSpans, Incoming};
    use crate::packet_cache::SLOTS_MAX;

    /// Length of each packet, in bytes.
    const LEN: usize = 112;
    const LIMITS: CatchUpLimits = CatchUpLimits {
        packets: 100,
        bytes: 100 * LEN,
    };

    /// Stream with frames of three packets.
    #[derive(Default)]
    struct Stream {
        index: KeyframeIndex,
        cache: PacketCache,
        newest: SeqNo,
    }

    impl Stream {
        fn new(first: u16) -> Self {
            Self {
                newest: SeqNo(SeqNo::first(first).0 - 1),
                ..Self::default()
            }
        }

        fn packet(&mut self, seq: SeqNo, timestamp: u32, marker: bool) {
            let mut bytes = vec![0; LEN];
            bytes[..2].copy_from_slice(&[0x80, 96 | u8::from(marker) << 7]);
            bytes[2..4].copy_from_slice(&seq.raw().to_be_bytes());
            bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
            let header = RtpHeader::parse(&bytes).unwrap();
            let incoming = Incoming::new(&header, &bytes, ExtensionSpans::default()).unwrap();
            // All packets arrive in the same second, so that the cache holds as many as it can.
            self.cache.insert(Time::ZERO, seq, &incoming, &bytes);
        }

        /// Adds a frame without these of its packets, and returns its first number.
        fn frame(&mut self, is_keyframe: bool, timestamp: u32, lost: &[u64]) -> SeqNo {
            let first = SeqNo(self.newest.0 + 1);
            for at in (0..3).filter(|at| !lost.contains(at)) {
                let seq = SeqNo(first.0 + at);
                self.packet(seq, timestamp, at == 2);
                if is_keyframe && at == 0 {
                    self.index.record_keyframe(seq, timestamp);
                }
                self.newest = self.newest.max(seq);
            }
            self.newest = self.newest.max(SeqNo(first.0 + 2));
            first
        }

        fn frames(&mut self, count: u32, timestamp: u32) {
            for at in 0..count {
                self.frame(false, timestamp + at, &[]);
            }
        }

        fn catch_up(&self) -> Option<CatchUp> {
            self.index.catch_up(&self.cache, self.newest, LIMITS)
        }
    }

    #[test]
    fn receiver_starts_at_the_last_keyframe_across_a_wrap() {
        let mut stream = Stream::new(65_520);
        assert_eq!(stream.catch_up(), None);
        stream.frames(2, 1);
        assert_eq!(stream.catch_up(), None, "no keyframe");
        stream.frame(true, 10, &[]);
        stream.frames(3, 11);
        let first = stream.frame(true, 20, &[]);
        stream.frames(2, 21);
        let expected = CatchUp {
            first,
            last: stream.newest,
            packets: 9,
            bytes: 9 * LEN,
        };
        assert_eq!(stream.catch_up(), Some(expected));
        assert!(stream.newest.raw() < 100);
    }

    #[test]
    fn incomplete_keyframe_is_passed_over() {
        let mut stream = Stream::new(1);
        let older = stream.frame(true, 10, &[]);
        stream.frames(1, 11);
        // Only the first packet of the next keyframe has arrived.
        let seq = SeqNo(stream.newest.0 + 1);
        stream.packet(seq, 20, false);
        stream.index.record_keyframe(seq, 20);
        stream.newest = seq;
        assert_eq!(
            stream.catch_up().map(|it| (it.first, it.packets)),
            Some((older, 7))
        );
        // Its end without a marker bit is where the next frame starts.
        stream.newest = SeqNo(seq.0 + 1);
        stream.packet(stream.newest, 21, false);
        assert_eq!(
            stream.catch_up().map(|it| (it.first, it.packets)),
            Some((seq, 2))
        );
    }

    #[test]
    fn missing_packet_prevents_a_start_until_it_arrives() {
        let mut stream = Stream::new(1);
        let first = stream.frame(true, 10, &[]);
        let lossy = stream.frame(false, 11, &[1]);
        stream.frames(2, 12);
        assert_eq!(stream.catch_up(), None);
        stream.packet(SeqNo(lossy.0 + 1), 11, false);
        assert_eq!(stream.catch_up().map(|it| it.first), Some(first));

        // A keyframe whose first packet is lost is none.
        stream.frame(true, 20, &[0]);
        assert_eq!(stream.catch_up(), None);
    }

    #[test]
    fn packet_without_payload_is_no_gap() {
        let mut stream = Stream::new(1);
        stream.index.record_padding(SeqNo::first(0));
        let first = stream.frame(true, 10, &[]);
        stream.newest = SeqNo(stream.newest.0 + 1);
        stream.index.record_padding(stream.newest);
        stream.frames(1, 11);
        assert_eq!(
            stream.catch_up().map(|it| (it.first, it.packets)),
            Some((first, 6))
        );
        assert_eq!(stream.index.padding.len(), 1);
        for offset in 0..2 * PADDING_MAX as u64 {
            stream.index.record_padding(SeqNo(first.0 + 10 + offset));
        }
        assert_eq!(stream.index.padding.len(), PADDING_MAX);
        stream.index.clear();
        assert_eq!(stream.catch_up(), None);
    }

    #[test]
    fn limits_hold() {
        let mut stream = Stream::new(1);
        stream.frame(true, 10, &[]);
        stream.frames(2, 11);
        let catch_up = |packets, bytes| {
            let limits = CatchUpLimits { packets, bytes };
            stream.index.catch_up(&stream.cache, stream.newest, limits)
        };
        assert!(catch_up(9, 9 * LEN).is_some());
        assert_eq!(catch_up(8, 9 * LEN), None);
        assert_eq!(catch_up(9, 9 * LEN - 1), None);
    }

    #[test]
    fn keyframe_that_has_left_the_cache_is_not_used() {
        let mut stream = Stream::new(1);
        stream.frame(true, 10, &[]);
        let limits = CatchUpLimits {
            packets: usize::MAX,
            bytes: usize::MAX,
        };
        let frames = u32::try_from(SLOTS_MAX / 3).unwrap();
        stream.frames(frames - 1, 100);
        assert!(
            stream
                .index
                .catch_up(&stream.cache, stream.newest, limits)
                .is_some()
        );
        stream.frames(1, 1_000);
        assert_eq!(
            stream.index.catch_up(&stream.cache, stream.newest, limits),
            None
        );
    }

    #[test]
    fn keyframes_are_ordered_merged_and_bounded() {
        let mut stream = Stream::new(1);
        let index = &mut stream.index;
        // Parameter sets and slice of one keyframe, the later packet first.
        index.record_keyframe(SeqNo(102), 7);
        index.record_keyframe(SeqNo(100), 7);
        for (seq, timestamp) in [(300, 9), (200, 8), (400, 10), (500, 11), (50, 6)] {
            index.record_keyframe(SeqNo(seq), timestamp);
        }
        let firsts: Vec<u64> = index.keyframes.iter().map(|it| it.first.0).collect();
        assert_eq!(firsts, [200, 300, 400, 500]);
        index.record_keyframe(SeqNo(350), 12);
        let firsts: Vec<u64> = index.keyframes.iter().map(|it| it.first.0).collect();
        assert_eq!(firsts, [300, 350, 400, 500]);
    }
}
