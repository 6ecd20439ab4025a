//! Media that is gathered in one turn of the loop: in what order it leaves, and how long.

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

use stage::{Stage, Viewer};
use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, WINDOW_MAX};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::units::{Ssrc, Time};

/// The payloads of a frame: its pieces differ by a byte, the shorter first.
const FRAME: [usize; 5] = [990, 990, 990, 991, 991];

fn stage(window: EgressWindow, padding_max: u8) -> (Stage, Viewer) {
    let options = EgressOptions {
        window,
        padding_max,
    };
    let mut stage = Stage::with_egress(SrtpProfile::AeadAes128Gcm, options);
    let viewer = stage.add_viewer();
    // The request for a keyframe leaves.
    stage.drain();
    (stage, viewer)
}

fn gathering(padding_max: u8) -> (Stage, Viewer) {
    stage(EgressWindow::Fixed(WINDOW_MAX), padding_max)
}

/// The publisher sends a frame.
fn publish_frame(stage: &mut Stage, keyframe: bool) {
    let mut packet = [0; 1_500];
    for (index, len) in FRAME.into_iter().enumerate() {
        let len = stage.seal_packet(keyframe && index == 0, len, &mut packet);
        let path = stage.publisher_path;
        stage
            .worker
            .handle_datagram(stage.now, path, &mut packet[..len]);
    }
}

/// How many runs leave for a viewer now.
fn runs(stage: &mut Stage, viewer: &Viewer) -> usize {
    let mut runs = 0;
    while let Some(batch) = stage.worker.poll_transmit(stage.now) {
        let transmits = batch.transmits.iter();
        runs += transmits.filter(|it| it.path == viewer.path).count();
    }
    runs
}

fn payloads(received: &[(RtpHeader, Vec<u8>)]) -> Vec<usize> {
    let payload = |(header, packet): &(RtpHeader, Vec<u8>)| header.payload(packet).map(<[u8]>::len);
    let payloads = received.iter().map(payload);
    payloads.map(|len| len.expect("good padding")).collect()
}

#[test]
fn what_comes_in_one_turn_leaves_with_it() {
    let (mut stage, mut viewer) = gathering(0);
    assert_eq!(stage.worker.window(), WINDOW_MAX);
    publish_frame(&mut stage, true);
    assert_eq!(viewer.received(&stage.drain()).len(), FRAME.len());
    assert!(stage.worker.poll_timeout() > stage.now);
}

#[test]
fn a_call_of_two_has_no_window() {
    let (mut stage, mut viewer) = stage(EgressWindow::Auto, 32);
    for index in 0..400 {
        stage.now = stage.now + Duration::from_millis(5);
        publish_frame(&mut stage, index == 0);
        let received = viewer.received(&stage.drain());
        assert_eq!(payloads(&received), FRAME);
        assert!(received.iter().all(|(header, _)| !header.has_padding));
        assert!(stage.worker.metrics().egress.window.is_zero());
    }
}

#[test]
fn padding_makes_a_frame_one_run_and_no_receiver_sees_it() {
    for (padding_max, expected) in [(0, 2), (32, 1)] {
        let (mut stage, mut viewer) = gathering(padding_max);
        publish_frame(&mut stage, true);
        stage.now = stage.now + WINDOW_MAX;
        assert_eq!(runs(&mut stage, &viewer), expected);
        publish_frame(&mut stage, false);
        stage.now = stage.now + WINDOW_MAX;
        let received = viewer.received(&stage.drain());
        assert_eq!(payloads(&received), FRAME);
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
fn reports_leave_padding_out() {
    let (mut stage, _viewer) = gathering(32);
    for index in 0..10 {
        publish_frame(&mut stage, index == 0);
        stage.now = stage.now + WINDOW_MAX;
        stage.drain();
    }
    let totals = stage.worker.metrics().totals;
    assert_eq!(totals.padding_bytes_sent, 10 * 3);
    let (mut plain, _viewer) = gathering(0);
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
fn a_padded_packet_is_sent_again_as_it_was() {
    let (mut stage, mut viewer) = gathering(32);
    publish_frame(&mut stage, true);
    stage.now = stage.now + WINDOW_MAX;
    let received = viewer.received(&stage.drain());
    let wanted: Vec<u16> = received.iter().map(|(header, _)| header.seq).collect();
    let mut compound = Vec::new();
    let asked = CompoundWriter::new(&mut compound).write_nack(Ssrc(1), received[0].0.ssrc, &wanted);
    assert_eq!(asked, FRAME.len());
    let plain_len = compound.len();
    compound.resize(plain_len + 64, 0);
    let len = viewer.sealer.protect_rtcp(&mut compound, plain_len);
    let (path, len) = (viewer.path, len.expect("it fits"));
    stage
        .worker
        .handle_datagram(stage.now, path, &mut compound[..len]);
    stage.now = stage.now + WINDOW_MAX;
    let again = viewer.received(&stage.drain());
    assert_eq!(payloads(&again), FRAME.map(|len| len + 2));
    for ((first, packet), (second, repeated)) in received.iter().zip(&again) {
        let repeated = second.payload(repeated).expect("good padding");
        assert_eq!(repeated[..2], first.seq.to_be_bytes());
        assert_eq!(&repeated[2..], first.payload(packet).expect("good padding"));
    }
}

#[test]
fn a_transport_that_closes_before_its_media_left_leaves_nothing_behind() {
    let (mut stage, viewer) = gathering(32);
    publish_frame(&mut stage, true);
    let transport = viewer.transport;
    stage.tell(watersmeet_engine::command::Command::CloseTransport { transport });
    let mut next = stage.add_viewer();
    stage.now = stage.now + WINDOW_MAX;
    assert!(next.received(&stage.drain()).is_empty());
    assert!(stage.worker.poll_timeout() > stage.now);
    assert!(stage.worker.poll_timeout() < Time::FAR_FUTURE, "reports");
}
