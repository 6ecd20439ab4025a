//! Keeps the picture counters of VP8 continuous across switches between streams, and where the frames of higher
//! temporal layers are left out: a receiver takes a gap for a lost frame.

use arrayvec::ArrayVec;

/// Number of spans remembered for late packets: where every second frame of 30 a second is left out, those of two
/// seconds.
const SPANS_MAX: usize = 32;

/// Incoming values from `start` on, to which an offset is added.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u16,
    offset: u16,
}

/// Maps incoming to outgoing values of a counter.
#[derive(Debug, Default)]
pub struct CounterMap {
    /// Offset of values before all spans.
    offset: u16,
    /// Spans of incoming values, oldest first. Absent until a frame is left out, which is rare: every
    /// forwarded packet of VP8 touches this map.
    spans: Option<Box<ArrayVec<Span, SPANS_MAX>>>,
    /// First value of which the outgoing one is known: of earlier ones it is forgotten. Absent where all are known.
    known_from: Option<u16>,
    /// Latest incoming value, and outgoing one.
    latest: Option<(u16, u16)>,
}

/// Returns the largest value of a counter that is `bits` wide.
fn mask(bits: u32) -> u16 {
    u16::MAX >> (16 - bits.min(16))
}

/// Returns whether `value` is `other` or follows it.
fn follows(value: u16, other: u16, bits: u32) -> bool {
    value.wrapping_sub(other) & mask(bits) <= mask(bits) / 2
}

impl CounterMap {
    /// Continues with another stream, whose `value` follows the latest one.
    pub fn join(&mut self, value: u16) {
        if let Some((_, latest)) = self.latest {
            self.offset = latest.wrapping_add(1).wrapping_sub(value);
            if let Some(spans) = &mut self.spans {
                spans.clear();
            }
            self.known_from = None;
            self.latest = Some((value.wrapping_sub(1), latest));
        }
    }

    /// Returns whether the outgoing value of a keyframe, `bits` wide, does not follow the latest one:
    /// the publisher's encoder has started its count anew.
    pub fn is_jump(&self, value: u16, bits: u32) -> bool {
        let out = value.wrapping_add(self.offset_of(value, bits));
        let step = |latest: u16| out.wrapping_sub(latest) & mask(bits);
        self.latest
            .is_some_and(|(_, latest)| step(latest) > mask(bits) / 4)
    }

    /// Returns the outgoing value, `bits` wide; `None` of one that is so late that it is forgotten.
    pub fn map(&mut self, value: u16, bits: u32) -> Option<u16> {
        let is_newest = self
            .latest
            .is_none_or(|(latest, _)| follows(value, latest, bits));
        if is_newest {
            self.retire_spans(value, bits);
        }
        if self
            .known_from
            .is_some_and(|first| !follows(value, first, bits))
        {
            return None;
        }
        let out = value.wrapping_add(self.offset_of(value, bits)) & mask(bits);
        if is_newest {
            self.latest = Some((value, out));
        }
        Some(out)
    }

    /// Takes back the latest `count` outgoing values, with which nothing was sent. The next stream that is
    /// joined continues without a gap.
    pub fn take_back(&mut self, count: u16) {
        if let Some((_, latest)) = &mut self.latest {
            *latest = latest.wrapping_sub(count);
        }
    }

    /// Leaves out a frame, newer than all others: the next value follows the latest one.
    pub fn omit(&mut self, value: u16, bits: u32) {
        let Some((latest, out)) = self.latest else {
            return;
        };
        if value == latest || !follows(value, latest, bits) {
            return;
        }
        self.retire_spans(value, bits);
        let offset = self.offset_of(value, bits).wrapping_sub(1);
        let spans = self.spans.get_or_insert_default();
        if spans.is_full() {
            let forgotten = spans.remove(0);
            self.offset = forgotten.offset;
            self.known_from = Some(forgotten.start);
        }
        spans.push(Span {
            start: value.wrapping_add(1) & mask(bits),
            offset,
        });
        self.latest = Some((value, out));
    }

    /// Forgets the starts of spans that are more than a quarter of a wrap before `newest`: half a wrap
    /// later they would seem to lie ahead.
    fn retire_spans(&mut self, newest: u16, bits: u32) {
        let Some(spans) = &mut self.spans else {
            return;
        };
        let quarter = mask(bits) / 4;
        // The start may be one ahead of the newest value; the newest, up to half a wrap ahead of the one
        // before.
        let is_old = |start: u16| {
            let distance = newest.wrapping_sub(start) & mask(bits);
            distance > quarter && distance <= mask(bits) - quarter
        };
        while spans.first().is_some_and(|span| is_old(span.start)) {
            self.offset = spans.remove(0).offset;
        }
        self.known_from = self.known_from.filter(|first| !is_old(*first));
    }

    fn offset_of(&self, value: u16, bits: u32) -> u16 {
        let covers = |span: &&Span| follows(value, span.start, bits);
        let mut spans = self.spans.iter().flat_map(|spans| spans.iter()).rev();
        let span = spans.find(covers);
        span.map_or(self.offset, |span| span.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_ids_that_start_anew_are_a_jump() {
        let mut map = CounterMap::default();
        assert!(!map.is_jump(5, 15));
        map.map(32_760, 15);
        assert!(!map.is_jump(3, 15) && map.is_jump(20_000, 15));
        map.join(20_000);
        assert_eq!(map.map(20_000, 15), Some(32_761));
    }

    #[test]
    fn picture_ids_continue_over_a_switch_and_a_wrap() {
        let mut map = CounterMap::default();
        assert_eq!(map.map(32_767, 15), Some(32_767));
        map.join(500);
        assert_eq!(map.map(500, 15), Some(0));
        assert_eq!(map.map(501, 15), Some(1));
        assert_eq!(map.map(499, 15), Some(32_767));
        assert_eq!(map.map(502, 15), Some(2));
    }

    #[test]
    fn values_that_are_taken_back_are_given_to_another_stream() {
        for bits in [7, 15] {
            let mut map = CounterMap::default();
            for value in [mask(bits) - 1, mask(bits), 0, 1] {
                assert_eq!(map.map(value, bits), Some(value));
            }
            map.take_back(3);
            map.join(40);
            assert_eq!(map.map(40, bits), Some(mask(bits)));
            assert_eq!(map.map(41, bits), Some(0));
        }
    }

    #[test]
    fn frames_left_out_leave_no_gap_and_late_packets_keep_their_value() {
        let mut map = CounterMap::default();
        assert_eq!(map.map(126, 7), Some(126));
        map.omit(127, 7);
        map.omit(127, 7);
        assert_eq!(map.map(0, 7), Some(127));
        assert_eq!(map.map(126, 7), Some(126));
        map.omit(1, 7);
        map.omit(2, 7);
        assert_eq!((map.map(3, 7), map.map(0, 7)), (Some(0), Some(127)));
        for value in 4..100 {
            map.omit(value, 7);
        }
        assert_eq!(map.map(100, 7), Some(1));
    }
    #[test]
    fn frames_left_out_long_ago_do_not_change_later_values() {
        for bits in [7, 15] {
            let mut map = CounterMap::default();
            map.map(0, bits);
            map.omit(1, bits);
            map.omit(2, bits);
            for frame in 3..200_000_u32 {
                let value = u16::try_from(frame & 0xffff).unwrap() & mask(bits);
                let expected = u16::try_from((frame - 2) & 0xffff).unwrap() & mask(bits);
                assert_eq!(
                    map.map(value, bits),
                    Some(expected),
                    "{bits} bits, frame {frame}"
                );
            }
        }
    }

    #[test]
    fn values_from_before_the_spans_that_are_known_have_none() {
        let mut map = CounterMap::default();
        for value in 0..200 {
            match value % 2 {
                0 => assert_eq!(map.map(value, 15), Some(value / 2)),
                _ => map.omit(value, 15),
            }
        }
        let known = 200 - 2 * u16::try_from(SPANS_MAX).unwrap();
        assert_eq!(map.map(known, 15), Some(known / 2));
        assert_eq!(map.map(known - 10, 15), None);
        map.join(7_000);
        assert_eq!(map.map(7_000, 15), Some(100));
        assert_eq!(map.map(6_999, 15), Some(99));
    }
}
