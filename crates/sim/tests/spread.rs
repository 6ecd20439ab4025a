//! A room spread over four shards gives the same quality as on one shard, and causes no more
//! requests to its publishers. Every scenario runs twice with the same seed, the second time with
//! every room spread over all shards.
//!
//! Messages between shards take 200 µs, so packets are sent slightly later, and links with random
//! loss lose other packets: on those links, sums over seeds are compared.

use std::time::Duration;

use watersmeet_sim::profiles::{self, AccessLink, cable, ideal, wifi};
use watersmeet_sim::scenario::{camera, microphone, millis, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;

/// Number of shards of the spread rooms.
const SHARDS: u8 = 4;

/// Media that one participant received from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Received {
    /// Simulcast encoding of the last frame.
    layer: Option<u8>,
    /// Whether there is a consumer of video, and of audio.
    is_offered: (bool, bool),
    /// Whether there was a frame.
    has_video: bool,
    /// Whether there was a packet with speech.
    has_audio: bool,
    /// Number of rendered frames.
    frames: u64,
    /// Longest freeze.
    longest_freeze: Duration,
    /// Time to the first frame.
    first_frame: Option<Duration>,
    /// Number of lost packets of video and audio.
    lost: u64,
    /// Number of received audio packets.
    audio_packets: u64,
}

/// Requests to all publishers together.
#[derive(Debug, Default, Clone, Copy)]
struct PublisherRequests {
    /// Keyframe requests.
    keyframes: u64,
    /// Requested retransmissions.
    packets: u64,
}

/// Measurements of a finished scenario.
struct Outcome {
    /// Media that each participant received from each other one, in order of joining.
    received: Vec<(String, Received)>,
    /// Requests to publishers.
    requests: PublisherRequests,
    /// Number of packets sent between shards.
    cross_shard_packets: u64,
}

fn measure(mut world: World) -> Outcome {
    let names: Vec<String> = world
        .participants()
        .iter()
        .map(|it| it.name.clone())
        .collect();
    let mut received = Vec::new();
    for viewer in &names {
        for publisher in names.iter().filter(|it| *it != viewer) {
            let video = world.expect(viewer).video(publisher);
            let audio = world.expect(viewer).audio(publisher);
            let seen = video.as_ref();
            let lost = seen.map_or(0, |it| it.lost) + audio.as_ref().map_or(0, |it| it.lost);
            let entry = Received {
                layer: seen
                    .and_then(|it| it.last_frame)
                    .map(|signature| signature.layer),
                is_offered: (seen.is_some(), audio.is_some()),
                has_video: seen.is_some_and(|it| it.frames > 0),
                has_audio: audio.as_ref().is_some_and(|it| it.speech_packets > 0),
                frames: seen.map_or(0, |it| it.frames),
                longest_freeze: seen.map_or(Duration::ZERO, |it| it.longest_freeze),
                first_frame: seen.and_then(|it| it.first_frame),
                lost,
                audio_packets: audio.map_or(0, |it| it.speech_packets + it.silence_packets),
            };
            received.push((format!("{viewer} of {publisher}"), entry));
        }
    }
    let mut requests = PublisherRequests::default();
    for name in &names {
        let counts = world.sender_counts(name);
        requests.keyframes += counts.plis + counts.firs;
        requests.packets += counts.nacked;
    }
    let totals = world.workers().iter().map(|it| it.metrics().totals);
    let cross_shard_packets = totals.map(|it| it.shard_packets_sent).sum();
    world.finish();
    for worker in world.workers() {
        let totals = worker.metrics().totals;
        assert_eq!(totals.shard_messages_dropped, 0);
    }
    Outcome {
        received,
        requests,
        cross_shard_packets,
    }
}

/// Runs a scenario on one shard and on several.
fn run_both(seed: u64, scenario: fn(World) -> World) -> (Outcome, Outcome) {
    // Feedback comes at other times over several shards, so that estimates differ a little.
    let single = measure(scenario(World::with_fixed_layers(seed, 1)));
    let spread = measure(scenario(World::with_fixed_layers(seed, SHARDS)));
    assert_eq!(
        single.cross_shard_packets, 0,
        "a single shard sends no packets to others"
    );
    assert!(
        spread.cross_shard_packets > 0,
        "no packets were sent between shards"
    );
    assert_eq!(single.received.len(), spread.received.len());
    (single, spread)
}

/// Compares both runs on links without loss: all participants must receive the same.
fn compare(name: &str, scenario: fn(World) -> World) {
    for seed in seeds::first(2) {
        let (single, spread) = run_both(seed, scenario);
        for ((pair, single), (_, spread)) in single.received.iter().zip(&spread.received) {
            let case = format!("{name}, seed {seed}: {pair}: {single:?} and {spread:?}");
            let essentials = |it: &Received| (it.layer, it.is_offered, it.has_video, it.has_audio);
            assert_eq!(essentials(single), essentials(spread), "{case}");
            assert!(single.frames.abs_diff(spread.frames) <= 2, "{case}");
            assert!(
                single.audio_packets.abs_diff(spread.audio_packets) <= 2,
                "{case}"
            );
            assert!(spread.lost <= single.lost, "{case}");
            assert!(
                spread.longest_freeze <= single.longest_freeze + millis(40),
                "{case}"
            );
            let late = |it: &Received| it.first_frame.map_or(Duration::MAX, |it| it);
            assert!(
                late(spread) <= late(single).saturating_add(millis(70)),
                "{case}"
            );
        }
        let case = format!(
            "{name}, seed {seed}: {:?} and {:?}",
            single.requests, spread.requests
        );
        assert!(
            spread.requests.keyframes <= single.requests.keyframes,
            "{case}"
        );
        assert!(spread.requests.packets <= single.requests.packets, "{case}");
    }
}

#[test]
fn two_participants_receive_the_same() {
    compare("two people", |world| {
        world
            .joins("ana", camera().simulcast(3).over(cable()))
            .joins("ben", camera().simulcast(3).over(ideal()))
            .run_for(secs(6))
    });
}

#[test]
fn six_participants_in_two_rooms_receive_the_same() {
    compare("six people", |world| {
        let mut world = world;
        for (index, name) in ["ana", "ben", "cleo", "dan", "eve", "fay"]
            .into_iter()
            .enumerate()
        {
            let room = ["even", "odd"][index % 2];
            world = world
                .room(room)
                .joins(name, camera().simulcast(3).over(cable()));
        }
        world.run_for(secs(5))
    });
}

#[test]
fn preferred_layers_are_received_the_same() {
    compare("layers", |world| {
        let mut world = world
            .publishes("ana", camera().simulcast(3).over(cable()))
            .views("ben", cable())
            .views("cleo", cable())
            .after(secs(3));
        for layer in [0, 2, 1, 0] {
            world = world
                .sets_preferred_layer("ben", "ana", layer)
                .after(secs(2));
        }
        world
    });
}

#[test]
fn late_joiners_cause_the_same_requests() {
    compare("late joiners", |world| {
        let mut world = world
            .publishes("ana", camera().simulcast(3).over(cable()))
            .views("ben", cable())
            .after(secs(4));
        for name in ["cleo", "dan", "eve"] {
            world = world.views(name, cable()).after(secs(2));
        }
        world
    });
}

#[test]
fn many_simultaneous_joiners_cause_the_same_requests() {
    compare("many joiners", |world| {
        let mut world = world
            .publishes("ana", camera().simulcast(3).over(cable()))
            .after(secs(3));
        for number in 0..12 {
            world = world
                .views(&format!("viewer{number}"), cable())
                .after(millis(150));
        }
        world.after(secs(3))
    });
}

/// Adds the camera of `ana` and two viewers, and runs for three seconds.
fn world_with_two_viewers(world: World) -> World {
    world
        .publishes("ana", camera().simulcast(3).over(cable()))
        .views("ben", cable())
        .views("cleo", cable())
        .after(secs(3))
}

#[test]
fn muted_camera_is_received_the_same() {
    compare("muting", |world| {
        world_with_two_viewers(world)
            .sets_source_paused("ana", 0, true)
            .after(secs(3))
            .sets_source_paused("ana", 0, false)
            .after(secs(3))
    });
}

#[test]
fn paused_consumer_receives_the_same() {
    compare("looking away", |world| {
        world_with_two_viewers(world)
            .sets_video_paused("ben", "ana", true)
            .after(secs(3))
            .sets_video_paused("ben", "ana", false)
            .after(secs(3))
    });
}

#[test]
fn closed_producer_is_removed_everywhere() {
    compare("unpublishing", |world| {
        world_with_two_viewers(world)
            .unpublishes("ana", 0)
            .after(secs(2))
    });
}

#[test]
fn rejoining_participant_is_received_the_same() {
    compare("leaving", |world| {
        world
            .joins("ana", camera().simulcast(3).over(cable()))
            .joins("ben", camera().over(cable()))
            .joins("cleo", microphone().over(cable()))
            .after(secs(3))
            .leaves("ana")
            .after(secs(1))
            .disconnects("cleo")
            .after(secs(1))
            .joins("ana", camera().simulcast(3).over(cable()))
            .after(secs(3))
    });
}

#[test]
fn wrapping_numbers_are_received_the_same() {
    compare("wrapping", |world| {
        world
            .publishes(
                "ana",
                camera().simulcast(3).with_early_wraps().over(cable()),
            )
            .views("ben", cable())
            .views("cleo", cable())
            .run_for(secs(6))
    });
}

#[test]
fn recovery_from_an_outage_is_the_same() {
    compare("an outage", |world| {
        world
            .publishes("ana", camera().simulcast(3).over(ideal()))
            .views("ben", ideal())
            .views("cleo", ideal())
            .after(secs(3))
            .has_outage("ben", millis(2_000))
            .after(secs(6))
    });
}

/// Sums over all seeds and pairs, for lossy links.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    frames: u64,
    freezes_millis: u128,
    lost: u64,
    keyframes: u64,
    packets: u64,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        for (_, received) in &outcome.received {
            self.frames += received.frames;
            self.freezes_millis += received.longest_freeze.as_millis();
            self.lost += received.lost;
        }
        self.keyframes += outcome.requests.keyframes;
        self.packets += outcome.requests.packets;
    }
}

/// Scenario of a link: `ana` publishes over `up`, and two viewers receive over `down`.
fn over(world: World, up: AccessLink, down: AccessLink) -> World {
    world
        .publishes("ana", camera().simulcast(3).over(up))
        .views("ben", down)
        .views("cleo", down)
        .run_for(secs(12))
}

/// Named scenario.
type Case = (&'static str, fn(World) -> World);

/// Runs all links on all seeds and checks what must be equal in each run; returns the sums of all.
fn run_links(links: &[Case], check: fn(&str, &Sum, &Sum)) -> (Sum, Sum) {
    let (mut all_single, mut all_spread) = (Sum::default(), Sum::default());
    for (name, scenario) in links {
        let (mut single, mut spread) = (Sum::default(), Sum::default());
        for seed in seeds::first(2) {
            let (on_single, on_spread) = run_both(seed, *scenario);
            for ((pair, single), (_, spread)) in on_single.received.iter().zip(&on_spread.received)
            {
                let essentials = |it: &Received| (it.is_offered, it.has_audio);
                assert_eq!(
                    essentials(single),
                    essentials(spread),
                    "{name}, seed {seed}: {pair}"
                );
            }
            for (sum, all, outcome) in [
                (&mut single, &mut all_single, &on_single),
                (&mut spread, &mut all_spread, &on_spread),
            ] {
                sum.add(outcome);
                all.add(outcome);
            }
        }
        let case = format!("{name}: {single:?} and {spread:?}");
        println!("{case}");
        // A packet lost on the path of the publisher is requested once, for all consumers.
        assert!(spread.packets <= single.packets, "{case}");
        check(&case, &single, &spread);
    }
    println!("all: {all_single:?} and {all_spread:?}");
    (all_single, all_spread)
}

#[test]
fn spread_rooms_are_no_worse_on_links_without_loss() {
    let links: [Case; 3] = [
        ("P0", |it| over(it, cable(), cable())),
        ("P8", |it| over(it, ideal(), profiles::reordering())),
        ("P9", |it| over(it, ideal(), profiles::lossy_uplink())),
    ];
    let (single, spread) = run_links(&links, |case, single, spread| {
        assert!(
            single.frames.abs_diff(spread.frames) * 100 <= single.frames,
            "{case}"
        );
        assert_eq!((spread.lost, spread.freezes_millis), (0, 0), "{case}");
    });
    // A keyframe request in transit between shards at the time of a keyframe may cause another one.
    assert!(spread.keyframes <= single.keyframes + single.keyframes / 50);
}

#[test]
fn spread_rooms_are_no_worse_on_lossy_links() {
    let links: [Case; 8] = [
        ("P1", |it| over(it, wifi(), wifi())),
        ("P2", |it| over(it, ideal(), profiles::wifi_lossy())),
        ("P3", |it| {
            over(it, profiles::cellular(), profiles::cellular())
        }),
        ("P4", |it| over(it, ideal(), profiles::congested())),
        ("P5", |it| over(it, ideal(), profiles::loss_20_percent())),
        ("P6", |it| over(it, ideal(), profiles::loss_30_percent())),
        ("P7", |it| over(it, ideal(), profiles::satellite())),
        ("P11", |it| over(it, ideal(), profiles::low_bandwidth())),
    ];
    let (single, spread) = run_links(&links, |case, single, spread| {
        // Where the budget of retransmissions does not suffice, it matters more which packets are lost.
        let tenths = if case.starts_with("P6") { 8 } else { 9 };
        assert!(spread.frames * 10 >= single.frames * tenths, "{case}");
        assert!(spread.lost <= single.lost + single.lost / 5 + 10, "{case}");
    });
    // The lost packets differ, and losing a keyframe freezes the video for a second.
    assert!(spread.frames * 100 >= single.frames * 97);
    assert!(spread.freezes_millis <= single.freezes_millis + single.freezes_millis / 4);
    assert!(spread.keyframes <= single.keyframes + single.keyframes / 10);
}
