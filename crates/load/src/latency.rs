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
        let bounded = Histogram::new_with_bounds(1, MICROS_MAX, DIGITS);
        // The bounds are constants that the library takes; if it did not, one that grows is next
        // best.
        let histogram = bounded.or_else(|_| Histogram::new(DIGITS));
        Self {
            histogram: histogram.unwrap_or_else(|_| unreachable!("three digits are allowed")),
        }
    }
}
