//! How a video looked to a person: frames per second, time to the first frame, and freezes as the
//! W3C defines them (webrtc-stats, `freezeCount`): a gap between two shown frames that is at least
//! three times the mean of the last thirty, or 150 ms longer than it.

use std::collections::VecDeque;
use std::time::Duration;

use watersmeet_wire::units::Time;

/// Gaps that the mean is taken over.
const GAPS: usize = 30;

/// How much longer than the mean a gap is a freeze.
const FREEZE: Duration = Duration::from_millis(150);

/// Highest delay that is told apart.
pub const DELAY_MS_MAX: usize = 4_000;

/// What was shown since the judging began.
#[derive(Debug)]
pub struct Smoothness {
    /// When the track was made.
    made: Time,
    /// When the first frame was shown.
    first_shown: Option<Time>,
    /// When judging began.
    since: Time,
    /// When the last frame was shown; none while nothing is to be expected.
    shown: Option<Time>,
    /// The last gaps.
    gaps: VecDeque<Duration>,
    /// Frames shown.
    frames: u64,
    /// Freezes.
    freezes: u64,
    /// How long all of them were.
    frozen: Duration,
    /// The longest.
    longest: Duration,
    /// How many frames took how many milliseconds from capture to being shown.
    delays: Vec<u32>,
    /// Time in which nothing was to be expected.
    held: Duration,
    /// Since when nothing is to be expected.
    held_since: Option<Time>,
}

impl Smoothness {
    /// Begins to judge.
    pub fn new(now: Time) -> Self {
        Self {
            made: now,
            first_shown: None,
            since: now,
            shown: None,
            gaps: VecDeque::new(),
            frames: 0,
            freezes: 0,
            frozen: Duration::ZERO,
            longest: Duration::ZERO,
            delays: vec![0; DELAY_MS_MAX + 1],
            held: Duration::ZERO,
            held_since: None,
        }
    }

    /// Judges afresh; what was shown before still begins the first gap.
    pub fn restart(&mut self, now: Time) {
        self.since = now;
        (self.frames, self.freezes) = (0, 0);
        (self.frozen, self.longest, self.held) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        self.held_since = self.held_since.map(|_| now);
        self.delays.fill(0);
    }

    /// Expects nothing: the sender or the receiver paused. What is still shown begins no gap. Ends
    /// with [`Self::expect`].
    pub fn hold(&mut self, now: Time) {
        self.shown = None;
        self.held_since.get_or_insert(now);
    }

    /// Expects frames again.
    pub fn expect(&mut self, now: Time) {
        if let Some(since) = self.held_since.take() {
            self.held += now.since(since);
        }
    }

    /// A frame is shown.
    pub fn show(&mut self, now: Time, captured: Time) {
        self.first_shown.get_or_insert(now);
        self.frames += 1;
        let delay = usize::try_from(now.since(captured).as_millis()).unwrap_or(usize::MAX);
        if let Some(count) = self.delays.get_mut(delay.min(DELAY_MS_MAX)) {
            *count += 1;
        }
        let before = self.shown.take();
        self.shown = self.held_since.is_none().then_some(now);
        if let Some(before) = before {
            let gap = now.since(before);
            if self.is_freeze(gap) {
                self.freezes += 1;
                self.frozen += gap;
                self.longest = self.longest.max(gap);
            }
            self.gaps.push_back(gap);
            if self.gaps.len() > GAPS {
                self.gaps.pop_front();
            }
        }
    }

    /// Time from the making of the track to its first frame.
    pub fn first_frame(&self) -> Option<Duration> {
        self.first_shown.map(|shown| shown.since(self.made))
    }

    /// Frames shown since judging began.
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames per second while there was something to expect.
    pub fn fps(&self, now: Time) -> f64 {
        let judged = self.judged(now);
        if judged.is_zero() {
            0.0
        } else {
            self.frames as f64 / judged.as_secs_f64()
        }
    }

    /// Freezes, with the one that may be going on.
    pub fn freezes(&self, now: Time) -> (u64, Duration, Duration) {
        let open = self.shown.map_or(Duration::ZERO, |shown| now.since(shown));
        if self.is_freeze(open) {
            (self.freezes + 1, self.frozen + open, self.longest.max(open))
        } else {
            (self.freezes, self.frozen, self.longest)
        }
    }

    /// Share of the time that was frozen.
    pub fn freeze_ratio(&self, now: Time) -> f64 {
        let judged = self.judged(now);
        if judged.is_zero() {
            0.0
        } else {
            self.freezes(now).1.as_secs_f64() / judged.as_secs_f64()
        }
    }

    /// The delay in milliseconds that this share of the frames did not exceed.
    pub fn delay_ms(&self, share: f64) -> usize {
        let total: u64 = self.delays.iter().copied().map(u64::from).sum();
        let mut seen = 0;
        let within = self.delays.iter().position(|count| {
            seen += u64::from(*count);
            seen as f64 >= total as f64 * share
        });
        within.unwrap_or(0)
    }

    fn judged(&self, now: Time) -> Duration {
        let held = self
            .held_since
            .map_or(Duration::ZERO, |since| now.since(since));
        now.since(self.since).saturating_sub(self.held + held)
    }

    fn is_freeze(&self, gap: Duration) -> bool {
        let Some(count) = u32::try_from(self.gaps.len())
            .ok()
            .filter(|count| *count > 0)
        else {
            return false;
        };
        let mean = self.gaps.iter().sum::<Duration>() / count;
        gap >= (mean * 3).max(mean + FREEZE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn showing(gaps: &[u64]) -> (Smoothness, Time) {
        let mut now = Time::ZERO;
        let mut smoothness = Smoothness::new(now);
        smoothness.show(now, now);
        for gap in gaps {
            now = now + Duration::from_millis(*gap);
            smoothness.show(now, now);
        }
        (smoothness, now)
    }

    #[test]
    fn a_gap_below_the_definition_is_no_freeze() {
        let (smoothness, now) = showing(&[33, 33, 33, 182, 33]);
        assert_eq!(smoothness.freezes(now).0, 0);
        let (smoothness, now) = showing(&[33, 33, 33, 183, 33]);
        assert_eq!(
            smoothness.freezes(now),
            (1, Duration::from_millis(183), Duration::from_millis(183))
        );
    }

    #[test]
    fn at_a_low_rate_three_times_the_mean_decides() {
        let (smoothness, now) = showing(&[200, 200, 200, 599, 200]);
        assert_eq!(smoothness.freezes(now).0, 0);
        let (smoothness, now) = showing(&[200, 200, 200, 600, 200]);
        assert_eq!(smoothness.freezes(now).0, 1);
    }

    #[test]
    fn a_picture_that_stands_still_is_frozen_before_the_next_one_comes() {
        let (smoothness, now) = showing(&[33; 40]);
        assert_eq!(smoothness.freezes(now + Duration::from_secs(2)).0, 1);
    }

    #[test]
    fn a_pause_is_no_freeze_and_no_time() {
        let (mut smoothness, now) = showing(&[33; 30]);
        smoothness.hold(now);
        smoothness.show(now + Duration::from_millis(5), now);
        let later = now + Duration::from_secs(10);
        smoothness.expect(later);
        smoothness.show(later, later);
        assert_eq!(smoothness.freezes(later).0, 0);
        assert!(smoothness.fps(later) > 29.0);
    }
}
