//! A packet that is forwarded costs no allocation once the worker is warm.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the rig is test code"
)]

#[path = "rig/stage.rs"]
#[expect(dead_code, reason = "each user of the rig uses a part of it")]
mod stage;

use std::time::Duration;

use stage::Stage;
use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, WINDOW_MAX};
use watersmeet_engine::transport::srtp::SrtpProfile;

/// Sends packets in pairs, 500 a second, and takes what leaves, as the shard does.
fn run(stage: &mut Stage, packets: usize) {
    let mut packet = [0; 1_500];
    for index in 0..packets {
        stage.now = stage.now + Duration::from_micros([500, 3_500][index % 2]);
        let len = stage.seal_packet(index % 300 == 0, 1_100, &mut packet);
        stage
            .worker
            .handle_datagram(stage.now, stage.publisher_path, &mut packet[..len]);
        stage.worker.handle_timeout(stage.now);
        while stage.worker.poll_transmit(stage.now).is_some() {}
        while stage.worker.poll_event().is_some() {}
    }
}

/// What 400 packets to ten viewers allocate, once everything is warm.
fn allocations(egress: EgressOptions) -> u64 {
    let mut stage = Stage::with_egress(SrtpProfile::AeadAes128Gcm, egress);
    let viewers: Vec<_> = (0..10).map(|_| stage.add_viewer()).collect();
    run(&mut stage, 3_000);
    // Less than the second between reports: what is left is the path of a packet.
    let before = stage.worker.metrics().totals.video_out.packets;
    let info = allocation_counter::measure(|| {
        run(&mut stage, 400);
    });
    let packets = stage.worker.metrics().totals.video_out.packets - before;
    let expected = 400 * viewers.len() as u64 - 40;
    assert!(packets >= expected, "{packets} packets left");
    info.count_total
}

#[test]
fn forwarding_allocates_nothing_once_it_is_warm() {
    assert_eq!(allocations(EgressOptions::default()), 0);
}

#[test]
fn gathering_allocates_nothing_once_it_is_warm() {
    let egress = EgressOptions {
        window: EgressWindow::Fixed(WINDOW_MAX),
        padding_max: 32,
    };
    assert_eq!(allocations(egress), 0);
}
