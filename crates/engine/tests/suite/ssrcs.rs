//! SSRCs of consumers: an SRTP key must never encrypt two streams under one SSRC.

use std::collections::{BTreeSet, VecDeque};

use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use uuid::Uuid;
use watersmeet_engine::command::{Command, ConsumerId, DegradationPreference, Reply, RouterId};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::worker::CONSUMERS_PER_TRANSPORT_MAX;
use watersmeet_wire::params::RtpParameters;
use watersmeet_wire::units::{Rng, Ssrc};

use crate::support::broadcast::Broadcast;
use crate::support::worker_setup::create_router;

/// Consumers created, of which at most `CONSUMERS_PER_TRANSPORT_MAX` exist at a time.
const CONSUMERS: u128 = 10_000;

fn ssrcs(rtp: &RtpParameters) -> [Ssrc; 2] {
    let [encoding] = rtp.encodings.as_slice() else {
        panic!("a consumer has one encoding");
    };
    let media = encoding.ssrc.expect("media has an SSRC");
    let rtx = encoding.rtx.expect("retransmissions were negotiated");
    [media, rtx.ssrc]
}

#[test]
fn consumers_of_a_transport_never_share_or_reuse_ssrcs() {
    let mut rng = Rng::seed_from_u64(5);
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    let viewer = broadcast.add_viewer();
    // A client with the capabilities of a router.
    let router = RouterId(Uuid::from_u128(1 << 81));
    let capabilities = create_router(&mut broadcast.worker, broadcast.now, router);
    let mut used: BTreeSet<Ssrc> = ssrcs(&viewer.rtp).into();
    let mut open = VecDeque::from([viewer.consumer]);
    for number in 0..CONSUMERS {
        while open.len() >= CONSUMERS_PER_TRANSPORT_MAX
            || (number > 2_000 && rng.next_u32().is_multiple_of(2))
        {
            // Closes the oldest or the newest.
            let is_oldest = rng.next_u32().is_multiple_of(2);
            let closed = if is_oldest {
                open.pop_front()
            } else {
                open.pop_back()
            };
            let Some(consumer) = closed else { break };
            broadcast.command(Command::CloseConsumer { consumer });
        }
        let consumer = ConsumerId(Uuid::from_u128(1 << 80 | number));
        let reply = broadcast.command(Command::Consume {
            transport: viewer.transport,
            consumer,
            producer: broadcast.producer,
            capabilities: capabilities.clone(),
            paused: false,
            preferred_layers: None,
            priority: 1,
            degradation_preference: DegradationPreference::MaintainFramerate,
        });
        let Reply::Consumer { rtp, .. } = reply else {
            panic!("a consumer answers with its parameters");
        };
        for ssrc in ssrcs(&rtp) {
            assert!(used.insert(ssrc), "{ssrc} is used again");
        }
        open.push_back(consumer);
    }
}
