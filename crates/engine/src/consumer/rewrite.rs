//! One outgoing numbering made of one incoming stream after another: sequence numbers without
//! holes of our making, media time that only goes forward, picture ids that go on counting.
//!
//! A packet lost on its way to us stays a hole, so that the peer may ask for it and get it once
//! it was repaired; a packet we hold back leaves none.

use std::time::Duration;

use arrayvec::ArrayVec;
use watersmeet_wire::units::{SeqNo, Time};

/// How many changes of the numbering are remembered for late packets; a repair comes within about
/// a second, in which a stream is switched once or twice and holds back a few packets.
const EARLIER_MAX: usize = 15;

/// A run of incoming numbers that are shifted alike.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// The first incoming number of the run.
    start: SeqNo,
    /// Outgoing number of `start`.
    out: u64,
}

/// The map from incoming to outgoing numbers. In the order of memory: what each packet touches
/// comes first.
#[derive(Debug)]
#[repr(C)]
pub struct SequenceMap {
    /// The latest run; absent until a stream was joined.
    latest: Option<Span>,
    /// The highest outgoing number given so far, or the one before the first.
    highest: u64,
    /// The highest incoming number seen of the joined stream.
    newest: SeqNo,
    /// The runs before the latest, oldest first.
    earlier: ArrayVec<Span, EARLIER_MAX>,
}

impl SequenceMap {
    /// A numbering that begins after `start`.
    pub fn new(start: SeqNo) -> Self {
        Self {
            latest: None,
            highest: start.0,
            newest: SeqNo::default(),
            earlier: ArrayVec::new(),
        }
    }

    /// Goes on with another stream, whose packet `seq` gets the next number. Older packets of it,
    /// and all of the former stream, have no number any more.
    pub fn join(&mut self, seq: SeqNo) {
        self.earlier.clear();
        self.latest = Some(Span {
            start: seq,
            out: self.highest + 1,
        });
        self.newest = SeqNo(seq.0.saturating_sub(1));
    }

    /// The outgoing number of a packet; `None` if it has none.
    #[inline]
    pub fn map(&mut self, seq: SeqNo) -> Option<u64> {
        let covers = |span: &&Span| span.start <= seq;
        let latest = self.latest.as_ref().filter(covers);
        let span = latest.or_else(|| self.earlier.iter().rev().find(covers))?;
        let out = span.out + (seq.0 - span.start.0);
        self.newest = self.newest.max(seq);
        self.highest = self.highest.max(out);
        Some(out)
    }

    /// Holds a packet back, closing the hole when nothing after it was sent yet.
    pub fn hold_back(&mut self, seq: SeqNo) {
        if seq <= self.newest {
            return;
        }
        let Some(span) = self.latest else {
            return;
        };
        let out = span.out + (seq.0 - span.start.0);
        self.newest = seq;
        if self.earlier.is_full() {
            self.earlier.remove(0);
        }
        self.earlier.push(span);
        self.latest = Some(Span {
            start: SeqNo(seq.0 + 1),
            out,
        });
    }
}

/// The map from incoming to outgoing media time.
#[derive(Debug, Default)]
pub struct TimestampMap {
    /// Added to incoming times.
    offset: u32,
    /// The latest outgoing time and when it was sent.
    latest: Option<(u32, Time)>,
}

impl TimestampMap {
    /// Goes on with another stream. `reference` is the outgoing time that `timestamp` should get
    /// when the clocks of both streams are known; without it the time that passed decides.
    pub fn join(&mut self, now: Time, timestamp: u32, clock_rate: u32, reference: Option<u32>) {
        let Some((latest, sent)) = self.latest else {
            return;
        };
        let elapsed = media_time(now.since(sent), clock_rate).max(1);
        let by_arrival = latest.wrapping_add(elapsed);
        let plausible = |wanted: &u32| {
            let ahead = wanted.wrapping_sub(latest);
            // Clocks that disagree by more than three seconds are not believed.
            ahead > 0 && ahead < elapsed.saturating_add(clock_rate.saturating_mul(3))
        };
        let wanted = reference.filter(plausible).unwrap_or(by_arrival);
        self.offset = wanted.wrapping_sub(timestamp);
    }

    /// The outgoing time of an incoming one.
    pub fn map(&mut self, now: Time, timestamp: u32) -> u32 {
        let out = timestamp.wrapping_add(self.offset);
        let newer = |latest: u32| out.wrapping_sub(latest).cast_signed() >= 0;
        if self.latest.is_none_or(|(latest, _)| newer(latest)) {
            self.latest = Some((out, now));
        }
        out
    }

    /// What is added to incoming times.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// The latest outgoing time and when it was sent.
    pub fn latest(&self) -> Option<(u32, Time)> {
        self.latest
    }
}

/// A duration in media time.
#[expect(clippy::cast_possible_truncation, reason = "media time is modulo 2^32")]
pub fn media_time(duration: Duration, clock_rate: u32) -> u32 {
    (duration.as_micros() * u128::from(clock_rate) / 1_000_000) as u32
}

/// The map of one counter of a codec's payload header (VP8's picture id or TL0PICIDX).
#[derive(Debug, Default, Clone, Copy)]
pub struct CounterMap {
    /// Added to incoming values.
    offset: u16,
    /// The latest outgoing value.
    latest: Option<u16>,
}

impl CounterMap {
    /// Goes on with another stream, whose value `value` follows the latest one.
    pub fn join(&mut self, value: u16) {
        if let Some(latest) = self.latest {
            self.offset = latest.wrapping_add(1).wrapping_sub(value);
        }
    }

    /// The outgoing value, of `bits` bits.
    pub fn map(&mut self, value: u16, bits: u32) -> u16 {
        let mask = u16::MAX >> (16 - bits.min(16));
        let out = value.wrapping_add(self.offset) & mask;
        let newer = |latest: u16| out.wrapping_sub(latest) & mask <= mask / 2;
        if self.latest.is_none_or(newer) {
            self.latest = Some(out);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_over_a_switch() {
        let mut map = SequenceMap::new(SeqNo(99));
        map.join(SeqNo(1_000));
        assert_eq!(map.map(SeqNo(1_000)), Some(100));
        assert_eq!(map.map(SeqNo(1_003)), Some(103));
        map.join(SeqNo(70_000));
        assert_eq!(map.map(SeqNo(70_000)), Some(104));
        assert_eq!(map.map(SeqNo(69_999)), None);
    }

    #[test]
    fn a_lost_packet_keeps_its_number() {
        let mut map = SequenceMap::new(SeqNo(0));
        map.join(SeqNo(10));
        assert_eq!(map.map(SeqNo(10)), Some(1));
        assert_eq!(map.map(SeqNo(12)), Some(3));
        assert_eq!(map.map(SeqNo(11)), Some(2));
    }

    #[test]
    fn a_packet_held_back_leaves_no_hole() {
        let mut map = SequenceMap::new(SeqNo(0));
        map.join(SeqNo(10));
        assert_eq!(map.map(SeqNo(10)), Some(1));
        map.hold_back(SeqNo(12));
        assert_eq!(map.map(SeqNo(13)), Some(3));
        assert_eq!(map.map(SeqNo(11)), Some(2));
    }

    #[test]
    fn the_oldest_changes_are_forgotten() {
        let mut map = SequenceMap::new(SeqNo(0));
        map.join(SeqNo(10));
        for seq in (12..200).step_by(2) {
            map.hold_back(SeqNo(seq));
        }
        assert_eq!(map.map(SeqNo(10)), None);
        assert_eq!(map.map(SeqNo(199)), Some(96));
    }

    #[test]
    fn media_time_follows_the_clock_over_a_switch() {
        let mut map = TimestampMap::default();
        assert_eq!(map.map(Time::ZERO, 5_000), 5_000);
        map.join(Time::from_millis(100), 777, 90_000, None);
        assert_eq!(map.map(Time::from_millis(100), 777), 14_000);
        map.join(Time::from_millis(200), 1, 90_000, Some(22_000));
        assert_eq!(map.map(Time::from_millis(200), 1), 22_000);
    }

    #[test]
    fn media_time_never_goes_back_over_a_switch() {
        let mut map = TimestampMap::default();
        map.map(Time::ZERO, 5_000);
        map.join(Time::ZERO, 9, 90_000, Some(4_000));
        assert_eq!(map.map(Time::ZERO, 9), 5_001);
    }

    #[test]
    fn picture_ids_go_on_over_a_switch_and_a_wrap() {
        let mut map = CounterMap::default();
        assert_eq!(map.map(32_767, 15), 32_767);
        map.join(500);
        assert_eq!(map.map(500, 15), 0);
        assert_eq!(map.map(501, 15), 1);
        assert_eq!(map.map(499, 15), 32_767);
        assert_eq!(map.map(502, 15), 2);
    }
}
