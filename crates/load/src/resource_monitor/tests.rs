//! Snapshots of the test process, and differences of invented snapshots.

use super::*;

fn thread(name: &str, millis: u64, switches: [u64; 2]) -> Thread {
    Thread {
        name: name.to_owned(),
        cpu: Duration::from_millis(millis),
        waited: Duration::from_millis(millis / 2),
        switches,
    }
}

fn usage(millis: u64, rss_bytes: u64, threads: &[(i32, Thread)]) -> Usage {
    Usage {
        cpu: Duration::from_millis(millis),
        threads: threads.iter().cloned().collect(),
        rss_bytes,
        socket_drops: 0,
    }
}

fn args(pids: &[i32]) -> ReportArgs {
    ReportArgs {
        pids: pids.to_vec(),
        ..ReportArgs::default()
    }
}

fn busy_loop(wanted: Duration) -> u64 {
    let begun = Instant::now();
    let mut sum = 0_u64;
    while begun.elapsed() < wanted {
        sum = (0..10_000).fold(sum, u64::wrapping_add);
    }
    sum
}

#[test]
fn busy_process_is_measured_with_its_named_threads() {
    let own = i32::try_from(std::process::id()).unwrap();
    let monitor = ResourceMonitor::new(&args(&[own])).unwrap();
    let before = monitor.snapshot().unwrap();
    let costs = std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("shard-7".to_owned());
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let (busy_done, wait_busy) = std::sync::mpsc::channel();
        let spawned = worker.spawn_scoped(scope, move || {
            busy_loop(Duration::from_millis(300));
            busy_done.send(()).unwrap();
            let _ = wait.recv();
        });
        wait_busy.recv().unwrap();
        let costs = RunCost::between(&before, &before, &monitor.snapshot().unwrap());
        drop(done);
        spawned.unwrap().join().unwrap();
        costs
    });
    let server = costs.server.unwrap();
    // Lower than the wall time when the machine is busy.
    assert!(server.cpu_s > 0.03, "{server:?}");
    assert!(server.shards_cpu_s() > 0.03, "{server:?}");
    assert!(server.shards_cpu_s() <= server.cpu_s + 0.02, "{server:?}");
    assert!(server.rss_bytes > 1 << 20);
    assert!(server.voluntary_switches > 0);
    assert!(costs.own_share > 0.0 && costs.own_share < 1.1);
}

#[test]
fn error_names_the_missing_process() {
    let error = ResourceMonitor::new(&args(&[i32::MAX])).unwrap_err();
    assert!(error.to_string().contains("2147483647"), "{error}");
}

#[test]
fn new_threads_count_from_zero_and_ended_threads_count_in_their_process() {
    let before = [usage(
        100,
        10,
        &[
            (1, thread("main", 40, [5, 1])),
            (2, thread("shard-0", 60, [0, 0])),
        ],
    )];
    let after = [usage(
        1_000,
        30,
        &[
            (2, thread("shard-0", 560, [9, 2])),
            (3, thread("shard-1", 250, [1, 1])),
        ],
    )];
    let cost = ProcessCost::between(&before, &after);
    assert!((cost.cpu_s - 0.9).abs() < 1e-9);
    assert!((cost.shards_cpu_s() - 0.75).abs() < 1e-9);
    assert!((cost.busiest_shard_cpu_s() - 0.5).abs() < 1e-9);
    assert_eq!(
        (cost.voluntary_switches, cost.involuntary_switches),
        (10, 3)
    );
    assert_eq!(cost.rss_bytes, 30);
    let names: Vec<_> = cost.threads.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["shard-0", "shard-1"]);
}

#[test]
fn joining_and_measured_usage_are_separate() {
    let now = Instant::now();
    let snapshot = |seconds, millis, rss_bytes| Snapshot {
        at: now + Duration::from_secs(seconds),
        servers: vec![usage(millis, rss_bytes, &[])],
        own: usage(0, 0, &[]),
        counters: None,
        stolen: Duration::from_millis(50 * seconds),
    };
    let costs = RunCost::between(
        &snapshot(0, 100, 7),
        &snapshot(10, 600, 9),
        &snapshot(20, 2_600, 11),
    );
    let server = costs.server.clone().unwrap();
    assert!((costs.joining_cpu_s.unwrap() - 0.5).abs() < 1e-9);
    assert_eq!(costs.joining_shards_cpu_s, None);
    assert!((server.cpu_s - 2.0).abs() < 1e-9);
    assert!((costs.seconds - 10.0).abs() < 1e-9);
    assert!((costs.stolen_share - 0.05).abs() < 1e-9);
    assert_eq!((costs.rss_before_bytes, server.rss_bytes), (Some(7), 11));
    assert!(costs.is_valid());
}

#[test]
fn run_is_invalid_when_a_generator_thread_is_full() {
    let now = Instant::now();
    let snapshot = |seconds, millis| Snapshot {
        at: now + Duration::from_secs(seconds),
        servers: Vec::new(),
        own: usage(millis, 0, &[(1, thread("media", millis, [0, 0]))]),
        counters: None,
        stolen: Duration::ZERO,
    };
    let before = snapshot(0, 0);
    assert!(RunCost::between(&before, &before, &snapshot(10, 8_400)).is_valid());
    let full = RunCost::between(&before, &before, &snapshot(10, 8_600));
    assert!(!full.is_valid());
    assert_eq!(full.waited_shares(), [0.0, 0.43]);
    assert_eq!(full.server, None);
}
