//! An episode of congestion: what was sent less because of a queue, and whether that shortened it. If not, other
//! traffic fills the queue.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

/// Time after which lower rates must have shortened a queue that they cause, and the same where competing traffic
/// is expected.
const FRUITLESS_AFTER: Duration = Duration::from_millis(1_500);
const FRUITLESS_EXPECTED_AFTER: Duration = Duration::from_millis(500);

/// Reduction of what was sent before the length of the queue says anything: in percent of the longest queue, and in
/// bits, as many as two and a half large packets have. The length of a queue is known no more exactly than to a packet.
const FREED_PERCENT: u64 = 25;
const FREED_MIN: u64 = 24_000;

/// Length of a queue that empties by itself, in percent of the longest since it was last judged.
const DRAINING_PERCENT: u32 = 50;

/// Length of a queue that has become much shorter, in percent of the longest.
const SHORTENED_PERCENT: u32 = 60;

/// Bitrate below which a queue drains too slowly to tell: a packet more or less is a large part of it.
const TELLING_MIN: Bitrate = Bitrate::from_kbps(175);

/// Time after the first decrease in which lower measurements replace its bitrate: that includes what arrived before
/// the path became narrow.
const MEASURED_WITHIN: Duration = Duration::from_millis(700);

/// The latest congestion of a path.
#[derive(Debug, Clone, Copy)]
pub struct Episode {
    /// Time of the latest decrease.
    decreased: Time,
    /// Time of the latest decrease, or at which none was needed because the queue became shorter.
    judged: Time,
    /// Longest queue since that time.
    judged_queue: Duration,
    /// Time of the first decrease since the queue was last short.
    since: Time,
    /// Whether the queue is still not short.
    pub is_queue_standing: bool,
    /// Longest queue.
    queue: Duration,
    /// Bitrate that arrived through the queue at the first decrease.
    carried: Bitrate,
    /// Bits by which what arrived since then falls short of that bitrate. What arrives faster counts against it, or
    /// variation alone would add up.
    freed: u64,
}

impl Episode {
    /// Begins with a decrease because of `queue`, through which `carried` arrived.
    pub const fn begin(now: Time, queue: Duration, carried: Bitrate) -> Self {
        Self {
            decreased: now,
            judged: now,
            judged_queue: queue,
            since: now,
            is_queue_standing: true,
            queue,
            carried,
            freed: 0,
        }
    }

    /// Records one more decrease.
    pub fn decrease(&mut self, now: Time, queue: Duration, carried: Bitrate) {
        self.decreased = now;
        self.judge(now, queue);
        self.queue = self.queue.max(queue);
        if now.since(self.since) < MEASURED_WITHIN {
            self.carried = self.carried.min(carried);
        }
    }

    /// Records the length of the queue, whether or not it calls for a decrease.
    pub fn observe(&mut self, queue: Duration) {
        self.judged_queue = self.judged_queue.max(queue);
    }

    /// Returns whether `queue` calls for one more decrease: not sooner after the latest than `interval`, and not while
    /// the queue becomes shorter by itself, because less is sent than the path carries.
    pub fn needs_decrease(&mut self, now: Time, interval: Duration, queue: Duration) -> bool {
        if now.since(self.judged) < interval {
            return false;
        }
        let is_draining = queue * 100 < self.judged_queue * DRAINING_PERCENT;
        if self.is_queue_standing && is_draining {
            self.judge(now, queue);
            return false;
        }
        true
    }

    fn judge(&mut self, now: Time, queue: Duration) {
        (self.judged, self.judged_queue) = (now, queue);
    }

    /// Returns whether the latest decrease was within this time.
    pub fn has_decreased_within(&self, now: Time, time: Duration) -> bool {
        now.since(self.decreased) < time
    }

    /// Records what arrived in the time `elapsed`. Less than at first has shortened the queue, if nobody else
    /// fills it.
    pub fn record_arrived(&mut self, elapsed: Duration, arrived: Bitrate) {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(0);
        let bits = |rate: Bitrate| rate.as_bps() * millis / 1_000;
        self.freed = (self.freed + bits(self.carried)).saturating_sub(bits(arrived));
    }

    /// Records the length of the queue when it calls for no decrease, and what arrives through it. One that has become
    /// much shorter was one's own: what was sent less until then has had its effect, and from now on counts what is
    /// less than now.
    pub fn record_queue(&mut self, queue: Duration, is_short: bool, arrived: Bitrate) {
        if queue * 100 < self.queue * SHORTENED_PERCENT {
            (self.queue, self.freed, self.carried) = (queue, 0, arrived);
        }
        self.queue = self.queue.max(queue);
        self.is_queue_standing &= !is_short;
    }

    /// Returns for how long the queue has not been short; `None` when it is.
    pub fn standing_for(&self, now: Time) -> Option<Duration> {
        self.is_queue_standing.then(|| now.since(self.since))
    }

    /// Returns whether lower rates did not shorten the queue: other traffic fills it, or the path's delay
    /// has grown. `is_expected` tells that other traffic was there lately.
    pub fn is_fruitless(&self, now: Time, queue: Duration, is_expected: bool) -> bool {
        let after = if is_expected {
            FRUITLESS_EXPECTED_AFTER
        } else {
            FRUITLESS_AFTER
        };
        let has_stayed = queue * 10 > self.queue * 8;
        let has_waited = self.standing_for(now).is_some_and(|it| it > after);
        has_stayed && has_waited && (is_expected || self.has_yielded())
    }

    /// Returns whether so much less was sent that a queue of one's own would be shorter by now.
    fn has_yielded(&self) -> bool {
        let millis = u64::try_from(self.queue.as_millis()).unwrap_or(0);
        let queued = self.carried.as_bps() * millis / 1_000;
        let needed = (queued * FREED_PERCENT / 100).max(FREED_MIN);
        self.carried >= TELLING_MIN && self.freed >= needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: Duration = Duration::from_millis(300);

    /// An episode of two seconds in which `carried` arrived first and then `arrived`.
    fn episode(carried: u64, arrived: u64) -> (Time, Episode) {
        let start = Time::from_millis(1_000);
        let mut episode = Episode::begin(start, QUEUE, Bitrate::from_kbps(carried));
        for _ in 0..20 {
            let arrived = Bitrate::from_kbps(arrived);
            episode.record_arrived(Duration::from_millis(100), arrived);
        }
        (start + Duration::from_secs(2), episode)
    }

    #[test]
    fn queue_that_stays_although_less_is_sent_is_that_of_others() {
        let (now, episode) = episode(600, 400);
        assert!(episode.is_fruitless(now, QUEUE, false));
        assert!(!episode.is_fruitless(now, QUEUE / 2, false));
    }

    #[test]
    fn queue_that_stays_while_as_much_is_sent_says_nothing() {
        let (now, episode) = episode(600, 590);
        assert!(!episode.is_fruitless(now, QUEUE, false));
        assert!(episode.is_fruitless(now, QUEUE, true));
    }

    #[test]
    fn queue_of_a_very_slow_path_says_nothing() {
        let (now, episode) = episode(150, 90);
        assert!(!episode.is_fruitless(now, QUEUE, false));
    }

    #[test]
    fn few_packets_less_on_a_slow_path_say_nothing() {
        let start = Time::from_millis(1_000);
        let queue = Duration::from_millis(140);
        let mut episode = Episode::begin(start, queue, Bitrate::from_kbps(240));
        episode.record_arrived(Duration::from_secs(2), Bitrate::from_kbps(230));
        let now = start + Duration::from_secs(2);
        assert!(!episode.is_fruitless(now, queue, false));
    }

    #[test]
    fn variation_around_the_same_rate_says_nothing() {
        let start = Time::from_millis(1_000);
        let mut episode = Episode::begin(start, QUEUE, Bitrate::from_kbps(240));
        for index in 0..100 {
            let arrived = Bitrate::from_kbps(if index % 2 == 0 { 200 } else { 280 });
            episode.record_arrived(Duration::from_millis(100), arrived);
        }
        assert!(!episode.is_fruitless(start + Duration::from_secs(10), QUEUE, false));
    }

    #[test]
    fn queue_that_was_shorter_in_between_is_the_own() {
        let (now, mut episode) = episode(600, 400);
        let arrived = Bitrate::from_kbps(400);
        episode.record_queue(QUEUE / 2, false, arrived);
        episode.record_queue(QUEUE, false, arrived);
        assert!(!episode.is_fruitless(now, QUEUE, false));
        episode.record_arrived(Duration::from_secs(2), arrived);
        let later = now + Duration::from_secs(2);
        assert!(!episode.is_fruitless(later, QUEUE, false));
        episode.record_arrived(Duration::from_secs(2), Bitrate::from_kbps(200));
        assert!(episode.is_fruitless(later, QUEUE, false));
    }

    #[test]
    fn bitrate_from_before_the_path_became_narrow_is_replaced() {
        let start = Time::from_millis(1_000);
        let mut episode = Episode::begin(start, QUEUE, Bitrate::from_kbps(1_000));
        let narrow = Bitrate::from_kbps(160);
        episode.decrease(start + Duration::from_millis(200), QUEUE, narrow);
        episode.record_arrived(Duration::from_secs(2), narrow);
        let now = start + Duration::from_secs(2);
        assert!(!episode.is_fruitless(now, QUEUE, false));
    }

    #[test]
    fn queue_that_becomes_shorter_needs_no_decrease_but_one_that_then_stays_does() {
        let start = Time::from_millis(1_000);
        let mut episode = Episode::begin(start, QUEUE, Bitrate::from_kbps(240));
        episode.observe(QUEUE * 3);
        let interval = Duration::from_millis(200);
        assert!(!episode.needs_decrease(start + interval, interval, QUEUE));
        assert!(!episode.needs_decrease(start + interval * 3 / 2, interval, QUEUE));
        assert!(episode.needs_decrease(start + interval * 2, interval, QUEUE));
    }

    #[test]
    fn short_queue_ends_the_episode() {
        let (now, mut episode) = episode(600, 400);
        let arrived = Bitrate::from_kbps(400);
        episode.record_queue(Duration::from_millis(10), true, arrived);
        episode.record_queue(QUEUE, false, arrived);
        assert!(!episode.is_fruitless(now, QUEUE, true));
    }
}
