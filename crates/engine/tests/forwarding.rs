//! The worker as a whole, its keys agreed: who receives what, and what remains when they go.

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

use stage::{SSRC, Stage};
use watersmeet_engine::command::{Command, Event, Refusal, TransportId};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::worker::ObjectCounts;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::Ssrc;

fn stage() -> Stage {
    Stage::new(SrtpProfile::AeadAes128Gcm)
}

fn sequence(received: &[(watersmeet_wire::rtp::RtpHeader, Vec<u8>)]) -> Vec<u16> {
    received.iter().map(|(header, _)| header.seq).collect()
}

#[test]
fn every_viewer_gets_the_same_payload_under_its_own_name() {
    let mut stage = stage();
    let mut viewers = [stage.add_viewer(), stage.add_viewer()];
    let sent = stage.publish(true, 900);
    let mut names = Vec::new();
    for viewer in &mut viewers {
        let received = viewer.received(&sent);
        let [(header, packet)] = received.as_slice() else {
            panic!("one packet for each viewer, not {}", received.len());
        };
        assert_eq!(Some(header.ssrc), viewer.rtp.encodings[0].ssrc);
        assert_eq!(header.payload(packet).expect("no padding").len(), 900);
        names.push(header.ssrc);
    }
    assert_ne!(names[0], names[1]);
}

#[test]
fn video_begins_with_a_keyframe() {
    let mut stage = stage();
    let mut viewer = stage.add_viewer();
    let sent = stage.publish(false, 100);
    assert!(viewer.received(&sent).is_empty());
    let first = stage.publish(true, 100);
    let first = sequence(&viewer.received(&first));
    let second = stage.publish(false, 100);
    let second = sequence(&viewer.received(&second));
    assert_eq!(first.len(), 1);
    assert_eq!(second, [first[0].wrapping_add(1)]);
}

#[test]
fn a_keyframe_whose_beginning_comes_late_is_sent_whole() {
    let mut stage = stage();
    let mut viewer = stage.add_viewer();
    stage.publish(false, 100);
    let mut beginning = [0; 1_500];
    let len = stage.seal_packet(true, 100, &mut beginning);
    let rest = stage.publish(false, 100);
    assert!(viewer.received(&rest).is_empty());
    let path = stage.publisher_path;
    stage
        .worker
        .handle_datagram(stage.now, path, &mut beginning[..len]);
    let sent = stage.drain();
    let numbers = sequence(&viewer.received(&sent));
    assert_eq!(numbers, [numbers[0], numbers[0].wrapping_add(1)]);
}

#[test]
fn a_paused_producer_reaches_nobody_and_comes_back_with_a_keyframe() {
    let mut stage = stage();
    let mut viewer = stage.add_viewer();
    let sent = stage.publish(true, 100);
    let before = sequence(&viewer.received(&sent));
    let producer = stage.producer;
    stage.tell(Command::PauseProducer { producer });
    let sent = stage.publish(true, 100);
    assert!(viewer.received(&sent).is_empty());
    stage.tell(Command::ResumeProducer { producer });
    let sent = stage.publish(false, 100);
    assert!(viewer.received(&sent).is_empty());
    let sent = stage.publish(true, 100);
    assert_eq!(
        sequence(&viewer.received(&sent)),
        [before[0].wrapping_add(1)]
    );
}

#[test]
fn a_lost_packet_is_sent_again_on_the_retransmission_stream() {
    let mut stage = stage();
    let mut viewer = stage.add_viewer();
    let sent = stage.publish(true, 700);
    let original = viewer.received(&sent);
    let (header, packet) = &original[0];
    let mut compound = Vec::new();
    let asked = CompoundWriter::new(&mut compound).write_nack(Ssrc(1), header.ssrc, &[header.seq]);
    assert_eq!(asked, 1);
    let plain_len = compound.len();
    compound.resize(plain_len + 64, 0);
    let len = viewer
        .sealer
        .protect_rtcp(&mut compound, plain_len)
        .expect("it fits");
    stage
        .worker
        .handle_datagram(stage.now, viewer.path, &mut compound[..len]);
    let sent = stage.drain();
    let again = viewer.received(&sent);
    let (rtx_header, rtx) = &again[0];
    assert_eq!(
        Some(rtx_header.ssrc),
        viewer.rtp.encodings[0].rtx.map(|rtx| rtx.ssrc)
    );
    let payload = rtx_header.payload(rtx).expect("no padding");
    assert_eq!(payload[..2], header.seq.to_be_bytes());
    assert_eq!(&payload[2..], header.payload(packet).expect("no padding"));
}

#[test]
fn a_publisher_is_asked_for_one_keyframe_however_many_join() {
    let mut stage = stage();
    stage.publish(true, 100);
    for _ in 0..50 {
        stage.add_viewer();
    }
    let is_control = |datagram: &[u8]| (192..=223).contains(&datagram[1]);
    let requests = |stage: &mut Stage| {
        let path = stage.publisher_path;
        let sent = stage.drain();
        sent.iter()
            .filter(|(to, datagram)| *to == path && is_control(datagram))
            .count()
    };
    assert_eq!(requests(&mut stage), 1);
    stage.now = stage.now + Duration::from_millis(500);
    stage.worker.handle_timeout(stage.now);
    assert_eq!(requests(&mut stage), 0);
}

#[test]
fn a_foreign_report_has_no_effect() {
    let mut stage = stage();
    let mut mallory = stage.add_viewer();
    let mut ben = stage.add_viewer();
    let sent = stage.publish(true, 100);
    let (header, _) = ben.received(&sent)[0].clone();
    let mut compound = Vec::new();
    let mut writer = CompoundWriter::new(&mut compound);
    assert_eq!(writer.write_nack(Ssrc(1), header.ssrc, &[header.seq]), 1);
    assert!(writer.write_bye(&[header.ssrc, SSRC]));
    let plain_len = compound.len();
    compound.resize(plain_len + 64, 0);
    let len = mallory
        .sealer
        .protect_rtcp(&mut compound, plain_len)
        .expect("it fits");
    stage
        .worker
        .handle_datagram(stage.now, mallory.path, &mut compound[..len]);
    assert!(stage.drain().is_empty());
    let sent = stage.publish(false, 100);
    assert_eq!(ben.received(&sent).len(), 1);
}

#[test]
fn closing_a_producer_tells_who_consumed_it() {
    let mut stage = stage();
    let viewers = [stage.add_viewer(), stage.add_viewer()];
    while stage.worker.poll_event().is_some() {}
    let producer = stage.producer;
    stage.tell(Command::CloseProducer { producer });
    let told: Vec<_> = std::iter::from_fn(|| stage.worker.poll_event()).collect();
    let expected = viewers.map(|viewer| Event::ConsumerClosed {
        consumer: viewer.consumer,
    });
    assert_eq!(told, expected);
    let census = stage.worker.object_counts();
    assert_eq!((census.producers, census.consumers), (0, 0));
}

#[test]
fn nothing_remains_of_a_closed_room() {
    let mut stage = stage();
    for _ in 0..20 {
        stage.add_viewer();
    }
    stage.publish(true, 100);
    let router = stage.router;
    stage.tell(Command::CloseRouter { router });
    assert_eq!(stage.worker.object_counts(), ObjectCounts::default());
    let mut packet = [0; 1_500];
    let len = stage.seal_packet(true, 100, &mut packet);
    stage
        .worker
        .handle_datagram(stage.now, stage.publisher_path, &mut packet[..len]);
    stage.now = stage.now + Duration::from_secs(60);
    stage.worker.handle_timeout(stage.now);
    stage.drain();
    assert_eq!(
        stage.worker.poll_timeout(),
        watersmeet_wire::units::Time::FAR_FUTURE
    );
}

#[test]
fn a_transport_closed_in_mid_flight_takes_its_packets_with_it() {
    let mut stage = stage();
    let mut viewers = [stage.add_viewer(), stage.add_viewer()];
    let mut packet = [0; 1_500];
    let len = stage.seal_packet(true, 100, &mut packet);
    stage
        .worker
        .handle_datagram(stage.now, stage.publisher_path, &mut packet[..len]);
    stage.tell(Command::CloseTransport {
        transport: viewers[0].transport,
    });
    let sent = stage.drain();
    assert!(viewers[0].received(&sent).is_empty());
    assert_eq!(viewers[1].received(&sent).len(), 1);
}

#[test]
fn what_is_not_there_is_refused() {
    let mut stage = stage();
    let transport = TransportId(uuid::Uuid::nil());
    let refused = stage
        .worker
        .handle_command(stage.now, Command::RestartIce { transport });
    assert_eq!(
        refused.expect_err("no such transport"),
        Refusal::TransportNotFound
    );
    let (now, producer) = (stage.now, stage.producer);
    let consume = Command::Consume {
        transport: stage.publisher,
        consumer: watersmeet_engine::command::ConsumerId(uuid::Uuid::from_u128(99)),
        producer,
        capabilities: watersmeet_wire::params::RtpCapabilities::default(),
        paused: false,
        preferred_layers: None,
    };
    let refused = stage.worker.handle_command(now, consume);
    assert_eq!(
        refused.expect_err("nothing in common"),
        Refusal::CannotConsume
    );
}

#[test]
fn figures_move_with_the_packets_and_stay_when_their_objects_are_closed() {
    let mut stage = Stage::new(SrtpProfile::AeadAes128Gcm);
    let viewer = stage.add_viewer();
    assert_eq!(stage.worker.metrics().transports.connected, 2);
    let mut packet = [0; 1_500];
    for index in 0..50 {
        stage.now = stage.now + Duration::from_millis(10);
        let len = stage.seal_packet(index == 0, 1_000, &mut packet);
        if index == 20 {
            continue;
        }
        stage
            .worker
            .handle_datagram(stage.now, stage.publisher_path, &mut packet[..len]);
        while stage.worker.poll_transmit(stage.now).is_some() {}
    }
    stage.now = stage.now + Duration::from_secs(1);
    stage.worker.handle_timeout(stage.now);
    let figures = stage.worker.metrics();
    assert_eq!((figures.video.producers, figures.video.consumers), (1, 1));
    assert_eq!(figures.audio.producers, 0);
    let totals = figures.totals;
    assert_eq!(
        (totals.video_in.packets, totals.video_out.packets),
        (49, 49)
    );
    assert_eq!(totals.video_in.lost, 1);
    assert!(totals.video_in.nacks > 0 && totals.video_in.bytes > 49_000);
    assert!(totals.bytes_received > totals.video_in.bytes);
    assert!(totals.bytes_sent > totals.video_out.bytes);

    let transport = viewer.transport;
    stage.tell(Command::CloseTransport { transport });
    let transport = stage.publisher;
    stage.tell(Command::CloseTransport { transport });
    let after = stage.worker.metrics();
    assert_eq!(after.video, Default::default());
    assert_eq!(after.transports, Default::default());
    assert_eq!(after.totals.video_in.packets, 49);
    assert_eq!(after.totals.video_out.packets, 49);
    assert!(after.totals.bytes_sent >= totals.bytes_sent);
}
