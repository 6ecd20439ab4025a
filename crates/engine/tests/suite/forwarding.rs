//! Forwarding through a whole worker: what each viewer receives, and what remains after closing.

use std::time::Duration;

use watersmeet_engine::command::{
    Command, DegradationPreference, Event, Refusal, TransportId, TransportOptions,
};
use watersmeet_engine::transport::discard::DiscardReason;
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::worker::ObjectCounts;
use watersmeet_wire::units::{Ssrc, Time};

use crate::support::broadcast::{Broadcast, ReceivedRtp, SSRC};
use crate::support::worker_setup::is_rtcp;

fn broadcast() -> Broadcast {
    Broadcast::new(SrtpProfile::AeadAes128Gcm)
}

fn sequence_numbers(received: &[ReceivedRtp]) -> Vec<u16> {
    received.iter().map(|(header, _)| header.seq).collect()
}

#[test]
fn viewers_receive_the_same_payload_under_ssrcs_of_their_own() {
    let mut broadcast = broadcast();
    let mut viewers = [broadcast.add_viewer(), broadcast.add_viewer()];
    let sent = broadcast.publish(true, 900);
    let mut ssrcs = Vec::new();
    for viewer in &mut viewers {
        let received = viewer.received(&sent);
        let [(header, packet)] = received.as_slice() else {
            panic!("one packet for each viewer, not {}", received.len());
        };
        assert_eq!(Some(header.ssrc), viewer.rtp.encodings[0].ssrc);
        assert_eq!(header.payload(packet).expect("no padding").len(), 900);
        ssrcs.push(header.ssrc);
    }
    assert_ne!(ssrcs[0], ssrcs[1]);
}

#[test]
fn nothing_is_forwarded_beyond_the_bytes_that_a_transport_accepts() {
    let mut broadcast = broadcast();
    broadcast.replace_publisher(TransportOptions {
        incoming_bytes_max: Some(3_000),
        ..TransportOptions::default()
    });
    let mut viewer = broadcast.add_viewer();
    // Each packet has a payload of 900 bytes and a header.
    let received: Vec<usize> = (0..5)
        .map(|n| {
            let sent = broadcast.publish(n == 0, 900);
            viewer.received(&sent).len()
        })
        .collect();
    assert_eq!(received, [1, 1, 1, 0, 0]);
    let discards = broadcast.worker.metrics().totals.discards;
    assert_eq!(discards[DiscardReason::Overloaded as usize], 2);
}

#[test]
fn video_starts_with_a_keyframe() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    let sent = broadcast.publish(false, 100);
    assert!(viewer.received(&sent).is_empty());
    let first = broadcast.publish(true, 100);
    let first = sequence_numbers(&viewer.received(&first));
    let second = broadcast.publish(false, 100);
    let second = sequence_numbers(&viewer.received(&second));
    assert_eq!(first.len(), 1);
    assert_eq!(second, [first[0].wrapping_add(1)]);
}

#[test]
fn a_keyframe_is_sent_whole_when_its_first_packet_arrives_late() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    broadcast.publish(false, 100);
    let mut first = [0; 1_500];
    let len = broadcast.protect_packet(true, 100, &mut first);
    let rest = broadcast.publish(false, 100);
    assert!(viewer.received(&rest).is_empty());
    broadcast.receive_from_publisher(&mut first[..len]);
    let sent = broadcast.drain();
    let numbers = sequence_numbers(&viewer.received(&sent));
    assert_eq!(numbers, [numbers[0], numbers[0].wrapping_add(1)]);
}

#[test]
fn a_paused_producer_is_not_forwarded_and_resumes_with_a_keyframe() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    let sent = broadcast.publish(true, 100);
    let before = sequence_numbers(&viewer.received(&sent));
    let producer = broadcast.producer;
    broadcast.command(Command::PauseProducer { producer });
    let sent = broadcast.publish(true, 100);
    assert!(viewer.received(&sent).is_empty());
    broadcast.command(Command::ResumeProducer { producer });
    let sent = broadcast.publish(false, 100);
    assert!(viewer.received(&sent).is_empty());
    let sent = broadcast.publish(true, 100);
    assert_eq!(
        sequence_numbers(&viewer.received(&sent)),
        [before[0].wrapping_add(1)]
    );
}

#[test]
fn a_lost_packet_is_resent_on_the_rtx_stream_after_a_nack() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    let sent = broadcast.publish(true, 700);
    let original = viewer.received(&sent);
    let (header, packet) = &original[0];
    let nack = viewer.nack(header.ssrc, &[header.seq]);
    broadcast.receive_from(&viewer, nack);
    let sent = broadcast.drain();
    let resent = viewer.received(&sent);
    let (rtx_header, rtx) = &resent[0];
    assert_eq!(
        Some(rtx_header.ssrc),
        viewer.rtp.encodings[0].rtx.map(|rtx| rtx.ssrc)
    );
    let payload = rtx_header.payload(rtx).expect("no padding");
    assert_eq!(payload[..2], header.seq.to_be_bytes());
    assert_eq!(&payload[2..], header.payload(packet).expect("no padding"));
}

#[test]
fn a_publisher_receives_one_keyframe_request_when_fifty_viewers_join() {
    let mut broadcast = broadcast();
    broadcast.publish(true, 100);
    for _ in 0..50 {
        broadcast.add_viewer();
    }
    let requests = |broadcast: &mut Broadcast| {
        let path = broadcast.publisher_path;
        let sent = broadcast.drain();
        sent.iter()
            .filter(|(to, datagram)| *to == path && is_rtcp(datagram))
            .count()
    };
    assert_eq!(requests(&mut broadcast), 1);
    broadcast.now = broadcast.now + Duration::from_millis(500);
    broadcast.worker.handle_timeout(broadcast.now);
    assert_eq!(requests(&mut broadcast), 0);
}

#[test]
fn rtcp_about_another_viewers_streams_has_no_effect() {
    let mut broadcast = broadcast();
    let mut attacker = broadcast.add_viewer();
    let mut victim = broadcast.add_viewer();
    let sent = broadcast.publish(true, 100);
    let (header, _) = victim.received(&sent)[0].clone();
    let rtcp = attacker.rtcp(|writer| {
        assert_eq!(writer.write_nack(Ssrc(1), header.ssrc, &[header.seq]), 1);
        assert!(writer.write_bye(&[header.ssrc, SSRC]));
    });
    broadcast.receive_from(&attacker, rtcp);
    assert!(broadcast.drain().is_empty());
    let sent = broadcast.publish(false, 100);
    assert_eq!(victim.received(&sent).len(), 1);
}

#[test]
fn closing_a_producer_closes_its_consumers_with_events() {
    let mut broadcast = broadcast();
    let viewers = [broadcast.add_viewer(), broadcast.add_viewer()];
    while broadcast.worker.poll_event().is_some() {}
    let producer = broadcast.producer;
    broadcast.command(Command::CloseProducer { producer });
    let events: Vec<_> = std::iter::from_fn(|| broadcast.worker.poll_event()).collect();
    let expected = viewers.map(|viewer| Event::ConsumerClosed {
        consumer: viewer.consumer,
    });
    assert_eq!(events, expected);
    let counts = broadcast.worker.object_counts();
    assert_eq!((counts.producers, counts.consumers), (0, 0));
}

#[test]
fn closing_a_router_removes_all_of_its_objects_and_timers() {
    let mut broadcast = broadcast();
    for _ in 0..20 {
        broadcast.add_viewer();
    }
    broadcast.publish(true, 100);
    let router = broadcast.router;
    broadcast.command(Command::CloseRouter { router });
    assert_eq!(broadcast.worker.object_counts(), ObjectCounts::default());
    broadcast.receive_packet(true, 100);
    broadcast.now = broadcast.now + Duration::from_secs(60);
    broadcast.worker.handle_timeout(broadcast.now);
    broadcast.drain();
    assert_eq!(broadcast.worker.poll_timeout(), Time::FAR_FUTURE);
}

#[test]
fn closing_a_transport_discards_only_its_own_queued_packets() {
    let mut broadcast = broadcast();
    let mut viewers = [broadcast.add_viewer(), broadcast.add_viewer()];
    broadcast.receive_packet(true, 100);
    broadcast.command(Command::CloseTransport {
        transport: viewers[0].transport,
    });
    let sent = broadcast.drain();
    assert!(viewers[0].received(&sent).is_empty());
    assert_eq!(viewers[1].received(&sent).len(), 1);
}

#[test]
fn commands_with_unknown_ids_or_foreign_capabilities_are_refused() {
    let mut broadcast = broadcast();
    let transport = TransportId(uuid::Uuid::nil());
    let refused = broadcast
        .worker
        .handle_command(broadcast.now, Command::RestartIce { transport });
    assert_eq!(
        refused.expect_err("no such transport"),
        Refusal::TransportNotFound
    );
    let (now, producer) = (broadcast.now, broadcast.producer);
    let consume = Command::Consume {
        transport: broadcast.publisher,
        consumer: watersmeet_engine::command::ConsumerId(uuid::Uuid::from_u128(99)),
        producer,
        capabilities: watersmeet_wire::params::RtpCapabilities::default(),
        paused: false,
        preferred_layers: None,
        priority: 1,
        degradation_preference: DegradationPreference::MaintainFramerate,
    };
    let refused = broadcast.worker.handle_command(now, consume);
    assert_eq!(
        refused.expect_err("no common codec"),
        Refusal::CannotConsume
    );
}

#[test]
fn metrics_count_packets_and_keep_totals_when_objects_are_closed() {
    let mut broadcast = broadcast();
    let viewer = broadcast.add_viewer();
    assert_eq!(broadcast.worker.metrics().transports.connected, 2);
    let mut packet = [0; 1_500];
    for index in 0..50 {
        broadcast.now = broadcast.now + Duration::from_millis(10);
        let len = broadcast.protect_packet(index == 0, 1_000, &mut packet);
        if index == 20 {
            continue;
        }
        broadcast.receive_from_publisher(&mut packet[..len]);
        while broadcast.worker.poll_transmit(broadcast.now).is_some() {}
    }
    broadcast.now = broadcast.now + Duration::from_secs(1);
    broadcast.worker.handle_timeout(broadcast.now);
    let metrics = broadcast.worker.metrics();
    assert_eq!((metrics.video.producers, metrics.video.consumers), (1, 1));
    assert_eq!(metrics.audio.producers, 0);
    let totals = metrics.totals;
    assert_eq!(
        (totals.video_in.packets, totals.video_out.packets),
        (49, 49)
    );
    assert_eq!(totals.video_in.lost, 1);
    assert!(totals.video_in.nacks > 0 && totals.video_in.bytes > 49_000);
    assert!(totals.bytes_received > totals.video_in.bytes);
    assert!(totals.bytes_sent > totals.video_out.bytes);

    let transport = viewer.transport;
    broadcast.command(Command::CloseTransport { transport });
    let transport = broadcast.publisher;
    broadcast.command(Command::CloseTransport { transport });
    let after = broadcast.worker.metrics();
    assert_eq!(after.video, Default::default());
    assert_eq!(after.transports, Default::default());
    assert_eq!(after.totals.video_in.packets, 49);
    assert_eq!(after.totals.video_out.packets, 49);
    assert!(after.totals.bytes_sent >= totals.bytes_sent);
}
