//! Calls through conference and workers, from signalling to media, measured against quality limits.
//! All oracles check every call.

use std::time::Duration;

use watersmeet_sim::profiles::{self, AccessLink, cable, ideal};
use watersmeet_sim::scenario::{camera, microphone, millis, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;

/// Quality limits of a call over one link profile.
struct Limits {
    /// Minimum frame rate.
    fps: f64,
    /// Longest freeze.
    longest_freeze: Duration,
    /// Maximum share of frozen time, over all seeds together.
    freeze_ratio: f64,
    /// Maximum share of lost video packets, over all seeds together.
    video_loss: f64,
    /// Maximum share of lost audio packets.
    audio_loss: f64,
    /// Maximum time to the first frame, on all seeds but the slowest.
    first_frame: Duration,
    /// Maximum number of keyframe requests to the publisher in one minute.
    plis: u64,
    /// Maximum number of calls that end below the top layer, because that seemed not to fit for a moment.
    below_top: u32,
}

/// Factor by which one seed may exceed the limits over all seeds. Over wireless, 4 of 9,000 packets
/// may be lost per minute; with a mean of 1, one minute in a hundred loses 5 or 6.
const SINGLE_RUN_FACTOR: f64 = 2.0;

/// Runs a call of one minute with both sides on this link, on every committed seed.
fn check_call(name: &str, access: AccessLink, limits: &Limits) {
    check_call_in(World::new, name, access, limits);
}

/// Runs the call in worlds created by `world`.
fn check_call_in(world: fn(u64) -> World, name: &str, access: AccessLink, limits: &Limits) {
    let (mut slow_starts, mut below_top) = (0, 0);
    let mut losses = Vec::new();
    let mut freezes = Vec::new();
    for seed in seeds::all() {
        let warm = world(seed)
            .publishes("ana", camera().simulcast(3).over(access))
            .after(secs(1))
            .views("ben", access)
            .warm_up_for(secs(5));
        let before = warm.sender_counts("ana").plis;
        let mut world = warm.run_for(secs(60));
        let plis = world.sender_counts("ana").plis - before;
        let video = world.expect("ben").sees("ana");
        let audio = world.expect("ben").hears("ana");
        println!(
            "{name} {seed}: {}; {}; {plis} PLI to ana",
            video.report, audio.report
        );
        let layer = video.report.last_frame.map(|signature| signature.layer);
        below_top += u32::from(layer != Some(2));
        video
            .at_least(limits.fps)
            .with_freezes_under(limits.longest_freeze)
            .frozen_at_most(limits.freeze_ratio * SINGLE_RUN_FACTOR)
            .losing_at_most(limits.video_loss * SINGLE_RUN_FACTOR);
        losses.push(video.report.residual_loss());
        freezes.push(video.report.freeze_ratio);
        audio
            .losing_at_most(limits.audio_loss)
            .starting_within(millis(500));
        assert!(
            plis <= limits.plis,
            "seed {seed}: {plis} keyframe requests to ana"
        );
        slow_starts += u32::from(
            video
                .report
                .first_frame
                .is_none_or(|it| it > limits.first_frame),
        );
        world.finish();
    }
    assert!(
        slow_starts <= 1,
        "{name}: {slow_starts} calls started too slowly"
    );
    assert!(
        below_top <= limits.below_top,
        "{name}: {below_top} calls ended below the top layer"
    );
    let (loss, freeze) = (mean(&losses), mean(&freezes));
    println!("{name}: {loss:.6} of the video lost, {freeze:.4} of the time frozen");
    assert!(
        loss <= limits.video_loss,
        "{name}: {loss} of the video lost"
    );
    assert!(
        freeze <= limits.freeze_ratio,
        "{name}: {freeze} of the time frozen"
    );
}

#[expect(clippy::cast_precision_loss, reason = "a few seeds")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Quality limits of a call over cable.
const CABLE: Limits = Limits {
    fps: 29.0,
    longest_freeze: millis(1),
    freeze_ratio: 0.0,
    video_loss: 0.0,
    audio_loss: 0.0,
    first_frame: millis(600),
    plis: 0,
    below_top: 0,
};

#[test]
fn call_over_cable_meets_its_limits() {
    check_call("P0", cable(), &CABLE);
}

#[test]
fn call_with_egress_window_and_padding_meets_its_limits() {
    let with_egress_window = |seed| World::new(seed).with_egress_window();
    check_call_in(with_egress_window, "P0 gathered", cable(), &CABLE);
}

#[test]
fn call_over_wireless_meets_its_limits() {
    let limits = Limits {
        fps: 28.0,
        longest_freeze: millis(300),
        freeze_ratio: 0.005,
        video_loss: 0.000_5,
        // 1 % on each of two links, without retransmission.
        audio_loss: 0.03,
        first_frame: millis(800),
        // A layer that seems not to fit is left and begun again.
        plis: 2,
        below_top: 0,
    };
    check_call("P1", profiles::wifi(), &limits);
}

#[test]
fn call_over_a_mobile_network_meets_its_limits() {
    let limits = Limits {
        fps: 26.0,
        longest_freeze: millis(600),
        freeze_ratio: 0.015,
        video_loss: 0.002,
        // 2 % on each of two links, without retransmission.
        audio_loss: 0.055,
        first_frame: millis(1_200),
        plis: 6,
        below_top: 1,
    };
    check_call("P3", profiles::cellular(), &limits);
}

#[test]
fn two_participants_see_and_hear_each_other() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .joins("ana", camera().simulcast(3).over(cable()))
            .joins("ben", camera().simulcast(3).over(ideal()))
            .warm_up_for(secs(2))
            .run_for(secs(10));
        for (one, other) in [("ana", "ben"), ("ben", "ana")] {
            let video = world.expect(one).sees(other);
            video
                .at_least(29.0)
                .without_freezes()
                .losing_at_most(0.0)
                .on_layer(2);
            world.expect(one).hears(other).losing_at_most(0.0);
        }
        world.finish();
    }
}

#[test]
fn audio_and_video_are_synchronised() {
    for seed in seeds::first(4) {
        let world = World::new(seed)
            .publishes(
                "ana",
                camera()
                    .simulcast(3)
                    .without_pauses()
                    .over(profiles::wifi()),
            )
            .views("ben", profiles::wifi())
            .run_for(secs(10));
        let video = world.expect("ben").sees("ana").report.skew_micros.unwrap();
        let audio = world.expect("ben").hears("ana").report.skew_micros.unwrap();
        assert!(
            (video - audio).abs() < 20_000,
            "seed {seed}: {video} and {audio} µs"
        );
    }
}

#[test]
fn preferred_layer_is_received_and_every_switch_starts_with_a_keyframe() {
    for seed in seeds::all() {
        let mut world = World::new(seed)
            .publishes("ana", camera().simulcast(3).over(profiles::wifi()))
            .views("ben", profiles::wifi())
            .after(secs(5));
        for layer in [0, 2, 1, 0, 1, 2] {
            world = world
                .sets_preferred_layer("ben", "ana", layer)
                .after(secs(3));
            world.expect("ben").sees("ana").on_layer(layer);
        }
        let report = world
            .expect("ben")
            .sees("ana")
            .with_freezes_under(secs(1))
            .report
            .clone();
        // The decoder model checks that each switch starts with a keyframe.
        assert!(
            (6..=8).contains(&report.layer_switches),
            "seed {seed}: {} switches",
            report.layer_switches
        );
        world.finish();
    }
}

#[test]
fn encodings_that_nobody_wants_are_not_sent_and_are_back_within_a_second() {
    for seed in seeds::first(8) {
        let mut world = World::new(seed)
            .publishes("ana", camera().simulcast(3).over(cable()))
            .follows_demand("ana")
            .after(secs(20));
        let before = world.sender_counts("ana").packets;
        world = world.after(secs(5));
        // 50 packets of audio a second, and nothing else.
        let sent = world.sender_counts("ana").packets - before;
        assert!(
            sent <= 260,
            "seed {seed}: {sent} packets while nobody watches"
        );
        world = world.views("ben", cable()).after(secs(2));
        world.expect("ben").sees("ana").starting_within(secs(1));
        for layer in [0, 2, 1, 2] {
            world = world
                .sets_preferred_layer("ben", "ana", layer)
                .after(secs(1));
            world.expect("ben").sees("ana").on_layer(layer);
            world = world.after(secs(8));
        }
        world.expect("ben").sees("ana").with_freezes_under(secs(1));
        world.finish();
    }
}

#[test]
fn late_joiner_sees_video_at_once_and_causes_one_keyframe_request() {
    for seed in seeds::first(8) {
        let mut world = World::new(seed)
            .publishes("ana", camera().simulcast(3).over(cable()))
            .views("ben", cable())
            .after(secs(10));
        for name in ["cleo", "dan", "eve"] {
            let before = world.sender_counts("ana").plis;
            world = world.views(name, cable()).after(secs(4));
            world
                .expect(name)
                .sees("ana")
                .starting_within(millis(600))
                .on_layer(2);
            let requests = world.sender_counts("ana").plis - before;
            assert!(
                requests <= 1,
                "seed {seed}: {name} caused {requests} keyframe requests"
            );
        }
        world.expect("ben").sees("ana").without_freezes();
        world.finish();
    }
}

#[test]
fn many_simultaneous_joiners_cause_one_keyframe_request_per_second() {
    let mut world = World::new(1)
        .publishes("ana", camera().simulcast(3).over(cable()))
        .after(secs(3));
    let before = world.sender_counts("ana").plis;
    let names: Vec<String> = (0..12).map(|number| format!("viewer{number}")).collect();
    for name in &names {
        world = world.views(name, cable()).after(millis(150));
    }
    world = world.after(secs(3));
    let requests = world.sender_counts("ana").plis - before;
    // Within 4.8 s, on the layer that all of them receive.
    assert!(requests <= 5, "{requests} keyframe requests");
    for name in &names {
        world
            .expect(name)
            .sees("ana")
            .starting_within(millis(1_600));
    }
    world.finish();
}

#[test]
fn muted_camera_is_not_received_until_unmuted() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .publishes("ana", camera().simulcast(3).over(cable()))
            .views("ben", cable())
            .warm_up_for(secs(4))
            .sets_source_paused("ana", 0, true)
            .after(secs(1));
        let frames = world.expect("ben").video("ana").unwrap().frames;
        world = world.after(secs(5));
        assert_eq!(world.expect("ben").video("ana").unwrap().frames, frames);
        world = world.sets_source_paused("ana", 0, false).after(secs(3));
        let video = world.expect("ben").sees("ana");
        video.without_freezes().at_least(20.0);
        assert!(
            video.report.frames > frames + 60,
            "seed {seed}: {}",
            video.report
        );
        world.finish();
    }
}

#[test]
fn paused_consumer_receives_no_video_until_resumed() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .publishes("ana", camera().simulcast(3).over(cable()))
            .views("ben", cable())
            .views("cleo", cable())
            .warm_up_for(secs(4))
            .sets_video_paused("ben", "ana", true)
            .after(secs(1));
        let frames = world.expect("ben").video("ana").unwrap().frames;
        world = world.after(secs(5));
        assert_eq!(world.expect("ben").video("ana").unwrap().frames, frames);
        world = world.sets_video_paused("ben", "ana", false).after(secs(3));
        let video = world.expect("ben").sees("ana");
        assert!(
            video.report.frames > frames + 60,
            "seed {seed}: {}",
            video.report
        );
        // Other viewers are not affected.
        world
            .expect("cleo")
            .sees("ana")
            .without_freezes()
            .at_least(29.0);
        world.finish();
    }
}

#[test]
fn unpublished_source_is_removed_from_viewers() {
    let mut world = World::new(3)
        .publishes("ana", camera().simulcast(3).over(cable()))
        .views("ben", cable())
        .after(secs(4))
        .unpublishes("ana", 0)
        .after(secs(2));
    world.expect("ben").has_no_video_of("ana");
    world.expect("ben").hears("ana");
    assert_eq!(
        (
            world.workers()[0].object_counts().producers,
            world.workers()[0].object_counts().consumers
        ),
        (1, 1)
    );
    world.finish();
}

#[test]
fn leaving_participant_is_removed_and_can_rejoin() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .joins("ana", camera().simulcast(3).over(cable()))
            .joins("ben", camera().over(cable()))
            .joins("cleo", microphone().over(cable()))
            .after(secs(4))
            .leaves("ana")
            .after(secs(2));
        world.expect("ben").has_no_video_of("ana");
        world.expect("ben").hears("cleo");
        world = world.disconnects("cleo").after(secs(2));
        let counts = world.workers()[0].object_counts();
        assert_eq!(
            (counts.producers, counts.consumers),
            (2, 0),
            "seed {seed}: ben is alone"
        );
        world = world
            .joins("ana", camera().simulcast(3).over(cable()))
            .after(secs(4));
        world.expect("ben").sees("ana").starting_within(secs(1));
        world.expect("ana").sees("ben").starting_within(secs(1));
        world.finish();
    }
}

#[test]
fn rooms_are_isolated() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .room("one")
            .joins("ana", camera().simulcast(3))
            .joins("ben", camera())
            .room("two")
            .joins("cleo", camera().simulcast(3))
            .joins("dan", camera())
            .after(secs(5));
        world.expect("ana").sees("ben");
        world.expect("dan").sees("cleo");
        world
            .expect("ana")
            .has_no_video_of("cleo")
            .has_no_video_of("dan");
        world
            .expect("dan")
            .has_no_video_of("ana")
            .has_no_video_of("ben");
        world.finish();
    }
}

#[test]
fn six_participants_in_two_rooms_see_each_other_on_one_and_on_four_shards() {
    let names = ["ana", "ben", "cleo", "dan", "eve", "fay"];
    for shards in [1, 4] {
        let mut world = World::with_shards(2, shards);
        for (index, name) in names.iter().enumerate() {
            world = world
                .room(if index % 2 == 0 { "even" } else { "odd" })
                .joins(name, camera().simulcast(3).over(cable()));
        }
        world = world.warm_up_for(secs(4)).run_for(secs(4));
        for (index, one) in names.iter().enumerate() {
            for (other_index, other) in names.iter().enumerate() {
                if index != other_index && index % 2 == other_index % 2 {
                    world
                        .expect(one)
                        .sees(other)
                        .at_least(29.0)
                        .without_freezes();
                } else {
                    world.expect(one).has_no_video_of(other);
                }
            }
        }
        world.finish();
    }
}

#[test]
fn wrapping_numbers_do_not_disturb_viewers() {
    for seed in seeds::all() {
        let mut world = World::new(seed)
            .publishes(
                "ana",
                camera()
                    .simulcast(3)
                    .with_early_wraps()
                    .over(profiles::wifi()),
            )
            .views("ben", profiles::wifi())
            .run_for(secs(10));
        world
            .expect("ben")
            .sees("ana")
            .losing_at_most(0.005)
            .with_freezes_under(millis(400));
        world.finish();
    }
}

#[test]
fn video_recovers_soon_after_an_outage() {
    // Duration of the outage and maximum recovery time, in milliseconds.
    for (outage, recovery) in [(200, 300), (500, 600), (2_000, 1_500), (6_000, 3_000)] {
        for seed in seeds::first(4) {
            let world = World::new(seed)
                .publishes("ana", camera().simulcast(3).over(cable()))
                .views("ben", cable())
                .after(secs(5))
                .has_outage("ben", millis(outage))
                .after(millis(outage + recovery));
            let mut world = world.warm_up_for(millis(0)).run_for(secs(2));
            let video = world.expect("ben").sees("ana");
            video.at_least(24.0).with_freezes_under(millis(500));
            world.finish();
        }
    }
}

#[test]
fn oracles_hold_on_bad_links() {
    // Without bandwidth adaptation there are no quality limits for these links, but the oracles
    // hold.
    let links = [
        ("P2", profiles::wifi_lossy(), 26.0),
        ("P4", profiles::congested(), 20.0),
        ("P5", profiles::loss_20_percent(), 15.0),
        // Retransmission may cost 19 % of the media, of which this loss would need 43 %.
        ("P6", profiles::loss_30_percent(), 4.0),
        ("P7", profiles::satellite(), 22.0),
        ("P8", profiles::reordering(), 28.0),
        ("P9", profiles::lossy_uplink(), 25.0),
        ("P11", profiles::low_bandwidth(), 0.0),
    ];
    for (name, access, fps) in links {
        for seed in seeds::first(2) {
            let mut world = World::new(seed)
                .publishes("ana", camera().simulcast(3))
                .views("ben", access)
                .warm_up_for(secs(5))
                .run_for(secs(30));
            let report = world.expect("ben").video("ana").unwrap();
            println!("{name} {seed}: {report}");
            assert!(report.fps >= fps, "{name}, seed {seed}: {report}");
            world = world
                .changes_link("ben", ideal())
                .after(secs(4))
                .warm_up_for(secs(1))
                .run_for(secs(2));
            world
                .expect("ben")
                .sees("ana")
                .at_least(29.0)
                .without_freezes();
            world.finish();
        }
    }
}
