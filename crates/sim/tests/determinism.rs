//! One seed determines the whole run: the same seed sends the same bytes at the same times, other
//! seeds send others, and the traces of the committed seeds stay as recorded in `traces.txt`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use watersmeet_sim::profiles::{cellular, wifi};
use watersmeet_sim::scenario::{camera, secs};
use watersmeet_sim::seeds::COMMITTED;
use watersmeet_sim::world::World;

/// The recorded traces, one line per committed seed: seed, hash in hexadecimal.
const RECORDED: &str = include_str!("traces.txt");

/// Returns the hash of every byte sent in a call over two shards with simulcast, lossy links, a
/// layer preference, a mute and a participant who leaves.
fn trace(seed: u64) -> u64 {
    let world = World::with_shards(seed, 2)
        .joins("ana", camera().simulcast(3).over(wifi()))
        .joins("ben", camera().over(cellular()))
        .after(secs(2))
        .sets_preferred_layer("ben", "ana", 0)
        .sets_source_paused("ben", 0, true)
        .after(secs(1))
        .disconnects("ben")
        .run_for(secs(1));
    world.oracle.trace()
}

#[test]
fn equal_seeds_give_equal_traces() {
    assert_eq!(trace(11), trace(11));
}

#[test]
fn different_seeds_give_different_traces() {
    let traces: BTreeSet<u64> = (0..32).map(trace).collect();
    assert_eq!(traces.len(), 32);
}

/// A change of behaviour changes these; `RECORD_TRACES=1` writes the file again, and the commit
/// says what changed.
#[test]
fn traces_of_the_committed_seeds_stay_as_recorded() {
    let mut traces = String::new();
    for seed in COMMITTED {
        writeln!(traces, "{seed} {:016x}", trace(seed)).unwrap();
    }
    if std::env::var_os("RECORD_TRACES").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traces.txt");
        std::fs::write(path, &traces).unwrap();
    } else {
        assert_eq!(traces, RECORDED);
    }
}
