//! How long packets were on their way, and how long people waited to get in: histograms of
//! microseconds with three significant digits. Each thread has one of its own and counts without
//! asking anybody; they are added up at the end.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest that is told apart, in microseconds: what takes a minute is lost.
const MICROS_MAX: u64 = 60_000_000;

/// Significant digits that are kept: one part in a thousand, for 180 KiB of memory.
const DIGITS: u8 = 3;

/// Durations of one thread.
#[derive(Debug, Clone)]
pub struct Latencies {
    /// How often each was seen.
    histogram: Histogram<u64>,
}

/// What a histogram says in a few words; all zero when nothing was recorded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// How many were recorded.
    pub count: u64,
    /// Half took at most this long, in microseconds.
    pub p50_us: u64,
    /// 95 of 100 did.
    pub p95_us: u64,
    /// 99 of 100 did.
    pub p99_us: u64,
    /// 999 of 1,000 did.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "the bounds are constants that a test tries"
        )]
        let histogram = Histogram::new_with_bounds(1, MICROS_MAX, DIGITS).expect("valid bounds");
        Self { histogram }
    }
}

impl Latencies {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one. What takes more than a minute counts as a minute.
    #[inline]
    pub fn record_micros(&mut self, micros: u64) {
        self.histogram.saturating_record(micros);
    }

    /// Adds what another thread has counted.
    pub fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so nothing can be too long.
        let _ = self.histogram.add(&other.histogram);
    }

    /// What they say in a few words.
    pub fn summary(&self) -> Latency {
        let at = |quantile| self.histogram.value_at_quantile(quantile);
        Latency {
            count: self.histogram.len(),
            p50_us: at(0.5),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.histogram.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_threads_counted_is_one_distribution() {
        let (mut one, mut other) = (Latencies::new(), Latencies::new());
        (1..=500).for_each(|micros| one.record_micros(micros));
        (501..=1_000).for_each(|micros| other.record_micros(micros));
        one.merge(&other);
        let said = one.summary();
        assert_eq!((said.count, said.p50_us, said.p95_us), (1_000, 500, 950));
        assert_eq!((said.p99_us, said.p999_us, said.max_us), (990, 999, 1_000));
    }

    #[test]
    fn what_is_lost_for_hours_counts_as_a_minute() {
        let mut latencies = Latencies::new();
        latencies.record_micros(u64::MAX);
        let max = latencies.summary().max_us;
        assert!(
            (MICROS_MAX..MICROS_MAX * 1_001 / 1_000).contains(&max),
            "{max}"
        );
    }

    #[test]
    fn nothing_recorded_is_all_zero() {
        assert_eq!(Latencies::new().summary(), Latency::default());
    }
}
