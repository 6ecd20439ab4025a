//! Missing packets of one received stream, by sequence numbers: which to request again, which were
//! duplicates, and which were lost.

use std::time::Duration;

use watersmeet_wire::units::{Map, SeqNo, Time};

/// Missing packets tracked at a time. A longer gap counts as lost except for its end.
const MISSING_MAX: u64 = 1_024;

/// Time between two requests for one packet.
const REQUEST_INTERVAL: Duration = Duration::from_millis(60);

/// Delay before a packet is requested, since packets of one burst overtake each other.
const REORDER_DELAY: Duration = Duration::from_millis(5);

/// Requests for one packet before it is given up.
const REQUESTS_MAX: u8 = 8;

/// Relation of a packet to those received before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It has the highest sequence number so far.
    Newest,
    /// It was missing, and arrived late or as a retransmission.
    Recovered,
    /// It arrived before, or is too old to tell.
    Duplicate,
}

/// A missing packet.
#[derive(Debug, Clone, Copy)]
struct Missing {
    /// Time of the next request.
    request_at: Time,
    /// Number of requests so far.
    requests: u8,
}

/// Tracks the sequence numbers of one stream.
#[derive(Debug, Default)]
pub struct LossTracker {
    /// First sequence number.
    first: Option<SeqNo>,
    /// Highest sequence number.
    highest: SeqNo,
    /// Packets received, each counted once.
    received: u64,
    /// Packets that are missing and may still arrive.
    missing: Map<SeqNo, Missing>,
    /// Packets given up.
    lost: u64,
}

/// Packets of a stream, by sequence numbers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SequenceCount {
    /// Packets from the first to the highest sequence number.
    pub expected: u64,
    /// Packets received.
    pub received: u64,
}

impl LossTracker {
    /// Extends a 16-bit sequence number by the number of wraps.
    pub const fn extend(&self, raw: u16) -> SeqNo {
        match self.first {
            Some(_) => self.highest.nearest(raw),
            None => SeqNo::first(raw),
        }
    }

    /// Returns whether a packet is more than `distance` numbers behind the newest.
    pub const fn is_behind(&self, seq: SeqNo, distance: u64) -> bool {
        self.highest.0 > seq.0 + distance
    }

    /// Records a received packet.
    pub fn record(&mut self, now: Time, seq: SeqNo) -> Arrival {
        if self.first.is_none() {
            self.first = Some(seq);
            self.highest = seq;
            self.received = 1;
            return Arrival::Newest;
        }
        if seq <= self.highest {
            return if self.missing.remove(&seq).is_some() {
                self.received += 1;
                Arrival::Recovered
            } else {
                Arrival::Duplicate
            };
        }
        let gap = seq.0 - self.highest.0 - 1;
        // Only the end of a longer gap is requested.
        let untracked = gap.saturating_sub(MISSING_MAX);
        self.lost += untracked;
        for number in (self.highest.0 + 1 + untracked)..seq.0 {
            let missing = Missing {
                request_at: now + REORDER_DELAY,
                requests: 0,
            };
            self.missing.insert(SeqNo(number), missing);
        }
        while self.missing.len() as u64 > MISSING_MAX {
            self.missing.pop_first();
            self.lost += 1;
        }
        self.highest = seq;
        self.received += 1;
        Arrival::Newest
    }

    /// Returns whether no packet is missing.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Appends the sequence numbers to request now, and gives up packets after [`REQUESTS_MAX`]
    /// requests. Returns whether any was given up.
    pub fn poll_requests(&mut self, now: Time, requests: &mut Vec<u16>) -> bool {
        let before = self.missing.len();
        self.missing.retain(|seq, missing| {
            if missing.request_at > now {
                return true;
            }
            missing.requests += 1;
            missing.request_at = now + REQUEST_INTERVAL;
            if missing.requests <= REQUESTS_MAX {
                requests.push(seq.raw());
            }
            missing.requests <= REQUESTS_MAX
        });
        let given_up = before - self.missing.len();
        self.lost += given_up as u64;
        given_up > 0
    }

    /// Returns the counts so far.
    pub fn count(&self) -> SequenceCount {
        let expected = self.first.map_or(0, |first| self.highest.0 + 1 - first.0);
        SequenceCount {
            expected,
            received: self.received,
        }
    }

    /// Returns the extended highest sequence number of receiver reports (RFC 3550 §6.4.1).
    pub fn highest(&self) -> u32 {
        let wrapped = self.highest.0.wrapping_sub(0x1_0000) & u64::from(u32::MAX);
        u32::try_from(wrapped).unwrap_or(0)
    }
}

impl SequenceCount {
    /// Returns the packets that were not received.
    pub const fn missing(self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// Returns the difference to an earlier count.
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

    fn receive(losses: &mut LossTracker, raw: u16) -> Arrival {
        let seq = losses.extend(raw);
        losses.record(Time::ZERO, seq)
    }

    #[test]
    fn complete_stream_across_a_wrap_misses_nothing() {
        let mut losses = LossTracker::default();
        for offset in 0..200_u16 {
            assert_eq!(
                receive(&mut losses, 65_500_u16.wrapping_add(offset)),
                Arrival::Newest
            );
        }
        let count = losses.count();
        assert_eq!((count.expected, count.received), (200, 200));
        assert!(losses.is_complete());
        assert_eq!(losses.highest(), 0x1_0000 + 163);
    }

    #[test]
    fn missing_packets_are_requested_and_counted_when_they_arrive_late() {
        let mut losses = LossTracker::default();
        for raw in [10, 11, 14, 15] {
            receive(&mut losses, raw);
        }
        let mut requests = Vec::new();
        assert!(!losses.poll_requests(Time::from_millis(1), &mut requests));
        assert!(requests.is_empty(), "it may only be reordered");
        assert!(!losses.poll_requests(Time::from_millis(6), &mut requests));
        assert_eq!(requests, [12, 13]);
        assert_eq!(receive(&mut losses, 13), Arrival::Recovered);
        assert_eq!(receive(&mut losses, 13), Arrival::Duplicate);
        let count = losses.count();
        assert_eq!((count.expected, count.received), (6, 5));
    }

    #[test]
    fn packets_are_given_up_after_the_maximum_of_requests() {
        let mut losses = LossTracker::default();
        receive(&mut losses, 1);
        receive(&mut losses, 3);
        let mut requests = Vec::new();
        let given_up =
            (0..100).any(|step| losses.poll_requests(Time::from_millis(step * 10), &mut requests));
        assert!(given_up && losses.is_complete());
        assert_eq!(requests.len(), usize::from(REQUESTS_MAX));
        assert_eq!(losses.count().received, 2);
        assert_eq!(losses.count().expected, 3);
    }

    #[test]
    fn tracked_packets_are_bounded_after_a_jump() {
        let mut losses = LossTracker::default();
        receive(&mut losses, 0);
        receive(&mut losses, 30_000);
        assert_eq!(losses.missing.len() as u64, MISSING_MAX);
        assert_eq!(losses.count().expected, 30_001);
        assert_eq!(losses.lost, 30_000 - 1 - MISSING_MAX);
    }
}
