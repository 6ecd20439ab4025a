//! Which packets of a stream are missing and when to ask for them again, after libwebrtc: the first
//! time a little after the gap is seen, since packets overtake one another, then once per round
//! trip, ten times at most.

use std::time::Duration;

use watersmeet_wire::units::{Map, SeqNo, Time};

/// Most times a packet is asked for.
pub const RETRIES_MAX: u8 = 10;

/// Most packets asked for at once; more of them are given up for a keyframe.
pub const MISSING_MAX: usize = 1_000;

/// A gap of fewer packets than this is overtaking at first.
const REORDER_PACKETS: u64 = 3;

/// How long a gap is overtaking at first.
const REORDER_TIME: Duration = Duration::from_millis(10);

/// A missing packet.
#[derive(Debug, Clone, Copy)]
struct Missing {
    /// When the gap was seen.
    noticed: Time,
    /// When it was last asked for.
    asked: Option<Time>,
    /// How often.
    retries: u8,
}

/// The missing packets of one stream.
#[derive(Debug, Default)]
pub struct NackList {
    /// The newest packet received.
    newest: Option<SeqNo>,
    /// What is missing below it.
    missing: Map<SeqNo, Missing>,
}

impl NackList {
    /// Notes that a packet came, in whatever way. True when so many are missing that only a
    /// keyframe helps; the list is empty then.
    pub fn received(&mut self, now: Time, seq: SeqNo) -> bool {
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
            let fresh = Missing {
                noticed: now,
                asked: None,
                retries: 0,
            };
            self.missing.insert(SeqNo(missing), fresh);
        }
        false
    }

    /// Gives up what lies before `seq`: a later frame was shown.
    pub fn forget_before(&mut self, seq: SeqNo) {
        self.missing = self.missing.split_off(&seq);
    }

    /// When something is to be asked for.
    pub fn poll_timeout(&self, rtt: Duration) -> Time {
        let newest = self.newest.unwrap_or_default();
        let due = self
            .missing
            .iter()
            .map(|(seq, missing)| missing.due(*seq, newest, rtt));
        due.min().unwrap_or(Time::FAR_FUTURE)
    }

    /// What is to be asked for now, in order.
    pub fn due(&mut self, now: Time, rtt: Duration) -> Vec<SeqNo> {
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
            missing.asked = Some(now);
            due.push(*seq);
            true
        });
        due
    }
}

impl Missing {
    fn due(&self, seq: SeqNo, newest: SeqNo, rtt: Duration) -> Time {
        match self.asked {
            Some(asked) => asked + rtt,
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
    fn a_packet_that_was_overtaken_is_not_asked_for() {
        let mut list = NackList::default();
        list.received(at(0), SeqNo(10));
        list.received(at(1), SeqNo(12));
        assert_eq!(list.due(at(5), RTT), []);
        list.received(at(6), SeqNo(11));
        assert_eq!(list.poll_timeout(RTT), Time::FAR_FUTURE);
    }

    #[test]
    fn a_missing_packet_is_asked_for_once_per_round_trip_and_ten_times_at_most() {
        let mut list = NackList::default();
        list.received(at(0), SeqNo(10));
        list.received(at(0), SeqNo(14));
        let mut asked = 0;
        for millis in 0..2_000 {
            asked += list
                .due(at(millis), RTT)
                .iter()
                .filter(|seq| **seq == SeqNo(11))
                .count();
        }
        assert_eq!(asked, usize::from(RETRIES_MAX));
        assert_eq!(list.poll_timeout(RTT), Time::FAR_FUTURE);
    }

    #[test]
    fn too_large_a_gap_is_a_reason_for_a_keyframe() {
        let mut list = NackList::default();
        list.received(at(0), SeqNo(10));
        assert!(!list.received(at(0), SeqNo(10 + MISSING_MAX as u64)));
        assert!(list.received(at(0), SeqNo(13 + MISSING_MAX as u64)));
        assert_eq!(list.due(at(100), RTT), []);
    }
}
