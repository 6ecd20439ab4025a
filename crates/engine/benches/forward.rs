//! What it costs to forward a packet of 1,200 B, without the socket: one packet comes in and
//! leaves for 1, 10 and 100 consumers. Read the time per iteration divided by the consumers.

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

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stage::Stage;
use watersmeet_engine::transport::srtp::SrtpProfile;

/// Payload that makes a packet of 1,200 B with its header and extensions.
const PAYLOAD_LEN: usize = 1_160;

fn forward(criterion: &mut Criterion) {
    for profile in [SrtpProfile::AeadAes128Gcm, SrtpProfile::AesCm128HmacSha1_80] {
        let mut group = criterion.benchmark_group(format!("forward/{}", profile.name()));
        for consumers in [1_usize, 10, 100] {
            let mut stage = Stage::new(profile);
            let _viewers: Vec<_> = (0..consumers).map(|_| stage.add_viewer()).collect();
            stage.publish(true, PAYLOAD_LEN);
            group.throughput(Throughput::Elements(consumers as u64));
            group.bench_function(BenchmarkId::from_parameter(consumers), |bencher| {
                let mut packet = [0; 1_500];
                bencher.iter(|| {
                    stage.now = stage.now + Duration::from_millis(1);
                    let len = stage.seal_packet(false, PAYLOAD_LEN, &mut packet);
                    let path = stage.publisher_path;
                    stage
                        .worker
                        .handle_datagram(stage.now, path, &mut packet[..len]);
                    let mut datagrams = 0;
                    while let Some(batch) = stage.worker.poll_transmit(stage.now) {
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
