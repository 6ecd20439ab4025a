//! Which packets of one stream are missing, and when to ask for them again (RFC 4585 §6.2.1).
//!
//! Bounded three ways: so many packets at once, so many requests for each, so long to wait.

use std::time::Duration;

use watersmeet_wire::units::{Map, SeqNo, Time};

/// The most packets asked for at once; more missing than that is an outage, and a keyframe heals
/// it sooner than retransmissions would.
pub const MISSING_MAX: usize = 512;

/// The most requests for one packet.
pub const REQUESTS_MAX: u8 = 10;

/// How long to wait for an answer before anything was measured.
const RTT_DEFAULT: Duration = Duration::from_millis(100);

/// The shortest wait: below it a request would overtake its own answer on any real path.
const RTT_MIN: Duration = Duration::from_millis(20);

/// The longest wait: a slower peer is asked again anyway.
const RTT_MAX: Duration = Duration::from_millis(700);

/// What is known of one missing packet.
#[derive(Debug, Clone, Copy)]
struct Missing {
    /// How often it was asked for.
    requests: u8,
    /// When it was asked for last.
    asked: Time,
}

/// What an arrival tells of the gap before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nothing new is missing.
    None,
    /// Packets are missing; ask for them.
    Found,
    /// Too many are missing; ask for a keyframe instead.
    TooLarge,
}

/// The missing packets of one stream.
#[derive(Debug)]
pub struct NackGenerator {
    /// The missing packets, oldest first.
    missing: Map<SeqNo, Missing>,
    /// Smoothed time from a request to its answer.
    rtt: Duration,
}

impl Default for NackGenerator {
    fn default() -> Self {
        Self {
            missing: Map::new(),
            rtt: RTT_DEFAULT,
        }
    }
}

impl NackGenerator {
    /// Notes that everything between `highest` and `seq` is missing, `seq` being newer.
    pub fn record_gap(&mut self, highest: SeqNo, seq: SeqNo) -> Gap {
        let gap = seq.0.saturating_sub(highest.0).saturating_sub(1);
        if gap == 0 {
            return Gap::None;
        }
        let count = usize::try_from(gap).unwrap_or(usize::MAX);
        if count.saturating_add(self.missing.len()) > MISSING_MAX {
            self.missing.clear();
            return Gap::TooLarge;
        }
        for number in highest.0 + 1..seq.0 {
            self.missing.insert(
                SeqNo(number),
                Missing {
                    requests: 0,
                    asked: Time::ZERO,
                },
            );
        }
        Gap::Found
    }

    /// Notes that a missing packet came after all. Says whether a retransmission repaired it.
    pub fn record_arrival(&mut self, now: Time, seq: SeqNo, retransmitted: bool) -> bool {
        let Some(missing) = self.missing.remove(&seq) else {
            return false;
        };
        if !retransmitted || missing.requests == 0 {
            return false;
        }
        // Only the first request's answer is unambiguous (Karn's rule).
        if missing.requests == 1 {
            let sample = now.since(missing.asked).clamp(RTT_MIN, RTT_MAX);
            self.rtt = (self.rtt * 7 + sample) / 8;
        }
        true
    }

    /// Whether this packet is being waited for.
    pub fn awaits(&self, seq: SeqNo) -> bool {
        self.missing.contains_key(&seq)
    }

    /// Collects what to ask for now into `out` and gives up what was asked for too often.
    /// Says how many were given up.
    pub fn collect(&mut self, now: Time, out: &mut Vec<u16>) -> usize {
        let before = self.missing.len();
        let wait = self.wait();
        self.missing.retain(|seq, missing| {
            // The same sum as in `poll_timeout`: a wait is finer than a `Time`, and by a difference
            // it would be due there and not here, for ever.
            if missing.requests > 0 && missing.asked + wait > now {
                return true;
            }
            if missing.requests >= REQUESTS_MAX {
                return false;
            }
            missing.requests += 1;
            missing.asked = now;
            out.push(seq.raw());
            true
        });
        before - self.missing.len()
    }

    /// When to collect next; nothing while nothing is missing.
    pub fn poll_timeout(&self) -> Option<Time> {
        let wait = self.wait();
        let due = |missing: &Missing| match missing.requests {
            0 => Time::ZERO,
            _ => missing.asked + wait,
        };
        self.missing.values().map(due).min()
    }

    /// Forgets everything: the stream began anew.
    pub fn clear(&mut self) {
        self.missing.clear();
    }

    /// A quarter more than the round trip, so that jitter does not double the requests.
    fn wait(&self) -> Duration {
        (self.rtt * 5 / 4).clamp(RTT_MIN, RTT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn collected(nacks: &mut NackGenerator, now: Time) -> Vec<u16> {
        let mut out = Vec::new();
        nacks.collect(now, &mut out);
        out
    }

    #[test]
    fn a_gap_is_asked_for_once_per_round_trip() {
        let mut nacks = NackGenerator::default();
        assert_eq!(nacks.record_gap(SeqNo(10), SeqNo(13)), Gap::Found);
        assert_eq!(collected(&mut nacks, at(0)), [11, 12]);
        assert!(collected(&mut nacks, at(100)).is_empty());
        assert_eq!(nacks.poll_timeout(), Some(at(125)));
        assert_eq!(collected(&mut nacks, at(125)), [11, 12]);
    }

    #[test]
    fn what_is_due_is_asked_for_even_when_the_wait_is_no_whole_number_of_microseconds() {
        let mut nacks = NackGenerator::default();
        for (round, answer) in (0_u64..20).zip([31, 57, 43].into_iter().cycle()) {
            let (begin, seq) = (at(round * 10_000), SeqNo(10 + 2 * round));
            nacks.record_gap(seq, SeqNo(seq.0 + 2));
            collected(&mut nacks, begin);
            let due = nacks.poll_timeout().unwrap();
            assert_eq!(collected(&mut nacks, due).len(), 1);
            assert!(nacks.poll_timeout().unwrap() > due);
            nacks.clear();
            nacks.record_gap(seq, SeqNo(seq.0 + 2));
            collected(&mut nacks, begin);
            nacks.record_arrival(
                begin + Duration::from_millis(answer),
                SeqNo(seq.0 + 1),
                true,
            );
        }
    }

    #[test]
    fn a_packet_that_came_is_asked_for_no_more() {
        let mut nacks = NackGenerator::default();
        nacks.record_gap(SeqNo(10), SeqNo(12));
        collected(&mut nacks, at(0));
        assert!(nacks.record_arrival(at(30), SeqNo(11), true));
        assert_eq!(nacks.poll_timeout(), None);
    }

    #[test]
    fn a_late_packet_is_not_called_repaired() {
        let mut nacks = NackGenerator::default();
        nacks.record_gap(SeqNo(10), SeqNo(12));
        collected(&mut nacks, at(0));
        assert!(!nacks.record_arrival(at(30), SeqNo(11), false));
    }

    #[test]
    fn a_packet_is_given_up_after_ten_requests() {
        let mut nacks = NackGenerator::default();
        nacks.record_gap(SeqNo(10), SeqNo(12));
        for round in 0..u64::from(REQUESTS_MAX) {
            assert_eq!(collected(&mut nacks, at(round * 1_000)), [11]);
        }
        let mut out = Vec::new();
        assert_eq!(nacks.collect(at(60_000), &mut out), 1);
        assert!(out.is_empty());
    }

    #[test]
    fn an_outage_asks_for_nothing() {
        let mut nacks = NackGenerator::default();
        let far = SeqNo(10 + MISSING_MAX as u64 + 2);
        assert_eq!(nacks.record_gap(SeqNo(10), far), Gap::TooLarge);
        assert_eq!(nacks.poll_timeout(), None);
    }
}
