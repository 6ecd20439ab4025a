//! What is missing of one received stream, by its sequence numbers alone: what to ask for again,
//! what came twice, and what never came.

use std::time::Duration;

use watersmeet_wire::units::{Map, SeqNo, Time};

/// Most packets that are missed at a time; a jump farther than this is a stream that began anew.
const MISSING_MAX: u64 = 1_024;

/// Time between two requests for one packet.
const ASK_AGAIN: Duration = Duration::from_millis(60);

/// A packet may be late this long before it is asked for: packets of one burst overtake each other.
const ASK_AFTER: Duration = Duration::from_millis(5);

/// Requests for one packet.
const ASKS_MAX: u8 = 8;

/// What a packet is to its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The newest so far.
    New,
    /// It was missed, and comes late or again.
    Missed,
    /// It came before, or is so old that nobody knows.
    Known,
}

/// A packet that is missed.
#[derive(Debug, Clone, Copy)]
struct Missing {
    /// When to ask for it.
    ask_at: Time,
    /// How often it was asked for.
    asks: u8,
}

/// The sequence of one stream.
#[derive(Debug, Default)]
pub struct Gaps {
    /// The first packet.
    first: Option<SeqNo>,
    /// The newest packet.
    highest: SeqNo,
    /// Packets that came, each counted once.
    received: u64,
    /// Packets that are missed, and may come.
    missing: Map<SeqNo, Missing>,
    /// Packets that were missed too long.
    lost: u64,
}

/// How much of a stream came.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Packets from the first to the newest.
    pub expected: u64,
    /// Those that came.
    pub received: u64,
}

impl Gaps {
    /// Where this number stands in the stream.
    pub const fn seq_of(&self, raw: u16) -> SeqNo {
        match self.first {
            Some(_) => self.highest.nearest(raw),
            None => SeqNo::first(raw),
        }
    }

    /// Notes a packet.
    pub fn note(&mut self, now: Time, seq: SeqNo) -> Place {
        if self.first.is_none() {
            self.first = Some(seq);
            self.highest = seq;
            self.received = 1;
            return Place::New;
        }
        if seq <= self.highest {
            return if self.missing.remove(&seq).is_some() {
                self.received += 1;
                Place::Missed
            } else {
                Place::Known
            };
        }
        let gap = seq.0 - self.highest.0 - 1;
        // Of a longer gap only the end is asked for.
        let forgotten = gap.saturating_sub(MISSING_MAX);
        self.lost += forgotten;
        for number in (self.highest.0 + 1 + forgotten)..seq.0 {
            let missing = Missing {
                ask_at: now + ASK_AFTER,
                asks: 0,
            };
            self.missing.insert(SeqNo(number), missing);
        }
        while self.missing.len() as u64 > MISSING_MAX {
            self.missing.pop_first();
            self.lost += 1;
        }
        self.highest = seq;
        self.received += 1;
        Place::New
    }

    /// Whether anything is missed.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }

    /// Appends the numbers to ask for now; those asked for too often are given up. Whether any was
    /// given up.
    pub fn ask(&mut self, now: Time, wanted: &mut Vec<u16>) -> bool {
        let before = self.missing.len();
        self.missing.retain(|seq, missing| {
            if missing.ask_at > now {
                return true;
            }
            missing.asks += 1;
            missing.ask_at = now + ASK_AGAIN;
            if missing.asks <= ASKS_MAX {
                wanted.push(seq.raw());
            }
            missing.asks <= ASKS_MAX
        });
        let given_up = before - self.missing.len();
        self.lost += given_up as u64;
        given_up > 0
    }

    /// How much came so far.
    pub fn count(&self) -> Count {
        let expected = self.first.map_or(0, |first| self.highest.0 + 1 - first.0);
        Count {
            expected,
            received: self.received,
        }
    }

    /// The newest number with its wraps, as reports carry it.
    pub fn highest(&self) -> u32 {
        let wrapped = self.highest.0.wrapping_sub(0x1_0000) & u64::from(u32::MAX);
        u32::try_from(wrapped).unwrap_or(0)
    }
}

impl Count {
    /// Packets that did not come.
    pub const fn missing(self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// What came since an earlier count.
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            expected: self.expected.saturating_sub(earlier.expected),
            received: self.received.saturating_sub(earlier.received),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(gaps: &mut Gaps, raw: u16) -> Place {
        let seq = gaps.seq_of(raw);
        gaps.note(Time::ZERO, seq)
    }

    #[test]
    fn a_whole_stream_over_a_wrap_misses_nothing() {
        let mut gaps = Gaps::default();
        for offset in 0..200_u16 {
            assert_eq!(feed(&mut gaps, 65_500_u16.wrapping_add(offset)), Place::New);
        }
        let count = gaps.count();
        assert_eq!((count.expected, count.received), (200, 200));
        assert!(gaps.is_whole());
        assert_eq!(gaps.highest(), 0x1_0000 + 163);
    }

    #[test]
    fn what_is_missing_is_asked_for_and_comes_late() {
        let mut gaps = Gaps::default();
        for raw in [10, 11, 14, 15] {
            feed(&mut gaps, raw);
        }
        let mut wanted = Vec::new();
        assert!(!gaps.ask(Time::from_millis(1), &mut wanted));
        assert!(wanted.is_empty(), "it may only be late");
        assert!(!gaps.ask(Time::from_millis(6), &mut wanted));
        assert_eq!(wanted, [12, 13]);
        assert_eq!(feed(&mut gaps, 13), Place::Missed);
        assert_eq!(feed(&mut gaps, 13), Place::Known);
        let count = gaps.count();
        assert_eq!((count.expected, count.received), (6, 5));
    }

    #[test]
    fn what_never_comes_is_given_up() {
        let mut gaps = Gaps::default();
        feed(&mut gaps, 1);
        feed(&mut gaps, 3);
        let mut wanted = Vec::new();
        let given_up = (0..100).any(|step| gaps.ask(Time::from_millis(step * 10), &mut wanted));
        assert!(given_up && gaps.is_whole());
        assert_eq!(wanted.len(), usize::from(ASKS_MAX));
        assert_eq!(gaps.count().received, 2);
        assert_eq!(gaps.count().expected, 3);
    }

    #[test]
    fn a_jump_is_bounded() {
        let mut gaps = Gaps::default();
        feed(&mut gaps, 0);
        feed(&mut gaps, 30_000);
        assert_eq!(gaps.missing.len() as u64, MISSING_MAX);
        assert_eq!(gaps.count().expected, 30_001);
        assert_eq!(gaps.lost, 30_000 - 1 - MISSING_MAX);
    }
}
