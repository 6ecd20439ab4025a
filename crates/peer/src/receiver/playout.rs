//! When a whole frame is shown: as long after its capture as the slowest frames of late took, so
//! that what is brought back comes in time. A little of libwebrtc's jitter buffer: it rises at once
//! when frames come late and sinks slowly when they do not.

use std::time::Duration;

use watersmeet_wire::units::Time;

use crate::negotiation::VIDEO_CLOCK;

/// How long the fastest frame is remembered: between one and two of these.
const WINDOW: Duration = Duration::from_secs(10);

/// Most that a frame is held.
const HOLD_MAX: i64 = 1_000_000;

/// Share of an excess that is added at once, and share of a surplus that is given up per frame.
const RISE: f64 = 0.8;
const FALL: f64 = 0.002;

/// The schedule of one video.
#[derive(Debug, Default)]
pub struct Playout {
    /// Timestamp and unwrapped media time of the newest frame.
    newest: Option<(u32, i64)>,
    /// Least of arrival less media time in this window and in the one before, in microseconds.
    fastest: Option<(i64, i64)>,
    /// When this window ends.
    window_end: Time,
    /// How much longer than the fastest a frame is given.
    hold: f64,
    /// Media time at which the last outage ended. What was captured before it came late because of
    /// the outage, and tells nothing of the next frames.
    outage_end: Option<i64>,
}

impl Playout {
    /// Notes that packets come again after nothing came for a while, the first of them with this
    /// timestamp.
    pub fn note_outage(&mut self, timestamp: u32) {
        self.outage_end = Some(self.media(timestamp));
    }

    /// Notes that a frame became whole, in time or not.
    pub fn observe(&mut self, now: Time, timestamp: u32) {
        let media = self.media(timestamp);
        if self.newest.is_none_or(|(_, newest)| media > newest) {
            self.newest = Some((timestamp, media));
        }
        if self.outage_end.is_some_and(|end| media < end) {
            return;
        }
        let way = i64::try_from(now.as_micros()).unwrap_or(i64::MAX) - media;
        if now >= self.window_end {
            self.window_end = now + WINDOW;
            self.fastest = self.fastest.map(|(this, _)| (way, this));
        }
        let (this, before) = self.fastest.unwrap_or((way, way));
        self.fastest = Some((this.min(way), before));
        let excess = (way - this.min(way).min(before)).min(HOLD_MAX) as f64 - self.hold;
        self.hold += excess * if excess > 0.0 { RISE } else { FALL };
    }

    /// When a frame is to be shown.
    #[expect(clippy::cast_possible_truncation, reason = "a second at most")]
    pub fn due(&self, timestamp: u32) -> Time {
        let Some((this, before)) = self.fastest else {
            return Time::ZERO;
        };
        let micros = self.media(timestamp) + this.min(before) + self.hold as i64;
        Time::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Forgets everything: the clock was set anew.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// Unwrapped media time in microseconds.
    fn media(&self, timestamp: u32) -> i64 {
        let (near, media) = self.newest.unwrap_or((timestamp, 0));
        let step = i64::from(timestamp.wrapping_sub(near).cast_signed());
        media + step * 1_000_000 / i64::from(VIDEO_CLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_outage_delayed_does_not_delay_what_follows() {
        let mut playout = Playout::default();
        playout.observe(Time::from_millis(50), 0);
        playout.note_outage(90_000);
        playout.observe(Time::from_millis(1_060), 45_000);
        playout.observe(Time::from_millis(1_050), 90_000);
        assert_eq!(playout.due(90_000), Time::from_millis(1_050));
    }

    #[test]
    fn a_late_frame_makes_the_next_ones_wait_and_that_wears_off() {
        let mut playout = Playout::default();
        for number in 0..100_u32 {
            let now = Time::from_millis(50 + u64::from(number) * 33);
            playout.observe(now, number * 2_970);
            assert_eq!(playout.due(number * 2_970), now);
        }
        playout.observe(Time::from_millis(50 + 100 * 33 + 100), 100 * 2_970);
        let due = playout.due(101 * 2_970);
        assert_eq!(due, Time::from_millis(50 + 101 * 33 + 80));
        for number in 101..3_000_u32 {
            playout.observe(
                Time::from_millis(50 + u64::from(number) * 33),
                number * 2_970,
            );
        }
        let on_time = Time::from_millis(50 + 3_000 * 33);
        assert!(playout.due(3_000 * 2_970).since(on_time) < Duration::from_millis(1));
    }
}
