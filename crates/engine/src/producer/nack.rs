//! Tracks the missing packets of one stream and decides when to request them (RFC 4585 §6.2.1).
//!
//! The missing packets, the requests per packet and the time between requests are bounded.

use std::time::Duration;

use watersmeet_wire::units::{Map, SeqNo, Time};

/// Upper bound of the missing packets. More than that is an outage, from which a keyframe recovers
/// sooner than retransmissions.
pub const MISSING_MAX: usize = 512;

/// Upper bound of the requests for one packet.
pub const REQUESTS_MAX: u8 = 10;

/// Round-trip time assumed before the first measurement.
const RTT_DEFAULT: Duration = Duration::from_millis(100);

/// Minimum wait between requests: no real path answers sooner.
const RTT_MIN: Duration = Duration::from_millis(20);

/// Maximum wait between requests, even to slower peers.
const RTT_MAX: Duration = Duration::from_millis(700);

/// State of one missing packet.
#[derive(Debug, Clone, Copy)]
struct Missing {
    /// Number of requests sent.
    requests: u8,
    /// Time of the last request.
    requested: Time,
}

/// Gap that an arriving packet reveals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// No packets are newly missing.
    None,
    /// Packets are missing; request them.
    Found,
    /// Too many packets are missing; request a keyframe instead.
    TooLarge,
}

/// Tracks the missing packets of one stream.
#[derive(Debug)]
pub struct NackGenerator {
    /// Missing packets, oldest first.
    missing: Map<SeqNo, Missing>,
    /// Smoothed time from a request to its retransmission.
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
    /// Records that all packets between `highest` and the newer `seq` are missing.
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
                    requested: Time::ZERO,
                },
            );
        }
        Gap::Found
    }

    /// Records the arrival of a packet. Returns whether a retransmission repaired it.
    pub fn record_arrival(&mut self, now: Time, seq: SeqNo, retransmitted: bool) -> bool {
        let Some(missing) = self.missing.remove(&seq) else {
            return false;
        };
        if !retransmitted || missing.requests == 0 {
            return false;
        }
        // Only the answer to a single request is unambiguous (Karn's algorithm).
        if missing.requests == 1 {
            let sample = now.since(missing.requested).clamp(RTT_MIN, RTT_MAX);
            self.rtt = (self.rtt * 7 + sample) / 8;
        }
        true
    }

    /// Returns whether this packet is missing.
    pub fn awaits(&self, seq: SeqNo) -> bool {
        self.missing.contains_key(&seq)
    }

    /// Collects the packets to request now into `out`, and abandons those requested too often. Returns
    /// how many were abandoned.
    pub fn collect(&mut self, now: Time, out: &mut Vec<u16>) -> usize {
        let before = self.missing.len();
        let wait = self.wait();
        self.missing.retain(|seq, missing| {
            // Must be the same sum as in `poll_timeout`: a wait is finer than a `Time`, so with a
            // difference the packet would be due there, but never here.
            if missing.requests > 0 && missing.requested + wait > now {
                return true;
            }
            if missing.requests >= REQUESTS_MAX {
                return false;
            }
            missing.requests += 1;
            missing.requested = now;
            out.push(seq.raw());
            true
        });
        before - self.missing.len()
    }

    /// Returns when to collect next; `None` while nothing is missing.
    pub fn poll_timeout(&self) -> Option<Time> {
        let wait = self.wait();
        let due = |missing: &Missing| match missing.requests {
            0 => Time::ZERO,
            _ => missing.requested + wait,
        };
        self.missing.values().map(due).min()
    }

    /// Removes all missing packets, because the stream has restarted.
    pub fn clear(&mut self) {
        self.missing.clear();
    }

    /// Returns the wait between requests: a quarter more than the round trip, so that jitter does not
    /// double the requests.
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
    fn missing_packets_are_requested_once_per_round_trip() {
        let mut nacks = NackGenerator::default();
        assert_eq!(nacks.record_gap(SeqNo(10), SeqNo(13)), Gap::Found);
        assert_eq!(collected(&mut nacks, at(0)), [11, 12]);
        assert!(collected(&mut nacks, at(100)).is_empty());
        assert_eq!(nacks.poll_timeout(), Some(at(125)));
        assert_eq!(collected(&mut nacks, at(125)), [11, 12]);
    }

    #[test]
    fn due_packets_are_requested_when_the_wait_has_fractions_of_microseconds() {
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
    fn packet_that_arrived_is_not_requested_again() {
        let mut nacks = NackGenerator::default();
        nacks.record_gap(SeqNo(10), SeqNo(12));
        collected(&mut nacks, at(0));
        assert!(nacks.record_arrival(at(30), SeqNo(11), true));
        assert_eq!(nacks.poll_timeout(), None);
    }

    #[test]
    fn late_packet_does_not_count_as_repaired() {
        let mut nacks = NackGenerator::default();
        nacks.record_gap(SeqNo(10), SeqNo(12));
        collected(&mut nacks, at(0));
        assert!(!nacks.record_arrival(at(30), SeqNo(11), false));
    }

    #[test]
    fn packet_is_abandoned_after_ten_requests() {
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
    fn outage_requests_nothing() {
        let mut nacks = NackGenerator::default();
        let far = SeqNo(10 + MISSING_MAX as u64 + 2);
        assert_eq!(nacks.record_gap(SeqNo(10), far), Gap::TooLarge);
        assert_eq!(nacks.poll_timeout(), None);
    }
}
