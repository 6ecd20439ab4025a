//! Decides when a keyframe is requested from a publisher: at most once a second per stream, for any
//! number of consumers, until the keyframe has arrived. A publisher that answers none of the first
//! requests is asked again seldom, as long as it sends and somebody waits: its way back may have
//! been cut.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// Minimum interval between two requests for one stream: a keyframe costs the publisher as much as
/// several frames, and a hundred new consumers need only one.
pub const SPACING: Duration = Duration::from_secs(1);

/// Upper bound of the repetitions at that interval. A publisher that answers none of them has stopped
/// sending, or does not receive them.
pub const REPEATS_MAX: u8 = 5;

/// Minimum interval between the later requests, each of which needs a sign of life of the publisher:
/// a packet or a sender report.
pub const SELDOM_SPACING: Duration = Duration::from_secs(3);

/// Minimum interval between two requests to another shard for one stream. That shard applies the rule
/// above; this only merges the requests of many consumers.
const PIPED_SPACING: Duration = Duration::from_millis(100);

/// The keyframe requests of one stream.
#[derive(Debug)]
pub struct KeyframeRequests {
    /// Whether a keyframe is awaited.
    is_awaited: bool,
    /// Time of the last request.
    requested: Option<Time>,
    /// Number of requests sent since the keyframe was first awaited.
    repeats: u8,
    /// Minimum interval between two requests.
    spacing: Duration,
    /// Upper bound of the repetitions.
    repeats_max: u8,
}

impl Default for KeyframeRequests {
    fn default() -> Self {
        Self {
            is_awaited: false,
            requested: None,
            repeats: 0,
            spacing: SPACING,
            repeats_max: REPEATS_MAX,
        }
    }
}

impl KeyframeRequests {
    /// Creates requests that go to another shard, which merges them with all others and repeats them.
    pub fn message() -> Self {
        Self {
            spacing: PIPED_SPACING,
            repeats_max: 0,
            ..Self::default()
        }
    }

    /// Requests a keyframe, unless one is awaited already.
    pub fn renew(&mut self) {
        if !self.is_awaited {
            self.request();
        }
    }

    /// Returns whether a keyframe is awaited.
    pub fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    /// Requests a keyframe.
    pub fn request(&mut self) {
        self.is_awaited = true;
        self.repeats = 0;
    }

    /// Records that a keyframe has arrived.
    pub fn fulfil(&mut self) {
        self.is_awaited = false;
    }

    /// Returns whether to send a request now, and counts it.
    pub fn take_due(&mut self, now: Time) -> bool {
        let due = self.poll_timeout().is_some_and(|at| at <= now);
        if due {
            self.requested = Some(now);
            self.repeats = self.repeats.saturating_add(1);
        }
        due
    }

    /// Returns whether a keyframe is awaited although the repetitions are used up, and the publisher
    /// can be asked once more now.
    #[inline]
    pub fn is_overdue(&self, now: Time) -> bool {
        self.is_awaited
            && self.repeats > self.repeats_max
            && self
                .requested
                .is_none_or(|at| now.since(at) >= SELDOM_SPACING)
    }

    /// Makes one more request due.
    pub fn repeat(&mut self) {
        self.repeats = self.repeats.min(self.repeats_max);
    }

    /// Returns when the next request is due; `None` while no keyframe is awaited, or after the last
    /// repetition.
    pub fn poll_timeout(&self) -> Option<Time> {
        if !self.is_awaited || self.repeats > self.repeats_max {
            return None;
        }
        Some(self.requested.map_or(Time::ZERO, |at| at + self.spacing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_requests_are_sent_once_a_second() {
        let mut requests = KeyframeRequests::default();
        let mut sent = 0;
        for millis in 0..3_000 {
            requests.request();
            sent += u32::from(requests.take_due(Time::from_millis(millis)));
        }
        assert_eq!(sent, 3);
    }

    #[test]
    fn keyframe_ends_the_requests() {
        let mut requests = KeyframeRequests::default();
        requests.request();
        assert!(requests.take_due(Time::from_millis(1)));
        requests.fulfil();
        assert_eq!(requests.poll_timeout(), None);
    }

    #[test]
    fn silent_publisher_is_requested_six_times_at_most() {
        let mut requests = KeyframeRequests::default();
        requests.request();
        let sent = (0..60).filter(|second| requests.take_due(Time::from_millis(second * 1_000)));
        assert_eq!(sent.count(), 1 + usize::from(REPEATS_MAX));
    }

    #[test]
    fn publisher_that_sends_but_does_not_answer_is_requested_seldom() {
        let mut requests = KeyframeRequests::default();
        requests.request();
        let mut sent = Vec::new();
        for second in 0..20 {
            let now = Time::from_millis(second * 1_000);
            if requests.is_overdue(now) {
                requests.repeat();
            }
            if requests.take_due(now) {
                sent.push(second);
            }
        }
        assert_eq!(sent, [0, 1, 2, 3, 4, 5, 8, 11, 14, 17]);
        requests.fulfil();
        assert!(!requests.is_overdue(Time::from_millis(60_000)));
    }
}
