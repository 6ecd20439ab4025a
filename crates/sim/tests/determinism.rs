//! One seed is the whole run: the same seed gives the same bytes at the same moments, and another
//! seed gives others.

use std::collections::BTreeSet;

use watersmeet_sim::profiles::{cellular, wifi};
use watersmeet_sim::scenario::{camera, secs};
use watersmeet_sim::world::World;

/// The hash of everything that is sent in a call with a bit of everything in it.
fn trace(seed: u64) -> u64 {
    let world = World::with_shards(seed, 2)
        .meets("ana", camera().simulcast(3).over(wifi()))
        .meets("ben", camera().over(cellular()))
        .after(secs(2))
        .prefers("ben", "ana", 0)
        .mutes("ben", 0, true)
        .after(secs(1))
        .hangs_up("ben")
        .run_for(secs(1));
    world.oracle.trace()
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(trace(11), trace(11));
}

#[test]
fn thirty_two_seeds_are_thirty_two_runs() {
    let traces: BTreeSet<u64> = (0..32).map(trace).collect();
    assert_eq!(traces.len(), 32);
}
