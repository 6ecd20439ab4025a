//! Tracks the missing packets of one stream and decides when to request them (RFC 4585 §6.2.1).
//!
//! A packet is requested once it is missing for longer than packets have lately been late by themselves,
//! and again with growing intervals. The missing packets, the requests per packet and the time between
//! requests are bounded.

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

/// Maximum wait for a packet that may only be late, before it is requested.
const REORDERING_MAX: Duration = Duration::from_millis(150);

/// Time after which a missing packet is abandoned, or three waits if that is more: publishers keep
/// packets for about a second.
const ABANDONED_AFTER: Duration = Duration::from_secs(1);

/// Factor by which the wait between requests grows at most: the round trip may be longer than measured,
/// which no answer to a repeated request shows.
const BACKOFF_MAX: u32 = 4;

/// State of one missing packet.
#[derive(Debug, Clone, Copy)]
struct Missing {
    /// Number of requests sent.
    requests: u8,
    /// Time at which the gap was noticed.
    noticed: Time,
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
    /// Time by which packets have lately been late by themselves: nearly the maximum.
    reordering: Duration,
    /// Whether retransmissions arrive on a stream of their own.
    has_rtx: bool,
}

impl Default for NackGenerator {
    fn default() -> Self {
        Self {
            missing: Map::new(),
            rtt: RTT_DEFAULT,
            reordering: Duration::ZERO,
            has_rtx: true,
        }
    }
}

impl NackGenerator {
    /// Sets whether retransmissions arrive on a stream of their own. Otherwise they look like late
    /// packets.
    pub fn set_rtx(&mut self, has_rtx: bool) {
        self.has_rtx = has_rtx;
    }

    /// Records that all packets between `highest` and the newer `seq` are missing.
    pub fn record_gap(&mut self, now: Time, highest: SeqNo, seq: SeqNo) -> Gap {
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
                    noticed: now,
                    requested: now,
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
        let is_answer = retransmitted
            || (!self.has_rtx
                && missing.requests > 0
                && now.since(missing.requested) >= self.rtt / 2);
        if !is_answer {
            self.learn_reordering(now.since(missing.noticed));
            return false;
        }
        // It was lost: waiting for it was in vain.
        self.reordering = self.reordering * 31 / 32;
        if missing.requests > 0 {
            self.learn_round_trip(now, &missing);
        }
        missing.requests > 0
    }

    /// Learns how late a packet was that arrived by itself: the maximum, which falls slowly.
    fn learn_reordering(&mut self, late: Duration) {
        let late = late.min(REORDERING_MAX);
        self.reordering = late.max((self.reordering * 15 + late) / 16);
    }

    /// Learns the time from a request to its answer. Only the answer to a single request is unambiguous
    /// (Karn's algorithm); the time since the gap is an upper bound otherwise.
    fn learn_round_trip(&mut self, now: Time, missing: &Missing) {
        let sample = match missing.requests {
            1 => now.since(missing.requested),
            _ => now.since(missing.noticed).max(self.rtt),
        };
        self.rtt = (self.rtt * 7 + sample.clamp(RTT_MIN, RTT_MAX)) / 8;
    }

    /// Requests a packet no more.
    pub fn forget(&mut self, seq: SeqNo) {
        self.missing.remove(&seq);
    }

    /// Returns whether this packet is missing.
    pub fn awaits(&self, seq: SeqNo) -> bool {
        self.missing.contains_key(&seq)
    }

    /// Collects the packets to request now into `out`, and abandons those requested too often. Returns
    /// how many were abandoned.
    pub fn collect(&mut self, now: Time, out: &mut Vec<u16>) -> usize {
        let before = self.missing.len();
        let waits = self.waits();
        self.missing.retain(|seq, missing| {
            if waits.due(missing) > now {
                return true;
            }
            let age = now.since(missing.noticed);
            if missing.requests >= REQUESTS_MAX || age > waits.abandoned_after() {
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
        let waits = self.waits();
        self.missing.values().map(|it| waits.due(it)).min()
    }

    /// Removes all missing packets, because the stream has restarted.
    pub fn clear(&mut self) {
        self.missing.clear();
    }

    /// Returns the waits before requests. Between two it is a quarter more than the round trip, so that
    /// jitter does not double the requests.
    fn waits(&self) -> Waits {
        Waits {
            first: self.reordering,
            between: (self.rtt * 5 / 4).clamp(RTT_MIN, RTT_MAX),
        }
    }
}

/// Waits before requests.
#[derive(Debug, Clone, Copy)]
struct Waits {
    /// From the gap to the first request.
    first: Duration,
    /// Between the first two requests.
    between: Duration,
}

impl Waits {
    /// Returns the age at which a missing packet is abandoned.
    fn abandoned_after(self) -> Duration {
        (self.between * 3).max(ABANDONED_AFTER) + self.first
    }

    /// Returns when to request a packet next, or to abandon it.
    fn due(self, missing: &Missing) -> Time {
        match u32::from(missing.requests) {
            0 => missing.noticed + self.first,
            requests => {
                let wait = self.between * requests.min(BACKOFF_MAX);
                missing.requested + wait.min(RTT_MAX)
            }
        }
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
        assert_eq!(nacks.record_gap(at(0), SeqNo(10), SeqNo(13)), Gap::Found);
        assert_eq!(collected(&mut nacks, at(0)), [11, 12]);
        assert!(collected(&mut nacks, at(100)).is_empty());
        assert_eq!(nacks.poll_timeout(), Some(at(125)));
        assert_eq!(collected(&mut nacks, at(125)), [11, 12]);
        assert_eq!(nacks.poll_timeout(), Some(at(375)));
    }

    #[test]
    fn first_request_waits_as_long_as_packets_were_late() {
        let mut nacks = NackGenerator::default();
        nacks.record_gap(at(0), SeqNo(10), SeqNo(12));
        assert_eq!(collected(&mut nacks, at(0)), [11]);
        assert!(!nacks.record_arrival(at(18), SeqNo(11), false));
        nacks.record_gap(at(100), SeqNo(12), SeqNo(14));
        assert!(collected(&mut nacks, at(117)).is_empty());
        assert_eq!(nacks.poll_timeout(), Some(at(118)));
        assert!(!nacks.record_arrival(at(117), SeqNo(13), false));
        nacks.record_gap(at(200), SeqNo(14), SeqNo(16));
        assert_eq!(collected(&mut nacks, at(219)), [15], "it is lost");
    }

    #[test]
    fn wait_for_late_packets_is_bounded_and_falls_when_packets_are_lost() {
        let mut nacks = NackGenerator::default();
        nacks.record_gap(at(0), SeqNo(10), SeqNo(12));
        nacks.record_arrival(at(3_000), SeqNo(11), false);
        assert_eq!(nacks.reordering, REORDERING_MAX);
        for round in 1..100 {
            let (begin, seq) = (at(round * 10_000), SeqNo(10 + 2 * round));
            nacks.record_gap(begin, seq, SeqNo(seq.0 + 2));
            let due = nacks.poll_timeout().unwrap();
            assert_eq!(collected(&mut nacks, due).len(), 1);
            assert!(nacks.record_arrival(due + RTT_MIN, SeqNo(seq.0 + 1), true));
        }
        assert!(nacks.reordering < Duration::from_millis(10));
    }

    #[test]
    fn round_trip_that_has_grown_is_noticed() {
        let mut nacks = NackGenerator {
            rtt: Duration::from_millis(20),
            ..NackGenerator::default()
        };
        let mut requests = Vec::new();
        for round in 1..60 {
            let (begin, seq) = (at(round * 10_000), SeqNo(10 + 2 * round));
            nacks.record_gap(begin, seq, SeqNo(seq.0 + 2));
            let answer = begin + Duration::from_millis(350);
            let mut sent = 0;
            while let Some(due) = nacks.poll_timeout().filter(|due| *due < answer) {
                sent += collected(&mut nacks, due).len();
            }
            nacks.record_arrival(answer, SeqNo(seq.0 + 1), true);
            requests.push(sent);
        }
        assert!(requests[0] > 4, "{requests:?}");
        assert_eq!(requests[58], 1, "{requests:?}");
    }

    #[test]
    fn retransmissions_without_a_stream_of_their_own_are_told_from_late_packets() {
        let mut nacks = NackGenerator::default();
        nacks.set_rtx(false);
        nacks.record_gap(at(0), SeqNo(10), SeqNo(13));
        collected(&mut nacks, at(0));
        assert!(!nacks.record_arrival(at(8), SeqNo(11), false));
        assert!(nacks.record_arrival(at(80), SeqNo(12), false));
        assert!(nacks.reordering <= Duration::from_millis(8));
    }

    #[test]
    fn due_packets_are_requested_when_the_wait_has_fractions_of_microseconds() {
        let mut nacks = NackGenerator::default();
        for (round, answer) in (0_u64..20).zip([31, 57, 43].into_iter().cycle()) {
            let (begin, seq) = (at(round * 10_000), SeqNo(10 + 2 * round));
            nacks.record_gap(begin, seq, SeqNo(seq.0 + 2));
            collected(&mut nacks, begin);
            let due = nacks.poll_timeout().unwrap();
            assert_eq!(collected(&mut nacks, due).len(), 1);
            assert!(nacks.poll_timeout().unwrap() > due);
            nacks.clear();
            nacks.record_gap(begin, seq, SeqNo(seq.0 + 2));
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
        nacks.record_gap(at(0), SeqNo(10), SeqNo(12));
        collected(&mut nacks, at(0));
        assert!(nacks.record_arrival(at(30), SeqNo(11), true));
        assert_eq!(nacks.poll_timeout(), None);
    }

    #[test]
    fn late_packet_does_not_count_as_repaired() {
        let mut nacks = NackGenerator::default();
        nacks.record_gap(at(0), SeqNo(10), SeqNo(12));
        collected(&mut nacks, at(0));
        assert!(!nacks.record_arrival(at(30), SeqNo(11), false));
    }

    #[test]
    fn packet_is_abandoned_after_ten_requests() {
        let mut nacks = NackGenerator::default();
        nacks.record_gap(at(0), SeqNo(10), SeqNo(12));
        nacks.rtt = RTT_MIN;
        for _ in 0..REQUESTS_MAX {
            let due = nacks.poll_timeout().unwrap();
            assert_eq!(collected(&mut nacks, due), [11]);
        }
        let mut out = Vec::new();
        let due = nacks.poll_timeout().unwrap();
        assert_eq!(nacks.collect(due, &mut out), 1);
        assert!(out.is_empty() && due < at(1_000));
    }

    #[test]
    fn packet_is_abandoned_after_a_second_or_three_waits() {
        for (rtt, requests) in [(100, 4), (600, 2)] {
            let mut nacks = NackGenerator {
                rtt: Duration::from_millis(rtt),
                ..NackGenerator::default()
            };
            nacks.record_gap(at(0), SeqNo(10), SeqNo(12));
            let mut count = 0;
            while let Some(due) = nacks.poll_timeout() {
                count += collected(&mut nacks, due).len();
                assert!(due < at(3_000));
            }
            assert!(count >= requests, "{count} requests");
        }
    }

    #[test]
    fn outage_requests_nothing() {
        let mut nacks = NackGenerator::default();
        let far = SeqNo(10 + MISSING_MAX as u64 + 2);
        assert_eq!(nacks.record_gap(at(0), SeqNo(10), far), Gap::TooLarge);
        assert_eq!(nacks.poll_timeout(), None);
    }
}
