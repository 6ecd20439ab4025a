//! When a publisher is asked for a keyframe: as long as somebody waits, for sources that rest, and
//! after losses that no retransmission repairs; never more than once a second.

use std::time::Duration;

use watersmeet_engine::command::{Command, Event, Path};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::rtcp::feedback::FirEntry;
use watersmeet_wire::rtcp::report::SenderInfo;
use watersmeet_wire::units::Ssrc;

use crate::support::broadcast::{Broadcast, SSRC, Viewer};
use crate::support::simulcast::{send_picture, simulcast_producer};

const FRAME: Duration = Duration::from_millis(40);

/// Length of a picture in each encoding.
const PAYLOADS: [usize; 3] = [5; 3];

fn broadcast() -> Broadcast {
    Broadcast::new(SrtpProfile::AeadAes128Gcm)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets the publisher send frames without keyframes for a while. Returns the keyframe requests.
fn send_for(broadcast: &mut Broadcast, span: Duration) -> u64 {
    let before = broadcast.keyframe_requests();
    let end = broadcast.now + span;
    while broadcast.now < end {
        broadcast.publish(false, 100);
        broadcast.advance(FRAME);
    }
    broadcast.keyframe_requests() - before
}

fn rest_for(broadcast: &mut Broadcast, span: Duration) -> u64 {
    let before = broadcast.keyframe_requests();
    let end = broadcast.now + span;
    while broadcast.now < end {
        broadcast.advance(Duration::from_millis(100));
    }
    broadcast.keyframe_requests() - before
}

#[test]
fn sending_publisher_that_does_not_answer_is_asked_for_ever_but_seldom() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    assert_eq!(send_for(&mut broadcast, secs(6)), 6);
    for _ in 0..5 {
        let requests = send_for(&mut broadcast, secs(60));
        assert!((5..=20).contains(&requests), "{requests} in a minute");
    }
    let sent = broadcast.publish(true, 100);
    assert_eq!(viewer.received(&sent).len(), 1);
    assert_eq!(send_for(&mut broadcast, secs(60)), 0);
}

#[test]
fn storm_of_requests_reaches_the_publisher_once_a_second() {
    let mut broadcast = broadcast();
    let mut viewers: Vec<Viewer> = (0..200).map(|_| broadcast.add_viewer()).collect();
    let before = broadcast.keyframe_requests();
    // Each viewer sends 25 PLI and 25 FIR a second, and the publisher answers each request.
    let mut answered = before;
    for round in 0..250_u8 {
        let requests = broadcast.keyframe_requests();
        broadcast.publish(requests > answered, 100);
        answered = requests;
        for viewer in &mut viewers {
            let ssrc = viewer.rtp.encodings[0].ssrc.unwrap();
            let entry = FirEntry { ssrc, seq: round };
            let pli = viewer.rtcp(|writer| assert!(writer.write_pli(Ssrc(1), ssrc)));
            let fir = viewer.rtcp(|writer| assert!(writer.write_fir(Ssrc(1), &[entry])));
            broadcast.receive_from(viewer, pli);
            broadcast.receive_from(viewer, fir);
        }
        broadcast.advance(FRAME);
    }
    let requests = broadcast.keyframe_requests() - before;
    assert!((8..=11).contains(&requests), "{requests} in ten seconds");
}

#[test]
fn publisher_is_not_asked_again_when_nobody_waits_any_more() {
    let mut broadcast = broadcast();
    let viewer = broadcast.add_viewer();
    send_for(&mut broadcast, secs(10));
    let consumer = viewer.consumer;
    broadcast.command(Command::CloseConsumer { consumer });
    assert_eq!(send_for(&mut broadcast, secs(60)), 0);
}

#[test]
fn silent_publisher_is_asked_again_when_its_sender_report_arrives() {
    let mut broadcast = broadcast();
    let _viewer = broadcast.add_viewer();
    broadcast.publish(false, 100);
    rest_for(&mut broadcast, secs(60));
    assert_eq!(broadcast.keyframe_requests(), 6);
    broadcast.send_rtcp(|writer| {
        let info = SenderInfo {
            ssrc: SSRC,
            ntp: 0xe900_0000_0000_0000,
            rtp_timestamp: 1,
            packet_count: 1,
            octet_count: 1,
        };
        assert!(writer.write_sender_report(&info, &[]));
    });
    assert_eq!(broadcast.keyframe_requests(), 7);
    assert_eq!(rest_for(&mut broadcast, secs(60)), 0);
}

#[test]
fn resting_source_is_asked_for_a_picture_by_a_late_joiner_and_by_a_resume() {
    let mut broadcast = broadcast();
    let viewer = broadcast.add_viewer();
    broadcast.publish(true, 100);
    rest_for(&mut broadcast, secs(60));
    let before = broadcast.keyframe_requests();
    let mut late = broadcast.add_viewer();
    assert_eq!(broadcast.keyframe_requests(), before + 1);
    let sent = broadcast.publish(true, 100);
    assert_eq!(late.received(&sent).len(), 1);
    rest_for(&mut broadcast, secs(60));
    let consumer = viewer.consumer;
    broadcast.command(Command::PauseConsumer { consumer });
    broadcast.command(Command::ResumeConsumer { consumer });
    assert_eq!(broadcast.keyframe_requests(), before + 2);
}

#[test]
fn paused_producer_is_not_asked_for_a_picture_before_it_resumes() {
    let mut broadcast = broadcast();
    let producer = broadcast.producer;
    broadcast.publish(true, 100);
    broadcast.command(Command::PauseProducer { producer });
    let _viewer = broadcast.add_viewer();
    assert_eq!(rest_for(&mut broadcast, secs(60)), 0);
    broadcast.command(Command::ResumeProducer { producer });
    assert_eq!(broadcast.keyframe_requests(), 1);
}

#[test]
fn slow_simulcast_keeps_its_layer_and_asks_for_nothing() {
    for interval in [200, 900, 1_000, 1_100, 2_000, 10_000].map(Duration::from_millis) {
        let mut broadcast = broadcast();
        let producer = simulcast_producer(&mut broadcast);
        for count in 0..30 {
            send_picture(&mut broadcast, count, true, PAYLOADS);
            broadcast.advance(FRAME);
        }
        let mut viewer = broadcast.add_viewer_of(producer);
        send_picture(&mut broadcast, 30, true, PAYLOADS);
        let before = broadcast.keyframe_requests();
        while broadcast.worker.poll_event().is_some() {}
        for count in 31..60 {
            broadcast.advance(interval);
            let sent = send_picture(&mut broadcast, count, false, PAYLOADS);
            assert_eq!(viewer.received(&sent).len(), 1, "{interval:?}");
        }
        assert_eq!(broadcast.keyframe_requests(), before, "{interval:?}");
        let changes = std::iter::from_fn(|| broadcast.worker.poll_event())
            .filter(|event| matches!(event, Event::ConsumerLayersChanged { .. }));
        assert_eq!(changes.count(), 0, "{interval:?}");
    }
}

/// Lets the viewer see a keyframe and then some frames, of which the first leaves the caches.
/// Returns the number of that packet in the viewer's stream.
fn show_frames_for(broadcast: &mut Broadcast, viewer: &mut Viewer, span: Duration) -> (Ssrc, u16) {
    let sent = broadcast.publish(true, 100);
    let (header, _) = viewer.received(&sent).remove(0);
    send_for(broadcast, span);
    (header.ssrc, header.seq.wrapping_add(1))
}

#[test]
fn nack_for_a_packet_that_is_no_longer_cached_requests_a_keyframe_at_once() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    let (ssrc, lost) = show_frames_for(&mut broadcast, &mut viewer, Duration::from_millis(1_500));
    let before = broadcast.keyframe_requests();
    for _ in 0..20 {
        let nack = viewer.nack(ssrc, &[lost]);
        broadcast.receive_from(&viewer, nack);
        broadcast.advance(Duration::from_millis(30));
    }
    assert_eq!(broadcast.keyframe_requests(), before + 1, "once a second");
    let sent = broadcast.publish(true, 100);
    drop(sent);
    let nack = viewer.nack(ssrc, &[lost]);
    broadcast.receive_from(&viewer, nack);
    assert_eq!(
        rest_for(&mut broadcast, secs(3)),
        0,
        "a keyframe replaced the loss"
    );
}

#[test]
fn losses_long_after_the_last_keyframe_request_one_at_once() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    let sent = broadcast.publish(true, 100);
    let (keyframe, _) = viewer.received(&sent).remove(0);
    // Chromium sends a keyframe only when it is asked: numbers wrap several times meanwhile.
    let numbers = [30_000_u32, 33_000, 49_000, 65_600, 99_000, 140_000];
    let mut published = 0;
    for number in numbers {
        while published < number {
            broadcast.publish(false, 10);
            published += 1;
        }
        // Until the packets have left the caches, and unanswered requests are not repeated any more.
        rest_for(&mut broadcast, secs(8));
        let before = broadcast.keyframe_requests();
        let lost = keyframe.seq.wrapping_add((number & 0xffff) as u16);
        let nack = viewer.nack(keyframe.ssrc, &[lost]);
        broadcast.receive_from(&viewer, nack);
        let requests = broadcast.keyframe_requests() - before;
        assert_eq!(requests, 1, "{number} packets after the keyframe");
    }
}

#[test]
fn nack_for_a_cached_packet_requests_no_keyframe() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    let (ssrc, lost) = show_frames_for(&mut broadcast, &mut viewer, Duration::from_millis(500));
    let before = broadcast.keyframe_requests();
    let nack = viewer.nack(ssrc, &[lost]);
    broadcast.receive_from(&viewer, nack);
    let sent = broadcast.drain();
    assert_eq!(viewer.received(&sent).len(), 1);
    assert_eq!(rest_for(&mut broadcast, secs(3)), 0);
    assert_eq!(broadcast.keyframe_requests(), before);
}

#[test]
fn new_path_of_a_viewer_requests_a_keyframe() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    show_frames_for(&mut broadcast, &mut viewer, Duration::from_millis(500));
    let before = broadcast.keyframe_requests();
    let path = Path::udp(([127, 0, 0, 9], 30_000).into());
    broadcast.reconnect(viewer.transport, path);
    assert_eq!(broadcast.keyframe_requests(), before + 1);
    broadcast.reconnect(viewer.transport, viewer.path);
    assert_eq!(broadcast.keyframe_requests(), before + 1, "once a second");
}

#[test]
fn keyframe_of_a_screen_that_is_on_the_way_is_not_requested_again() {
    let requested = |mut broadcast: Broadcast, after: u64| {
        let mut viewer = broadcast.add_viewer();
        broadcast.publish(true, 500);
        broadcast.advance(secs(2));
        broadcast.publish(true, 500);
        broadcast.advance(Duration::from_millis(after));
        let before = broadcast.keyframe_requests();
        let ssrc = viewer.rtp.encodings[0].ssrc.unwrap();
        let pli = viewer.rtcp(|writer| assert!(writer.write_pli(Ssrc(1), ssrc)));
        broadcast.receive_from(&viewer, pli);
        broadcast.keyframe_requests() - before
    };
    let screen = || Broadcast::of_screen(SrtpProfile::AeadAes128Gcm);
    assert_eq!(requested(screen(), 300), 0);
    assert_eq!(requested(screen(), 500), 1);
    assert_eq!(requested(broadcast(), 300), 1);
}
