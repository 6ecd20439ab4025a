//! Cost of forwarding a packet of 1,200 B without the socket: one packet arrives and is sent to 1, 10
//! and 100 consumers. Divide the time per iteration by the number of consumers.

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

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use watersmeet_engine::transport::srtp::SrtpProfile;

use support::broadcast::Broadcast;

/// Payload that makes a packet of 1,200 B with its header and extensions.
const PAYLOAD_LEN: usize = 1_160;

fn forward(criterion: &mut Criterion) {
    for profile in [SrtpProfile::AeadAes128Gcm, SrtpProfile::AesCm128HmacSha1_80] {
        let mut group = criterion.benchmark_group(format!("forward/{}", profile.name()));
        for consumers in [1_usize, 10, 100] {
            let mut broadcast = Broadcast::new(profile);
            let _viewers: Vec<_> = (0..consumers).map(|_| broadcast.add_viewer()).collect();
            broadcast.publish(true, PAYLOAD_LEN);
            group.throughput(Throughput::Elements(consumers as u64));
            group.bench_function(BenchmarkId::from_parameter(consumers), |bencher| {
                let mut packet = [0; 1_500];
                bencher.iter(|| {
                    broadcast.now = broadcast.now + Duration::from_millis(1);
                    let len = broadcast.protect_packet(false, PAYLOAD_LEN, &mut packet);
                    let path = broadcast.publisher_path;
                    broadcast
                        .worker
                        .handle_datagram(broadcast.now, path, &mut packet[..len]);
                    let mut datagrams = 0;
                    while let Some(batch) = broadcast.worker.poll_transmit(broadcast.now) {
                        datagrams += batch.transmits.len();
                    }
                    datagrams
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, forward);
criterion_main!(benches);
