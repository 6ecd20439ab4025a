//! How often something took how long. Fixed buckets, no allocation: whoever measures adds one.

use std::time::Duration;

/// Durations, counted by the smallest bound that they do not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histogram<const N: usize> {
    /// The bounds in microseconds, ascending.
    bounds: [u64; N],
    /// How many were at most each bound, and above the one before.
    counts: [u64; N],
    /// How many were above the last bound.
    beyond: u64,
    /// All of them together, in microseconds.
    sum_micros: u64,
}

impl<const N: usize> Histogram<N> {
    /// Nothing measured yet. The bounds are microseconds, ascending.
    pub const fn new(bounds: [u64; N]) -> Self {
        Self {
            bounds,
            counts: [0; N],
            beyond: 0,
            sum_micros: 0,
        }
    }

    /// Counts one.
    pub fn observe(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let place = self.bounds.iter().position(|&bound| micros <= bound);
        match place.and_then(|place| self.counts.get_mut(place)) {
            Some(count) => *count += 1,
            None => self.beyond += 1,
        }
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// How many were measured.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.beyond
    }

    /// All of them together, in microseconds.
    pub const fn sum_micros(&self) -> u64 {
        self.sum_micros
    }

    /// Each bound in microseconds with how many were at most that and above the bound before; the
    /// last has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        let bounds = self.bounds.iter().map(|&bound| Some(bound));
        let bounded = bounds.zip(self.counts.iter().copied());
        bounded.chain(std::iter::once((None, self.beyond)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_falls_into_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::new([10, 100]);
        for micros in [0, 10, 11, 100, 101, 5_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!(buckets, [(Some(10), 2), (Some(100), 2), (None, 2)]);
        assert_eq!((histogram.count(), histogram.sum_micros()), (6, 5_000_222));
    }
}
