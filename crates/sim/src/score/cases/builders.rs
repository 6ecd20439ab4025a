//! Short forms for rows, cases and lines.

use std::time::Duration;

use watersmeet_wire::units::Bitrate;

use crate::network::LinkProfile;
use crate::profiles::AccessLink;
use crate::score::bar::{Aggregate, Bar, Row, Unit};
use crate::score::case::Case;
use crate::score::measure::Measure;

/// Layers of the camera, lowest first.
pub const LOW: u8 = 0;
pub const MIDDLE: u8 = 1;
pub const TOP: u8 = 2;

/// Returns a row whose figure is that of the worst run.
pub const fn worst(label: &'static str, unit: Unit, measure: Measure, bar: Bar) -> Row {
    row(label, unit, measure, Aggregate::Worst, bar)
}

/// Returns a row whose figure is the mean of all runs.
pub const fn mean(label: &'static str, unit: Unit, measure: Measure, bar: Bar) -> Row {
    row(label, unit, measure, Aggregate::Mean, bar)
}

/// Returns a row whose figure is the 95th percentile of all runs.
pub const fn p95(label: &'static str, unit: Unit, measure: Measure, bar: Bar) -> Row {
    row(label, unit, measure, Aggregate::P95, bar)
}

const fn row(
    label: &'static str,
    unit: Unit,
    measure: Measure,
    aggregate: Aggregate,
    bar: Bar,
) -> Row {
    Row {
        label,
        measure,
        aggregate,
        unit,
        bar,
    }
}

/// Returns a case without people, events and rows, which is measured from the fifth second on.
pub fn case(name: &'static str, length: Duration) -> Case {
    Case {
        name,
        people: Vec::new(),
        shared_link: None,
        events: Vec::new(),
        measured_from: Duration::from_secs(5),
        measured_until: length,
        length,
        rows: Vec::new(),
    }
}

/// Returns a line with this bitrate from the server, and this delay.
pub fn line_of(rate: Bitrate, delay: Duration) -> AccessLink {
    let clean = LinkProfile::clean(delay);
    AccessLink {
        up: clean,
        down: LinkProfile {
            rate: Some(rate),
            ..clean
        },
    }
}
