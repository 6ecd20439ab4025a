//! Redundant audio for listeners who lose packets, on the shard of the speaker and on another one, beside
//! listeners who do not receive it or lose nothing.

use watersmeet_peer::negotiation::AudioRepair;
use watersmeet_sim::profiles::{ideal, loss_20_percent, wifi_lossy};
use watersmeet_sim::scenario::{microphone, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;

/// Ana speaks; the others listen, on three shards if rooms are spread.
fn call(world: World) -> World {
    world
        .publishes("ana", microphone().without_pauses())
        .views("ben", loss_20_percent())
        .repairs_audio("ben", AudioRepair::Redundancy)
        .views("cleo", loss_20_percent())
        .repairs_audio("cleo", AudioRepair::Redundancy)
        .views("dan", loss_20_percent())
        .repairs_audio("dan", AudioRepair::Nothing)
        .views("eve", ideal())
        .repairs_audio("eve", AudioRepair::Redundancy)
        .warm_up_for(secs(10))
        .run_for(secs(60))
}

#[test]
fn listeners_with_redundancy_hear_nearly_all_on_every_shard() {
    for seed in seeds::all() {
        for mut world in [World::new(seed), World::with_spread_rooms(seed, 3)].map(call) {
            for name in ["ben", "cleo"] {
                let audio = world.expect(name).hears("ana");
                println!("{name} {seed}: {}", audio.report);
                audio.losing_at_most(0.01).concealing_at_most(0.02);
                assert!(audio.report.recovered > 300, "{seed}: {}", audio.report);
            }
            let without = world.expect("dan").hears("ana").report;
            assert!(without.residual_loss() > 0.15, "{seed}: {without}");
            let lossless = world.expect("eve").hears("ana");
            lossless.losing_at_most(0.0);
            world.finish();
        }
    }
}

#[test]
fn pauses_of_the_speaker_are_no_losses() {
    for seed in seeds::all() {
        let mut world = World::new(seed)
            .publishes("ana", microphone())
            .views("ben", ideal())
            .repairs_audio("ben", AudioRepair::Redundancy)
            .views("cleo", wifi_lossy())
            .repairs_audio("cleo", AudioRepair::Redundancy)
            .warm_up_for(secs(5))
            .run_for(secs(60));
        let clean = world.expect("ben").hears("ana");
        clean.losing_at_most(0.0);
        assert!(clean.report.silence_packets > 20, "{}", clean.report);
        let nacked = world.sender_counts("ana").nacked;
        assert_eq!(nacked, 0, "seed {seed}: silence was taken for loss");
        world.expect("cleo").hears("ana").losing_at_most(0.03);
        world.finish();
    }
}
