//! How many instructions it takes to forward a packet of 1,200 B to a hundred consumers, counted by
//! callgrind: unlike time, the count is nearly the same on every machine and however busy it is.
//! `make instructions` runs it and divides; only what [`forward`] does is counted.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the rig is test code"
)]

#[path = "../tests/rig/stage.rs"]
#[expect(dead_code, reason = "each user of the rig uses a part of it")]
mod stage;

use std::time::Duration;

use stage::Stage;
use watersmeet_engine::transport::srtp::SrtpProfile;

/// Payload that makes a packet of 1,200 B with its header and extensions.
const PAYLOAD_LEN: usize = 1_160;

/// Consumers, each on a transport of its own.
const CONSUMERS: usize = 100;

/// Packets before the counting: lists have grown then, and every second a report is due.
const WARMUP: usize = 1_500;

/// Packets that are counted.
const PACKETS: usize = 200;

/// What is counted: a sealed packet comes in and leaves for all. How many datagrams left.
#[inline(never)]
fn forward(stage: &mut Stage, packet: &mut [u8]) -> usize {
    let path = stage.publisher_path;
    stage.worker.handle_datagram(stage.now, path, packet);
    let mut datagrams = 0;
    while let Some(batch) = stage.worker.poll_transmit(stage.now) {
        for transmit in batch.transmits {
            let len = transmit
                .segment_size
                .map_or(transmit.range.len(), usize::from);
            datagrams += transmit.range.len().div_ceil(len.max(1));
        }
    }
    datagrams
}

fn main() {
    let mut stage = Stage::new(SrtpProfile::AeadAes128Gcm);
    let _viewers: Vec<_> = (0..CONSUMERS).map(|_| stage.add_viewer()).collect();
    stage.publish(true, PAYLOAD_LEN);
    for _ in 0..WARMUP {
        stage.now = stage.now + Duration::from_millis(1);
        stage.publish(false, PAYLOAD_LEN);
    }
    let mut packet = [0; 1_500];
    let mut forwarded = 0;
    for _ in 0..PACKETS {
        stage.now = stage.now + Duration::from_millis(1);
        let len = stage.seal_packet(false, PAYLOAD_LEN, &mut packet);
        forwarded += forward(&mut stage, &mut packet[..len]);
    }
    println!("forwarded {forwarded}");
}
