//! Parts of the scoreboard that every change must keep, on one seed, and checks that the cases mean what
//! they say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use watersmeet_peer::browser::MediaSource;
use watersmeet_peer::sender::media_source::CameraOptions;
use watersmeet_sim::profiles::ideal;
use watersmeet_sim::scenario::{kbps, millis, secs};
use watersmeet_sim::score::case::{Case, Person, SharedLink};
use watersmeet_sim::score::cases;
use watersmeet_sim::score::evaluate;
use watersmeet_sim::score::measure::{Measure, Window};
use watersmeet_sim::score::recording::LAYERS_ON_THE_LINE;
use watersmeet_sim::score::run::run_case;
use watersmeet_sim::score::table::write_row;
use watersmeet_sim::world::World;

/// Cases that are run, by the start of their names: good lines and short outages.
const KEPT: [&str; 3] = ["P0", "P10 outage of 0.2", "P10 outage of 2 s"];

fn case_named(name: &str) -> Case {
    let mut cases = cases::all().into_iter();
    cases.find(|case| case.name.starts_with(name)).unwrap()
}

#[test]
fn calls_over_good_lines_meet_their_bars() {
    for case in KEPT.map(case_named) {
        let recording = run_case(&case, 1);
        for row in &case.rows {
            let figures: Vec<_> = evaluate::figures(row.measure, &recording)
                .iter()
                .map(|it| (1, *it))
                .collect();
            let line = write_row(&case, row, &figures, false);
            assert!(line.ends_with(" | met"), "{line}");
        }
    }
}

#[test]
fn equal_seeds_give_equal_figures() {
    let case = case_named("P10 outage of 0.5");
    let figures = |seed| {
        let recording = run_case(&case, seed);
        let line = recording.viewers[0].line.last().unwrap().offered;
        let rows = case
            .rows
            .iter()
            .map(|row| evaluate::figures(row.measure, &recording));
        (line, rows.collect::<Vec<_>>())
    };
    assert_eq!(figures(3), figures(3));
    assert_ne!(figures(3).0, figures(4).0);
}

#[test]
fn layers_take_the_bitrate_that_is_stated() {
    let media = vec![
        MediaSource::Camera(CameraOptions::chromium()),
        MediaSource::Microphone { pauses: false },
    ];
    for (layer, stated) in (0..).zip(LAYERS_ON_THE_LINE) {
        let mut world = World::new(1);
        world.add_participant("ana", ideal(), media.clone(), false);
        world.add_participant("ben", ideal(), Vec::new(), true);
        world = world
            .after(secs(2))
            .sets_preferred_layer("ben", "ana", layer)
            .after(secs(3));
        let offered = |world: &World| world.participant("ben").unwrap().offered_bytes;
        let before = offered(&world);
        world = world.after(secs(20));
        let bps = (offered(&world) - before) as f64 * 8.0 / 20.0;
        assert!(
            (0.95..=1.03).contains(&(bps / stated)),
            "layer {layer}: {bps}"
        );
    }
}

#[test]
fn shared_bottleneck_passes_no_more_than_its_bitrate_to_all_viewers_together() {
    let viewer = |name| {
        Person::viewer(name, ideal())
            .at(secs(1))
            .behind_bottleneck()
    };
    let case = Case {
        name: "two viewers behind 1 Mbit/s",
        people: vec![Person::publisher("ana"), viewer("ben"), viewer("cleo")],
        shared_link: Some(SharedLink {
            rate: kbps(1_000),
            rates: vec![(secs(8), kbps(500))],
            queue: millis(300),
            tcp_flows: Vec::new(),
        }),
        events: Vec::new(),
        measured_from: secs(2),
        measured_until: secs(15),
        length: secs(15),
        rows: Vec::new(),
    };
    let recording = run_case(&case, 1);
    let passed = |from, until| -> f64 {
        let viewers = recording.viewers.iter();
        viewers
            .map(|it| it.rate(secs(from), secs(until), |line| line.passed))
            .sum()
    };
    assert!(
        (100_000.0..=1_010_000.0).contains(&passed(2, 8)),
        "{}",
        passed(2, 8)
    );
    assert!(
        (100_000.0..=505_000.0).contains(&passed(9, 15)),
        "{}",
        passed(9, 15)
    );
    let longest = recording.viewers[0]
        .line
        .iter()
        .map(|line| line.queue)
        .fold(0.0, f64::max);
    // Half of the queue of 1 Mbit/s takes twice as long at 500 kbit/s.
    assert!(longest <= 0.65, "{longest}");
}

#[test]
fn viewer_on_a_narrow_line_is_measured_as_what_is_seen() {
    // Whatever the server does on a line of 100 kbit/s, no layer fits, so that little can be seen.
    let case = Case {
        people: vec![
            Person::publisher("ana"),
            Person::viewer("ben", ideal()).with_down_rates(kbps(100), &[]),
        ],
        shared_link: None,
        rows: Vec::new(),
        name: "100 kbit/s",
        events: Vec::new(),
        measured_from: secs(5),
        measured_until: secs(20),
        length: secs(20),
    };
    let recording = run_case(&case, 1);
    let window = Window {
        from: secs(5),
        until: Duration::from_secs(20),
    };
    let rate = evaluate::figures(Measure::Rate(window), &recording)[0];
    assert!(rate < 120.0, "{rate} kbit/s are rendered");
    let carried = recording.viewers[0].rate(secs(5), secs(20), |line| line.passed);
    assert!(carried <= 101_000.0, "{carried} bit/s passed");
}
