//! Latency histograms of packets and joins, in microseconds with three significant digits. Each
//! thread records into its own histogram; they are merged at the end.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longest recorded duration in microseconds: one minute.
const MICROS_MAX: u64 = 60_000_000;

/// Significant digits: a precision of 0.1 %, for 180 KiB of memory.
const DIGITS: u8 = 3;

/// A histogram of durations.
#[derive(Debug, Clone)]
pub struct Latencies {
    /// Counts by duration in microseconds.
    histogram: Histogram<u64>,
}

/// Percentiles of a histogram; all zero when nothing was recorded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Number of recorded durations.
    pub count: u64,
    /// Median in microseconds.
    pub p50_us: u64,
    /// 95th percentile in microseconds.
    pub p95_us: u64,
    /// 99th percentile in microseconds.
    pub p99_us: u64,
    /// 99.9th percentile in microseconds.
    pub p999_us: u64,
    /// Longest duration in microseconds.
    pub max_us: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "the bounds are constants, covered by a test"
        )]
        let histogram = Histogram::new_with_bounds(1, MICROS_MAX, DIGITS).expect("valid bounds");
        Self { histogram }
    }
}

impl Latencies {
    /// Creates an empty histogram.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a duration. More than a minute counts as a minute.
    #[inline]
    pub fn record_micros(&mut self, micros: u64) {
        self.histogram.saturating_record(micros);
    }

    /// Adds the histogram of another thread.
    pub fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so this cannot fail.
        let _ = self.histogram.add(&other.histogram);
    }

    /// Returns the percentiles.
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
    fn merged_histograms_are_one_distribution() {
        let (mut one, mut other) = (Latencies::new(), Latencies::new());
        (1..=500).for_each(|micros| one.record_micros(micros));
        (501..=1_000).for_each(|micros| other.record_micros(micros));
        one.merge(&other);
        let summary = one.summary();
        assert_eq!(
            (summary.count, summary.p50_us, summary.p95_us),
            (1_000, 500, 950)
        );
        assert_eq!(
            (summary.p99_us, summary.p999_us, summary.max_us),
            (990, 999, 1_000)
        );
    }

    #[test]
    fn durations_beyond_a_minute_count_as_a_minute() {
        let mut latencies = Latencies::new();
        latencies.record_micros(u64::MAX);
        let max = latencies.summary().max_us;
        assert!(
            (MICROS_MAX..MICROS_MAX * 1_001 / 1_000).contains(&max),
            "{max}"
        );
    }

    #[test]
    fn empty_histogram_is_all_zero() {
        assert_eq!(Latencies::new().summary(), Latency::default());
    }
}
