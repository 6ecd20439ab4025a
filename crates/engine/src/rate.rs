//! Counts bytes over the last second, in ten buckets of 100 ms. Nothing is allocated; a packet costs one
//! addition and touches one cache line.

use watersmeet_wire::units::{Bitrate, Time};

/// Number of buckets besides the latest.
const EARLIER: usize = 9;

/// Duration of one bucket in microseconds.
const BUCKET_MICROS: u64 = 100_000;

/// Bytes of the last second.
#[derive(Debug, Default, Clone)]
#[repr(C)]
pub struct RateWindow {
    /// Bytes of the latest bucket.
    bytes: u64,
    /// Index of the latest bucket, counted from `Time::ZERO`.
    latest: u64,
    /// Bytes of the buckets before it, latest first.
    earlier: [u64; EARLIER],
}

impl RateWindow {
    /// Adds bytes at the time `now`.
    #[inline]
    pub fn add(&mut self, now: Time, bytes: u64) {
        self.advance(now);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Returns the start of the bucket to which bytes were added last.
    pub const fn last_at(&self) -> Time {
        Time::from_micros(self.latest * BUCKET_MICROS)
    }

    /// Returns the bitrate over the last second; the current bucket is not complete.
    pub fn bitrate(&self, now: Time) -> Bitrate {
        let mut window = self.clone();
        window.advance(now);
        let bytes = window.bytes + window.earlier.iter().sum::<u64>();
        Bitrate::from_bps(bytes.saturating_mul(8))
    }

    /// Advances to the bucket of `now`.
    #[inline]
    fn advance(&mut self, now: Time) {
        let latest = now.as_micros() / BUCKET_MICROS;
        let passed = latest.saturating_sub(self.latest);
        if passed > 0 {
            self.latest = latest;
            self.start_bucket(passed);
        }
    }

    /// Starts a bucket, `passed` after the latest one.
    #[cold]
    fn start_bucket(&mut self, passed: u64) {
        let passed = usize::try_from(passed).unwrap_or(usize::MAX);
        let ended = std::mem::take(&mut self.bytes);
        self.earlier.rotate_right(passed.min(EARLIER));
        for bucket in self.earlier.iter_mut().take(passed) {
            *bucket = 0;
        }
        if let Some(bucket) = self.earlier.get_mut(passed - 1) {
            *bucket = ended;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitrate_of_a_steady_stream_is_exact() {
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
    fn bytes_expire_after_a_second() {
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
    fn time_that_goes_back_loses_no_bytes() {
        let mut window = RateWindow::default();
        window.add(Time::from_millis(500), 1_000);
        window.add(Time::from_millis(100), 1_000);
        assert_eq!(
            window.bitrate(Time::from_millis(500)),
            Bitrate::from_kbps(16)
        );
    }
}
