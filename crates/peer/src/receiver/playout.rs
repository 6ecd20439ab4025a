//! Rendering time of complete frames. Each is delayed as long as the slowest recent frames took, so
//! that retransmissions arrive in time. A simplified jitter buffer of libwebrtc: the delay rises at
//! once when frames are late and falls slowly otherwise.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// The fastest frame is remembered for one to two of these windows.
const WINDOW: Duration = Duration::from_secs(10);

/// Maximum delay of a frame, in microseconds.
const DELAY_MAX: i64 = 1_000_000;

/// Share of the missing delay that is added at once, and of the excess delay that is removed per
/// frame.
const RISE: f64 = 0.8;
const FALL: f64 = 0.002;

/// Rendering times of one stream.
#[derive(Debug)]
pub struct PlayoutTiming {
    /// RTP clock rate, in Hz.
    clock_rate: u32,
    /// RTP timestamp and unwrapped media time of the newest frame.
    newest: Option<(u32, i64)>,
    /// Minimum of arrival minus media time in this window and the previous one, in microseconds.
    fastest: Option<(i64, i64)>,
    /// End of this window.
    window_end: Time,
    /// Delay relative to the fastest frame, in microseconds.
    delay: f64,
    /// Media time at which the last outage ended. Frames captured earlier are late because of the
    /// outage and are not measured.
    outage_end: Option<i64>,
}

impl PlayoutTiming {
    /// Creates the timing of a stream with this clock rate that has received nothing.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            newest: None,
            fastest: None,
            window_end: Time::ZERO,
            delay: 0.0,
            outage_end: None,
        }
    }

    /// Records that packets arrive again after an outage, the first one with this timestamp.
    pub fn record_outage(&mut self, timestamp: u32) {
        self.outage_end = Some(self.media_time(timestamp));
    }

    /// Records that a frame is complete, in time or not.
    pub fn record_frame(&mut self, now: Time, timestamp: u32) {
        let media = self.media_time(timestamp);
        if self.newest.is_none_or(|(_, newest)| media > newest) {
            self.newest = Some((timestamp, media));
        }
        if self.outage_end.is_some_and(|end| media < end) {
            return;
        }
        let transit = i64::try_from(now.as_micros()).unwrap_or(i64::MAX) - media;
        if now >= self.window_end {
            self.window_end = now + WINDOW;
            self.fastest = self.fastest.map(|(this, _)| (transit, this));
        }
        let (this, before) = self.fastest.unwrap_or((transit, transit));
        self.fastest = Some((this.min(transit), before));
        let excess = (transit - this.min(transit).min(before)).min(DELAY_MAX) as f64 - self.delay;
        self.delay += excess * if excess > 0.0 { RISE } else { FALL };
    }

    /// Returns when to render a frame.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the delay is at most one second"
    )]
    pub fn render_time(&self, timestamp: u32) -> Time {
        let Some((this, before)) = self.fastest else {
            return Time::ZERO;
        };
        let micros = self.media_time(timestamp) + this.min(before) + self.delay as i64;
        Time::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Discards all measurements.
    pub fn reset(&mut self) {
        *self = Self::new(self.clock_rate);
    }

    /// Returns the unwrapped media time, in microseconds.
    fn media_time(&self, timestamp: u32) -> i64 {
        let (near, media) = self.newest.unwrap_or((timestamp, 0));
        let step = i64::from(timestamp.wrapping_sub(near).cast_signed());
        media + step * 1_000_000 / i64::from(self.clock_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::negotiation::VIDEO_CLOCK;

    #[test]
    fn frames_delayed_by_an_outage_do_not_raise_the_delay() {
        let mut playout = PlayoutTiming::new(VIDEO_CLOCK);
        playout.record_frame(Time::from_millis(50), 0);
        playout.record_outage(90_000);
        playout.record_frame(Time::from_millis(1_060), 45_000);
        playout.record_frame(Time::from_millis(1_050), 90_000);
        assert_eq!(playout.render_time(90_000), Time::from_millis(1_050));
    }

    #[test]
    fn late_frame_raises_the_delay_which_then_decays() {
        let mut playout = PlayoutTiming::new(VIDEO_CLOCK);
        for number in 0..100_u32 {
            let now = Time::from_millis(50 + u64::from(number) * 33);
            playout.record_frame(now, number * 2_970);
            assert_eq!(playout.render_time(number * 2_970), now);
        }
        playout.record_frame(Time::from_millis(50 + 100 * 33 + 100), 100 * 2_970);
        let due = playout.render_time(101 * 2_970);
        assert_eq!(due, Time::from_millis(50 + 101 * 33 + 80));
        for number in 101..3_000_u32 {
            playout.record_frame(
                Time::from_millis(50 + u64::from(number) * 33),
                number * 2_970,
            );
        }
        let on_time = Time::from_millis(50 + 3_000 * 33);
        assert!(playout.render_time(3_000 * 2_970).since(on_time) < Duration::from_millis(1));
    }
}
