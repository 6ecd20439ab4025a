//! Everybody in a room is told who is speaking, from the audio levels of real packets. Each scenario
//! runs with the room on one shard, and spread over four.

use std::collections::BTreeSet;
use std::time::Duration;

use watersmeet_sim::profiles::ideal;
use watersmeet_sim::scenario::{microphone, millis, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;

/// Returns the name of the active speaker as each of these was told.
fn active_speakers<'a>(world: &'a World, viewers: &[&str]) -> BTreeSet<Option<&'a str>> {
    let named = |peer: &str| {
        let mut participants = world.participants().iter();
        let found = participants.find(|it| it.browser.peer() == Some(peer));
        found.map(|it| it.name.as_str())
    };
    let viewers = viewers.iter().filter_map(|name| world.participant(name));
    let told = viewers.map(|it| it.browser.active_speaker().and_then(named));
    told.collect()
}

/// Advances the time. Returns everybody who was the active speaker meanwhile, and checks that all viewers
/// are told the same.
fn watch(mut world: World, viewers: &[&str], span: Duration) -> (World, BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    for _ in 0..span.as_millis() / 100 {
        world = world.run_for(millis(100));
        let told = active_speakers(&world, viewers);
        assert_eq!(
            told.len(),
            1,
            "viewers are told different speakers: {told:?}"
        );
        seen.extend(told.into_iter().flatten().map(str::to_owned));
    }
    (world, seen)
}

fn check_speakers(seed: u64, shards: u8) {
    let everybody = ["ana", "ben", "cleo"];
    let context = format!("seed {seed}, {shards} shards");
    let world = World::with_spread_rooms(seed, shards)
        .joins("ana", microphone())
        .joins("ben", microphone())
        .views("cleo", ideal())
        .after(secs(1))
        .sets_source_paused("ben", 0, true)
        .run_for(secs(4));
    let (world, seen) = watch(world, &everybody, secs(10));
    assert_eq!(seen, BTreeSet::from(["ana".to_owned()]), "{context}");

    let world = world
        .sets_source_paused("ana", 0, true)
        .sets_source_paused("ben", 0, false)
        .run_for(secs(4));
    let (world, seen) = watch(world, &everybody, secs(10));
    assert_eq!(seen, BTreeSet::from(["ben".to_owned()]), "{context}");

    // One who joins later learns it too, also when nothing changes any more.
    let world = world.views("dan", ideal()).run_for(secs(1));
    let (world, _) = watch(world, &["ana", "ben", "cleo", "dan"], secs(2));

    let mut world = world.sets_source_paused("ben", 0, true).run_for(secs(2));
    let told = active_speakers(&world, &everybody);
    assert_eq!(told, BTreeSet::from([None]), "{context}");
    world.finish();
}

#[test]
fn everybody_is_told_who_is_speaking_on_one_shard() {
    for seed in seeds::all() {
        check_speakers(seed, 1);
    }
}

#[test]
fn everybody_is_told_who_is_speaking_in_a_room_on_four_shards() {
    for seed in seeds::all() {
        check_speakers(seed, 4);
    }
}
