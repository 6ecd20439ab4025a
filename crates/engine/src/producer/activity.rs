//! Which encodings of a source bring packets. Viewers are moved away from an encoding that fell
//! silent within about a second, and back to it only once it has proved to last: a publisher short
//! of bandwidth stops and starts its best encoding every few seconds, and each move costs a
//! keyframe and a visible change.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// Silence after which an encoding beside others counts as stopped: at the five frames a second
/// that an encoder falls to before it stops one, five frames are missing.
const LAYER_SILENT_AFTER: Duration = Duration::from_secs(1);

/// Silence after which an only encoding counts as stopped: screens and audio may pause for long.
const SILENT_AFTER: Duration = Duration::from_millis(2_500);

/// How long an encoding that had stopped must have come again, while others went on.
const LASTING_AFTER: Duration = Duration::from_secs(2);

/// How often packets of one encoding are a reason to look at the others.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// One encoding.
#[derive(Debug, Default, Clone, Copy)]
struct Encoding {
    /// When its last packet came.
    last: Option<Time>,
    /// Whether it stopped while others went on.
    is_doubtful: bool,
    /// Since when it has come again without a pause.
    since: Time,
}

/// The encodings of a source.
#[derive(Debug)]
pub struct Activity {
    /// Lowest quality first.
    encodings: Vec<Encoding>,
    /// Those that count as active, as a set of bits.
    active: u8,
    /// When to look for silence next.
    look_at: Time,
}

impl Activity {
    /// `count` encodings that have brought nothing.
    pub fn new(count: usize) -> Self {
        Self {
            encodings: vec![Encoding::default(); count],
            active: 0,
            look_at: Time::ZERO,
        }
    }

    /// The active encodings, as a set of bits.
    pub fn active(&self) -> u8 {
        self.active
    }

    /// Takes over what another shard says; says whether the set changed.
    pub fn set_active(&mut self, active: u8) -> bool {
        std::mem::replace(&mut self.active, active) != active
    }

    /// Notes a packet of an encoding; says whether the set changed.
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
        let is_lasting = !encoding.is_doubtful || now.since(encoding.since) >= LASTING_AFTER;
        if is_lasting {
            encoding.is_doubtful = false;
            self.active |= bit(index);
        }
        if now >= self.look_at {
            self.look_at = now + LOOK_INTERVAL;
            self.drop_silent(now);
        }
        self.active != before
    }

    /// Looks which encodings have stopped; says whether the set changed.
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
                encoding.is_doubtful = true;
            }
        }
        // A source that stopped as a whole, a camera switched off, may begin again as a whole.
        if self.active == 0 {
            self.encodings
                .iter_mut()
                .for_each(|encoding| encoding.is_doubtful = false);
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

/// The bit of an encoding; none past the eighth, which the parameters do not allow.
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
    fn every_encoding_counts_from_its_first_packet() {
        let mut activity = Activity::new(3);
        assert_eq!(send(&mut activity, 0, 100, &[0, 1, 2]), 3);
        assert_eq!(activity.active(), 0b111);
    }

    #[test]
    fn an_encoding_that_stops_is_missed_within_a_little_more_than_a_second() {
        let mut activity = Activity::new(3);
        send(&mut activity, 0, 1_000, &[0, 1, 2]);
        send(&mut activity, 1_000, 2_200, &[0, 1]);
        assert_eq!(activity.active(), 0b011);
    }

    #[test]
    fn an_encoding_that_comes_and_goes_stays_away() {
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
    fn a_camera_that_was_off_comes_back_whole() {
        let mut activity = Activity::new(3);
        send(&mut activity, 0, 1_000, &[0, 1, 2]);
        assert!(activity.check_silence(Time::from_millis(3_000)));
        assert_eq!(activity.active(), 0);
        send(&mut activity, 5_000, 5_100, &[0, 1, 2]);
        assert_eq!(activity.active(), 0b111);
    }

    #[test]
    fn an_only_encoding_may_pause() {
        let mut activity = Activity::new(1);
        activity.record_packet(Time::ZERO, 0);
        assert!(!activity.check_silence(Time::from_millis(2_400)));
        assert!(activity.check_silence(Time::from_millis(2_600)));
    }
}
