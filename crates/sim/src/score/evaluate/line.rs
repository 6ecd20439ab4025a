//! Measures of the line of a viewer: queue, loss, offered bitrate, what is rendered of it, and fairness.

use std::time::Duration;

use crate::score::measure::{Measure, Window};
use crate::score::recording::{
    LAYERS_ON_THE_LINE, LineSample, Recording, ViewerRecording, steps_in, time_of,
};
use crate::score::series::{first_lasting, jain, lasting, longest_run, percentile};

/// Time over which an overshoot is measured.
const OVERSHOOT_WINDOW: Duration = Duration::from_millis(500);

/// Time over which a peak is measured.
const PEAK_WINDOW: Duration = Duration::from_secs(1);

/// Time over which a bitrate must be reached.
const RATE_WINDOW: Duration = Duration::from_secs(2);

/// Returns the figures of a measure of this file.
pub(super) fn figures(measure: Measure, run: &Recording) -> Option<Vec<f64>> {
    let figures = match measure {
        Measure::QueueDrained(window, below) => each_viewer(run, window, |it| {
            let below = below.as_secs_f64();
            lasting(window, |index| {
                it.line.get(index).is_some_and(|line| line.queue < below)
            })
        }),
        Measure::QueueP95(window) => each_viewer(run, window, |it| {
            let samples = it.line_between(window.from, window.until);
            percentile(samples.map(|(_, line)| line.queue).collect(), 95).unwrap_or(f64::INFINITY)
        }),
        Measure::CongestionLoss(window) => each_viewer(run, window, |it| {
            let growth = |total: fn(&LineSample) -> u64| it.rate(window.from, window.until, total);
            growth(|line| line.drops) / growth(|line| line.packets).max(f64::MIN_POSITIVE)
        }),
        Measure::OfferedPeak(window) => each_viewer(run, window, |it| {
            let shares = window
                .indices()
                .map(|index| offered_share(it, index, PEAK_WINDOW));
            shares.fold(0.0, f64::max)
        }),
        Measure::Overshoot(window, factor) => each_viewer(run, window, |it| {
            let is_above = |index| offered_share(it, index, OVERSHOOT_WINDOW) > factor;
            time_of(longest_run(window.indices().map(is_above))).as_secs_f64()
        }),
        Measure::Utilisation(window) => each_viewer(run, window, |it| utilisation(it, window)),
        Measure::Fairness(window) => vec![jain(&rendered_rates(run, window))],
        Measure::VideoFairness(window) => {
            let viewers = run.viewers_at(window.from);
            viewers.map(|it| jain(&video_rates(it, window))).collect()
        }
        Measure::RateRatio(window) => {
            let rates = rendered_rates(run, window);
            let highest = rates.iter().copied().fold(0.0, f64::max);
            let lowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
            vec![if lowest > 0.0 {
                highest / lowest
            } else {
                f64::INFINITY
            }]
        }
        Measure::Rate(window) => {
            let rates = rendered_rates(run, window);
            rates.into_iter().map(|rate| rate / 1_000.0).collect()
        }
        Measure::RateAgainst(window, before) => each_viewer(run, before, |it| {
            rendered_rate(it, window) / rendered_rate(it, before).max(1.0)
        }),
        Measure::RateReached(window, viewer, kbps) => {
            let viewer = run.viewer(viewer);
            viewer
                .map(|it| rate_reached(it, window, kbps * 1_000.0))
                .into_iter()
                .collect()
        }
        Measure::FreedShare(before, after, paused) => freed_share(run, before, after, paused),
        _ => return None,
    };
    Some(figures)
}

/// Returns the figures of all viewers who had joined before a window.
fn each_viewer(
    run: &Recording,
    window: Window,
    figure: impl Fn(&ViewerRecording) -> f64,
) -> Vec<f64> {
    run.viewers_at(window.from).map(figure).collect()
}

/// Returns what was offered in the time before a sample, as a multiple of what the line carried.
fn offered_share(viewer: &ViewerRecording, index: usize, span: Duration) -> f64 {
    let steps = steps_in(span);
    let start = index.saturating_sub(steps);
    let offered = |index: usize| viewer.line.get(index).map_or(0, |line| line.offered);
    let bits = offered(index).saturating_sub(offered(start)) as f64 * 8.0;
    let line = viewer.line.get(start..index).unwrap_or_default();
    let step = time_of(1).as_secs_f64();
    let carried: f64 = line.iter().map(|line| line.capacity * step).sum();
    if carried > 0.0 { bits / carried } else { 0.0 }
}

/// Returns what is rendered, as a share of the best layer that fits the line at each time.
fn utilisation(viewer: &ViewerRecording, window: Window) -> f64 {
    let best = |capacity: f64| {
        let fitting = LAYERS_ON_THE_LINE
            .into_iter()
            .rev()
            .find(|rate| *rate <= capacity);
        fitting.unwrap_or(capacity)
    };
    let samples = viewer.line_between(window.from, window.until);
    let rates: Vec<f64> = samples.map(|(_, line)| best(line.capacity)).collect();
    let affordable = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
    rendered_rate(viewer, window) / affordable.max(1.0)
}

fn rendered_rate(viewer: &ViewerRecording, window: Window) -> f64 {
    viewer.rendered_rate(window.from, window.until)
}

/// Returns the rendered bitrates of all viewers who had joined before a window.
fn rendered_rates(run: &Recording, window: Window) -> Vec<f64> {
    each_viewer(run, window, |it| rendered_rate(it, window))
}

/// Returns the rendered bitrate of each video of a viewer.
fn video_rates(viewer: &ViewerRecording, window: Window) -> Vec<f64> {
    let pairs = viewer.pairs.iter();
    pairs
        .map(|pair| pair.rendered_rate(window.from, window.until))
        .collect()
}

/// Returns the time until a bitrate was kept for two seconds.
fn rate_reached(viewer: &ViewerRecording, window: Window, bps: f64) -> f64 {
    let reached = window.indices().map(|index| {
        let from = time_of(index);
        viewer.rendered_rate(from, from + RATE_WINDOW) >= bps
    });
    let index = first_lasting(reached, 1);
    index.map_or(f64::INFINITY, |index| {
        (time_of(index) + RATE_WINDOW).as_secs_f64()
    })
}

/// Returns the growth of the bitrates of the others, as a share of what `paused` received before.
fn freed_share(run: &Recording, before: Window, after: Window, paused: &str) -> Vec<f64> {
    let others = run.viewers_at(before.from).filter(|it| it.name != paused);
    let growth = others.map(|it| rendered_rate(it, after) - rendered_rate(it, before));
    let growth: f64 = growth.sum();
    let freed = run
        .viewer(paused)
        .map_or(0.0, |it| rendered_rate(it, before));
    vec![growth / freed.max(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::recording::{PairRecording, VideoSample};

    /// Returns a run with a viewer for each offered bitrate, who sees all of it, on a line of 1 Mbit/s
    /// that passes everything, for ten seconds.
    fn run(offered_kbps: &[u64]) -> Recording {
        let viewer = |kbps: &u64| {
            let samples = (0..500).map(|index| LineSample {
                capacity: 1_000_000.0,
                offered: index * kbps * 20 / 8,
                passed: index * kbps * 20 / 8,
                packets: index * 10,
                drops: index,
                queue: index as f64 / 1_000.0,
                estimate: None,
            });
            let video = (0..500).map(|index| VideoSample {
                rendered: (index * kbps * 20) as f64,
                ..VideoSample::default()
            });
            let pair = PairRecording {
                samples: video.collect(),
                ..PairRecording::default()
            };
            ViewerRecording {
                line: samples.collect(),
                pairs: vec![pair],
                ..ViewerRecording::default()
            }
        };
        Recording {
            viewers: offered_kbps.iter().map(viewer).collect(),
            ..Recording::default()
        }
    }

    #[test]
    fn rates_and_shares_are_those_of_the_window() {
        let run = run(&[1_500]);
        let window = Window::secs(2, 8);
        assert_eq!(figures(Measure::Rate(window), &run).unwrap(), [1_500.0]);
        let peak = figures(Measure::OfferedPeak(window), &run).unwrap()[0];
        assert!((peak - 1.5).abs() < 1e-6, "{peak}");
        assert_eq!(
            figures(Measure::Overshoot(window, 1.4), &run).unwrap(),
            [6.0]
        );
        assert_eq!(
            figures(Measure::Overshoot(window, 1.6), &run).unwrap(),
            [0.0]
        );
        assert_eq!(
            figures(Measure::CongestionLoss(window), &run).unwrap(),
            [0.1]
        );
        let utilisation = figures(Measure::Utilisation(window), &run).unwrap()[0];
        assert!(
            (utilisation - 1_500.0 / 475.0).abs() < 1e-6,
            "{utilisation}"
        );
    }

    #[test]
    fn queue_is_measured_over_time() {
        let run = run(&[1_000]);
        let window = Window::secs(0, 2);
        assert_eq!(figures(Measure::QueueP95(window), &run).unwrap(), [0.094]);
        let drained = Measure::QueueDrained(window, Duration::from_millis(80));
        assert_eq!(figures(drained, &run).unwrap(), [0.0]);
        let drained = Measure::QueueDrained(window, Duration::from_millis(40));
        assert_eq!(figures(drained, &run).unwrap(), [f64::INFINITY]);
    }

    #[test]
    fn fairness_compares_viewers() {
        let run = run(&[1_000, 500]);
        let window = Window::secs(1, 9);
        assert_eq!(figures(Measure::RateRatio(window), &run).unwrap(), [2.0]);
        assert!((figures(Measure::Fairness(window), &run).unwrap()[0] - 0.9).abs() < 1e-9);
    }
}
