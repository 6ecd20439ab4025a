//! Rooms of twelve who speak, which send their participants only the loudest voices and the cameras of the
//! latest speakers. Each scenario runs with the room on one shard, and spread over four.

use std::collections::BTreeMap;

use watersmeet_conference::ForwardingLimits;
use watersmeet_sim::profiles::ideal;
use watersmeet_sim::scenario::{camera, microphone, millis, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;

/// Participants who speak.
const SPEAKERS: [&str; 12] = [
    "ana", "ben", "cleo", "dan", "eva", "finn", "gus", "hal", "ida", "jan", "kim", "leo",
];

/// Voices that everybody is sent.
const VOICES: u8 = 3;

/// Cameras that everybody is sent.
const CAMERAS: u16 = 2;

/// Returns how many packets of each voice the viewer has received.
fn heard(world: &World) -> BTreeMap<&'static str, u64> {
    let packets = |name: &str| {
        let report = world.expect("viewer").audio(name);
        report.map_or(0, |it| it.speech_packets + it.silence_packets)
    };
    SPEAKERS.map(|it| (it, packets(it))).into()
}

/// Returns how many frames of each camera the viewer has seen.
fn seen(world: &World) -> BTreeMap<&'static str, u64> {
    let frames = |name: &str| world.expect("viewer").video(name).map_or(0, |it| it.frames);
    SPEAKERS.map(|it| (it, frames(it))).into()
}

/// Returns whose count has grown by at least `least`.
fn grown(
    before: &BTreeMap<&'static str, u64>,
    after: &BTreeMap<&'static str, u64>,
    least: u64,
) -> Vec<&'static str> {
    let pairs = before.iter().zip(after.values());
    let grown = pairs.filter(|((_, before), after)| **after >= **before + least);
    grown.map(|((name, _), _)| *name).collect()
}

fn active_speaker(world: &World) -> Option<&str> {
    let peer = world.participant("viewer")?.browser.active_speaker()?;
    let mut participants = world.participants().iter();
    let speaker = participants.find(|it| it.browser.peer() == Some(peer));
    speaker.map(|it| it.name.as_str())
}

fn check_voices(seed: u64, shards: u8) {
    let context = format!("seed {seed}, {shards} shards");
    let limits = ForwardingLimits {
        last_n_video: 0,
        top_n_audio: VOICES,
    };
    let mut world = World::with_limits(seed, shards, limits);
    for name in SPEAKERS {
        world = world.publishes(name, microphone());
    }
    world = world.views("viewer", ideal()).run_for(secs(3));
    let mut steps_with_speaker = 0;
    let start = heard(&world);
    for _ in 0..100 {
        let before = heard(&world);
        let speaker = active_speaker(&world).map(str::to_owned);
        world = world.run_for(millis(200));
        let after = heard(&world);
        // Ten packets belong to 200 ms; some voices may change meanwhile.
        let whole = grown(&before, &after, 8);
        assert!(whole.len() <= VOICES.into(), "{context}: {whole:?}");
        if speaker.is_some() && speaker.as_deref() == active_speaker(&world) {
            steps_with_speaker += 1;
        }
    }
    assert!(steps_with_speaker > 20, "{context}: somebody speaks");
    let end = heard(&world);
    let packets = |counts: &BTreeMap<_, u64>| counts.values().sum::<u64>();
    let received = packets(&end) - packets(&start);
    // 20 s of three voices, of which each may have been replaced once a second.
    let most = 20 * u64::from(VOICES) * 52;
    assert!(
        (most / 2..=most).contains(&received),
        "{context}: {received}"
    );
    assert!(grown(&start, &end, 1).len() > 6, "{context}: places change");
    for name in grown(&BTreeMap::from(SPEAKERS.map(|it| (it, 0))), &end, 1) {
        world.expect("viewer").hears(name).losing_at_most(0.0);
    }
    world.finish();
}

#[test]
fn three_of_twelve_voices_are_heard_completely_on_one_shard() {
    for seed in seeds::first(6) {
        check_voices(seed, 1);
    }
}

#[test]
fn three_of_twelve_voices_are_heard_completely_on_four_shards() {
    for seed in seeds::first(6) {
        check_voices(seed, 4);
    }
}

fn check_cameras(seed: u64, shards: u8) {
    let context = format!("seed {seed}, {shards} shards");
    let limits = ForwardingLimits {
        last_n_video: CAMERAS,
        top_n_audio: 0,
    };
    let mut world = World::with_limits(seed, shards, limits);
    for name in SPEAKERS {
        world = world.publishes(name, camera());
    }
    world = world.views("viewer", ideal()).run_for(millis(300));
    for name in SPEAKERS {
        world = world.sets_source_paused(name, 1, true);
    }
    world = world.run_for(secs(3));
    let mut shown = vec!["ana", "ben"];
    for speaker in ["leo", "ben", "hal"] {
        let before = seen(&world);
        world = world.run_for(secs(1));
        let mut visible = grown(&before, &seen(&world), 10);
        visible.sort_unstable();
        shown.sort_unstable();
        assert_eq!(visible, shown, "{context}: before {speaker} speaks");
        // Half a second of speech makes a speaker, and then a keyframe is asked for.
        world = world.sets_source_paused(speaker, 1, false).run_for(secs(5));
        world = world.sets_source_paused(speaker, 1, true);
        shown = match speaker {
            "leo" => vec!["ana", "leo"],
            "ben" => vec!["ben", "leo"],
            _ => vec!["ben", "hal"],
        };
    }
    world.run_for(secs(1)).finish();
}

#[test]
fn cameras_of_the_latest_speakers_are_seen_on_one_shard() {
    for seed in seeds::first(4) {
        check_cameras(seed, 1);
    }
}

#[test]
fn cameras_of_the_latest_speakers_are_seen_on_four_shards() {
    for seed in seeds::first(4) {
        check_cameras(seed, 4);
    }
}
