//! Tests with metrics in the format of the server.

use super::*;

const TOTALS: &str = r#"
# HELP watersmeet_datagrams UDP datagrams.
# TYPE watersmeet_datagrams counter
watersmeet_datagrams_total{worker="0",direction="in"} 900
watersmeet_datagrams_total{worker="0",direction="out"} 1000
watersmeet_datagrams_total{worker="1",direction="out"} 500
# HELP watersmeet_datagram_runs Trips of UDP datagrams through the kernel.
# TYPE watersmeet_datagram_runs counter
watersmeet_datagram_runs_total{worker="0",direction="in"} 800
watersmeet_datagram_runs_total{worker="0",direction="out"} 400
watersmeet_datagram_runs_total{worker="1",direction="out"} 200
# EOF
"#;

const HISTOGRAM: &str = r#"
# TYPE watersmeet_media_run_segments histogram
watersmeet_media_run_segments_bucket{worker="0",le="1.0"} 10
watersmeet_media_run_segments_bucket{worker="0",le="2.0"} 30
watersmeet_media_run_segments_bucket{worker="0",le="4.0"} 30
watersmeet_media_run_segments_bucket{worker="0",le="8.0"} 35
watersmeet_media_run_segments_bucket{worker="0",le="+Inf"} 36
watersmeet_media_run_segments_sum{worker="0"} 140
watersmeet_media_run_segments_count{worker="0"} 36
# EOF
"#;

fn pairs(runs: &RunLengths) -> Vec<(u32, u64)> {
    runs.lengths
        .iter()
        .map(|it| (it.segments, it.runs))
        .collect()
}

#[test]
fn outgoing_datagrams_are_summed_over_workers() {
    let counters = RunCounters::parse(TOTALS).unwrap();
    assert_eq!((counters.datagrams, counters.runs), (1_500, 600));
}

#[test]
fn lengths_next_to_the_mean_are_estimated_from_totals() {
    let before = RunCounters::parse(TOTALS).unwrap();
    let after = RunCounters {
        datagrams: before.datagrams + 25,
        runs: before.runs + 10,
        ..RunCounters::default()
    };
    let runs = RunLengths::between(&before, &after);
    assert_eq!(runs.mean(), Some(2.5));
    assert_eq!(pairs(&runs), [(2, 5), (3, 5)]);
}

#[test]
fn lengths_are_read_from_the_histogram() {
    let after = RunCounters::parse(HISTOGRAM).unwrap();
    let runs = RunLengths::between(&RunCounters::default(), &after);
    // The middle of 5 to 8, and of 9 to 64.
    assert_eq!(pairs(&runs), [(1, 10), (2, 20), (7, 5), (37, 1)]);
}

#[test]
fn runs_before_the_first_reading_do_not_count() {
    let before = RunCounters::parse(HISTOGRAM).unwrap();
    let mut after = before.clone();
    for (bound, count) in &mut after.cumulative {
        *count += if *bound >= 4 { 3 } else { 0 };
    }
    assert_eq!(pairs(&RunLengths::between(&before, &after)), [(4, 3)]);
}

#[test]
fn metrics_of_another_server_read_as_zero() {
    let text = "# TYPE mediasoup_workers gauge\nmediasoup_workers 2\n";
    let counters = RunCounters::parse(text).unwrap();
    let runs = RunLengths::between(&counters, &counters);
    assert_eq!((runs.mean(), runs.lengths.len()), (None, 0));
}

#[test]
fn error_names_the_unreachable_server() {
    let error = fetch("http://127.0.0.1:9/metrics", None).unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
}
