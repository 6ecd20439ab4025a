//! Looks at this very process, and differences of made-up looks.

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
    }
}

fn args(pids: &[i32]) -> ReportArgs {
    ReportArgs {
        pids: pids.to_vec(),
        ..ReportArgs::default()
    }
}

fn work_for(wanted: Duration) -> u64 {
    let begun = Instant::now();
    let mut sum = 0_u64;
    while begun.elapsed() < wanted {
        sum = (0..10_000).fold(sum, u64::wrapping_add);
    }
    sum
}

#[test]
fn a_process_at_work_is_seen_with_its_threads_by_name() {
    let own = i32::try_from(std::process::id()).unwrap();
    let observer = Observer::new(&args(&[own])).unwrap();
    let before = observer.look().unwrap();
    let costs = std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("shard-7".to_owned());
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let (say, said) = std::sync::mpsc::channel();
        let spawned = worker.spawn_scoped(scope, move || {
            work_for(Duration::from_millis(300));
            say.send(()).unwrap();
            let _ = wait.recv();
        });
        said.recv().unwrap();
        let costs = Costs::between(&before, &before, &observer.look().unwrap());
        drop(done);
        spawned.unwrap().join().unwrap();
        costs
    });
    let server = costs.server.unwrap();
    // Less than it worked when the machine has other things to do.
    assert!(server.cpu_s > 0.03, "{server:?}");
    assert!(server.shards_cpu_s() > 0.03, "{server:?}");
    assert!(server.shards_cpu_s() <= server.cpu_s + 0.02, "{server:?}");
    assert!(server.rss_bytes > 1 << 20);
    assert!(server.voluntary_switches > 0);
    assert!(costs.own_share > 0.0 && costs.own_share < 1.1);
}

#[test]
fn a_process_that_is_not_there_is_named() {
    let error = Observer::new(&args(&[i32::MAX])).unwrap_err();
    assert!(error.to_string().contains("2147483647"), "{error}");
}

#[test]
fn a_thread_that_came_later_counts_whole_and_one_that_ended_counts_in_its_process() {
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
    let cost = Cost::between(&before, &after);
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
fn joining_memory_and_what_is_measured_are_kept_apart() {
    let now = Instant::now();
    let sight = |seconds, millis, rss_bytes| Sight {
        at: now + Duration::from_secs(seconds),
        servers: vec![usage(millis, rss_bytes, &[])],
        own: usage(0, 0, &[]),
        counters: None,
        stolen: Duration::from_millis(50 * seconds),
    };
    let costs = Costs::between(&sight(0, 100, 7), &sight(10, 600, 9), &sight(20, 2_600, 11));
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
fn a_generator_with_a_full_thread_is_not_believed() {
    let now = Instant::now();
    let sight = |seconds, millis| Sight {
        at: now + Duration::from_secs(seconds),
        servers: Vec::new(),
        own: usage(millis, 0, &[(1, thread("media", millis, [0, 0]))]),
        counters: None,
        stolen: Duration::ZERO,
    };
    let before = sight(0, 0);
    assert!(Costs::between(&before, &before, &sight(10, 8_400)).is_valid());
    let full = Costs::between(&before, &before, &sight(10, 8_600));
    assert!(!full.is_valid());
    assert_eq!(full.waited_shares(), [0.0, 0.43]);
    assert_eq!(full.server, None);
}
