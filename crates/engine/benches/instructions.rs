//! Number of instructions to forward a packet of 1,200 B to a hundred consumers, counted by callgrind:
//! unlike time, it hardly depends on the machine and its load. `make instructions` runs this and
//! divides; only [`forward`] is counted.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the support code is test code"
)]

#[path = "../tests/suite/support.rs"]
#[expect(dead_code, reason = "each user of the support code uses a part of it")]
mod support;

use std::time::Duration;

use watersmeet_engine::transport::srtp::SrtpProfile;

use support::broadcast::Broadcast;

/// Payload that makes a packet of 1,200 B with its header and extensions.
const PAYLOAD_LEN: usize = 1_160;

/// Consumers, each on a transport of its own.
const CONSUMERS: usize = 100;

/// Packets sent before the count, so that buffers have grown and reports were sent.
const WARMUP: usize = 1_500;

/// Number of counted packets.
const PACKETS: usize = 200;

/// Forwards an encrypted packet to all consumers; this is counted. Returns the number of datagrams.
#[inline(never)]
fn forward(broadcast: &mut Broadcast, packet: &mut [u8]) -> usize {
    let path = broadcast.publisher_path;
    broadcast
        .worker
        .handle_datagram(broadcast.now, path, packet);
    let mut datagrams = 0;
    while let Some(batch) = broadcast.worker.poll_transmit(broadcast.now) {
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
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    let _viewers: Vec<_> = (0..CONSUMERS).map(|_| broadcast.add_viewer()).collect();
    broadcast.publish(true, PAYLOAD_LEN);
    for _ in 0..WARMUP {
        broadcast.now = broadcast.now + Duration::from_millis(1);
        broadcast.publish(false, PAYLOAD_LEN);
    }
    let mut packet = [0; 1_500];
    let mut forwarded = 0;
    for _ in 0..PACKETS {
        broadcast.now = broadcast.now + Duration::from_millis(1);
        let len = broadcast.protect_packet(false, PAYLOAD_LEN, &mut packet);
        forwarded += forward(&mut broadcast, &mut packet[..len]);
    }
    println!("forwarded {forwarded}");
}
