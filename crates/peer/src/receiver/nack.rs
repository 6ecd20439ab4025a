//! Missing packets of a stream and the times to request them, after libwebrtc: first shortly after
//! the gap is noticed, since packets may be reordered, then once per round trip, at most ten times.

use std::time::Duration;

use watersmeet_wire::units::{Map, SeqNo, Time};

/// Maximum number of requests for a packet.
pub const RETRIES_MAX: u8 = 10;

/// Most missing packets; above it a keyframe is requested instead.
pub const MISSING_MAX: usize = 1_000;

/// Gaps smaller than this are treated as reordering at first.
const REORDER_PACKETS: u64 = 3;

/// Time for which a small gap is treated as reordering.
const REORDER_TIME: Duration = Duration::from_millis(10);

/// Missing packet.
#[derive(Debug, Clone, Copy)]
struct Missing {
    /// Time at which the gap was noticed.
    noticed: Time,
    /// Time of the last request.
    requested: Option<Time>,
    /// Number of requests.
    retries: u8,
}

/// Missing packets of one stream.
#[derive(Debug, Default)]
pub struct NackList {
    /// Newest received packet.
    newest: Option<SeqNo>,
    /// Missing packets before it.
    missing: Map<SeqNo, Missing>,
}

impl NackList {
    /// Records a packet, received directly or as a retransmission. Returns true when too many are
    /// missing and a keyframe is needed; the list is empty then.
    pub fn record_packet(&mut self, now: Time, seq: SeqNo) -> bool {
        self.missing.remove(&seq);
        let Some(newest) = self.newest else {
            self.newest = Some(seq);
            return false;
        };
        if seq <= newest {
            return false;
        }
        self.newest = Some(seq);
        let gap = seq.0 - newest.0 - 1;
        if self.missing.len() as u64 + gap > MISSING_MAX as u64 {
            self.missing.clear();
            return true;
        }
        for missing in newest.0 + 1..seq.0 {
            let entry = Missing {
                noticed: now,
                requested: None,
                retries: 0,
            };
            self.missing.insert(SeqNo(missing), entry);
        }
        false
    }

    /// Drops packets before `seq`, because a later frame was rendered.
    pub fn drop_before(&mut self, seq: SeqNo) {
        self.missing = self.missing.split_off(&seq);
    }

    /// Returns when the next request is due.
    pub fn poll_timeout(&self, rtt: Duration) -> Time {
        let newest = self.newest.unwrap_or_default();
        let due = self
            .missing
            .iter()
            .map(|(seq, missing)| missing.due(*seq, newest, rtt));
        due.min().unwrap_or(Time::FAR_FUTURE)
    }

    /// Returns the packets to request now, in order.
    pub fn take_due(&mut self, now: Time, rtt: Duration) -> Vec<SeqNo> {
        let newest = self.newest.unwrap_or_default();
        let mut due = Vec::new();
        self.missing.retain(|seq, missing| {
            if missing.due(*seq, newest, rtt) > now {
                return true;
            }
            if missing.retries >= RETRIES_MAX {
                return false;
            }
            missing.retries += 1;
            missing.requested = Some(now);
            due.push(*seq);
            true
        });
        due
    }
}

impl Missing {
    fn due(&self, seq: SeqNo, newest: SeqNo, rtt: Duration) -> Time {
        match self.requested {
            Some(requested) => requested + rtt,
            None if newest.0 - seq.0 >= REORDER_PACKETS => self.noticed,
            None => self.noticed + REORDER_TIME,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn reordered_packet_is_not_requested() {
        let mut list = NackList::default();
        list.record_packet(at(0), SeqNo(10));
        list.record_packet(at(1), SeqNo(12));
        assert_eq!(list.take_due(at(5), RTT), []);
        list.record_packet(at(6), SeqNo(11));
        assert_eq!(list.poll_timeout(RTT), Time::FAR_FUTURE);
    }

    #[test]
    fn missing_packet_is_requested_once_per_round_trip_and_at_most_ten_times() {
        let mut list = NackList::default();
        list.record_packet(at(0), SeqNo(10));
        list.record_packet(at(0), SeqNo(14));
        let mut requests = 0;
        for millis in 0..2_000 {
            requests += list
                .take_due(at(millis), RTT)
                .iter()
                .filter(|seq| **seq == SeqNo(11))
                .count();
        }
        assert_eq!(requests, usize::from(RETRIES_MAX));
        assert_eq!(list.poll_timeout(RTT), Time::FAR_FUTURE);
    }

    #[test]
    fn too_large_gap_requires_a_keyframe() {
        let mut list = NackList::default();
        list.record_packet(at(0), SeqNo(10));
        assert!(!list.record_packet(at(0), SeqNo(10 + MISSING_MAX as u64)));
        assert!(list.record_packet(at(0), SeqNo(13 + MISSING_MAX as u64)));
        assert_eq!(list.take_due(at(100), RTT), []);
    }
}
