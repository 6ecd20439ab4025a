//! The egress window: media of one loop iteration is grouped into GSO runs, padded where that
//! makes a run longer, and sent when the window ends.

use std::time::Duration;

use watersmeet_engine::command::Command;
use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, WINDOW_MAX};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::units::Time;

use crate::support::broadcast::{Broadcast, ReceivedRtp, Viewer};

/// Payload lengths of a frame: its packets differ by a byte, the shorter first.
const FRAME: [usize; 5] = [990, 990, 990, 991, 991];

fn broadcast_with(window: EgressWindow, padding_max: u8) -> (Broadcast, Viewer) {
    let options = EgressOptions {
        window,
        padding_max,
    };
    let mut broadcast = Broadcast::with_egress(SrtpProfile::AeadAes128Gcm, options);
    let viewer = broadcast.add_viewer();
    // Sends the keyframe request.
    broadcast.drain();
    (broadcast, viewer)
}

/// Returns a broadcast with the longest window and one viewer.
fn broadcast_with_window(padding_max: u8) -> (Broadcast, Viewer) {
    broadcast_with(EgressWindow::Fixed(WINDOW_MAX), padding_max)
}

/// Passes a frame of the publisher to the worker.
fn publish_frame(broadcast: &mut Broadcast, keyframe: bool) {
    for (index, len) in FRAME.into_iter().enumerate() {
        broadcast.receive_packet(keyframe && index == 0, len);
    }
}

/// Returns the number of runs sent to a viewer now.
fn count_runs(broadcast: &mut Broadcast, viewer: &Viewer) -> usize {
    let mut runs = 0;
    while let Some(batch) = broadcast.worker.poll_transmit(broadcast.now) {
        let transmits = batch.transmits.iter();
        runs += transmits.filter(|it| it.path == viewer.path).count();
    }
    runs
}

fn payload_lens(received: &[ReceivedRtp]) -> Vec<usize> {
    let payload = |(header, packet): &ReceivedRtp| header.payload(packet).map(<[u8]>::len);
    let lens = received.iter().map(payload);
    lens.map(|len| len.expect("good padding")).collect()
}

#[test]
fn packets_of_one_iteration_are_sent_in_it() {
    let (mut broadcast, mut viewer) = broadcast_with_window(0);
    assert_eq!(broadcast.worker.window(), WINDOW_MAX);
    publish_frame(&mut broadcast, true);
    assert_eq!(viewer.received(&broadcast.drain()).len(), FRAME.len());
    assert!(broadcast.worker.poll_timeout() > broadcast.now);
}

#[test]
fn the_automatic_window_is_zero_for_a_single_viewer() {
    let (mut broadcast, mut viewer) = broadcast_with(EgressWindow::Auto, 32);
    for index in 0..400 {
        broadcast.now = broadcast.now + Duration::from_millis(5);
        publish_frame(&mut broadcast, index == 0);
        let received = viewer.received(&broadcast.drain());
        assert_eq!(payload_lens(&received), FRAME);
        assert!(received.iter().all(|(header, _)| !header.has_padding));
        assert!(broadcast.worker.metrics().egress.window.is_zero());
    }
}

#[test]
fn padding_joins_a_frame_into_one_run_and_is_stripped_by_receivers() {
    for (padding_max, expected) in [(0, 2), (32, 1)] {
        let (mut broadcast, mut viewer) = broadcast_with_window(padding_max);
        publish_frame(&mut broadcast, true);
        broadcast.now = broadcast.now + WINDOW_MAX;
        assert_eq!(count_runs(&mut broadcast, &viewer), expected);
        publish_frame(&mut broadcast, false);
        broadcast.now = broadcast.now + WINDOW_MAX;
        let received = viewer.received(&broadcast.drain());
        assert_eq!(payload_lens(&received), FRAME);
        assert!(
            received
                .windows(2)
                .all(|pair| pair[0].0.seq + 1 == pair[1].0.seq)
        );
        let padded = received.iter().filter(|(header, _)| header.has_padding);
        assert_eq!(padded.count() > 0, padding_max > 0);
    }
}

#[test]
fn media_totals_exclude_padding() {
    let (mut broadcast, _viewer) = broadcast_with_window(32);
    for index in 0..10 {
        publish_frame(&mut broadcast, index == 0);
        broadcast.now = broadcast.now + WINDOW_MAX;
        broadcast.drain();
    }
    let totals = broadcast.worker.metrics().totals;
    assert_eq!(totals.padding_bytes_sent, 10 * 3);
    let (mut plain, _viewer) = broadcast_with_window(0);
    for index in 0..10 {
        publish_frame(&mut plain, index == 0);
        plain.now = plain.now + WINDOW_MAX;
        plain.drain();
    }
    assert_eq!(
        plain.worker.metrics().totals.video_out,
        totals.video_out,
        "what counts as media is the same"
    );
    assert!(plain.worker.metrics().totals.bytes_sent < totals.bytes_sent);
}

#[test]
fn a_padded_packet_is_resent_with_its_original_payload() {
    let (mut broadcast, mut viewer) = broadcast_with_window(32);
    publish_frame(&mut broadcast, true);
    broadcast.now = broadcast.now + WINDOW_MAX;
    let received = viewer.received(&broadcast.drain());
    let missing: Vec<u16> = received.iter().map(|(header, _)| header.seq).collect();
    let nack = viewer.nack(received[0].0.ssrc, &missing);
    broadcast.receive_from(&viewer, nack);
    broadcast.now = broadcast.now + WINDOW_MAX;
    let resent = viewer.received(&broadcast.drain());
    assert_eq!(payload_lens(&resent), FRAME.map(|len| len + 2));
    for ((first, packet), (second, repeated)) in received.iter().zip(&resent) {
        let repeated = second.payload(repeated).expect("good padding");
        assert_eq!(repeated[..2], first.seq.to_be_bytes());
        assert_eq!(&repeated[2..], first.payload(packet).expect("good padding"));
    }
}

#[test]
fn closing_a_transport_discards_media_that_waits_for_the_window() {
    let (mut broadcast, viewer) = broadcast_with_window(32);
    publish_frame(&mut broadcast, true);
    let transport = viewer.transport;
    broadcast.command(Command::CloseTransport { transport });
    let mut next = broadcast.add_viewer();
    broadcast.now = broadcast.now + WINDOW_MAX;
    assert!(next.received(&broadcast.drain()).is_empty());
    assert!(broadcast.worker.poll_timeout() > broadcast.now);
    assert!(
        broadcast.worker.poll_timeout() < Time::FAR_FUTURE,
        "reports"
    );
}
