//! The bitrate of one viewer's line changes, or is unknown at the start: ramp-up, RFC 8867 §5.1 and
//! §5.3, a dip, a steady line, starving lines, and feedback that lies.

use std::time::Duration;

use watersmeet_peer::browser::MediaSource;
use watersmeet_peer::sender::media_source::CameraOptions;

use super::builders::{LOW, MIDDLE, TOP, case, line_of, mean, p95, worst};
use crate::scenario::{kbps, millis, secs};
use crate::score::bar::{Bar, Row, Unit};
use crate::score::case::{Case, Claim, Person, RateChange};
use crate::score::measure::{Measure, Window};

/// One-way delay of RFC 8867.
const DELAY: Duration = millis(50);

/// Highest frame rate: that of the camera, and rounding.
const FPS_MAX: f64 = 30.5;

/// All media of the publisher and retransmissions within their budget, as a multiple of 1 Mbit/s.
const ALL_MEDIA: f64 = 2.5;

pub(super) fn cases() -> Vec<Case> {
    vec![
        ramp_up(),
        single_flow("TC5.1, 50 ms", DELAY),
        single_flow("TC5.1, 100 ms", millis(100)),
        congested_feedback(),
        dip(),
        steady("steady line of 2.5 Mbit/s", 2_500, TOP),
        steady("steady line of 0.6 Mbit/s", 600, MIDDLE),
        narrow_line(),
        below_the_only_layer(),
        lying(
            "feedback claims that everything arrived",
            Claim::AllReceived,
        ),
        lying("random feedback", Claim::Random),
    ]
}

/// Returns a case in which one viewer joins after a second over a line with these bitrates.
fn one_viewer(name: &'static str, length: Duration, delay: Duration, rates: &[RateChange]) -> Case {
    let first = rates.first().map_or(kbps(0), |(_, rate)| *rate);
    let viewer = Person::viewer("ben", line_of(first, delay)).at(secs(1));
    Case {
        people: vec![
            Person::publisher("ana"),
            viewer.with_down_rates(first, rates),
        ],
        ..case(name, length)
    }
}

fn ramp_up() -> Case {
    let joined = Window::secs(1, 16);
    Case {
        rows: vec![
            p95(
                "time to an estimate of 400 kbit/s",
                Unit::Seconds,
                Measure::EstimateReached(joined, 400.0),
                Bar::at_most(1.0),
            ),
            p95(
                "time to an estimate of the top layer",
                Unit::Seconds,
                Measure::EstimateReached(joined, 1_885.0),
                Bar::at_most(4.0),
            ),
            p95(
                "time to the top layer",
                Unit::Seconds,
                Measure::LayerReached(joined, TOP),
                Bar::at_most(5.0),
            ),
        ],
        ..one_viewer(
            "ramp-up at 10 Mbit/s",
            secs(20),
            DELAY,
            &[(secs(0), kbps(10_000))],
        )
    }
}

/// RFC 8867 §5.1: 1, 2.5, 0.6 and 1 Mbit/s.
fn single_flow(name: &'static str, delay: Duration) -> Case {
    let rates = [
        (secs(0), kbps(1_000)),
        (secs(40), kbps(2_500)),
        (secs(60), kbps(600)),
        (secs(80), kbps(1_000)),
    ];
    let (up, down) = (Window::secs(40, 60), Window::secs(60, 80));
    let mut rows = rows_of_a_fall(down);
    rows.extend(rows_of_a_lower_layer(down, MIDDLE));
    rows.extend([
        p95(
            "2.5 Mbit/s: time to the top layer",
            Unit::Seconds,
            Measure::LayerReached(up, TOP),
            Bar::at_most(10.0),
        ),
        worst(
            "longest time that more than 1.15 × the line is offered",
            Unit::Seconds,
            Measure::Overshoot(Window::secs(5, 60), 1.15),
            Bar::at_most(1.0),
        ),
        worst(
            "1 Mbit/s: share of the best layer that fits, after 10 s",
            Unit::Share,
            Measure::Utilisation(Window::secs(90, 100)),
            Bar::between(0.85, 2.1),
        ),
        mean(
            "audio concealed",
            Unit::Share,
            Measure::AudioConcealed,
            Bar::at_most(0.02),
        ),
    ]);
    Case {
        rows,
        ..one_viewer(name, secs(100), delay, &rates)
    }
}

/// Returns the rows of a fall of the bitrate at the start of a window.
fn rows_of_a_fall(window: Window) -> Vec<Row> {
    let Window { from, until } = window;
    let first = Window {
        from,
        until: from + secs(3),
    };
    let later = Window {
        from: from + secs(3),
        until,
    };
    vec![
        p95(
            "fall: time until the estimate is at most 1.1 × the line",
            Unit::Seconds,
            Measure::EstimateFits(window, 1.1),
            Bar::at_most(2.0),
        ),
        p95(
            "fall: time until the queue stays below 100 ms",
            Unit::Seconds,
            Measure::QueueDrained(window, millis(100)),
            Bar::at_most(3.0),
        ),
        mean(
            "fall: loss in the first 3 s",
            Unit::Share,
            Measure::CongestionLoss(first),
            Bar::at_most(0.1),
        ),
        mean(
            "fall: loss afterwards",
            Unit::Share,
            Measure::CongestionLoss(later),
            Bar::at_most(0.01),
        ),
        worst(
            "fall: most that is offered in a second, after the first two, as a multiple of the line",
            Unit::Ratio,
            Measure::OfferedPeak(Window {
                from: from + secs(2),
                until,
            }),
            Bar::at_most(1.3),
        ),
        worst(
            "fall: longest time without a frame",
            Unit::Seconds,
            Measure::LongestGap(window),
            Bar::at_most(1.0),
        ),
    ]
}

/// Returns the rows of the change to a layer that fits, after a fall of the bitrate at the start of a
/// window.
fn rows_of_a_lower_layer(window: Window, layer: u8) -> [Row; 2] {
    let settled = Window {
        from: window.from + secs(5),
        until: window.until,
    };
    [
        p95(
            "fall: time to a layer that fits",
            Unit::Seconds,
            Measure::LayerLowered(window, layer),
            Bar::at_most(2.0),
        ),
        mean(
            "fall: time at that layer, after 5 s",
            Unit::Share,
            Measure::LayerShare(settled, layer),
            Bar::at_least(0.9),
        ),
    ]
}

/// RFC 8867 §5.3: the viewer publishes as well, and its line to the server is congested from 35 s to
/// 70 s, so that feedback is late and partly lost.
fn congested_feedback() -> Case {
    let down = [
        (secs(20), kbps(1_000)),
        (secs(40), kbps(500)),
        (secs(60), kbps(2_000)),
    ];
    let up = [(secs(35), kbps(800)), (secs(70), kbps(2_000))];
    let camera = CameraOptions::of_bitrate(kbps(700));
    let viewer = Person::viewer("ben", line_of(kbps(2_000), DELAY))
        .at(secs(1))
        .with_media(vec![
            MediaSource::Camera(camera),
            MediaSource::Microphone { pauses: false },
        ])
        .with_down_rates(kbps(2_000), &down)
        .with_up_rates(kbps(2_000), &up);
    Case {
        people: vec![Person::publisher("ana"), viewer],
        rows: vec![
            worst(
                "share of the best layer that fits",
                Unit::Share,
                Measure::Utilisation(Window::secs(10, 100)),
                Bar::at_least(0.7),
            ),
            worst(
                "longest time without a frame",
                Unit::Seconds,
                Measure::LongestGap(Window::secs(5, 100)),
                Bar::at_most(1.0),
            ),
            mean(
                "audio concealed",
                Unit::Share,
                Measure::AudioConcealed,
                Bar::at_most(0.02),
            ),
        ],
        ..case("TC5.3 congested feedback", secs(100))
    }
}

/// A line of 2.5 Mbit/s that carries a tenth for five seconds.
fn dip() -> Case {
    let rates = [
        (secs(0), kbps(2_500)),
        (secs(20), kbps(250)),
        (secs(25), kbps(2_500)),
    ];
    let after = Window::secs(25, 60);
    Case {
        rows: vec![
            p95(
                "time to the top layer",
                Unit::Seconds,
                Measure::LayerReached(after, TOP),
                Bar::at_most(12.0),
            ),
            p95(
                "time to 80 % of the frame rate",
                Unit::Seconds,
                Measure::FrameRateRecovered(after),
                Bar::at_most(2.0),
            ),
            worst(
                "dip: most that is offered in a second, after the first two, as a multiple of the line",
                Unit::Ratio,
                Measure::OfferedPeak(Window::secs(22, 25)),
                Bar::at_most(1.3),
            ),
        ],
        ..one_viewer(
            "dip from 2.5 to 0.25 Mbit/s for 5 s",
            secs(60),
            DELAY,
            &rates,
        )
    }
}

/// A line that does not change, for two minutes.
fn steady(name: &'static str, rate: u64, layer: u8) -> Case {
    let settled = Window::secs(15, 135);
    Case {
        measured_from: secs(15),
        measured_until: secs(135),
        rows: vec![
            worst(
                "queueing delay, 95th percentile",
                Unit::Seconds,
                Measure::QueueP95(settled),
                Bar::at_most(0.1),
            ),
            worst(
                "layer reversals",
                Unit::PerMinute,
                Measure::LayerReversals(settled),
                Bar::at_most(1.0),
            ),
            mean(
                "congestion loss",
                Unit::Share,
                Measure::CongestionLoss(settled),
                Bar::at_most(0.01),
            ),
            worst(
                "fall of the estimate within a minute",
                Unit::Share,
                Measure::EstimateDrawdown(settled),
                Bar::at_most(0.15),
            ),
            mean(
                "time at the best layer that fits",
                Unit::Share,
                Measure::LayerShare(settled, layer),
                Bar::at_least(0.9),
            ),
        ],
        ..one_viewer(name, secs(135), DELAY, &[(secs(0), kbps(rate))])
    }
}

/// The lines on which an earlier version collapsed: 2.5, 0.6, 1.5 and 0.3 Mbit/s.
fn narrow_line() -> Case {
    let rates = [
        (secs(0), kbps(2_500)),
        (secs(20), kbps(600)),
        (secs(40), kbps(1_500)),
        (secs(60), kbps(300)),
    ];
    let fall = Window::secs(60, 80);
    let mut rows = rows_of_a_fall(fall);
    rows.extend(rows_of_a_lower_layer(fall, LOW));
    rows.push(mean(
        "audio concealed",
        Unit::Share,
        Measure::AudioConcealed,
        Bar::at_most(0.02),
    ));
    rows.push(mean(
        "1.5 Mbit/s: time at the middle layer, after 5 s",
        Unit::Share,
        Measure::LayerShare(Window::secs(45, 60), MIDDLE),
        Bar::at_least(0.9),
    ));
    Case {
        rows,
        ..one_viewer("2.5, 0.6, 1.5, 0.3 Mbit/s", secs(80), DELAY, &rates)
    }
}

/// A camera of one layer of 0.7 Mbit/s on a line that falls below that, so that only its lower temporal
/// layers fit, and rises again.
fn below_the_only_layer() -> Case {
    let rates = [
        (secs(0), kbps(2_500)),
        (secs(20), kbps(600)),
        (secs(60), kbps(2_500)),
    ];
    let low = Window::secs(25, 60);
    let mut case = one_viewer("one layer of 0.7 Mbit/s on 0.6", secs(80), DELAY, &rates);
    if let Some(publisher) = case.people.first_mut() {
        publisher.media = vec![
            MediaSource::Camera(CameraOptions::of_bitrate(kbps(700))),
            MediaSource::Microphone { pauses: false },
        ];
    }
    case.measured_from = low.from;
    case.measured_until = low.until;
    case.rows = vec![
        worst(
            "frame rate",
            Unit::Fps,
            Measure::FrameRate,
            Bar::between(12.0, FPS_MAX),
        ),
        worst(
            "longest time without a frame",
            Unit::Seconds,
            Measure::LongestGap(low),
            Bar::at_most(1.0),
        ),
        mean(
            "congestion loss",
            Unit::Share,
            Measure::CongestionLoss(low),
            Bar::at_most(0.01),
        ),
        mean(
            "audio concealed",
            Unit::Share,
            Measure::AudioConcealed,
            Bar::at_most(0.02),
        ),
        worst(
            "2.5 Mbit/s: time to 80 % of the frame rate",
            Unit::Seconds,
            Measure::FrameRateRecovered(Window::secs(60, 80)),
            Bar::at_most(5.0),
        ),
    ];
    case
}

/// A viewer whose feedback lies, on a line of 1 Mbit/s.
fn lying(name: &'static str, claim: Claim) -> Case {
    let mut case = one_viewer(name, secs(40), DELAY, &[(secs(0), kbps(1_000))]);
    for person in case.people.iter_mut().filter(|person| person.subscribes) {
        person.claim = claim;
    }
    let all = Window::secs(3, 40);
    case.rows = vec![
        worst(
            "lowest estimate",
            Unit::Kbps,
            Measure::EstimateMin(all),
            Bar::between(30.0, 50_000.0),
        ),
        worst(
            "highest estimate",
            Unit::Kbps,
            Measure::EstimateMax(all),
            Bar::between(30.0, 50_000.0),
        ),
        worst(
            "most that is offered in a second, as a multiple of the line",
            Unit::Ratio,
            Measure::OfferedPeak(Window::secs(10, 40)),
            Bar::at_most(ALL_MEDIA),
        ),
    ];
    case
}
