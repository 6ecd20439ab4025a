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
use watersmeet_engine::transport::srtp::SrtpProfile;

/// Sends packets at 500 a second and takes what leaves, as the shard does.
fn run(stage: &mut Stage, packets: usize) -> usize {
    let mut datagrams = 0;
    let mut packet = [0; 1_500];
    for index in 0..packets {
        stage.now = stage.now + Duration::from_millis(2);
        let len = stage.seal_packet(index % 300 == 0, 1_100, &mut packet);
        stage
            .worker
            .handle_datagram(stage.now, stage.publisher_path, &mut packet[..len]);
        stage.worker.handle_timeout(stage.now);
        while let Some(batch) = stage.worker.poll_transmit(stage.now) {
            datagrams += batch.transmits.len();
        }
        while stage.worker.poll_event().is_some() {}
    }
    datagrams
}

#[test]
fn forwarding_allocates_nothing_once_it_is_warm() {
    let mut stage = Stage::new(SrtpProfile::AeadAes128Gcm);
    let viewers: Vec<_> = (0..10).map(|_| stage.add_viewer()).collect();
    run(&mut stage, 3_000);
    // Less than the second between reports: what is left is the path of a packet.
    let mut datagrams = 0;
    let info = allocation_counter::measure(|| datagrams = run(&mut stage, 400));
    assert!(
        datagrams >= 400 * viewers.len(),
        "{datagrams} datagrams left"
    );
    assert!(
        info.count_total == 0,
        "{} allocations for {datagrams} datagrams",
        info.count_total
    );
}
