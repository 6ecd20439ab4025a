//! Texts as the server shows them.

use super::*;

const SUMS: &str = r#"
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

const SPREAD: &str = r#"
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

fn pairs(runs: &Runs) -> Vec<(u32, u64)> {
    runs.lengths
        .iter()
        .map(|it| (it.segments, it.runs))
        .collect()
}

#[test]
fn what_went_out_is_summed_over_the_workers() {
    let counters = Counters::parse(SUMS).unwrap();
    assert_eq!((counters.datagrams, counters.runs), (1_500, 600));
}

#[test]
fn where_only_sums_are_known_runs_have_lengths_next_to_the_mean() {
    let before = Counters::parse(SUMS).unwrap();
    let after = Counters {
        datagrams: before.datagrams + 25,
        runs: before.runs + 10,
        ..Counters::default()
    };
    let runs = Runs::between(&before, &after);
    assert_eq!(runs.mean(), Some(2.5));
    assert_eq!(pairs(&runs), [(2, 5), (3, 5)]);
}

#[test]
fn where_lengths_are_known_they_are_kept() {
    let after = Counters::parse(SPREAD).unwrap();
    let runs = Runs::between(&Counters::default(), &after);
    // Between 5 and 8, and between 9 and 64, the middle.
    assert_eq!(pairs(&runs), [(1, 10), (2, 20), (7, 5), (37, 1)]);
}

#[test]
fn what_left_before_does_not_count() {
    let before = Counters::parse(SPREAD).unwrap();
    let mut after = before.clone();
    for (bound, count) in &mut after.cumulative {
        *count += if *bound >= 4 { 3 } else { 0 };
    }
    assert_eq!(pairs(&Runs::between(&before, &after)), [(4, 3)]);
}

#[test]
fn another_servers_counters_read_as_nothing() {
    let text = "# TYPE mediasoup_workers gauge\nmediasoup_workers 2\n";
    let counters = Counters::parse(text).unwrap();
    let runs = Runs::between(&counters, &counters);
    assert_eq!((runs.mean(), runs.lengths.len()), (None, 0));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let error = fetch("http://127.0.0.1:9/metrics", None).unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
}
