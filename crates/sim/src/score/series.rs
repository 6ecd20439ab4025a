//! Functions on series of samples and on sets of figures.

use std::time::Duration;

use super::measure::Window;
use super::recording::{steps_in, time_of};

/// Time for which a condition must hold.
const LASTING: Duration = Duration::from_secs(1);

/// Returns the time from the start of a window until a condition on samples holds for good, in seconds.
pub fn lasting(window: Window, holds: impl Fn(usize) -> bool) -> f64 {
    let index = first_lasting(window.indices().map(holds), steps_in(LASTING));
    index.map_or(f64::INFINITY, |index| time_of(index).as_secs_f64())
}

/// Returns the time from the start of a window until a condition on samples holds, in seconds.
pub fn first(window: Window, holds: impl Fn(usize) -> bool) -> f64 {
    let index = window.indices().position(holds);
    index.map_or(f64::INFINITY, |index| time_of(index).as_secs_f64())
}

/// Returns the index of the first sample from which `holds` is true for `span` samples, counted from
/// the first one.
pub fn first_lasting(samples: impl Iterator<Item = bool>, span: usize) -> Option<usize> {
    let mut since = None;
    for (index, holds) in samples.enumerate() {
        if !holds {
            since = None;
            continue;
        }
        let start = *since.get_or_insert(index);
        if index + 1 - start >= span {
            return Some(start);
        }
    }
    None
}

/// Returns the length of the longest run of samples for which `holds` is true.
pub fn longest_run(samples: impl Iterator<Item = bool>) -> usize {
    let mut current = 0;
    let mut longest = 0;
    for holds in samples {
        current = if holds { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    longest
}

/// Returns Jain's fairness index: 1 when all are equal, 1/n when one has everything.
pub fn jain(rates: &[f64]) -> f64 {
    let sum: f64 = rates.iter().sum();
    let squares: f64 = rates.iter().map(|rate| rate * rate).sum();
    if squares == 0.0 {
        return 0.0;
    }
    // Rounding must not lift equal rates above one.
    (sum * sum / (rates.len() as f64 * squares)).min(1.0)
}

/// Returns a percentile by nearest rank; `None` of nothing.
pub fn percentile(mut values: Vec<f64>, percent: usize) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lasting_condition_starts_where_it_held_long_enough() {
        let samples = [true, false, true, true, true, false];
        assert_eq!(first_lasting(samples.into_iter(), 3), Some(2));
        assert_eq!(first_lasting(samples.into_iter(), 4), None);
        assert_eq!(longest_run(samples.into_iter()), 3);
    }

    #[test]
    fn fairness_is_one_of_equals_and_a_third_of_one_in_three() {
        assert!((jain(&[5.0, 5.0, 5.0]) - 1.0).abs() < 1e-9);
        assert!((jain(&[5.0, 0.0, 0.0]) - 1.0 / 3.0).abs() < 1e-9);
        assert!(jain(&[0.0, 0.0]).abs() < 1e-9);
    }

    #[test]
    fn percentile_is_by_nearest_rank() {
        let values: Vec<f64> = (1..=64).map(f64::from).collect();
        assert_eq!(percentile(values.clone(), 95), Some(61.0));
        assert_eq!(percentile(values, 50), Some(32.0));
        assert_eq!(percentile(vec![7.0], 95), Some(7.0));
    }
}
