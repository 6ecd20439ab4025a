//! Publishers that misbehave: numbers, media clocks or wall clocks that jump. Receivers follow the
//! SRTP index by themselves, so that a jump passed on to them is a packet they cannot decrypt.

use watersmeet_peer::sender::ReportClock;
use watersmeet_sim::profiles::{self, cable, wifi};
use watersmeet_sim::scenario::{camera, millis, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;

/// Jumps of sequence numbers and RTP timestamps.
const JUMPS: [(u16, u32); 7] = [
    (600, 0),
    (2_900, 900_000),
    (3_500, 2_000_000_000),
    (20_000, 0),
    (32_000, 3_000_000_000),
    (0, 1 << 31),
    (0, 50_000_000),
];

#[test]
fn viewers_follow_every_jump_of_a_publisher() {
    let seeds = seeds::first(JUMPS.len());
    for (seed, (numbers, ticks)) in seeds.into_iter().cycle().zip(JUMPS) {
        for shards in [1, 2] {
            let mut world = World::with_spread_rooms(seed, shards)
                .publishes("ana", camera().simulcast(3).without_pauses().over(cable()))
                .views("ben", cable())
                .after(secs(4));
            for _ in 0..4 {
                world = world.jumps("ana", numbers, ticks).after(millis(2_500));
                world = world.warm_up_for(millis(0)).run_for(secs(2));
                let jump = format!("{numbers} numbers, {ticks} ticks");
                let video = world.expect("ben").sees("ana");
                println!("{seed}, {jump}: {}", video.report);
                video.at_least(29.0).without_freezes().losing_at_most(0.0);
                let audio = world.expect("ben").hears("ana");
                audio.losing_at_most(0.0);
                assert!(audio.report.speech_packets >= 95, "{jump}");
            }
            world.finish();
        }
    }
}

#[test]
fn video_returns_soon_after_a_jump() {
    for seed in seeds::first(4) {
        for (numbers, ticks) in JUMPS {
            let mut world = World::new(seed)
                .publishes("ana", camera().simulcast(3).over(wifi()))
                .views("ben", wifi())
                .warm_up_for(secs(4))
                .jumps("ana", numbers, ticks)
                .run_for(secs(3));
            let video = world.expect("ben").sees("ana");
            video.with_freezes_under(millis(600));
            world.finish();
        }
    }
}

#[test]
fn publisher_that_was_cut_off_is_seen_and_heard_again_within_a_second() {
    for seed in seeds::first(4) {
        for outage in [2, 10, 14] {
            let world = World::new(seed)
                .publishes("ana", camera().simulcast(3).without_pauses().over(cable()))
                .views("ben", cable())
                .after(secs(5))
                .has_outage("ana", secs(outage))
                .after(secs(outage) + secs(1));
            let mut world = world.warm_up_for(millis(0)).run_for(secs(2));
            world.expect("ben").sees("ana").at_least(29.0);
            world.expect("ben").hears("ana").losing_at_most(0.0);
            world.finish();
        }
    }
}

#[test]
fn audio_and_video_stay_in_sync_whatever_clock_the_publisher_reports() {
    let clocks = [
        ReportClock::Absent,
        ReportClock::SinceStart,
        ReportClock::Ahead(secs(3_600)),
        ReportClock::True,
    ];
    for seed in seeds::first(2) {
        let mut world = World::new(seed)
            .publishes("ana", camera().simulcast(3).without_pauses().over(wifi()))
            .views("ben", wifi())
            .run_for(secs(3));
        // Each is a step from the one before.
        for clock in clocks {
            world = world.sets_report_clock("ana", clock).run_for(secs(5));
            let video = world.expect("ben").sees("ana").report.skew_micros.unwrap();
            let audio = world.expect("ben").hears("ana").report.skew_micros.unwrap();
            let skews = format!("seed {seed}, {clock:?}: {video} and {audio} µs");
            assert!((video - audio).abs() < 20_000, "{skews}");
            assert!(video.abs() < 100_000 && audio.abs() < 100_000, "{skews}");
        }
        world.finish();
    }
}

#[test]
fn packets_that_are_only_late_are_not_requested() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .publishes("ana", camera().simulcast(3).over(profiles::reordering()))
            .views("ben", cable())
            .run_for(secs(30));
        let counts = world.sender_counts("ana");
        println!("{seed}: {counts:?}");
        // One in twenty is reordered.
        assert!(
            counts.retransmitted * 100 <= counts.packets,
            "seed {seed}: {counts:?}"
        );
        world.expect("ben").sees("ana").losing_at_most(0.001);
        world.finish();
    }
}

#[test]
fn voice_lost_on_the_way_to_a_listener_is_sent_again() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .publishes("ana", camera().without_pauses().over(cable()))
            .views("ben", profiles::loss_20_percent())
            .warm_up_for(secs(3))
            .run_for(secs(20));
        // 20 % without retransmission.
        world.expect("ben").hears("ana").losing_at_most(0.05);
        world.finish();
    }
}
