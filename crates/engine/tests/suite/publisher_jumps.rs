//! Publishers whose numbers jump: a receiver follows the SRTP index by itself and loses the stream for
//! good when it moves by more than half a wrap (RFC 3711 §3.3.1).

use std::time::Duration;

use watersmeet_engine::transport::srtp::SrtpProfile;

use crate::support::broadcast::{Broadcast, ReceivedRtp};
use crate::support::worker_setup::{Datagram, is_rtcp};

/// Jumps below and above what counts as a gap, as a restart, and as half a wrap.
const JUMPS: [u64; 7] = [513, 600, 2_900, 3_500, 20_000, 31_000, 32_766];

fn broadcast() -> Broadcast {
    Broadcast::new(SrtpProfile::AeadAes128Gcm)
}

fn steps(received: &[ReceivedRtp]) -> Vec<u16> {
    let pairs = received.windows(2);
    pairs
        .map(|pair| pair[1].0.seq.wrapping_sub(pair[0].0.seq))
        .collect()
}

fn requests(broadcast: &Broadcast, sent: &[Datagram]) -> usize {
    let to_publisher =
        |(path, datagram): &&Datagram| *path == broadcast.publisher_path && is_rtcp(datagram);
    sent.iter().filter(to_publisher).count()
}

#[test]
fn numbers_of_viewers_go_on_by_one_after_any_jump() {
    for jump in JUMPS {
        let mut broadcast = broadcast();
        let mut viewer = broadcast.add_viewer();
        let mut received = viewer.received(&broadcast.publish(true, 100));
        for round in 0..4 {
            broadcast.skip_numbers(jump);
            for packet in 0..3 {
                broadcast.now = broadcast.now + Duration::from_millis(20);
                let sent = broadcast.publish(packet == 0, 100);
                let new = viewer.received(&sent);
                assert_eq!(new.len(), 1, "jump {jump}, round {round}");
                received.extend(new);
            }
        }
        assert_eq!(steps(&received), [1; 12], "jump {jump}");
        for pair in received.windows(2) {
            let step = pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp);
            assert!(
                (1..=5 * 90_000).contains(&step),
                "jump {jump}: {step} ticks"
            );
        }
    }
}

#[test]
fn small_gap_is_left_to_be_repaired() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    let mut received = viewer.received(&broadcast.publish(true, 100));
    broadcast.skip_numbers(40);
    received.extend(viewer.received(&broadcast.publish(false, 100)));
    assert_eq!(steps(&received), [41]);
}

#[test]
fn keyframe_is_requested_after_a_jump_and_nothing_undecodable_is_sent() {
    for jump in JUMPS {
        let mut broadcast = broadcast();
        let mut viewer = broadcast.add_viewer();
        let mut received = viewer.received(&broadcast.publish(true, 100));
        broadcast.now = broadcast.now + Duration::from_millis(1_500);
        broadcast.skip_numbers(jump);
        let sent = broadcast.publish(false, 100);
        assert!(viewer.received(&sent).is_empty(), "jump {jump}");
        assert!(requests(&broadcast, &sent) >= 1, "jump {jump}");
        received.extend(viewer.received(&broadcast.publish(true, 100)));
        received.extend(viewer.received(&broadcast.publish(false, 100)));
        assert_eq!(steps(&received), [1, 1], "jump {jump}");
    }
}
