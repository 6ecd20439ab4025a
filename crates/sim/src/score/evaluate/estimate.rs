//! Measures of the server's estimate of what a viewer can receive. An estimate that never changes is
//! none, and gives no figure.

use std::time::Duration;

use crate::score::measure::{Measure, Window};
use crate::score::recording::{LineSample, Recording, ViewerRecording, index_at, time_of};
use crate::score::series::{lasting, longest_run};

/// Time within which a fall of the estimate is measured.
const DRAWDOWN_WINDOW: Duration = Duration::from_secs(60);

/// Returns the figures of a measure of this file.
pub(super) fn figures(measure: Measure, run: &Recording) -> Option<Vec<f64>> {
    let estimate_of = |line: &LineSample| line.estimate.unwrap_or(0.0);
    let figures = match measure {
        Measure::EstimateReached(window, kbps) => with_estimate(run, window, |it| {
            let line = |index| it.line.get(index);
            lasting(window, |index| {
                line(index).is_some_and(|line| estimate_of(line) >= kbps * 1_000.0)
            })
        }),
        Measure::EstimateFits(window, factor) => with_estimate(run, window, |it| {
            let line = |index| it.line.get(index);
            lasting(window, |index| {
                line(index).is_some_and(|line| estimate_of(line) <= line.capacity * factor)
            })
        }),
        Measure::EstimateAbove(window, factor) => with_estimate(run, window, |it| {
            let is_above = |line: &LineSample| estimate_of(line) > line.capacity * factor;
            let samples = it.line_between(window.from, window.until);
            time_of(longest_run(samples.map(|(_, line)| is_above(line)))).as_secs_f64()
        }),
        Measure::EstimateDrawdown(window) => with_estimate(run, window, |it| drawdown(it, window)),
        Measure::EstimateMin(window) => with_estimate(run, window, |it| {
            let samples = it.line_between(window.from, window.until);
            samples
                .map(|(_, line)| estimate_of(line))
                .fold(f64::INFINITY, f64::min)
                / 1_000.0
        }),
        Measure::EstimateMax(window) => with_estimate(run, window, |it| {
            let samples = it.line_between(window.from, window.until);
            samples
                .map(|(_, line)| estimate_of(line))
                .fold(0.0, f64::max)
                / 1_000.0
        }),
        _ => return None,
    };
    Some(figures)
}

/// Returns the figures of the viewers with an estimate who had joined before a window.
fn with_estimate(
    run: &Recording,
    window: Window,
    figure: impl Fn(&ViewerRecording) -> f64,
) -> Vec<f64> {
    let viewers = run.viewers_at(window.from).filter(|it| it.has_estimate());
    viewers.map(figure).collect()
}

/// Returns the largest fall of the estimate from its highest value in the minute before.
fn drawdown(viewer: &ViewerRecording, window: Window) -> f64 {
    let samples = viewer.line_between(window.from, window.until);
    let estimates: Vec<f64> = samples.filter_map(|(_, line)| line.estimate).collect();
    let minute = index_at(DRAWDOWN_WINDOW);
    let falls = estimates.iter().enumerate().map(|(index, estimate)| {
        let before = estimates
            .get(index.saturating_sub(minute)..index)
            .unwrap_or_default();
        let highest = before.iter().copied().fold(*estimate, f64::max);
        (highest - estimate) / highest.max(1.0)
    });
    falls.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(estimate: impl Fn(u64) -> f64) -> Recording {
        let sample = |index: u64| LineSample {
            capacity: 1_000_000.0,
            estimate: Some(estimate(index * 20)),
            ..LineSample::default()
        };
        let viewer = ViewerRecording {
            line: (0..500).map(sample).collect(),
            ..ViewerRecording::default()
        };
        Recording {
            viewers: vec![viewer],
            ..Recording::default()
        }
    }

    #[test]
    fn constant_estimate_gives_no_figure() {
        let constant = run(|_| 600_000.0);
        let window = Window::secs(0, 10);
        let fits = figures(Measure::EstimateFits(window, 1.1), &constant);
        assert_eq!(fits, Some(Vec::new()));
    }

    #[test]
    fn times_and_extremes_of_an_estimate_are_found() {
        // 2 Mbit/s, from 3 s on 1 Mbit/s, from 6 s on 1.5 Mbit/s.
        let stepped = run(|millis| match millis {
            0..3_000 => 2_000_000.0,
            3_000..6_000 => 1_000_000.0,
            _ => 1_500_000.0,
        });
        let window = Window::secs(1, 10);
        assert_eq!(
            figures(Measure::EstimateFits(window, 1.1), &stepped).unwrap(),
            [2.0]
        );
        assert_eq!(
            figures(Measure::EstimateAbove(window, 1.1), &stepped).unwrap(),
            [4.0]
        );
        assert_eq!(
            figures(Measure::EstimateReached(window, 400.0), &stepped).unwrap(),
            [0.0]
        );
        assert_eq!(
            figures(Measure::EstimateDrawdown(window), &stepped).unwrap(),
            [0.5]
        );
        assert_eq!(
            figures(Measure::EstimateMin(window), &stepped).unwrap(),
            [1_000.0]
        );
        assert_eq!(
            figures(Measure::EstimateMax(window), &stepped).unwrap(),
            [2_000.0]
        );
    }
}
