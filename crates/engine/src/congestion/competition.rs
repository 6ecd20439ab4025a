//! Competing traffic: other senders that fill the queue of the bottleneck until it overflows, as TCP does.
//! A rate that yields to delay leaves all of the path to them. While they are there, delay is ignored, and
//! the rate changes as theirs does: it grows by a packet in each round-trip time, and falls when packets
//! are lost.
//!
//! They show, as in Copa (Arun and Balakrishnan, NSDI 2018, §5), by a queue that lower rates do not
//! empty, and are gone when it has been empty. A queue that neither grows nor shrinks is none: the delay of
//! the path has changed.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

/// Length of the packets by which the rate grows in each round-trip time, in bits, and the shortest such
/// time that is computed with.
const PACKET_BITS: u128 = 8 * 1_200;
const ROUND_TRIP_MIN: Duration = Duration::from_millis(50);

/// Share of the rate that is left after a loss, in percent, as CUBIC has it (RFC 9438 §4.6).
const LOSS_PERCENT: u64 = 70;

/// Loss above the inherent one that is a sign of an overflow, in thousandths, and packets that it takes.
const LOSS_EXCESS: u64 = 15;
const PACKETS_MIN: u64 = 10;

/// Time in which the queue of other senders changes, and by how much at least.
const STEADY_FOR: Duration = Duration::from_secs(8);
const STEADY_RANGE: Duration = Duration::from_millis(15);

/// Shortest time in which a queue that other senders filled becomes empty.
const GONE_AFTER: Duration = Duration::from_millis(400);

/// How the competition has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The queue was empty.
    QueueEmpty,
    /// The queue was empty so soon that nobody else has filled it.
    Mistaken,
    /// The queue stays as it is: it is part of the path's delay.
    DelayChanged,
}

/// Competition with others for the bottleneck.
#[derive(Debug)]
pub struct Competition {
    began: Time,
    /// Shortest and longest queue since a time.
    range_since: Time,
    shortest: Duration,
    longest: Duration,
    /// Packets that arrived and that were lost since a time.
    counted_since: Time,
    packets: u64,
    lost: u64,
}

impl Competition {
    /// Begins with the present queue.
    pub const fn begin(now: Time, queue: Duration) -> Self {
        Self {
            began: now,
            range_since: now,
            shortest: queue,
            longest: queue,
            counted_since: now,
            packets: 0,
            lost: 0,
        }
    }

    /// Counts a packet.
    pub fn count(&mut self, is_lost: bool) {
        self.packets += 1;
        self.lost += u64::from(is_lost);
    }

    /// Records the present queue. `empty` is a queue that counts as none.
    pub fn record_queue(&mut self, now: Time, queue: Duration, empty: Duration) -> Option<Ending> {
        if queue <= empty {
            let is_soon = now.since(self.began) < GONE_AFTER;
            return Some(if is_soon {
                Ending::Mistaken
            } else {
                Ending::QueueEmpty
            });
        }
        self.shortest = self.shortest.min(queue);
        self.longest = self.longest.max(queue);
        if now.since(self.range_since) < STEADY_FOR {
            return None;
        }
        let range = self.longest.saturating_sub(self.shortest);
        (self.range_since, self.shortest, self.longest) = (now, queue, queue);
        (range < STEADY_RANGE).then_some(Ending::DelayChanged)
    }

    /// Returns whether so much was lost in the last round-trip time that the rate has to fall. `inherent` is
    /// what is lost at any rate, in thousandths.
    pub fn has_overflowed(&mut self, now: Time, round_trip: Duration, inherent: u64) -> bool {
        if now.since(self.counted_since) <= round_trip {
            return false;
        }
        let has_lost = self.packets >= PACKETS_MIN
            && self.lost * 1_000 > self.packets * (inherent + LOSS_EXCESS);
        (self.counted_since, self.packets, self.lost) = (now, 0, 0);
        has_lost
    }
}

/// Returns the rate after an overflow.
pub const fn reduced(rate: Bitrate) -> Bitrate {
    Bitrate::from_bps(rate.as_bps() * LOSS_PERCENT / 100)
}

/// Returns the rate that has grown from `rate` after `elapsed`.
pub fn grown(rate: Bitrate, elapsed: Duration, round_trip: Duration) -> Bitrate {
    let round_trip = round_trip.max(ROUND_TRIP_MIN).as_millis();
    let growth = PACKET_BITS * 1_000 * elapsed.as_millis() / (round_trip * round_trip);
    Bitrate::from_bps(rate.as_bps() + u64::try_from(growth).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_that_is_soon_empty_was_not_filled_by_others() {
        let began = Time::from_millis(1_000);
        let empty = Duration::from_millis(30);
        for (millis, ending) in [(399, Ending::Mistaken), (400, Ending::QueueEmpty)] {
            let mut competition = Competition::begin(began, Duration::from_millis(200));
            let now = began + Duration::from_millis(millis);
            assert_eq!(competition.record_queue(now, empty * 2, empty), None);
            assert_eq!(competition.record_queue(now, empty, empty), Some(ending));
        }
    }
}
