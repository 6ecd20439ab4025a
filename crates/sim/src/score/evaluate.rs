//! Reads the figures of a measure from the recording of one run: one for each viewer, video or publisher
//! that it concerns, and none when it could not be measured.

mod estimate;
mod line;
mod media;

use super::measure::Measure;
use super::recording::Recording;

/// Returns the figures of a run.
pub fn figures(measure: Measure, run: &Recording) -> Vec<f64> {
    media::figures(measure, run)
        .or_else(|| line::figures(measure, run))
        .or_else(|| estimate::figures(measure, run))
        .unwrap_or_default()
}
