//! Bitrate at which packets arrive at the peer: by its clock, but no more than was sent by ours, so that
//! a peer that reports false times cannot raise it.

use std::collections::VecDeque;

use watersmeet_wire::units::Bitrate;

/// Length of the measured window in microseconds.
const WINDOW_MICROS: i64 = 500_000;

/// Shortest time for which a rate is returned, in microseconds.
const SPAN_MIN_MICROS: i64 = 150_000;

/// Width of a bucket in microseconds.
const BUCKET_MICROS: i64 = 10_000;

/// Upper bound of the buckets kept.
const BUCKETS_MAX: usize = 51;

/// Bytes that arrived lately.
#[derive(Debug, Default)]
pub struct AcknowledgedRate {
    by_arrival: Window,
    by_sending: Window,
}

/// Bytes in buckets of time.
#[derive(Debug, Default)]
struct Window {
    /// Start of each bucket and its bytes, oldest first.
    buckets: VecDeque<(i64, u64)>,
    /// First time since the beginning or a gap.
    since: Option<i64>,
}

impl AcknowledgedRate {
    /// Records bytes that were sent at `sent` and arrived at `arrival`, in microseconds of either
    /// clock.
    pub fn record(&mut self, sent: i64, arrival: i64, bytes: u64) {
        self.by_arrival.record(arrival, bytes);
        self.by_sending.record(sent, bytes);
    }

    /// Returns the rate of the last half second; `None` soon after the beginning.
    pub fn get(&self) -> Option<Bitrate> {
        Some(self.by_arrival.get()?.min(self.by_sending.get()?))
    }

    /// Starts measuring anew.
    pub fn restart(&mut self) {
        *self = Self::default();
    }
}

impl Window {
    fn record(&mut self, at: i64, more: u64) {
        self.since.get_or_insert(at);
        let bucket = at.div_euclid(BUCKET_MICROS) * BUCKET_MICROS;
        match self.buckets.back_mut() {
            Some((start, bytes)) if *start >= bucket => *bytes += more,
            _ => self.buckets.push_back((bucket, more)),
        }
        let oldest = bucket - WINDOW_MICROS;
        while let Some(&(start, _)) = self.buckets.front()
            && (start <= oldest || self.buckets.len() > BUCKETS_MAX)
        {
            self.buckets.pop_front();
        }
    }

    fn get(&self) -> Option<Bitrate> {
        let (newest, _) = self.buckets.back()?;
        let span = (newest + BUCKET_MICROS - self.since?).min(WINDOW_MICROS);
        let span = u64::try_from(span)
            .ok()
            .filter(|_| span >= SPAN_MIN_MICROS)?;
        let bytes = self.buckets.iter().map(|(_, bytes)| bytes).sum::<u64>();
        Some(Bitrate::from_bps(bytes.saturating_mul(8_000_000) / span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_stream_is_measured_exactly() {
        let mut rate = AcknowledgedRate::default();
        for millis in 0..2_000 {
            rate.record(millis * 1_000, millis * 1_000, 125);
        }
        assert_eq!(rate.get(), Some(Bitrate::from_kbps(1_000)));
        assert!(rate.by_arrival.buckets.len() <= BUCKETS_MAX);
    }

    #[test]
    fn rate_is_known_from_150_ms_on() {
        let mut rate = AcknowledgedRate::default();
        assert_eq!(rate.get(), None);
        rate.record(0, 0, 1_000);
        assert_eq!(rate.get(), None);
        rate.record(190_000, 190_000, 1_000);
        assert_eq!(rate.get(), Some(Bitrate::from_kbps(80)));
        rate.restart();
        assert_eq!(rate.get(), None);
    }

    #[test]
    fn no_more_arrives_than_was_sent() {
        let mut rate = AcknowledgedRate::default();
        for step in 0..2_000 {
            rate.record(step * 10_000, step * 100, 125);
        }
        assert_eq!(rate.get(), Some(Bitrate::from_kbps(100)));
    }

    #[test]
    fn arrivals_that_jump_cost_no_memory() {
        let mut rate = AcknowledgedRate::default();
        for step in 0..100_000_i64 {
            rate.record(step, step.pow(2) % 7_919 * 40_000, 100);
        }
        assert!(rate.by_arrival.buckets.len() <= BUCKETS_MAX + 1);
    }
}
