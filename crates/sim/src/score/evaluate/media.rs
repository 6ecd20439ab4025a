//! Measures of received video and audio, and of requests to publishers.

use std::time::Duration;

use crate::score::measure::{Measure, Window};
use crate::score::recording::{CAMERA_FPS, PairRecording, Recording, STEP, index_at, time_of};
use crate::score::series::{first, lasting, longest_run};

/// Share of the frame rate that counts as recovered.
const RECOVERED: f64 = 0.8;

/// Time over which the frame rate is measured after an outage.
const RECOVERY_WINDOW: Duration = Duration::from_millis(500);

/// Returns the figures of a measure of this file.
pub(super) fn figures(measure: Measure, run: &Recording) -> Option<Vec<f64>> {
    figures_of_reports(measure, run).or_else(|| figures_of_windows(measure, run))
}

/// Returns the figures of a measure of the reports of the measured time.
fn figures_of_reports(measure: Measure, run: &Recording) -> Option<Vec<f64>> {
    let figures = match measure {
        Measure::FirstFrame => all_pairs(run, |it| Some(seconds(it.first_frame))),
        Measure::FirstAudio => all_pairs(run, |it| Some(seconds(it.first_audio))),
        Measure::FreezeRatio => measured(run, |it| {
            // Nothing at all is one freeze.
            Some(
                it.video
                    .as_ref()
                    .filter(|it| it.frames > 0)
                    .map_or(1.0, |it| it.freeze_ratio),
            )
        }),
        Measure::LongestFreeze => measured(run, |it| {
            let shown = it.video.as_ref().filter(|it| it.frames > 0);
            Some(shown.map_or(f64::INFINITY, |it| it.longest_freeze.as_secs_f64()))
        }),
        Measure::VideoLoss => measured(run, |it| Some(it.video.as_ref()?.residual_loss())),
        Measure::FrameRate => measured(run, |it| {
            let (from, until) = run.measured;
            let frames = it.frames_between(from, until) as f64;
            Some(frames / until.saturating_sub(from).as_secs_f64())
        }),
        Measure::AudioLoss => measured(run, |it| {
            let audio = it.audio.as_ref().filter(|it| it.expected > 0);
            Some(audio.map_or(1.0, |it| it.residual_loss()))
        }),
        Measure::AudioConcealed => measured(run, |it| {
            let audio = it.audio.as_ref().filter(|it| it.expected > 0);
            Some(audio.map_or(1.0, |it| it.concealed()))
        }),
        _ => return None,
    };
    Some(figures)
}

/// Returns the figures of a measure of samples within a window.
fn figures_of_windows(measure: Measure, run: &Recording) -> Option<Vec<f64>> {
    let figures = match measure {
        Measure::PliRate(window) => {
            let minutes = window.length().as_secs_f64() / 60.0;
            plis(run, window).map(|plis| plis / minutes).collect()
        }
        Measure::Plis(window) => plis(run, window).collect(),
        Measure::FrameRateRecovered(window) => in_window(run, window, |it| recovery(it, window)),
        Measure::LayerReached(window, layer) => in_window(run, window, |it| {
            lasting(window, |index| it.shown_layer(index) >= Some(layer))
        }),
        Measure::LayerLowered(window, layer) => in_window(run, window, |it| {
            lasting(window, |index| {
                it.shown_layer(index).is_some_and(|shown| shown <= layer)
            })
        }),
        Measure::LayerShare(window, layer) => in_window(run, window, |it| {
            let reached = window
                .indices()
                .filter(|index| it.shown_layer(*index) >= Some(layer));
            reached.count() as f64 / window.indices().len().max(1) as f64
        }),
        Measure::LayerReversals(window) => in_window(run, window, |it| {
            reversals(
                window
                    .indices()
                    .filter_map(|index| it.samples.get(index)?.layer),
            ) as f64
                / (window.length().as_secs_f64() / 60.0)
        }),
        Measure::LongestGap(window) => in_window(run, window, |it| {
            let has_no_frame = |index: usize| {
                let frames = |index: usize| it.samples.get(index).map(|sample| sample.frames);
                frames(index) == frames(index.saturating_sub(1))
            };
            let gap = longest_run(window.indices().map(has_no_frame));
            time_of(gap).as_secs_f64()
        }),
        Measure::Withheld(window) => in_window(run, window, |it| {
            first(window, |index| {
                it.samples.get(index).is_some_and(|it| it.is_withheld)
            })
        }),
        Measure::Withdrawals(window) => in_window(run, window, |it| {
            let is_withheld = |index: usize| it.samples.get(index).is_some_and(|it| it.is_withheld);
            let begins =
                |index: &usize| is_withheld(*index) && !is_withheld(index.saturating_sub(1));
            let count = window.indices().filter(begins).count();
            count as f64 / (window.length().as_secs_f64() / 60.0)
        }),
        Measure::Resumed(window) => in_window(run, window, |it| {
            lasting(window, |index| it.shown_layer(index).is_some())
        }),
        _ => return None,
    };
    Some(figures)
}

/// Returns the figures of all received people.
fn all_pairs(run: &Recording, figure: impl Fn(&PairRecording) -> Option<f64>) -> Vec<f64> {
    let pairs = run.viewers.iter().flat_map(|viewer| &viewer.pairs);
    pairs.filter_map(figure).collect()
}

/// Returns the figures of everything that viewers receive who had joined before the measured time.
fn measured(run: &Recording, figure: impl Fn(&PairRecording) -> Option<f64>) -> Vec<f64> {
    let viewers = run.viewers_at(run.measured.0);
    let pairs = viewers.flat_map(|viewer| &viewer.pairs);
    pairs.filter_map(figure).collect()
}

/// Returns the figures of everything that viewers receive who had joined before the window.
fn in_window(run: &Recording, window: Window, figure: impl Fn(&PairRecording) -> f64) -> Vec<f64> {
    let viewers = run.viewers_at(window.from);
    let pairs = viewers.flat_map(|viewer| &viewer.pairs);
    pairs.map(figure).collect()
}

/// Returns the keyframe requests to each publisher within a window.
fn plis(run: &Recording, window: Window) -> impl Iterator<Item = f64> {
    let published = run
        .plis
        .iter()
        .filter(|plis| plis.iter().any(|count| *count > 0));
    let counts = published.map(move |plis| {
        let at = |time| {
            plis.get(index_at(time))
                .or(plis.last())
                .copied()
                .unwrap_or(0)
        };
        at(window.until).saturating_sub(at(window.from)) as f64
    });
    let counts: Vec<f64> = counts.collect();
    // Without any request there is still one publisher that got none.
    let none = counts.is_empty().then_some(0.0);
    counts.into_iter().chain(none)
}

/// Returns the time until the frame rate has recovered: the start of the first half second with enough
/// frames.
fn recovery(pair: &PairRecording, window: Window) -> f64 {
    let needed = CAMERA_FPS * RECOVERED * RECOVERY_WINDOW.as_secs_f64();
    first(window, |index| {
        let from = time_of(index);
        let enough = pair.frames_between(from, from + RECOVERY_WINDOW) as f64 >= needed;
        // The first of these frames, not only the last, must be there.
        enough && pair.frames_between(from, from + STEP * 4) > 0
    })
}

/// Returns how often a series of layers changes its direction.
fn reversals(layers: impl Iterator<Item = u8>) -> usize {
    let mut before: Option<u8> = None;
    let mut rises: Option<bool> = None;
    let mut reversals = 0;
    for layer in layers {
        if let Some(before) = before.filter(|before| *before != layer) {
            let is_rise = layer > before;
            reversals += usize::from(rises.is_some_and(|rises| rises != is_rise));
            rises = Some(is_rise);
        }
        before = Some(layer);
    }
    reversals
}

fn seconds(time: Option<Duration>) -> f64 {
    time.map_or(f64::INFINITY, |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::recording::VideoSample;

    /// Returns a video that shows a frame of `layer(millis)` every 40 ms, and none where it is absent.
    fn pair(millis: u64, layer: impl Fn(u64) -> Option<u8>) -> PairRecording {
        let mut sample = VideoSample::default();
        let mut samples = Vec::new();
        for at in (0..millis).step_by(20) {
            if let Some(layer) = layer(at).filter(|_| at % 40 == 0) {
                sample.layer = Some(layer);
                sample.frames += 1;
            }
            samples.push(sample);
        }
        PairRecording {
            samples,
            ..PairRecording::default()
        }
    }

    fn run(pair: PairRecording) -> Recording {
        let viewer = crate::score::recording::ViewerRecording {
            pairs: vec![pair],
            ..Default::default()
        };
        Recording {
            viewers: vec![viewer],
            ..Recording::default()
        }
    }

    #[test]
    fn layer_counts_as_reached_only_when_it_stays_and_is_rendered() {
        // Layer 2 for half a second, later for good; nothing is rendered in between.
        let layers = |at| match at {
            0..2_000 => Some(1),
            2_000..2_500 => Some(2),
            2_500..4_000 => None,
            _ => Some(2),
        };
        let run = run(pair(8_000, layers));
        let reached = figures(Measure::LayerReached(Window::secs(1, 8), 2), &run).unwrap();
        // The half second counts as shown for less than a second, the frozen picture after it included.
        assert_eq!(reached, [3.0]);
        let never = figures(Measure::LayerReached(Window::secs(1, 3), 2), &run).unwrap();
        assert_eq!(never, [f64::INFINITY]);
        assert_eq!(
            figures(Measure::LongestGap(Window::secs(0, 8)), &run).unwrap(),
            [1.5]
        );
        assert_eq!(
            figures(Measure::LayerReversals(Window::secs(0, 8)), &run).unwrap(),
            [0.0]
        );
    }

    #[test]
    fn frame_rate_recovers_with_the_first_frame_after_an_outage() {
        let run = run(pair(8_000, |at| {
            (!(1_000..2_400).contains(&at)).then_some(2)
        }));
        let recovered = figures(Measure::FrameRateRecovered(Window::secs(2, 8)), &run).unwrap();
        assert!((0.3..=0.4).contains(&recovered[0]), "{recovered:?}");
    }

    #[test]
    fn changes_of_direction_are_counted() {
        assert_eq!(reversals([0, 1, 2, 2, 2].into_iter()), 0);
        assert_eq!(reversals([0, 1, 0, 0, 2, 1].into_iter()), 3);
    }
}
