//! A room looks and sounds the same to everybody in it whether one shard serves it or four, and its
//! publishers are asked for no more. Every kind of scenario is played twice from the same seed, the
//! second time with every room spread as widely as it can be.
//!
//! A value between shards is 200 µs on its way, so packets leave a little later and, on links that
//! lose at random, others are lost: there, what is compared is the sum over seeds.

use std::time::Duration;

use watersmeet_sim::profiles::{self, Access, cable, ideal, wifi};
use watersmeet_sim::scenario::{camera, microphone, millis, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;

/// Shards of the world that is compared with one of a single shard.
const SHARDS: u8 = 4;

/// What one person got of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Got {
    /// Which layer was shown last, if any video was.
    layer: Option<u8>,
    /// Whether video was offered, and whether sound was.
    is_offered: (bool, bool),
    /// Whether there was a frame.
    is_seen: bool,
    /// Whether there was a voice.
    is_heard: bool,
    /// Frames shown.
    frames: u64,
    /// The longest time without a frame.
    freeze: Duration,
    /// Time to the first frame.
    first_frame: Option<Duration>,
    /// Packets of video and sound that never came.
    lost: u64,
    /// Packets of sound that came.
    sounds: u64,
}

/// What was asked of all publishers together.
#[derive(Debug, Default, Clone, Copy)]
struct PendingRequest {
    /// Keyframes.
    keyframes: u64,
    /// Packets sent again.
    packets: u64,
}

/// A world after its scenario.
struct Outcome {
    /// Who got what of whom: all pairs, in the order of coming.
    got: Vec<(String, Got)>,
    /// What publishers were asked for.
    asked: PendingRequest,
    /// Packets that crossed between shards.
    crossed: u64,
}

fn judge(mut world: World) -> Outcome {
    let names: Vec<String> = world.people().iter().map(|it| it.name.clone()).collect();
    let mut got = Vec::new();
    for viewer in &names {
        for publisher in names.iter().filter(|it| *it != viewer) {
            let video = world.expect(viewer).video(publisher);
            let audio = world.expect(viewer).audio(publisher);
            let seen = video.as_ref();
            let lost = seen.map_or(0, |it| it.lost) + audio.as_ref().map_or(0, |it| it.lost);
            let entry = Got {
                layer: seen
                    .and_then(|it| it.last_frame)
                    .map(|signature| signature.layer),
                is_offered: (seen.is_some(), audio.is_some()),
                is_seen: seen.is_some_and(|it| it.frames > 0),
                is_heard: audio.as_ref().is_some_and(|it| it.speech_packets > 0),
                frames: seen.map_or(0, |it| it.frames),
                freeze: seen.map_or(Duration::ZERO, |it| it.longest_freeze),
                first_frame: seen.and_then(|it| it.first_frame),
                lost,
                sounds: audio.map_or(0, |it| it.speech_packets + it.silence_packets),
            };
            got.push((format!("{viewer} of {publisher}"), entry));
        }
    }
    let mut asked = PendingRequest::default();
    for name in &names {
        let counts = world.sent_by(name);
        asked.keyframes += counts.plis + counts.firs;
        asked.packets += counts.nacked;
    }
    let totals = world.workers().iter().map(|it| it.metrics().totals);
    let crossed = totals.map(|it| it.shard_packets_sent).sum();
    world.end();
    for worker in world.workers() {
        let totals = worker.metrics().totals;
        assert_eq!(totals.shard_messages_dropped, 0);
    }
    Outcome {
        got,
        asked,
        crossed,
    }
}

/// Plays a scenario on one shard and on several.
fn play(seed: u64, scenario: fn(World) -> World) -> (Outcome, Outcome) {
    let one = judge(scenario(World::new(seed)));
    let many = judge(scenario(World::spread(seed, SHARDS)));
    assert_eq!(one.crossed, 0, "there is nowhere to cross to");
    assert!(many.crossed > 0, "nothing has crossed");
    assert_eq!(one.got.len(), many.got.len());
    (one, many)
}

/// On links that lose nothing everybody gets the same.
fn compare(name: &str, scenario: fn(World) -> World) {
    for seed in seeds::some(2) {
        let (one, many) = play(seed, scenario);
        for ((who, one), (_, many)) in one.got.iter().zip(&many.got) {
            let case = format!("{name}, seed {seed}: {who}: {one:?} and {many:?}");
            let kind = |it: &Got| (it.layer, it.is_offered, it.is_seen, it.is_heard);
            assert_eq!(kind(one), kind(many), "{case}");
            assert!(one.frames.abs_diff(many.frames) <= 2, "{case}");
            assert!(one.sounds.abs_diff(many.sounds) <= 2, "{case}");
            assert!(many.lost <= one.lost, "{case}");
            assert!(many.freeze <= one.freeze + millis(40), "{case}");
            let late = |it: &Got| it.first_frame.map_or(Duration::MAX, |it| it);
            assert!(late(many) <= late(one).saturating_add(millis(70)), "{case}");
        }
        let case = format!("{name}, seed {seed}: {:?} and {:?}", one.asked, many.asked);
        assert!(many.asked.keyframes <= one.asked.keyframes, "{case}");
        assert!(many.asked.packets <= one.asked.packets, "{case}");
    }
}

#[test]
fn two_people_get_the_same() {
    compare("two people", |world| {
        world
            .meets("ana", camera().simulcast(3).over(cable()))
            .meets("ben", camera().simulcast(3).over(ideal()))
            .run_for(secs(6))
    });
}

#[test]
fn six_people_in_two_rooms_get_the_same() {
    compare("six people", |world| {
        let mut world = world;
        for (place, name) in ["ana", "ben", "cleo", "dan", "eve", "fay"]
            .into_iter()
            .enumerate()
        {
            let room = ["even", "odd"][place % 2];
            world = world
                .room(room)
                .meets(name, camera().simulcast(3).over(cable()));
        }
        world.run_for(secs(5))
    });
}

#[test]
fn wished_layers_come_the_same() {
    compare("layers", |world| {
        let mut world = world
            .publishes("ana", camera().simulcast(3).over(cable()))
            .views("ben", cable())
            .views("cleo", cable())
            .after(secs(3));
        for layer in [0, 2, 1, 0] {
            world = world.prefers("ben", "ana", layer).after(secs(2));
        }
        world
    });
}

#[test]
fn late_joiners_cost_the_same() {
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
fn many_joiners_at_once_cost_the_same() {
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

/// Ana's camera, which two others have watched for three seconds.
fn watched(world: World) -> World {
    world
        .publishes("ana", camera().simulcast(3).over(cable()))
        .views("ben", cable())
        .views("cleo", cable())
        .after(secs(3))
}

#[test]
fn a_muted_camera_is_the_same() {
    compare("muting", |world| {
        watched(world)
            .mutes("ana", 0, true)
            .after(secs(3))
            .mutes("ana", 0, false)
            .after(secs(3))
    });
}

#[test]
fn looking_away_and_back_is_the_same() {
    compare("looking away", |world| {
        watched(world)
            .looks_away("ben", "ana", true)
            .after(secs(3))
            .looks_away("ben", "ana", false)
            .after(secs(3))
    });
}

#[test]
fn what_ends_is_gone_everywhere() {
    compare("unpublishing", |world| {
        watched(world).unpublishes("ana", 0).after(secs(2))
    });
}

#[test]
fn whoever_leaves_and_comes_back_is_seen_the_same() {
    compare("leaving", |world| {
        world
            .meets("ana", camera().simulcast(3).over(cable()))
            .meets("ben", camera().over(cable()))
            .meets("cleo", microphone().over(cable()))
            .after(secs(3))
            .leaves("ana")
            .after(secs(1))
            .hangs_up("cleo")
            .after(secs(1))
            .meets("ana", camera().simulcast(3).over(cable()))
            .after(secs(3))
    });
}

#[test]
fn numbers_that_wrap_are_the_same() {
    compare("wrapping", |world| {
        world
            .publishes("ana", camera().simulcast(3).about_to_wrap().over(cable()))
            .views("ben", cable())
            .views("cleo", cable())
            .run_for(secs(6))
    });
}

#[test]
fn an_outage_ends_the_same() {
    compare("an outage", |world| {
        world
            .publishes("ana", camera().simulcast(3).over(ideal()))
            .views("ben", ideal())
            .views("cleo", ideal())
            .after(secs(3))
            .outage("ben", millis(2_000))
            .after(secs(6))
    });
}

/// What counts on bad links, summed over seeds and pairs.
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
        for (_, got) in &outcome.got {
            self.frames += got.frames;
            self.freezes_millis += got.freeze.as_millis();
            self.lost += got.lost;
        }
        self.keyframes += outcome.asked.keyframes;
        self.packets += outcome.asked.packets;
    }
}

/// The scenario of a bad link: `ana` publishes over `up`, and two watch over `down`.
fn over(world: World, up: Access, down: Access) -> World {
    world
        .publishes("ana", camera().simulcast(3).over(up))
        .views("ben", down)
        .views("cleo", down)
        .run_for(secs(12))
}

/// A scenario with its name.
type Case = (&'static str, fn(World) -> World);

/// Plays all links on all seeds and checks what must be equal in each; the sums of all.
fn play_links(links: &[Case], check: fn(&str, &Sum, &Sum)) -> (Sum, Sum) {
    let (mut all_one, mut all_many) = (Sum::default(), Sum::default());
    for (name, scenario) in links {
        let (mut one, mut many) = (Sum::default(), Sum::default());
        for seed in seeds::some(2) {
            let (on_one, on_many) = play(seed, *scenario);
            for ((who, one), (_, many)) in on_one.got.iter().zip(&on_many.got) {
                let kind = |it: &Got| (it.is_offered, it.is_heard);
                assert_eq!(kind(one), kind(many), "{name}, seed {seed}: {who}");
            }
            for (sum, all, outcome) in [
                (&mut one, &mut all_one, &on_one),
                (&mut many, &mut all_many, &on_many),
            ] {
                sum.add(outcome);
                all.add(outcome);
            }
        }
        let case = format!("{name}: {one:?} and {many:?}");
        println!("{case}");
        // What the publisher's path lost is asked for once, whoever waits for it.
        assert!(many.packets <= one.packets, "{case}");
        check(&case, &one, &many);
    }
    println!("all: {all_one:?} and {all_many:?}");
    (all_one, all_many)
}

#[test]
fn links_that_only_delay_are_no_worse() {
    let links: [Case; 3] = [
        ("P0", |it| over(it, cable(), cable())),
        ("P8", |it| over(it, ideal(), profiles::shuffled())),
        ("P9", |it| over(it, ideal(), profiles::feedback_lost())),
    ];
    let (one, many) = play_links(&links, |case, one, many| {
        assert!(
            one.frames.abs_diff(many.frames) * 100 <= one.frames,
            "{case}"
        );
        assert_eq!((many.lost, many.freezes_millis), (0, 0), "{case}");
    });
    // A wish that crosses while a keyframe does may cost one more.
    assert!(many.keyframes <= one.keyframes + one.keyframes / 50);
}

#[test]
fn links_that_lose_are_no_worse() {
    let links: [Case; 8] = [
        ("P1", |it| over(it, wifi(), wifi())),
        ("P2", |it| over(it, ideal(), profiles::wifi_lossy())),
        ("P3", |it| {
            over(it, profiles::cellular(), profiles::cellular())
        }),
        ("P4", |it| over(it, ideal(), profiles::congested())),
        ("P5", |it| over(it, ideal(), profiles::fifth_lost())),
        ("P6", |it| over(it, ideal(), profiles::third_lost())),
        ("P7", |it| over(it, ideal(), profiles::satellite())),
        ("P11", |it| over(it, ideal(), profiles::starved())),
    ];
    let (one, many) = play_links(&links, |case, one, many| {
        assert!(many.frames * 10 >= one.frames * 9, "{case}");
        assert!(many.lost <= one.lost + one.lost / 5 + 10, "{case}");
    });
    // Which packets are lost is chance, and a keyframe among them is a freeze of a second.
    assert!(many.frames * 100 >= one.frames * 97);
    assert!(many.freezes_millis <= one.freezes_millis + one.freezes_millis / 4);
    assert!(many.keyframes <= one.keyframes + one.keyframes / 10);
}
