//! How much went by in the last second. Ten buckets of 100 ms; nothing is allocated, and a packet
//! costs one addition.

use watersmeet_wire::units::{Bitrate, Time};

/// Buckets of one window.
const BUCKETS: usize = 10;

/// What one bucket spans.
const BUCKET_MICROS: u64 = 100_000;

/// The bytes of the last second.
#[derive(Debug, Default, Clone)]
pub struct RateWindow {
    /// Bytes per bucket, the latest first.
    bytes: [u64; BUCKETS],
    /// Which bucket is the latest, counted from the origin of time.
    latest: u64,
}

impl RateWindow {
    /// Counts `bytes` that go by now.
    #[inline]
    pub fn add(&mut self, now: Time, bytes: u64) {
        self.advance(now);
        let [latest, ..] = &mut self.bytes;
        *latest = latest.saturating_add(bytes);
    }

    /// The rate over the last second; the current bucket is as long as it has lasted.
    pub fn bitrate(&self, now: Time) -> Bitrate {
        let mut window = self.clone();
        window.advance(now);
        Bitrate::from_bps(window.bytes.iter().sum::<u64>().saturating_mul(8))
    }

    /// Moves on to the bucket of `now`.
    fn advance(&mut self, now: Time) {
        let latest = now.as_micros() / BUCKET_MICROS;
        let passed = latest.saturating_sub(self.latest);
        if passed == 0 {
            return;
        }
        self.latest = latest;
        let passed = usize::try_from(passed).unwrap_or(BUCKETS).min(BUCKETS);
        self.bytes.rotate_right(passed);
        for bucket in self.bytes.iter_mut().take(passed) {
            *bucket = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_shows_its_rate() {
        let mut window = RateWindow::default();
        for millis in 0..5_000 {
            window.add(Time::from_millis(millis), 125);
        }
        assert_eq!(
            window.bitrate(Time::from_millis(4_999)),
            Bitrate::from_kbps(1_000)
        );
    }

    #[test]
    fn what_went_by_is_forgotten_after_a_second() {
        let mut window = RateWindow::default();
        window.add(Time::from_millis(50), 1_000);
        assert_eq!(
            window.bitrate(Time::from_millis(999)),
            Bitrate::from_kbps(8)
        );
        assert_eq!(window.bitrate(Time::from_millis(1_000)), Bitrate::ZERO);
        assert_eq!(window.bitrate(Time::FAR_FUTURE), Bitrate::ZERO);
    }

    #[test]
    fn time_that_runs_backwards_loses_nothing() {
        let mut window = RateWindow::default();
        window.add(Time::from_millis(500), 1_000);
        window.add(Time::from_millis(100), 1_000);
        assert_eq!(
            window.bitrate(Time::from_millis(500)),
            Bitrate::from_kbps(16)
        );
    }
}
