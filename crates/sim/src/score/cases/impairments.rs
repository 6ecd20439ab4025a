//! P0 to P11: one camera over one impaired line for a minute, then three people who join with the same
//! line. The publisher's own line is good.

use std::time::Duration;

use super::builders::{LOW, TOP, case, line_of, mean, p95, worst};
use crate::network::LinkProfile;
use crate::profiles::{self, AccessLink};
use crate::scenario::{kbps, millis, secs};
use crate::score::bar::{Bar, Row, Unit};
use crate::score::case::{Case, Event, Person};
use crate::score::measure::{Measure, Window};

/// The measured minute.
const MINUTE: Window = Window::secs(5, 65);

/// Highest frame rate: that of the camera, and rounding.
const FPS_MAX: f64 = 30.5;

/// Name of P9.
const LOSSY_FEEDBACK: &str = "P9 lossy feedback";

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = lines().into_iter().map(impaired).collect();
    cases.iter_mut().for_each(add_rows);
    let outages = [
        ("P10 outage of 0.2 s", 200, 0.3, 1.0),
        ("P10 outage of 0.5 s", 500, 0.6, 1.0),
        ("P10 outage of 2 s", 2_000, 1.5, 2.0),
        ("P10 outage of 6 s", 6_000, 3.0, 2.0),
    ];
    cases.extend(outages.map(outage));
    cases.push(starved());
    cases
}

/// Bars of one line; absent ones are not judged.
#[derive(Debug, Clone, Copy)]
struct Bars {
    /// Time to the first frame, in seconds.
    first_frame: f64,
    /// Share of frozen time.
    freeze_ratio: f64,
    /// Longest freeze, in seconds.
    longest_freeze: f64,
    /// Share of video lost after retransmission.
    video_lost: Option<f64>,
    /// Frames per second.
    fps: f64,
    /// Keyframe requests per minute.
    plis: Option<f64>,
    /// Share of the time at the top layer, on lines that carry it: the other bars are met most easily
    /// by sending little.
    top_layer: Option<f64>,
}

/// Cases of a line each, with their bars.
fn lines() -> Vec<(&'static str, AccessLink, Bars)> {
    let mut lines = usual_lines().to_vec();
    lines.extend(bad_lines());
    lines.push((LOSSY_FEEDBACK, lossy_feedback(), LOSSY_FEEDBACK_BARS));
    lines
}

/// P0 to P3.
fn usual_lines() -> [(&'static str, AccessLink, Bars); 4] {
    [
        (
            "P0 cable",
            profiles::cable(),
            Bars {
                first_frame: 0.6,
                freeze_ratio: 0.001,
                longest_freeze: 0.0,
                video_lost: Some(0.0),
                fps: 29.0,
                plis: Some(0.0),
                top_layer: Some(0.95),
            },
        ),
        (
            "P1 wifi",
            profiles::wifi(),
            Bars {
                first_frame: 0.8,
                freeze_ratio: 0.005,
                longest_freeze: 0.3,
                video_lost: Some(0.000_5),
                fps: 28.0,
                plis: Some(0.5),
                top_layer: Some(0.95),
            },
        ),
        (
            "P2 lossy wifi",
            profiles::wifi_lossy(),
            Bars {
                first_frame: 1.0,
                freeze_ratio: 0.015,
                longest_freeze: 0.5,
                video_lost: Some(0.003),
                fps: 26.0,
                plis: Some(2.0),
                top_layer: Some(0.9),
            },
        ),
        (
            "P3 cellular",
            profiles::cellular(),
            Bars {
                first_frame: 1.2,
                freeze_ratio: 0.015,
                longest_freeze: 0.6,
                video_lost: Some(0.002),
                fps: 26.0,
                plis: Some(2.0),
                top_layer: Some(0.9),
            },
        ),
    ]
}

/// P4 to P8.
fn bad_lines() -> [(&'static str, AccessLink, Bars); 5] {
    [
        (
            "P4 congested",
            profiles::congested(),
            Bars {
                first_frame: 1.8,
                freeze_ratio: 0.04,
                longest_freeze: 1.0,
                video_lost: Some(0.01),
                fps: 22.0,
                plis: Some(4.0),
                top_layer: None,
            },
        ),
        (
            "P5 20 % loss",
            profiles::loss_20_percent(),
            Bars {
                first_frame: 2.0,
                freeze_ratio: 0.08,
                longest_freeze: 1.5,
                video_lost: Some(0.02),
                fps: 18.0,
                plis: Some(6.0),
                top_layer: None,
            },
        ),
        (
            "P6 30 % loss",
            profiles::loss_30_percent(),
            Bars {
                first_frame: 3.0,
                freeze_ratio: 0.15,
                longest_freeze: 2.5,
                video_lost: None,
                fps: 12.0,
                plis: Some(10.0),
                top_layer: None,
            },
        ),
        (
            "P7 satellite",
            profiles::satellite(),
            Bars {
                first_frame: 4.0,
                freeze_ratio: 0.03,
                longest_freeze: 1.5,
                video_lost: Some(0.005),
                fps: 24.0,
                plis: Some(2.0),
                top_layer: Some(0.8),
            },
        ),
        (
            "P8 reordering",
            profiles::reordering(),
            Bars {
                first_frame: 1.0,
                freeze_ratio: 0.01,
                longest_freeze: 0.4,
                video_lost: Some(0.0),
                fps: 28.0,
                plis: Some(1.0),
                top_layer: Some(0.95),
            },
        ),
    ]
}

/// Bars of P9.
const LOSSY_FEEDBACK_BARS: Bars = Bars {
    first_frame: 1.5,
    freeze_ratio: 0.02,
    longest_freeze: 0.8,
    video_lost: None,
    fps: 25.0,
    plis: None,
    top_layer: Some(0.9),
};

/// Returns the case of an impaired line.
fn impaired((name, access, bars): (&'static str, AccessLink, Bars)) -> Case {
    Case {
        people: vec![
            Person::publisher("ana"),
            Person::viewer("ben", access).at(secs(1)),
            Person::viewer("cleo", access).at(secs(65)),
            Person::viewer("dan", access).at(millis(66_500)),
            Person::viewer("eve", access).at(secs(68)),
        ],
        measured_until: secs(65),
        rows: rows(&bars),
        ..case(name, secs(74))
    }
}

fn rows(bars: &Bars) -> Vec<Row> {
    let at_most = Bar::at_most;
    let mut rows = vec![
        p95(
            "first frame",
            Unit::Seconds,
            Measure::FirstFrame,
            at_most(bars.first_frame),
        ),
        mean(
            "freeze ratio",
            Unit::Share,
            Measure::FreezeRatio,
            at_most(bars.freeze_ratio),
        ),
        worst(
            "longest freeze",
            Unit::Seconds,
            Measure::LongestFreeze,
            at_most(bars.longest_freeze),
        ),
        worst(
            "frame rate",
            Unit::Fps,
            Measure::FrameRate,
            Bar::between(bars.fps, FPS_MAX),
        ),
    ];
    rows.extend(bars.video_lost.map(|share| {
        mean(
            "video lost",
            Unit::Share,
            Measure::VideoLoss,
            at_most(share),
        )
    }));
    rows.extend(bars.plis.map(|plis| {
        let measure = Measure::PliRate(MINUTE);
        mean(
            "PLI to the publisher",
            Unit::PerMinute,
            measure,
            at_most(plis),
        )
    }));
    rows.extend(bars.top_layer.map(|share| {
        let measure = Measure::LayerShare(MINUTE, TOP);
        mean(
            "time at the top layer",
            Unit::Share,
            measure,
            Bar::at_least(share),
        )
    }));
    rows
}

/// P9: 30 % of the packets to the server are lost, on a line of 4 Mbit/s from it.
fn lossy_feedback() -> AccessLink {
    let access = profiles::lossy_uplink();
    AccessLink {
        down: LinkProfile {
            rate: Some(kbps(4_000)),
            ..access.down
        },
        ..access
    }
}

/// Adds the rows that only some lines have. Audio is measured without redundancy in itself.
fn add_rows(case: &mut Case) {
    match case.name {
        // The first viewer needs a keyframe, and so may each of the three others.
        "P0 cable" => case.rows.push(worst(
            "PLI for four joins",
            Unit::Count,
            Measure::Plis(Window::secs(0, 74)),
            Bar::at_most(4.0),
        )),
        LOSSY_FEEDBACK => case.rows.push(worst(
            "longest time that the estimate is above 1.1 × the line",
            Unit::Seconds,
            Measure::EstimateAbove(MINUTE, 1.1),
            Bar::at_most(2.0),
        )),
        _ => {}
    }
    let lost = match case.name {
        "P1 wifi" | "P3 cellular" => 0.01,
        "P2 lossy wifi" => 0.02,
        "P4 congested" => 0.05,
        _ => return,
    };
    case.rows.extend([
        p95(
            "first audio",
            Unit::Seconds,
            Measure::FirstAudio,
            Bar::at_most(0.5),
        ),
        mean(
            "audio lost",
            Unit::Share,
            Measure::AudioLoss,
            Bar::at_most(lost),
        ),
    ]);
}

/// P10: an outage of a good line, in both directions.
fn outage((name, outage, recovery, plis): (&'static str, u64, f64, f64)) -> Case {
    let span = millis(outage);
    let (from, until) = (secs(10), secs(25));
    let after = Window {
        from: from + span,
        until,
    };
    Case {
        people: vec![
            Person::publisher("ana"),
            Person::viewer("ben", profiles::cable()).at(secs(1)),
        ],
        events: vec![(from, Event::Outage { name: "ben", span })],
        rows: vec![
            worst(
                "time to 80 % of the frame rate",
                Unit::Seconds,
                Measure::FrameRateRecovered(after),
                Bar::at_most(recovery),
            ),
            worst(
                "PLI to the publisher",
                Unit::Count,
                Measure::Plis(Window { from, until }),
                Bar::at_most(plis),
            ),
        ],
        ..case(name, secs(26))
    }
}

/// P11: a line below the bitrate of any video, which later carries the middle layer.
fn starved() -> Case {
    let starved = Window::secs(10, 40);
    let viewer = Person::viewer("ben", line_of(kbps(2_500), Duration::from_millis(20)));
    Case {
        people: vec![
            Person::publisher("ana"),
            viewer
                .at(secs(1))
                .with_down_rates(kbps(2_500), &[(secs(10), kbps(120)), (secs(40), kbps(400))]),
        ],
        measured_from: secs(11),
        measured_until: secs(40),
        rows: vec![
            mean(
                "audio lost",
                Unit::Share,
                Measure::AudioLoss,
                Bar::at_most(0.02),
            ),
            mean(
                "audio concealed",
                Unit::Share,
                Measure::AudioConcealed,
                Bar::at_most(0.02),
            ),
            worst(
                "time until the pause of the video is announced",
                Unit::Seconds,
                Measure::Withheld(starved),
                Bar::at_most(1.0),
            ),
            worst(
                "time until video resumes at 400 kbit/s",
                Unit::Seconds,
                Measure::LayerReached(Window::secs(40, 60), LOW),
                Bar::at_most(3.0),
            ),
        ],
        ..case("P11 starved", secs(60))
    }
}
