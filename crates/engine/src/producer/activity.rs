//! Detects which encodings of a producer are active. An encoding that stops becomes inactive within
//! about a second, and active again after two seconds of sending: a publisher short of bandwidth
//! stops and starts its best encoding every few seconds, and each switch costs a keyframe.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// Silence after which one of several encodings counts as stopped. An encoder falls to five frames a
/// second before it stops an encoding, so that five frames are missing then.
const LAYER_SILENT_AFTER: Duration = Duration::from_secs(1);

/// Silence after which a single encoding counts as stopped: screens and audio may pause longer.
const SILENT_AFTER: Duration = Duration::from_millis(2_500);

/// Time that an encoding which stopped while others continued must send to count as active.
const LASTING_AFTER: Duration = Duration::from_secs(2);

/// Interval at which packets of one encoding cause a check of the others.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Activity of one encoding.
#[derive(Debug, Default, Clone, Copy)]
struct Encoding {
    /// Arrival time of its last packet.
    last: Option<Time>,
    /// Whether it stopped while others continued.
    is_unstable: bool,
    /// Start of the time since which it has been sending without a pause.
    since: Time,
}

/// Activity of the encodings of a producer.
#[derive(Debug)]
pub struct Activity {
    /// Encodings, lowest quality first.
    encodings: Vec<Encoding>,
    /// Active encodings, as a bit set.
    active: u8,
    /// Time of the next check for silence.
    check_at: Time,
}

impl Activity {
    /// Creates the activity of `count` encodings that have sent nothing.
    pub fn new(count: usize) -> Self {
        Self {
            encodings: vec![Encoding::default(); count],
            active: 0,
            check_at: Time::ZERO,
        }
    }

    /// Returns the active encodings, as a bit set.
    pub fn active(&self) -> u8 {
        self.active
    }

    /// Sets the active encodings that another shard reports. Returns whether they changed.
    pub fn set_active(&mut self, active: u8) -> bool {
        std::mem::replace(&mut self.active, active) != active
    }

    /// Records a packet of an encoding. Returns whether the active encodings changed.
    #[inline]
    pub fn record_packet(&mut self, now: Time, index: u8) -> bool {
        let before = self.active;
        let limit = self.limit();
        let Some(encoding) = self.encodings.get_mut(usize::from(index)) else {
            return false;
        };
        if encoding.last.is_none_or(|last| now.since(last) > limit) {
            encoding.since = now;
        }
        encoding.last = Some(now);
        let is_stable = !encoding.is_unstable || now.since(encoding.since) >= LASTING_AFTER;
        if is_stable {
            encoding.is_unstable = false;
            self.active |= bit(index);
        }
        if now >= self.check_at {
            self.check_at = now + CHECK_INTERVAL;
            self.drop_silent(now);
        }
        self.active != before
    }

    /// Checks which encodings have stopped. Returns whether the active encodings changed.
    pub fn check_silence(&mut self, now: Time) -> bool {
        let before = self.active;
        self.drop_silent(now);
        self.active != before
    }

    fn drop_silent(&mut self, now: Time) {
        let limit = self.limit();
        for (encoding, index) in self.encodings.iter_mut().zip(0..) {
            let is_silent = encoding.last.is_none_or(|last| now.since(last) > limit);
            if is_silent && self.active & bit(index) != 0 {
                self.active &= !bit(index);
                encoding.is_unstable = true;
            }
        }
        // A producer that stopped as a whole, such as a muted camera, may resume as a whole.
        if self.active == 0 {
            self.encodings
                .iter_mut()
                .for_each(|encoding| encoding.is_unstable = false);
        }
    }

    fn limit(&self) -> Duration {
        if self.encodings.len() > 1 {
            LAYER_SILENT_AFTER
        } else {
            SILENT_AFTER
        }
    }
}

/// Returns the bit of an encoding; zero past the eighth, which RTP parameters do not allow.
pub fn bit(index: u8) -> u8 {
    1_u8.checked_shl(u32::from(index)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends packets of these encodings every 33 ms over a span of time.
    fn send(activity: &mut Activity, from_millis: u64, to_millis: u64, encodings: &[u8]) -> u32 {
        let mut changes = 0;
        for millis in (from_millis..to_millis).step_by(33) {
            for &index in encodings {
                changes += u32::from(activity.record_packet(Time::from_millis(millis), index));
            }
        }
        changes
    }

    #[test]
    fn encoding_is_active_from_its_first_packet() {
        let mut activity = Activity::new(3);
        assert_eq!(send(&mut activity, 0, 100, &[0, 1, 2]), 3);
        assert_eq!(activity.active(), 0b111);
    }

    #[test]
    fn encoding_that_stops_becomes_inactive_within_little_more_than_a_second() {
        let mut activity = Activity::new(3);
        send(&mut activity, 0, 1_000, &[0, 1, 2]);
        send(&mut activity, 1_000, 2_200, &[0, 1]);
        assert_eq!(activity.active(), 0b011);
    }

    #[test]
    fn encoding_that_comes_and_goes_stays_inactive() {
        let mut activity = Activity::new(2);
        send(&mut activity, 0, 1_000, &[0, 1]);
        send(&mut activity, 1_000, 2_500, &[0]);
        for round in 0..5 {
            let start = 2_500 + round * 3_000;
            assert_eq!(send(&mut activity, start, start + 1_500, &[0, 1]), 0);
            assert_eq!(send(&mut activity, start + 1_500, start + 3_000, &[0]), 0);
        }
        assert_eq!(activity.active(), 0b01);
        send(&mut activity, 20_000, 22_100, &[0, 1]);
        assert_eq!(activity.active(), 0b11);
    }

    #[test]
    fn camera_that_was_off_resumes_with_all_encodings() {
        let mut activity = Activity::new(3);
        send(&mut activity, 0, 1_000, &[0, 1, 2]);
        assert!(activity.check_silence(Time::from_millis(3_000)));
        assert_eq!(activity.active(), 0);
        send(&mut activity, 5_000, 5_100, &[0, 1, 2]);
        assert_eq!(activity.active(), 0b111);
    }

    #[test]
    fn only_encoding_may_pause() {
        let mut activity = Activity::new(1);
        activity.record_packet(Time::ZERO, 0);
        assert!(!activity.check_silence(Time::from_millis(2_400)));
        assert!(activity.check_silence(Time::from_millis(2_600)));
    }
}
