//! Keeps outgoing numbers continuous across switches between incoming streams: sequence numbers get
//! no additional gaps, timestamps never go back, and picture ids keep counting.
//!
//! A packet lost on its way to us leaves a gap, so that the peer can request it and gets it once
//! it is repaired; a packet that we omit leaves none.

use std::time::Duration;

use arrayvec::ArrayVec;
use watersmeet_wire::units::{SeqNo, Time};

use crate::replay_window::ReplayWindow;

/// Number of earlier spans remembered for late packets. A repair arrives within about a second, in
/// which a consumer switches once or twice and omits a few packets.
const EARLIER_MAX: usize = 15;

/// Largest step of the outgoing sequence numbers. A gap of up to this length may be repaired and is
/// kept; after a longer one, numbers continue with the next, so that no publisher can move them
/// further than a receiver follows (half a wrap, RFC 3711 §3.3.1).
pub const STEP_MAX: u64 = 512;

/// Seconds by which a timestamp may be behind the latest in order of sequence: frames are not always
/// sent in the order of their capture.
const BEHIND_SECS_MAX: u32 = 1;

/// Seconds by which a timestamp may be ahead of the time that has passed: packets that waited in the
/// network arrive together.
const AHEAD_SECS_MAX: u32 = 5;

/// A span of incoming sequence numbers that have the same offset.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// First incoming number of the span.
    start: SeqNo,
    /// Outgoing number of `start`.
    out: u64,
}

/// Maps incoming to outgoing sequence numbers. Fields that each packet touches come first in
/// memory.
#[derive(Debug)]
#[repr(C)]
pub struct SequenceMap {
    /// Latest span; absent until a stream is joined.
    latest: Option<Span>,
    /// Highest outgoing number assigned so far, or the one before the first.
    highest: u64,
    /// Highest incoming number seen of the joined stream.
    newest: SeqNo,
    /// Outgoing numbers assigned so far.
    assigned: ReplayWindow,
    /// Spans before the latest, oldest first.
    earlier: ArrayVec<Span, EARLIER_MAX>,
}

impl SequenceMap {
    /// Creates a map whose outgoing numbers begin after `start`.
    pub fn new(start: SeqNo) -> Self {
        Self {
            latest: None,
            highest: start.0,
            newest: SeqNo::default(),
            assigned: ReplayWindow::stale_up_to(start.0),
            earlier: ArrayVec::new(),
        }
    }

    /// Returns whether `seq` is so far ahead that its number cannot follow the latest.
    #[inline]
    pub fn is_jump(&self, seq: SeqNo) -> bool {
        self.latest.is_some() && seq.0 > self.newest.0 + STEP_MAX
    }

    /// Returns whether `seq` is newer than every packet mapped or omitted so far.
    #[inline]
    pub fn is_newest(&self, seq: SeqNo) -> bool {
        seq > self.newest
    }

    /// Returns the newest packet mapped or omitted so far.
    pub const fn newest(&self) -> SeqNo {
        self.newest
    }

    /// Returns whether `seq` directly follows the newest packet.
    pub fn is_next(&self, seq: SeqNo) -> bool {
        seq.0 == self.newest.0 + 1
    }

    /// Returns the outgoing number, of those assigned last, that ends in `raw`.
    pub fn number_of(&self, raw: u16) -> u64 {
        SeqNo(self.highest).nearest(raw).0
    }

    /// Returns the highest outgoing number so far, or the one before the first.
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// Returns how many packets before `seq` have the numbers directly before its own.
    pub fn run_before(&self, seq: SeqNo) -> u64 {
        let latest = self.latest.filter(|span| span.start <= seq);
        latest.map_or(0, |span| seq.0 - span.start.0)
    }

    /// Continues with another stream, whose packet `seq` gets the next number. Its older packets, and
    /// all packets of the former stream, can no longer be mapped.
    pub fn join(&mut self, seq: SeqNo) {
        self.earlier.clear();
        self.latest = Some(Span {
            start: seq,
            out: self.highest + 1,
        });
        self.newest = SeqNo(seq.0.saturating_sub(1));
    }

    /// Returns the outgoing number of a packet; `None` if it cannot be mapped any more, or was before. A
    /// packet after a jump gets the next number.
    #[inline]
    pub fn map(&mut self, seq: SeqNo) -> Option<u64> {
        if self.is_jump(seq) {
            self.join(seq);
        }
        let covers = |span: &&Span| span.start <= seq;
        let latest = self.latest.as_ref().filter(covers);
        let span = latest.or_else(|| self.earlier.iter().rev().find(covers))?;
        let out = span.out + (seq.0 - span.start.0);
        if !self.assigned.is_fresh(out) {
            return None;
        }
        self.assigned.mark(out);
        self.newest = self.newest.max(seq);
        self.highest = self.highest.max(out);
        Some(out)
    }

    /// Takes back an outgoing number whose packet is not sent. The next stream that is joined continues
    /// without a gap, as far as no later number stays in use.
    pub fn take_back(&mut self, out: u64) {
        self.assigned.release(out);
        self.highest = self.assigned.highest();
    }

    /// Omits a packet. The gap is closed when no later packet was mapped yet.
    pub fn omit(&mut self, seq: SeqNo) {
        if seq <= self.newest {
            return;
        }
        if self.is_jump(seq) {
            self.join(seq);
        }
        let Some(span) = self.latest else {
            return;
        };
        let out = span.out + (seq.0 - span.start.0);
        self.newest = seq;
        if span.start == seq {
            // Nothing has been mapped since the packet before was omitted.
            self.latest = Some(Span {
                start: SeqNo(seq.0 + 1),
                out,
            });
            return;
        }
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

/// By how many seconds the clocks of two streams can deviate from the time that passed. Otherwise they
/// are ignored.
const CLOCK_DEVIATION_SECS_MAX: u32 = 3;

/// Maps incoming to outgoing RTP timestamps.
#[derive(Debug, Default)]
pub struct TimestampMap {
    /// Added to incoming timestamps.
    offset: u32,
    /// Latest outgoing timestamp and when its packet arrived.
    latest: Option<(u32, Time)>,
    /// Frames of the joined stream from before the latest one sent; absent where there are none.
    catch_up: Option<Box<CatchUp>>,
}

/// Frames of a stream that was joined late, as after the repair of its keyframe: frames of the former stream
/// captured after them were sent already. They follow one another faster until they have caught up.
#[derive(Debug, Clone, Copy)]
struct CatchUp {
    /// Outgoing timestamp that belongs to the first of them.
    start: u32,
    /// By how much that is behind the latest one sent.
    behind: u32,
}

/// Timestamps of frames after which those that had to catch up are forgotten: some minutes.
const CATCH_UP_KEPT: u32 = 1 << 24;

impl CatchUp {
    /// Returns the outgoing timestamp of a frame to which `wanted` belongs.
    fn map(self, wanted: u32) -> u32 {
        let since = u64::from(wanted.wrapping_sub(self.start));
        let behind = u64::from(self.behind);
        // Twice as fast as captured: as much as they are behind is made up for in twice that time.
        if since >= 2 * behind {
            return wanted;
        }
        let made_up = since * (behind - 1) / (2 * behind);
        let step = u32::try_from(made_up).unwrap_or(0);
        self.start.wrapping_add(self.behind + 1 + step)
    }

    /// Returns whether no packet that is still to come has to catch up.
    const fn is_over(self, wanted: u32) -> bool {
        wanted.wrapping_sub(self.start) > CATCH_UP_KEPT
    }
}

impl TimestampMap {
    /// Continues with another stream. `reference` is the outgoing timestamp for `timestamp` when the
    /// clocks of both streams are known; otherwise the elapsed time decides.
    pub fn join(&mut self, at: Time, timestamp: u32, clock_rate: u32, reference: Option<u32>) {
        let Some((latest, before)) = self.latest else {
            return;
        };
        let elapsed = media_time(at.since(before), clock_rate);
        let catch_up_max = clock_rate.saturating_mul(BEHIND_SECS_MAX);
        let earlier = media_time(before.since(at), clock_rate).min(catch_up_max);
        let by_arrival = latest.wrapping_add(elapsed).wrapping_sub(earlier);
        let deviation_max = clock_rate.saturating_mul(CLOCK_DEVIATION_SECS_MAX);
        let by_clock = reference.filter(|wanted| {
            let ahead = wanted.wrapping_sub(latest);
            let behind = latest.wrapping_sub(*wanted);
            behind < deviation_max || ahead < elapsed.saturating_add(deviation_max)
        });
        let wanted = by_clock.unwrap_or(by_arrival);
        let behind = latest.wrapping_sub(wanted);
        self.catch_up = (1..=catch_up_max).contains(&behind).then(|| {
            let start = wanted;
            Box::new(CatchUp { start, behind })
        });
        let is_behind = behind < deviation_max;
        let start = if is_behind && self.catch_up.is_none() {
            // As little later as can be.
            latest.wrapping_add(1)
        } else {
            wanted
        };
        self.offset = start.wrapping_sub(timestamp);
    }

    /// Returns how many timestamps are unused between the latest and `reference`, or where that is unknown,
    /// what belongs to the elapsed time.
    pub fn room(&self, at: Time, clock_rate: u32, reference: Option<u32>) -> u32 {
        let Some((latest, before)) = self.latest else {
            return u32::MAX;
        };
        let ahead = reference.map(|it| it.wrapping_sub(latest).cast_signed());
        ahead.map_or_else(
            || media_time(at.since(before), clock_rate),
            |ahead| u32::try_from(ahead).unwrap_or(0),
        )
    }

    /// Returns whether a timestamp, newest in order of sequence, does not fit the time that has passed
    /// since the latest: the publisher's media clock has jumped.
    #[inline]
    pub fn is_jump(&self, at: Time, timestamp: u32, clock_rate: u32) -> bool {
        let Some((latest, before)) = self.latest else {
            return false;
        };
        let behind_max = clock_rate.saturating_mul(BEHIND_SECS_MAX);
        let ahead_max = clock_rate.saturating_mul(AHEAD_SECS_MAX);
        let out = self.outgoing(timestamp);
        let step = u64::from(out.wrapping_sub(latest).wrapping_add(behind_max));
        let allowed = u64::from(behind_max) + u64::from(ahead_max);
        step > allowed && step > allowed.saturating_add(elapsed_ticks(at.since(before), clock_rate))
    }

    /// Returns the outgoing timestamp of an incoming one.
    pub fn map(&mut self, at: Time, timestamp: u32) -> u32 {
        let out = self.outgoing(timestamp);
        // The first packet of a frame tells its time: the others may be paced, or repaired.
        let newer = |latest: u32| out.wrapping_sub(latest).cast_signed() > 0;
        if self.latest.is_none_or(|(latest, _)| newer(latest)) {
            self.latest = Some((out, at));
            let wanted = timestamp.wrapping_add(self.offset);
            if self.catch_up.as_ref().is_some_and(|it| it.is_over(wanted)) {
                self.catch_up = None;
            }
        }
        out
    }

    #[inline]
    fn outgoing(&self, timestamp: u32) -> u32 {
        let wanted = timestamp.wrapping_add(self.offset);
        self.catch_up.as_ref().map_or(wanted, |it| it.map(wanted))
    }

    /// Returns the offset that is added to incoming timestamps.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// Returns the latest outgoing timestamp and when its packet arrived.
    pub fn latest(&self) -> Option<(u32, Time)> {
        self.latest
    }
}

/// Converts a duration to RTP timestamp units, not reduced modulo 2^32.
fn elapsed_ticks(duration: Duration, clock_rate: u32) -> u64 {
    let ticks = duration.as_micros() * u128::from(clock_rate) / 1_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// Converts a duration to RTP timestamp units.
#[expect(clippy::cast_possible_truncation, reason = "media time is modulo 2^32")]
pub fn media_time(duration: Duration, clock_rate: u32) -> u32 {
    (duration.as_micros() * u128::from(clock_rate) / 1_000_000) as u32
}

/// Returns the 16 bits of a sequence number that a packet carries.
#[expect(
    clippy::cast_possible_truncation,
    reason = "only the low 16 bits are needed"
)]
pub const fn low_16_bits(seq: u64) -> u16 {
    seq as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_continue_over_a_switch() {
        let mut map = SequenceMap::new(SeqNo(99));
        map.join(SeqNo(1_000));
        assert_eq!(map.map(SeqNo(1_000)), Some(100));
        assert_eq!(map.map(SeqNo(1_003)), Some(103));
        map.join(SeqNo(70_000));
        assert_eq!(map.map(SeqNo(70_000)), Some(104));
        assert_eq!(map.map(SeqNo(69_999)), None);
    }

    #[test]
    fn lost_packet_leaves_a_gap() {
        let mut map = SequenceMap::new(SeqNo(0));
        map.join(SeqNo(10));
        assert_eq!(map.map(SeqNo(10)), Some(1));
        assert_eq!(map.map(SeqNo(12)), Some(3));
        assert_eq!(map.map(SeqNo(11)), Some(2));
    }

    #[test]
    fn omitted_packet_leaves_no_gap() {
        let mut map = SequenceMap::new(SeqNo(0));
        map.join(SeqNo(10));
        assert_eq!(map.map(SeqNo(10)), Some(1));
        map.omit(SeqNo(12));
        assert_eq!(map.map(SeqNo(13)), Some(3));
        assert_eq!(map.map(SeqNo(11)), Some(2));
    }

    #[test]
    fn no_number_is_assigned_twice() {
        let mut map = SequenceMap::new(SeqNo(0));
        map.join(SeqNo(10));
        assert_eq!(map.map(SeqNo(10)), Some(1));
        assert_eq!(map.map(SeqNo(13)), Some(4));
        assert_eq!(map.map(SeqNo(10)), None, "another packet has its number");
        assert_eq!(map.map(SeqNo(12)), Some(3));
        assert_eq!(map.map(SeqNo(12)), None);
    }

    #[test]
    fn numbers_that_are_taken_back_leave_no_gap() {
        let mut map = SequenceMap::new(SeqNo(0));
        map.join(SeqNo(10));
        let numbers: Vec<u64> = (10..16).filter_map(|seq| map.map(SeqNo(seq))).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        for out in [4, 5, 6] {
            map.take_back(out);
        }
        map.join(SeqNo(40));
        assert_eq!(map.map(SeqNo(40)), Some(4));
        assert_eq!(map.map(SeqNo(15)), None, "it belongs to the former stream");
    }

    #[test]
    fn number_below_one_in_use_is_not_given_to_another_stream() {
        let mut map = SequenceMap::new(SeqNo(0));
        map.join(SeqNo(10));
        // Packet 11 comes late, behind one that was sent.
        assert_eq!(map.map(SeqNo(10)), Some(1));
        assert_eq!(map.map(SeqNo(12)), Some(3));
        assert_eq!(map.map(SeqNo(11)), Some(2));
        assert_eq!(map.map(SeqNo(13)), Some(4));
        map.take_back(2);
        map.take_back(4);
        map.join(SeqNo(40));
        assert_eq!(map.map(SeqNo(40)), Some(4));
    }

    #[test]
    fn earlier_spans_are_bounded() {
        let mut map = SequenceMap::new(SeqNo(0));
        map.join(SeqNo(10));
        for seq in (12..200).step_by(2) {
            map.omit(SeqNo(seq));
        }
        assert_eq!(map.map(SeqNo(10)), None);
        assert_eq!(map.map(SeqNo(199)), Some(96));
    }

    #[test]
    fn numbers_go_on_by_one_after_a_jump() {
        for jump in [STEP_MAX + 1, 3_500, 0x1_0000, 0x1_8000, 1 << 40] {
            let mut map = SequenceMap::new(SeqNo(0));
            map.join(SeqNo(10));
            assert_eq!(map.map(SeqNo(10)), Some(1));
            assert!(map.is_jump(SeqNo(10 + jump)));
            assert_eq!(map.map(SeqNo(10 + jump)), Some(2), "{jump}");
            assert_eq!(map.map(SeqNo(9 + jump)), None);
            map.omit(SeqNo(10 + 2 * jump));
            assert_eq!(map.map(SeqNo(11 + 2 * jump)), Some(3), "{jump}");
        }
    }

    #[test]
    fn gap_that_can_be_repaired_is_kept() {
        let mut map = SequenceMap::new(SeqNo(0));
        map.join(SeqNo(10));
        map.map(SeqNo(10));
        assert!(!map.is_jump(SeqNo(10 + STEP_MAX)));
        assert_eq!(map.map(SeqNo(10 + STEP_MAX)), Some(1 + STEP_MAX));
    }

    #[test]
    fn timestamp_jumps_are_those_that_no_delay_explains() {
        let mut map = TimestampMap::default();
        let start = u32::MAX - 1_000;
        assert!(!map.is_jump(Time::ZERO, start, 90_000));
        map.map(Time::ZERO, start);
        let jumps = |millis: u64, step: i64| {
            let timestamp = start.wrapping_add_signed(i32::try_from(step).unwrap());
            map.is_jump(Time::from_millis(millis), timestamp, 90_000)
        };
        assert!(!jumps(0, 5 * 90_000) && jumps(0, 5 * 90_000 + 1));
        assert!(!jumps(0, -90_000) && jumps(0, -90_001));
        assert!(!jumps(60_000, 64 * 90_000) && jumps(60_000, 66 * 90_000));
        assert!(!jumps(60_000, 3_000), "the media clock stood still");
        assert!(!jumps(48 * 3_600_000, -1_000_000_000), "longer than a wrap");
    }

    #[test]
    fn timestamps_follow_the_clock_over_a_switch() {
        let mut map = TimestampMap::default();
        assert_eq!(map.map(Time::ZERO, 5_000), 5_000);
        map.join(Time::from_millis(100), 777, 90_000, None);
        assert_eq!(map.map(Time::from_millis(100), 777), 14_000);
        map.join(Time::from_millis(200), 1, 90_000, Some(22_000));
        assert_eq!(map.map(Time::from_millis(200), 1), 22_000);
    }

    #[test]
    fn frames_of_a_stream_that_is_joined_late_catch_up() {
        let frame = 3_000;
        for lost in 1..=25 {
            for by_clock in [true, false] {
                let mut map = TimestampMap::default();
                let at = |count: u32| Time::from_millis(1_000) + Duration::from_millis(33) * count;
                // The keyframe was captured with frame 10, and comes with its repair.
                for count in 0..=10 + lost {
                    map.map(at(count), frame * count);
                }
                let mut latest = frame * (10 + lost);
                let start = u32::MAX - frame;
                let reference = by_clock.then_some(frame * 10);
                map.join(at(10), start, 90_000, reference);
                for count in 10..100 {
                    let timestamp = start.wrapping_add(frame * (count - 10));
                    let out = map.map(at(count), timestamp);
                    assert!(out > latest, "{lost}: frame {count}");
                    assert_eq!(map.map(at(count + 1), timestamp), out, "one frame");
                    latest = out;
                    let exact = frame * 10 + frame * (count - 10);
                    if count > 10 + 2 * lost {
                        // Frames are 33 ms apart, of which 33 1/3 ms are 3,000 timestamps.
                        assert!(
                            out.abs_diff(exact) <= 30 * lost,
                            "{lost}: {out}, not {exact}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn timestamps_never_go_back_over_a_switch() {
        for (behind, expected) in [(0, 5_001), (1_000, 5_001), (300_000, 5_000 + 27_000)] {
            let mut map = TimestampMap::default();
            map.map(Time::ZERO, 5_000);
            let at = Time::from_millis(300);
            map.join(at, 9, 90_000, Some(5_000_u32.wrapping_sub(behind)));
            assert_eq!(map.map(at, 9), expected, "{behind}");
        }
    }
}
