//! Playback quality of a video: frames per second, time to the first frame, and freezes as the W3C
//! defines them (webrtc-stats, `freezeCount`): a gap between two rendered frames of at least three
//! times the mean of the last thirty gaps and at least 150 ms longer than it.

use std::collections::VecDeque;
use std::time::Duration;

use watersmeet_wire::units::Time;

/// Number of gaps in the mean.
const GAPS_MAX: usize = 30;

/// Excess over the mean above which a gap can be a freeze.
const FREEZE_EXCESS: Duration = Duration::from_millis(150);

/// Highest delay that is distinguished, in milliseconds.
pub const DELAY_MS_MAX: usize = 4_000;

/// Measurements of rendered frames.
#[derive(Debug)]
pub struct PlaybackQuality {
    /// Time at which the track was created.
    created_at: Time,
    /// Time at which the first frame was rendered.
    first_shown: Option<Time>,
    /// Start of the measurements.
    measured_since: Time,
    /// Time at which the last frame was rendered; `None` during a pause.
    last_frame_at: Option<Time>,
    /// Last gaps between frames.
    gaps: VecDeque<Duration>,
    /// Number of rendered frames.
    frames: u64,
    /// Number of freezes.
    freezes: u64,
    /// Total duration of the freezes.
    frozen: Duration,
    /// Longest freeze.
    longest: Duration,
    /// Number of frames by delay from capture to rendering, in milliseconds.
    delays: Vec<u32>,
    /// Total duration of pauses.
    paused: Duration,
    /// Start of the current pause.
    paused_since: Option<Time>,
}

impl PlaybackQuality {
    /// Starts the measurements.
    pub fn new(now: Time) -> Self {
        Self {
            created_at: now,
            first_shown: None,
            measured_since: now,
            last_frame_at: None,
            gaps: VecDeque::new(),
            frames: 0,
            freezes: 0,
            frozen: Duration::ZERO,
            longest: Duration::ZERO,
            delays: vec![0; DELAY_MS_MAX + 1],
            paused: Duration::ZERO,
            paused_since: None,
        }
    }

    /// Resets the measurements; the last frame still starts the first gap.
    pub fn reset(&mut self, now: Time) {
        self.measured_since = now;
        (self.frames, self.freezes) = (0, 0);
        (self.frozen, self.longest, self.paused) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        self.paused_since = self.paused_since.map(|_| now);
        self.delays.fill(0);
    }

    /// Starts a pause of sender or receiver, in which frames start no gap. [`Self::resume`] ends
    /// it.
    pub fn pause(&mut self, now: Time) {
        self.last_frame_at = None;
        self.paused_since.get_or_insert(now);
    }

    /// Ends a pause.
    pub fn resume(&mut self, now: Time) {
        if let Some(since) = self.paused_since.take() {
            self.paused += now.since(since);
        }
    }

    /// Records a rendered frame.
    pub fn record_frame(&mut self, now: Time, captured: Time) {
        self.first_shown.get_or_insert(now);
        self.frames += 1;
        let delay = usize::try_from(now.since(captured).as_millis()).unwrap_or(usize::MAX);
        if let Some(count) = self.delays.get_mut(delay.min(DELAY_MS_MAX)) {
            *count += 1;
        }
        let before = self.last_frame_at.take();
        self.last_frame_at = self.paused_since.is_none().then_some(now);
        if let Some(before) = before {
            let gap = now.since(before);
            if self.is_freeze(gap) {
                self.freezes += 1;
                self.frozen += gap;
                self.longest = self.longest.max(gap);
            }
            self.gaps.push_back(gap);
            if self.gaps.len() > GAPS_MAX {
                self.gaps.pop_front();
            }
        }
    }

    /// Returns the time from the creation of the track to its first frame.
    pub fn first_frame(&self) -> Option<Duration> {
        self.first_shown.map(|shown| shown.since(self.created_at))
    }

    /// Returns the number of rendered frames.
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Returns the frames per second outside of pauses.
    pub fn fps(&self, now: Time) -> f64 {
        let measured = self.measured_time(now);
        if measured.is_zero() {
            0.0
        } else {
            self.frames as f64 / measured.as_secs_f64()
        }
    }

    /// Returns count, total and longest duration of the freezes, including a current one.
    pub fn freezes(&self, now: Time) -> (u64, Duration, Duration) {
        let open = self
            .last_frame_at
            .map_or(Duration::ZERO, |shown| now.since(shown));
        if self.is_freeze(open) {
            (self.freezes + 1, self.frozen + open, self.longest.max(open))
        } else {
            (self.freezes, self.frozen, self.longest)
        }
    }

    /// Returns the share of the time that was frozen, from 0 to 1.
    pub fn freeze_ratio(&self, now: Time) -> f64 {
        let measured = self.measured_time(now);
        if measured.is_zero() {
            0.0
        } else {
            self.freezes(now).1.as_secs_f64() / measured.as_secs_f64()
        }
    }

    /// Returns the delay in milliseconds that this share of the frames did not exceed.
    pub fn delay_ms(&self, share: f64) -> usize {
        let total: u64 = self.delays.iter().copied().map(u64::from).sum();
        let mut seen = 0;
        let within = self.delays.iter().position(|count| {
            seen += u64::from(*count);
            seen as f64 >= total as f64 * share
        });
        within.unwrap_or(0)
    }

    fn measured_time(&self, now: Time) -> Duration {
        let paused = self
            .paused_since
            .map_or(Duration::ZERO, |since| now.since(since));
        now.since(self.measured_since)
            .saturating_sub(self.paused + paused)
    }

    fn is_freeze(&self, gap: Duration) -> bool {
        let Some(count) = u32::try_from(self.gaps.len())
            .ok()
            .filter(|count| *count > 0)
        else {
            return false;
        };
        let mean = self.gaps.iter().sum::<Duration>() / count;
        gap >= (mean * 3).max(mean + FREEZE_EXCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality_after(gaps: &[u64]) -> (PlaybackQuality, Time) {
        let mut now = Time::ZERO;
        let mut quality = PlaybackQuality::new(now);
        quality.record_frame(now, now);
        for gap in gaps {
            now = now + Duration::from_millis(*gap);
            quality.record_frame(now, now);
        }
        (quality, now)
    }

    #[test]
    fn gap_below_the_threshold_is_not_a_freeze() {
        let (quality, now) = quality_after(&[33, 33, 33, 182, 33]);
        assert_eq!(quality.freezes(now).0, 0);
        let (quality, now) = quality_after(&[33, 33, 33, 183, 33]);
        assert_eq!(
            quality.freezes(now),
            (1, Duration::from_millis(183), Duration::from_millis(183))
        );
    }

    #[test]
    fn threshold_is_three_times_the_mean_at_low_frame_rates() {
        let (quality, now) = quality_after(&[200, 200, 200, 599, 200]);
        assert_eq!(quality.freezes(now).0, 0);
        let (quality, now) = quality_after(&[200, 200, 200, 600, 200]);
        assert_eq!(quality.freezes(now).0, 1);
    }

    #[test]
    fn current_gap_counts_as_a_freeze() {
        let (quality, now) = quality_after(&[33; 40]);
        assert_eq!(quality.freezes(now + Duration::from_secs(2)).0, 1);
    }

    #[test]
    fn pauses_are_not_measured() {
        let (mut quality, now) = quality_after(&[33; 30]);
        quality.pause(now);
        quality.record_frame(now + Duration::from_millis(5), now);
        let later = now + Duration::from_secs(10);
        quality.resume(later);
        quality.record_frame(later, later);
        assert_eq!(quality.freezes(later).0, 0);
        assert!(quality.fps(later) > 29.0);
    }
}
