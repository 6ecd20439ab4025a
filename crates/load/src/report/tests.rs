//! Tests of metrics, table and verdict of an invented run.

use super::*;
use crate::latency::Latency;
use crate::outcome::{Joins, Media, Setup};
use crate::resource_monitor::{ProcessCost, RunCost, ThreadCost};
use crate::run_lengths::{RunLengthCount, RunLengths};

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
        costs: RunCost {
            seconds: 10.0,
            server: Some(ProcessCost {
                cpu_s: 0.798,
                threads: vec![thread("shard-0", 0.7), thread("tokio-rt", 0.098)],
                rss_bytes: (40 << 20) + 402 * 10_240,
                voluntary_switches: 10_000,
                involuntary_switches: 50,
                socket_drops: 0,
            }),
            own: ProcessCost::default(),
            own_share: 0.4,
            joining_cpu_s: Some(0.201),
            joining_shards_cpu_s: Some(0.1005),
            socket_drops: None,
            rss_before_bytes: Some(40 << 20),
            runs: Some(RunLengths {
                datagrams: 400_000,
                runs: 100_000,
                lengths: vec![RunLengthCount {
                    segments: 4,
                    runs: 100_000,
                }],
            }),
            stolen_share: 0.0,
        },
    }
}

fn formatted(metric: Metric) -> String {
    metric.format(metric.of(&webinar()).unwrap())
}

#[test]
fn metrics_are_computed_from_the_counts() {
    assert_eq!(formatted(Metric::PacketsIn), "200 /s");
    assert_eq!(formatted(Metric::PacketsOut), "39,900 /s");
    assert_eq!(formatted(Metric::MegabitsOut), "295 Mbit/s");
    assert_eq!(formatted(Metric::Loss), "0.250 %");
    assert_eq!(formatted(Metric::Plis), "0.50 /s");
    assert_eq!(formatted(Metric::LatencyP99), "1.50 ms");
    assert_eq!(formatted(Metric::ServerCpu), "8.0 %");
    assert_eq!(formatted(Metric::CpuPerPacket), "2.000 µs");
    assert_eq!(formatted(Metric::ShardsPerPacket), "1.754 µs");
    assert_eq!(formatted(Metric::RestPerPacket), "0.246 µs");
    assert_eq!(formatted(Metric::RunLength), "4.00");
    assert_eq!(formatted(Metric::MemoryPerTransport), "10.0 KiB");
    assert_eq!(formatted(Metric::JoinRate), "50.00 /s");
    assert_eq!(formatted(Metric::JoinP95), "80.00 ms");
}

#[test]
fn join_cost_is_known_only_without_media() {
    let mut outcome = webinar();
    assert_eq!(Metric::JoinCpu.of(&outcome), None);
    outcome.media = Media::default();
    for (metric, expected) in [
        (Metric::JoinCpu, "0.50 ms"),
        (Metric::JoinShardsCpu, "0.25 ms"),
    ] {
        assert_eq!(metric.format(metric.of(&outcome).unwrap()), expected);
    }
    assert_eq!(Metric::PacketsOut.of(&outcome), None);
}

#[test]
fn report_shows_thresholds_beside_metrics_and_whether_they_are_met() {
    let table = format_report(&webinar(), thresholds_named("webinar").unwrap());
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
fn threshold_of_an_unknown_metric_is_reported() {
    let unmonitored = Outcome {
        costs: RunCost::default(),
        ..webinar()
    };
    let table = format_report(&unmonitored, thresholds_named("L3").unwrap());
    let line = table
        .lines()
        .find(|it| it.starts_with("server CPU, of one core"));
    assert!(line.unwrap().ends_with("unknown"), "{table}");
}

#[test]
fn run_with_a_busy_generator_is_invalid() {
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
fn run_on_a_busy_machine_is_invalid() {
    let mut outcome = webinar();
    assert_eq!(Metric::ServerWaited.of(&outcome), Some(0.2));
    outcome.costs.server.as_mut().unwrap().threads[0].waited_s = 1.5;
    let verdict = outcome.verdict();
    assert!(
        verdict.contains("other programs had the cores for 15 %"),
        "{verdict}"
    );
}

#[test]
fn run_with_violations_is_invalid() {
    let mut outcome = webinar();
    outcome.media.violations = 3;
    assert_eq!(
        outcome.verdict(),
        "INVALID: 3 packets were wrong or misdelivered"
    );
}

#[test]
fn outcome_file_reads_back_equal() {
    let folder = std::env::temp_dir().join(format!("watersmeet-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("webinar.json");
    webinar().write(&path).unwrap();
    let read = Outcome::read(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(read, webinar());
}

#[test]
fn every_name_has_thresholds_of_distinct_metrics() {
    for name in thresholds::NAMES {
        let set = thresholds_named(name).unwrap();
        assert!(!set.is_empty(), "{name}");
        for threshold in set {
            let twice = set.iter().filter(|it| it.metric == threshold.metric);
            assert_eq!(twice.count(), 1, "{name}: {threshold}");
        }
    }
    let error = thresholds_named("L99").unwrap_err().to_string();
    assert!(
        error.contains("L99") && error.contains("webinar"),
        "{error}"
    );
}

#[test]
fn metric_labels_are_distinct() {
    for (index, metric) in Metric::ALL.iter().enumerate() {
        let others = &Metric::ALL[index + 1..];
        assert!(
            !others.iter().any(|it| it.label() == metric.label()),
            "{metric:?}"
        );
    }
}
