//! The one place that decides whether a publisher is asked for a keyframe. However many consumers
//! want one, a stream is asked at most once a second, and not at all once the keyframe came.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// The shortest time between two requests for one stream: a keyframe costs the publisher as much
/// as several frames, and a hundred joiners need only one.
pub const SPACING: Duration = Duration::from_secs(1);

/// How often a request is repeated while no keyframe comes: a publisher that answers none of
/// these has stopped sending.
pub const REPEATS_MAX: u8 = 5;

/// The shortest time between two wishes of another shard for one stream. The publisher is asked by
/// the rule above; this only keeps a crowd's wishes from crossing one by one.
const CROSSING_SPACING: Duration = Duration::from_millis(100);

/// The keyframe requests of one stream.
#[derive(Debug)]
pub struct KeyframeRequests {
    /// Whether somebody waits for a keyframe.
    wanted: bool,
    /// When the publisher was asked last.
    asked: Option<Time>,
    /// How often the present wish was sent.
    repeats: u8,
    /// The shortest time between two requests.
    spacing: Duration,
    /// How often a wish is repeated.
    repeats_max: u8,
}

impl Default for KeyframeRequests {
    fn default() -> Self {
        Self {
            wanted: false,
            asked: None,
            repeats: 0,
            spacing: SPACING,
            repeats_max: REPEATS_MAX,
        }
    }
}

impl KeyframeRequests {
    /// Requests that go to another shard, where they are merged with those of all others and
    /// repeated.
    pub fn message() -> Self {
        Self {
            spacing: CROSSING_SPACING,
            repeats_max: 0,
            ..Self::default()
        }
    }

    /// Somebody still needs a keyframe: news only if that was forgotten.
    pub fn renew(&mut self) {
        if !self.wanted {
            self.request();
        }
    }

    /// Whether somebody waits for a keyframe.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Somebody needs a keyframe.
    pub fn request(&mut self) {
        self.wanted = true;
        self.repeats = 0;
    }

    /// A keyframe came.
    pub fn fulfil(&mut self) {
        self.wanted = false;
    }

    /// Whether to ask the publisher now.
    pub fn take_due(&mut self, now: Time) -> bool {
        let due = self.poll_timeout().is_some_and(|at| at <= now);
        if due {
            self.asked = Some(now);
            self.repeats += 1;
        }
        due
    }

    /// When to ask next; nothing while nobody waits.
    pub fn poll_timeout(&self) -> Option<Time> {
        if !self.wanted || self.repeats > self.repeats_max {
            return None;
        }
        Some(self.asked.map_or(Time::ZERO, |asked| asked + self.spacing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_wishes_are_one_request_a_second() {
        let mut requests = KeyframeRequests::default();
        let mut sent = 0;
        for millis in 0..3_000 {
            requests.request();
            sent += u32::from(requests.take_due(Time::from_millis(millis)));
        }
        assert_eq!(sent, 3);
    }

    #[test]
    fn a_keyframe_ends_the_wish() {
        let mut requests = KeyframeRequests::default();
        requests.request();
        assert!(requests.take_due(Time::from_millis(1)));
        requests.fulfil();
        assert_eq!(requests.poll_timeout(), None);
    }

    #[test]
    fn a_silent_publisher_is_asked_six_times_and_no_more() {
        let mut requests = KeyframeRequests::default();
        requests.request();
        let sent = (0..60).filter(|second| requests.take_due(Time::from_millis(second * 1_000)));
        assert_eq!(sent.count(), 1 + usize::from(REPEATS_MAX));
    }
}
