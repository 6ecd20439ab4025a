//! Histogram of durations with fixed buckets. Recording does not allocate.

use std::time::Duration;

/// Histogram of durations; each is counted in the bucket with the smallest bound it does not
/// exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histogram<const N: usize> {
    /// Upper bounds of the buckets in microseconds, ascending.
    bounds: [u64; N],
    /// Durations per bucket: at most its bound, and above the previous one.
    counts: [u64; N],
    /// Durations above the last bound.
    above: u64,
    /// Sum of all durations, in microseconds.
    sum_micros: u64,
}

impl<const N: usize> Histogram<N> {
    /// Creates an empty histogram with these bounds in microseconds, which must ascend.
    pub const fn new(bounds: [u64; N]) -> Self {
        Self {
            bounds,
            counts: [0; N],
            above: 0,
            sum_micros: 0,
        }
    }

    /// Records one duration.
    pub fn observe(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = self.bounds.iter().position(|&bound| micros <= bound);
        match bucket.and_then(|bucket| self.counts.get_mut(bucket)) {
            Some(count) => *count += 1,
            None => self.above += 1,
        }
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// Returns the number of recorded durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.above
    }

    /// Returns the sum of all durations, in microseconds.
    pub const fn sum_micros(&self) -> u64 {
        self.sum_micros
    }

    /// Returns each bound in microseconds with its count (not cumulative); the last bucket has no
    /// bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        let bounds = self.bounds.iter().map(|&bound| Some(bound));
        let bounded = bounds.zip(self.counts.iter().copied());
        bounded.chain(std::iter::once((None, self.above)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_counted_in_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::new([10, 100]);
        for micros in [0, 10, 11, 100, 101, 5_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!(buckets, [(Some(10), 2), (Some(100), 2), (None, 2)]);
        assert_eq!((histogram.count(), histogram.sum_micros()), (6, 5_000_222));
    }
}
