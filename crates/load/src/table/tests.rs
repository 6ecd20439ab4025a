//! A made-up run, its figures and its table.

use super::*;
use crate::cost::{Cost, ThreadCost};
use crate::runs::{Length, Runs};

fn webinar() -> Outcome {
    let thread = |name: &str, cpu_s| ThreadCost {
        name: name.to_owned(),
        cpu_s,
        waited_s: 0.02,
    };
    Outcome {
        setup: Setup {
            profile: "webinar".to_owned(),
            rooms: 1,
            publishers: 1,
            subscribers: 200,
            video_kbps: 1_200,
            simulcast: false,
            srtp: "AEAD_AES_128_GCM".to_owned(),
            gro: true,
            pacing: "even".to_owned(),
            verify: "all".to_owned(),
            network: "loopback".to_owned(),
        },
        seconds: 10.0,
        media: Media {
            published: 2_000,
            expected: 400_000,
            delivered: 399_000,
            plis: 5,
            sizes: [(100, 100_000), (1_200, 300_000)].into(),
            ..Media::default()
        },
        latency: Latency {
            count: 399_000,
            p50_us: 300,
            p95_us: 900,
            p99_us: 1_500,
            p999_us: 4_000,
            max_us: 9_000,
        },
        joins: Joins {
            count: 201,
            failures: 0,
            seconds: 4.02,
            latency: Latency {
                count: 201,
                p95_us: 80_000,
                ..Latency::default()
            },
        },
        transports: 402,
        consumers: 400,
        costs: Costs {
            seconds: 10.0,
            server: Some(Cost {
                cpu_s: 0.798,
                threads: vec![thread("shard-0", 0.7), thread("tokio-rt", 0.098)],
                rss_bytes: (40 << 20) + 402 * 10_240,
                voluntary_switches: 10_000,
                involuntary_switches: 50,
            }),
            own: Cost::default(),
            own_share: 0.4,
            joining_cpu_s: Some(0.201),
            joining_shards_cpu_s: Some(0.1005),
            rss_before_bytes: Some(40 << 20),
            runs: Some(Runs {
                datagrams: 400_000,
                runs: 100_000,
                lengths: vec![Length {
                    segments: 4,
                    runs: 100_000,
                }],
            }),
            stolen_share: 0.0,
        },
    }
}

fn figure(figure: Figure) -> String {
    figure.write(figure.of(&webinar()).unwrap())
}

#[test]
fn figures_are_what_the_counts_say() {
    assert_eq!(figure(Figure::PacketsIn), "200 /s");
    assert_eq!(figure(Figure::PacketsOut), "39,900 /s");
    assert_eq!(figure(Figure::MegabitsOut), "295 Mbit/s");
    assert_eq!(figure(Figure::Loss), "0.250 %");
    assert_eq!(figure(Figure::Plis), "0.50 /s");
    assert_eq!(figure(Figure::LatencyP99), "1.50 ms");
    assert_eq!(figure(Figure::ServerCpu), "8.0 %");
    assert_eq!(figure(Figure::CpuPerPacket), "2.000 µs");
    assert_eq!(figure(Figure::ShardsPerPacket), "1.754 µs");
    assert_eq!(figure(Figure::RestPerPacket), "0.246 µs");
    assert_eq!(figure(Figure::RunLength), "4.00");
    assert_eq!(figure(Figure::MemoryPerTransport), "10.0 KiB");
    assert_eq!(figure(Figure::JoinRate), "50.00 /s");
    assert_eq!(figure(Figure::JoinP95), "80.00 ms");
}

#[test]
fn what_a_join_costs_is_known_where_nothing_else_goes_on() {
    let mut outcome = webinar();
    assert_eq!(Figure::JoinCpu.of(&outcome), None);
    outcome.media = Media::default();
    for (figure, written) in [
        (Figure::JoinCpu, "0.50 ms"),
        (Figure::JoinShardsCpu, "0.25 ms"),
    ] {
        assert_eq!(figure.write(figure.of(&outcome).unwrap()), written);
    }
    assert_eq!(Figure::PacketsOut.of(&outcome), None);
}

#[test]
fn a_table_shows_bars_beside_figures_and_says_whether_they_are_met() {
    let table = webinar().table(bars_of("webinar").unwrap());
    let line = |label: &str| {
        let line = table.lines().find(|line| line.starts_with(label));
        let words = line.unwrap().split("  ").map(str::trim);
        words.filter(|it| !it.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(line("lost"), ["lost", "0.250 %", "≤ 0.100 %", "MISSED"]);
    assert_eq!(
        line("latency p99 "),
        ["latency p99", "1.50 ms", "≤ 2.00 ms", "met"]
    );
    assert_eq!(
        line("server CPU per packet"),
        ["server CPU per packet", "2.000 µs", "≤ 3.340 µs", "met"]
    );
    assert!(
        table.contains("generator's UDP_GRO on · loopback"),
        "{table}"
    );
    assert!(table.trim_end().ends_with("valid"), "{table}");
    let widths: Vec<_> = table.lines().map(|it| it.chars().count()).collect();
    assert!(widths.iter().all(|width| *width <= 100), "{widths:?}");
}

#[test]
fn a_bar_whose_figure_is_unknown_is_not_passed_over() {
    let unwatched = Outcome {
        costs: Costs::default(),
        ..webinar()
    };
    let table = unwatched.table(bars_of("L3").unwrap());
    let line = table
        .lines()
        .find(|it| it.starts_with("server CPU, of one core"));
    assert!(line.unwrap().ends_with("unknown"), "{table}");
}

#[test]
fn a_run_that_measured_its_generator_is_invalid() {
    let mut outcome = webinar();
    outcome.costs.own_share = 0.86;
    assert!(
        outcome
            .verdict()
            .starts_with("INVALID: the generator itself")
    );
    outcome.costs.own_share = 0.85;
    assert_eq!(outcome.verdict(), "valid");
}

#[test]
fn a_run_on_a_machine_with_other_things_to_do_is_invalid() {
    let mut outcome = webinar();
    assert_eq!(Figure::ServerWaited.of(&outcome), Some(0.2));
    outcome.costs.server.as_mut().unwrap().threads[0].waited_s = 1.5;
    let verdict = outcome.verdict();
    assert!(
        verdict.contains("other programs had the cores for 15 %"),
        "{verdict}"
    );
}

#[test]
fn packets_of_strangers_make_a_run_invalid() {
    let mut outcome = webinar();
    outcome.media.violations = 3;
    assert_eq!(
        outcome.verdict(),
        "INVALID: 3 packets were not what was asked for"
    );
}

#[test]
fn what_is_written_reads_back_equal() {
    let folder = std::env::temp_dir().join(format!("watersmeet-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("webinar.json");
    webinar().write(&path).unwrap();
    let read = Outcome::read(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(read, webinar());
}

#[test]
fn names_of_bars_and_bars_go_together() {
    for name in bars::NAMES {
        let bars = bars_of(name).unwrap();
        assert!(!bars.is_empty(), "{name}");
        for bar in bars {
            let twice = bars.iter().filter(|it| it.figure == bar.figure);
            assert_eq!(twice.count(), 1, "{name}: {bar}");
        }
    }
    let error = bars_of("L99").unwrap_err().to_string();
    assert!(
        error.contains("L99") && error.contains("webinar"),
        "{error}"
    );
}

#[test]
fn every_figure_stands_in_the_table_once() {
    for (at, figure) in Figure::ALL.iter().enumerate() {
        let others = &Figure::ALL[at + 1..];
        assert!(
            !others.iter().any(|it| it.label() == figure.label()),
            "{figure:?}"
        );
    }
}
