//! Many joiners within seconds, and a viewer who requests everything a hundred times a second: what that costs the
//! publisher and the others.

use watersmeet_sim::profiles::{cable, ideal};
use watersmeet_sim::scenario::{camera, millis, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;

/// Time of a storm.
const STORM_S: u64 = 20;

#[test]
fn joiner_sees_video_within_half_a_second_and_causes_one_request_at_most() {
    for seed in seeds::first(8) {
        let mut world = World::new(seed)
            .publishes("ana", camera().simulcast(3).without_pauses())
            .views("ben", ideal())
            .after(secs(12));
        for name in ["cleo", "dan", "eve"] {
            let before = world.sender_counts("ana").plis;
            world = world.views(name, ideal()).after(secs(4));
            let requests = world.sender_counts("ana").plis - before;
            let first = world.expect(name).sees("ana").report.first_frame;
            println!("seed {seed}: {name} after {first:?}, {requests} requests");
            assert!(requests <= 1, "seed {seed}: {requests} keyframe requests");
            assert!(
                first.is_some() && first <= Some(millis(500)),
                "seed {seed}: {first:?}"
            );
        }
        world.finish();
    }
}

#[test]
fn thirty_joiners_within_five_seconds_cause_six_requests() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .publishes("ana", camera().simulcast(3).without_pauses())
            .views("ben", ideal())
            .after(secs(12));
        let before = world.sender_counts("ana").plis;
        let names: Vec<String> = (0..30).map(|number| format!("viewer{number}")).collect();
        for name in &names {
            world = world.views(name, ideal()).after(millis(166));
        }
        world = world.after(secs(2));
        let requests = world.sender_counts("ana").plis - before;
        let mut first: Vec<_> = Vec::new();
        for name in &names {
            let video = world.expect(name).sees("ana");
            first.extend(video.report.first_frame);
        }
        first.sort_unstable();
        println!(
            "seed {seed}: {requests} requests, first frame after {:?} in the middle, {:?} at most",
            first.get(15),
            first.last()
        );
        assert!(requests <= 6, "seed {seed}: {requests} keyframe requests");
        // Requests are a second apart; where the frames since the last keyframe are too many, a joiner waits for the next.
        assert!(first.len() == 30 && first.last() <= Some(&millis(1_200)));
        world.expect("ben").sees("ana").without_freezes();
        world.finish();
    }
}

#[test]
fn viewer_who_requests_everything_costs_the_publisher_and_the_others_nothing() {
    for seed in seeds::first(4) {
        let mut world = World::new(seed)
            .publishes("ana", camera().simulcast(3).without_pauses().over(cable()))
            .views("ben", cable())
            .views("cleo", cable())
            .warm_up_for(secs(10))
            .storms_with_requests("ben");
        let before = world.sender_counts("ana");
        let sent = |world: &mut World| {
            let stats = world.receiving_transport_stats("ben");
            stats.map(|it| (it.rtp_bytes_sent, it.rtx_bytes_sent))
        };
        let start = sent(&mut world).unwrap_or_default();
        world = world.run_for(secs(STORM_S)).views("dan", cable());
        world = world.after(secs(4));
        let after = world.sender_counts("ana");
        let requests = after.plis - before.plis;
        let end = sent(&mut world).unwrap_or_default();
        let (rtp, rtx) = (end.0 - start.0, end.1 - start.1);
        let first = world.expect("dan").sees("ana").report.first_frame;
        let others = world.expect("cleo").sees("ana").report;
        println!(
            "seed {seed}: {requests} keyframe requests and {} NACKed packets at the publisher, {rtx} of {rtp} \
             bytes sent again, joiner after {first:?}; others: {others}",
            after.nacked - before.nacked
        );
        // Once a second, and one at the start.
        assert!(
            requests <= (STORM_S + 4) * 11 / 10 + 1,
            "seed {seed}: {requests}"
        );
        assert_eq!(after.nacked, before.nacked, "seed {seed}");
        // A fifth of what the path carries, which is less than four times the media here.
        assert!(rtx <= rtp * 4 / 9, "seed {seed}: {rtx} of {rtp}");
        assert!(
            first <= Some(millis(1_200)) && first.is_some(),
            "seed {seed}: {first:?}"
        );
        world.expect("cleo").sees("ana").at_least(29.0);
        assert_eq!(others.lost, 0, "seed {seed}: {others}");
        world.finish();
    }
}
