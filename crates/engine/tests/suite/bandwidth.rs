//! Media and padding sent to a viewer while the bandwidth of its path is estimated.

use std::time::Duration;

use watersmeet_engine::command::{Event, TransportOptions};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::units::{Bitrate, Ssrc};

use crate::support::broadcast::{Broadcast, Viewer};
use crate::support::worker_setup::{Datagram, is_rtcp};

/// SSRC of the probation stream.
const PROBATION: Ssrc = Ssrc(1_234);

/// A publisher whose viewers begin with this estimate.
fn broadcast_with_estimate(kbps: u64) -> Broadcast {
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    broadcast.transport_options = TransportOptions {
        initial_outgoing_bitrate: Bitrate::from_kbps(kbps),
        adapts_to_bandwidth: true,
        ..TransportOptions::default()
    };
    broadcast
}

/// Returns the number of pictures and of padding packets that a viewer was sent.
fn count(viewer: &Viewer, sent: &[Datagram]) -> (usize, usize) {
    let mut counts = (0, 0);
    for (path, datagram) in sent {
        if *path != viewer.path || datagram[0] >> 6 != 2 || is_rtcp(datagram) {
            continue;
        }
        let header = RtpHeader::parse(datagram).expect("a header");
        if header.ssrc == PROBATION {
            counts.1 += 1;
        } else {
            counts.0 += 1;
        }
    }
    counts
}

fn withheld_notices(broadcast: &mut Broadcast) -> usize {
    let mut notices = 0;
    while let Some(event) = broadcast.worker.poll_event() {
        let is_withheld = matches!(event, Event::ConsumerLayersChanged { layers: None, .. });
        notices += usize::from(is_withheld);
    }
    notices
}

#[test]
fn video_that_the_path_does_not_carry_is_withheld_with_a_notice_and_probed_for() {
    let mut broadcast = broadcast_with_estimate(30);
    let viewer = broadcast.add_viewer();
    broadcast.publish(true, 500);
    assert_eq!(withheld_notices(&mut broadcast), 1);
    let (mut pictures, mut padding) = (0, 0);
    for _ in 0..30 {
        let mut sent = broadcast.advance(Duration::from_millis(10));
        sent.extend(broadcast.publish(true, 500));
        let counts = count(&viewer, &sent);
        pictures += counts.0;
        padding += counts.1;
    }
    assert_eq!(pictures, 0);
    assert!((3..=20).contains(&padding), "{padding} padding packets");
}

#[test]
fn peer_that_sends_no_feedback_is_limited_for_a_moment_only() {
    let mut broadcast = broadcast_with_estimate(30);
    let viewer = broadcast.add_viewer();
    broadcast.publish(true, 500);
    for _ in 0..40 {
        broadcast.advance(Duration::from_millis(100));
    }
    let sent = broadcast.publish(true, 500);
    assert_eq!(count(&viewer, &sent), (1, 0));
}

#[test]
fn video_that_the_path_carries_is_sent_at_once() {
    let mut broadcast = broadcast_with_estimate(1_000);
    let viewer = broadcast.add_viewer();
    let sent = broadcast.publish(true, 500);
    assert_eq!(count(&viewer, &sent).0, 1);
    assert_eq!(withheld_notices(&mut broadcast), 0);
}
