//! Shared screens on slow lines: pages of text at one frame a second, whose keyframes take seconds, beside
//! voices and cameras. A page of 2,800 letters in 8 points is a keyframe of 28 KB in Chromium
//! (`docs/decisions/0031-shared-screens.md`).

use std::time::Duration;

use watersmeet_sim::network::{LinkProfile, Loss};
use watersmeet_sim::profiles::AccessLink;
use watersmeet_sim::scenario::{camera, kbps, millis, pages, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;
use watersmeet_wire::units::Bitrate;

/// Length of a keyframe of a page, in bytes. A voice takes 57 of 150 kbit/s: in three seconds the rest carries
/// 34 KB.
const PAGE: usize = 28_000;
const LARGE_PAGE: usize = 42_000;

/// Returns a line with this bitrate to the viewer, and a queue of 300 ms.
fn line(rate: Bitrate) -> AccessLink {
    let mut access = AccessLink::both(LinkProfile::clean(millis(20)));
    access.down.rate = Some(rate);
    access
}

/// Runs until ben sees what ana shows in this second of the run, or something newer. Returns how long after
/// that second it was.
fn wait_for_page(mut world: World, second: u64) -> (World, Duration) {
    let start = secs(second);
    loop {
        let now = world.now();
        let seen = world
            .expect("ben")
            .video("ana")
            .and_then(|it| it.last_frame);
        let since = Duration::from_micros(now.as_micros()).saturating_sub(start);
        let is_seen =
            seen.is_some_and(|it| Duration::from_micros(it.captured.as_micros()) >= start);
        if is_seen || since > secs(30) {
            return (world, since);
        }
        world = world.after(millis(50));
    }
}

/// Runs until this second of the run.
fn run_until(world: World, second: u64) -> World {
    let passed = Duration::from_micros(world.now().as_micros());
    world.after(secs(second).saturating_sub(passed))
}

#[test]
fn page_is_seen_within_three_seconds_on_150_kbps_beside_a_voice() {
    for seed in seeds::all() {
        let turns = [20, 28, 36];
        let mut world = World::new(seed)
            .publishes("ana", pages(PAGE, &turns))
            .views("ben", line(kbps(150)))
            .warm_up_for(secs(15));
        for turn in turns {
            let (after, span) = wait_for_page(run_until(world, turn), turn);
            println!("{seed}: page of second {turn} after {span:?}");
            assert!(span <= secs(3), "{seed}: {span:?}");
            world = after;
        }
        let audio = world.expect("ben").hears("ana");
        audio.losing_at_most(0.0).concealing_at_most(0.01);
        world.finish();
    }
}

#[test]
fn larger_page_is_seen_within_three_seconds_on_150_kbps_without_a_voice() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .publishes("ana", pages(LARGE_PAGE, &[20, 28]).without_microphone())
            .views("ben", line(kbps(150)))
            .warm_up_for(secs(15));
        for turn in [20, 28] {
            let (after, span) = wait_for_page(run_until(world, turn), turn);
            println!("{seed}: page of second {turn} after {span:?}");
            assert!(span <= secs(3), "{seed}: {span:?}");
            world = after;
        }
        world.finish();
    }
}

#[test]
fn pages_that_are_turned_too_fast_are_seen_whole_one_after_the_other() {
    let turns: Vec<u64> = (20..50).collect();
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .publishes("ana", pages(PAGE, &turns))
            .views("ben", line(kbps(150)))
            .warm_up_for(secs(20))
            .run_for(secs(30));
        let video = world.expect("ben").sees("ana").report;
        println!("{seed}: {video}");
        assert!(video.keyframes >= 6, "{seed}: {video}");
        // Pictures that are left out leave no gap in the numbers.
        assert_eq!((video.nacked, video.lost), (0, 0), "{seed}: {video}");
        let audio = world.expect("ben").hears("ana");
        audio.losing_at_most(0.0).concealing_at_most(0.01);
        let (world_after, span) = wait_for_page(world, 49);
        println!("{seed}: last page after {span:?}");
        assert!(span <= secs(7), "{seed}: {span:?}");
        world = world_after;
        world.finish();
    }
}

#[test]
fn page_is_seen_on_100_kbps_though_it_takes_seconds() {
    for seed in seeds::all() {
        let mut world = World::new(seed)
            .publishes("ana", pages(PAGE, &[20]))
            .views("ben", line(kbps(100)))
            .warm_up_for(secs(15));
        let (after, span) = wait_for_page(run_until(world, 20), 20);
        println!("{seed}: page after {span:?}");
        assert!(span <= secs(8), "{seed}: {span:?}");
        world = after;
        let audio = world.expect("ben").hears("ana");
        audio.losing_at_most(0.0).concealing_at_most(0.01);
        world.finish();
    }
}

#[test]
fn screen_that_rests_for_a_minute_is_not_paused_and_moves_at_once() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .publishes("ana", pages(PAGE, &[90, 98]))
            .publishes("cleo", camera().simulcast(3).without_pauses())
            .views("ben", line(kbps(400)))
            .warm_up_for(secs(30))
            .run_for(secs(60));
        let video = world.expect("ben").sees("ana");
        println!("{seed}: {}", video.report);
        video.at_least(0.9).with_freezes_under(secs(3));
        assert_eq!(video.report.plis, 0, "{seed}: {}", video.report);
        for turn in [90, 98] {
            let (after, span) = wait_for_page(run_until(world, turn), turn);
            println!("{seed}: page of second {turn} after {span:?}");
            assert!(span <= secs(3), "{seed}: {span:?}");
            world = after;
        }
        let camera = world.expect("ben").sees("cleo").report;
        println!("{seed}: camera: {camera}");
        assert!(camera.fps > 20.0, "{seed}: {camera}");
        for name in ["ana", "cleo"] {
            world.expect("ben").hears(name).losing_at_most(0.0);
        }
        world.finish();
    }
}

#[test]
fn lost_packets_of_a_page_are_repaired_without_another_keyframe() {
    for seed in seeds::first(4) {
        let mut access = line(kbps(250));
        access.down.loss = Loss::Random(0.02);
        let turns = [20, 28, 36, 44];
        let mut world = World::new(seed)
            .publishes("ana", pages(PAGE, &turns))
            .views("ben", access)
            .warm_up_for(secs(19));
        for turn in turns {
            let (after, span) = wait_for_page(run_until(world, turn), turn);
            println!("{seed}: page of second {turn} after {span:?}");
            assert!(span <= millis(3_500), "{seed}: {span:?}");
            world = after;
        }
        let video = world.expect("ben").sees("ana").report;
        assert!(video.keyframes <= 6, "{seed}: {video}");
        world.finish();
    }
}
