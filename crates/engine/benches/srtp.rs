//! Cost of encrypting and decrypting one packet, for each profile, at the size of an audio packet and
//! of a full video packet.

#![expect(clippy::unwrap_used, reason = "this is a benchmark")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use watersmeet_engine::transport::srtp::{SrtpHeader, SrtpProfile, SrtpReceiver, SrtpSender};
use watersmeet_wire::units::{SeqNo, Ssrc};

const SSRC: Ssrc = Ssrc(7);
const HEADER_LEN: usize = 12;

fn srtp(criterion: &mut Criterion) {
    for profile in SrtpProfile::ALL {
        for len in [100, 1_200_usize] {
            let master = vec![7; profile.master_len()];
            let slot = vec![0x80; len + profile.rtp_overhead()];
            let mut group = criterion.benchmark_group(format!("{}/{len}", profile.name()));
            group.throughput(Throughput::Elements(1));

            let mut sender = SrtpSender::new(profile, &master).unwrap();
            let mut seq = SeqNo::first(0);
            group.bench_function("protect", |bencher| {
                let mut slot = slot.clone();
                bencher.iter(|| {
                    seq = SeqNo(seq.0 + 1);
                    sender
                        .protect_rtp(SSRC, seq, black_box(&mut slot), HEADER_LEN, len)
                        .unwrap()
                });
            });

            let mut receiver = SrtpReceiver::new(profile, &master).unwrap();
            let mut sender = SrtpSender::new(profile, &master).unwrap();
            let mut seq = SeqNo::first(0);
            group.bench_function("unprotect", |bencher| {
                bencher.iter_batched_ref(
                    || {
                        seq = SeqNo(seq.0 + 1);
                        let mut slot = slot.clone();
                        sender
                            .protect_rtp(SSRC, seq, &mut slot, HEADER_LEN, len)
                            .unwrap();
                        (
                            SrtpHeader {
                                ssrc: SSRC,
                                seq: seq.raw(),
                                header_len: HEADER_LEN,
                            },
                            slot,
                        )
                    },
                    |(prefix, slot)| receiver.unprotect_rtp(*prefix, slot).unwrap(),
                    BatchSize::SmallInput,
                );
            });
            group.finish();
        }
    }
}

criterion_group!(benches, srtp);
criterion_main!(benches);
