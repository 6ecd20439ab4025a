//! Several people or flows behind one bottleneck, and several videos of one person: RFC 8867 §5.2 and
//! §5.4 to §5.8, and priorities.

use std::time::Duration;

use watersmeet_peer::browser::MediaSource;
use watersmeet_peer::sender::media_source::CameraOptions;

use super::builders::{LOW, MIDDLE, case, line_of, mean, p95, worst};
use crate::cross_traffic::Transfers;
use crate::network::LinkProfile;
use crate::profiles::AccessLink;
use crate::scenario::{kbps, millis, secs};
use crate::score::bar::{Bar, Row, Unit};
use crate::score::case::{Case, Event, Person, SharedLink};
use crate::score::measure::{Measure, Window};

/// One-way delay of RFC 8867.
const DELAY: Duration = millis(50);

/// Changes of the bitrate of §5.2.
const VARIABLE: [(u64, u64); 5] = [
    (0, 4_000),
    (25, 2_000),
    (50, 3_500),
    (75, 1_000),
    (100, 2_000),
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        variable_capacity(),
        two_videos_on_one_transport(),
        three_viewers(),
        round_trip_fairness(),
        long_tcp("TC5.6 long TCP, queue of 300 ms", millis(300), 0.3, true),
        long_tcp("TC5.6 long TCP, queue of 1,000 ms", secs(1), 0.0, false),
        short_tcp(),
        paused_viewer(),
        screen_and_camera(),
        pages_and_voice(),
        pages_and_camera("screen of pages, voice, camera on 150 kbit/s", false),
        pages_and_camera("screen of pages, two voices, camera on 150 kbit/s", true),
    ]
}

/// Returns a bottleneck with a constant bitrate and a queue of 300 ms.
fn bottleneck(kbit: u64) -> SharedLink {
    SharedLink {
        rate: kbps(kbit),
        rates: Vec::new(),
        queue: millis(300),
        tcp_flows: Vec::new(),
    }
}

/// Returns a viewer behind the bottleneck, whose own line has only a delay.
fn behind(name: &'static str, joins_at: Duration, delay: Duration) -> Person {
    let access = AccessLink::both(LinkProfile::clean(delay));
    Person::viewer(name, access)
        .at(joins_at)
        .behind_bottleneck()
}

fn fairness(window: Window) -> Row {
    worst(
        "fairness of the last 20 s",
        Unit::Ratio,
        Measure::Fairness(window),
        Bar::between(0.85, 1.0),
    )
}

fn never_paused(window: Window) -> Row {
    worst(
        "longest time without a frame",
        Unit::Seconds,
        Measure::LongestGap(window),
        Bar::at_most(1.0),
    )
}

/// §5.2: two viewers behind one line whose bitrate changes.
fn variable_capacity() -> Case {
    let changes = VARIABLE.map(|(at, rate)| (secs(at), kbps(rate)));
    Case {
        people: vec![
            Person::publisher("ana"),
            behind("ben", secs(1), DELAY),
            behind("cleo", secs(1), DELAY),
        ],
        shared_link: Some(SharedLink {
            rates: changes.to_vec(),
            ..bottleneck(4_000)
        }),
        rows: vec![
            fairness(Window::secs(105, 125)),
            never_paused(Window::secs(5, 125)),
            mean(
                "congestion loss",
                Unit::Share,
                Measure::CongestionLoss(Window::secs(5, 125)),
                Bar::at_most(0.01),
            ),
        ],
        ..case("TC5.2 two viewers", secs(125))
    }
}

/// §5.2 with two videos on one transport instead of two viewers.
fn two_videos_on_one_transport() -> Case {
    let changes = VARIABLE.map(|(at, rate)| (secs(at), kbps(rate)));
    let viewer = Person::viewer("ben", line_of(kbps(4_000), DELAY)).at(secs(1));
    Case {
        people: vec![
            Person::publisher("ana"),
            Person::publisher("cleo"),
            viewer.with_down_rates(kbps(4_000), &changes),
        ],
        rows: vec![
            worst(
                "fairness of both videos in the last 20 s",
                Unit::Ratio,
                Measure::VideoFairness(Window::secs(105, 125)),
                Bar::between(0.85, 1.0),
            ),
            never_paused(Window::secs(5, 125)),
            mean(
                "congestion loss",
                Unit::Share,
                Measure::CongestionLoss(Window::secs(5, 125)),
                Bar::at_most(0.01),
            ),
        ],
        ..case("TC5.2 two videos of one viewer", secs(125))
    }
}

/// §5.4: three viewers behind one line of 3.5 Mbit/s, who come one after another.
fn three_viewers() -> Case {
    let newcomer = |label, from: u64, name, share: f64| {
        let measure = Measure::RateReached(Window::secs(from, from + 20), name, share * 0.6);
        p95(label, Unit::Seconds, measure, Bar::at_most(15.0))
    };
    Case {
        people: vec![
            Person::publisher("ana"),
            behind("ben", secs(1), DELAY),
            behind("cleo", secs(20), DELAY),
            behind("dan", secs(40), DELAY),
        ],
        shared_link: Some(bottleneck(3_500)),
        rows: vec![
            fairness(Window::secs(100, 120)),
            never_paused(Window::secs(45, 120)),
            newcomer(
                "second viewer: time to 60 % of a fair share",
                20,
                "cleo",
                1_750.0,
            ),
            newcomer(
                "third viewer: time to 60 % of a fair share",
                40,
                "dan",
                1_167.0,
            ),
        ],
        ..case("TC5.4 three viewers", secs(120))
    }
}

/// §5.5: five viewers with different delays, who come every ten seconds.
fn round_trip_fairness() -> Case {
    Case {
        people: vec![
            Person::publisher("ana"),
            behind("ben", secs(1), millis(10)),
            behind("cleo", secs(10), millis(25)),
            behind("dan", secs(20), millis(50)),
            behind("eve", secs(30), millis(100)),
            behind("fay", secs(40), millis(150)),
        ],
        shared_link: Some(bottleneck(4_000)),
        rows: vec![worst(
            "highest bitrate divided by the lowest",
            Unit::Ratio,
            Measure::RateRatio(Window::secs(60, 300)),
            Bar::between(1.0, 2.5),
        )],
        ..case("TC5.5 five delays", secs(300))
    }
}

/// §5.6: one long TCP transfer on a line of 2 Mbit/s. The fair share is half of it.
fn long_tcp(name: &'static str, queue: Duration, share: f64, keeps_video: bool) -> Case {
    let settled = Window::secs(20, 119);
    let mut rows = vec![mean(
        "audio lost",
        Unit::Share,
        Measure::AudioLoss,
        Bar::at_most(0.02),
    )];
    if keeps_video {
        rows.extend([
            mean(
                "bitrate",
                Unit::Kbps,
                Measure::Rate(settled),
                Bar::at_least(1_000.0 * share),
            ),
            worst(
                "time at the low layer or better",
                Unit::Share,
                Measure::LayerShare(settled, LOW),
                Bar::at_least(0.99),
            ),
        ]);
    }
    Case {
        people: vec![Person::publisher("ana"), behind("ben", secs(5), DELAY)],
        shared_link: Some(SharedLink {
            queue,
            tcp_flows: vec![(secs(0), Transfers::Endless)],
            ..bottleneck(2_000)
        }),
        measured_from: secs(10),
        measured_until: secs(119),
        rows,
        ..case(name, secs(120))
    }
}

/// §5.7: two viewers, and ten TCP flows that load files from the thirtieth second on.
fn short_tcp() -> Case {
    let (before, after) = (Window::secs(10, 30), Window::secs(30, 300));
    let pause = secs(10);
    Case {
        people: vec![
            Person::publisher("ana"),
            behind("ben", secs(1), DELAY),
            behind("cleo", secs(1), DELAY),
        ],
        shared_link: Some(SharedLink {
            tcp_flows: (0..10)
                .map(|flow| (secs(30) + millis(500) * flow, Transfers::Files { pause }))
                .collect(),
            ..bottleneck(2_000)
        }),
        rows: vec![
            mean(
                "bitrate, as a share of that before",
                Unit::Share,
                Measure::RateAgainst(after, before),
                Bar::between(0.7, 1.2),
            ),
            worst(
                "queueing delay, 95th percentile",
                Unit::Seconds,
                Measure::QueueP95(after),
                Bar::at_most(0.25),
            ),
        ],
        ..case("TC5.7 ten short TCP flows", secs(300))
    }
}

/// §5.8: three viewers, one of whom pauses the video from 40 s to 60 s.
fn paused_viewer() -> Case {
    let pause = |paused| Event::PauseVideos {
        name: "dan",
        paused,
    };
    Case {
        people: vec![
            Person::publisher("ana"),
            behind("ben", secs(1), DELAY),
            behind("cleo", secs(1), DELAY),
            behind("dan", secs(1), DELAY),
        ],
        shared_link: Some(bottleneck(3_500)),
        events: vec![(secs(40), pause(true)), (secs(60), pause(false))],
        rows: vec![
            mean(
                "share of the freed bitrate that the others use after 10 s",
                Unit::Share,
                Measure::FreedShare(Window::secs(30, 40), Window::secs(50, 60), "dan"),
                Bar::at_least(0.8),
            ),
            p95(
                "time to the middle layer after the pause",
                Unit::Seconds,
                Measure::LayerReached(Window::secs(60, 90), MIDDLE),
                Bar::at_most(5.0),
            ),
        ],
        ..case("TC5.8 paused viewer", secs(90))
    }
}

/// A screen of 2.5 Mbit/s and a camera, on a line that carries the screen and the camera's low layer.
fn screen_and_camera() -> Case {
    let viewer = Person::viewer("ben", line_of(kbps(3_300), DELAY)).at(secs(1));
    let screen = vec![MediaSource::Camera(CameraOptions::screen())];
    Case {
        people: vec![
            Person::publisher("screen").with_media(screen),
            Person::publisher("ana"),
            viewer,
        ],
        rows: vec![
            never_paused(Window::secs(10, 60)),
            mean(
                "congestion loss",
                Unit::Share,
                Measure::CongestionLoss(Window::secs(10, 60)),
                Bar::at_most(0.01),
            ),
            mean(
                "freeze ratio",
                Unit::Share,
                Measure::FreezeRatio,
                Bar::at_most(0.01),
            ),
        ],
        ..case("screen and camera on 3.3 Mbit/s", secs(60))
    }
}

/// The same pages and voice with somebody else's camera, and with that person's voice.
fn pages_and_camera(name: &'static str, has_second_voice: bool) -> Case {
    let case = pages_and_voice();
    let mut ana = Person::publisher("ana");
    ana.media
        .retain(|media| has_second_voice || matches!(media, MediaSource::Camera(_)));
    let mut rows = vec![worst(
        "pauses of the camera per minute",
        Unit::PerMinute,
        Measure::Withdrawals(Window::secs(30, 120)),
        Bar::at_most(2.0),
    )];
    // Without a voice of everybody, the share that was lost of each says nothing.
    if has_second_voice {
        rows.push(mean(
            "audio lost",
            Unit::Share,
            Measure::AudioLoss,
            Bar::at_most(0.02),
        ));
    }
    Case {
        people: case.people.into_iter().chain([ana]).collect(),
        measured_from: case.measured_from,
        rows,
        ..self::case(name, secs(120))
    }
}

/// Pages of text, a keyframe of 28 KB every ten seconds, with a voice on a line of 150 kbit/s: 34 KB in three
/// seconds are left for them.
fn pages_and_voice() -> Case {
    let viewer = Person::viewer("ben", line_of(kbps(150), DELAY)).at(secs(1));
    let pages = CameraOptions::pages(28_000, (2..12).map(|page| page * 10).collect());
    let media = vec![
        MediaSource::Camera(pages),
        MediaSource::Microphone { pauses: false },
    ];
    let from_second_page = Window::secs(15, 60);
    Case {
        people: vec![Person::publisher("screen").with_media(media), viewer],
        measured_from: secs(15),
        rows: vec![
            // A frame is shown up to a second before the page is turned.
            worst(
                "longest time without a frame, pages included",
                Unit::Seconds,
                Measure::LongestGap(from_second_page),
                Bar::at_most(4.0),
            ),
            worst(
                "audio lost",
                Unit::Share,
                Measure::AudioLoss,
                Bar::at_most(0.0),
            ),
            worst(
                "audio concealed",
                Unit::Share,
                Measure::AudioConcealed,
                Bar::at_most(0.01),
            ),
            mean(
                "keyframe requests per minute",
                Unit::PerMinute,
                Measure::PliRate(from_second_page),
                Bar::at_most(1.0),
            ),
        ],
        ..case("screen of pages and voice on 150 kbit/s", secs(60))
    }
}
