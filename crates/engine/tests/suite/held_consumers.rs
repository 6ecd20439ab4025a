//! Consumers that are held back: what is sent, reported and requested when they are, and when they go on.

use std::time::Duration;

use watersmeet_engine::command::{Command, Event, Layers, LayersReason};
use watersmeet_engine::transport::srtp::SrtpProfile;

use crate::support::broadcast::{Broadcast, Viewer};
use crate::support::simulcast::{send_picture, simulcast_producer};

const FRAME: Duration = Duration::from_millis(40);

/// Layer of a report, and the reason.
type Report = (Option<u8>, Option<LayersReason>);

const HELD: Report = (None, Some(LayersReason::LastN));

fn hold(broadcast: &mut Broadcast, viewer: &Viewer, held: bool) {
    let consumer = viewer.consumer;
    broadcast.command(Command::HoldConsumer { consumer, held });
}

/// Returns the reports of layers and whether the publisher was told that nobody wants its video.
fn take_reports(broadcast: &mut Broadcast) -> (Vec<Report>, bool) {
    let (mut reports, mut is_unwanted) = (Vec::new(), false);
    while let Some(event) = broadcast.worker.poll_event() {
        match event {
            Event::ConsumerLayersChanged { layers, reason, .. } => {
                let layer = layers.map(|it: Layers| it.spatial_layer);
                reports.push((layer, reason));
            }
            Event::ProducerDemandChanged { producer, demand } if producer == broadcast.producer => {
                is_unwanted = demand.layer.is_none();
            }
            Event::ConsumerProducerPaused { .. } | Event::ConsumerClosed { .. } => {
                panic!("for its client, it is neither paused nor closed");
            }
            _ => {}
        }
    }
    (reports, is_unwanted)
}

#[test]
fn held_consumer_is_sent_nothing_and_goes_on_with_a_keyframe_and_the_next_number() {
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    let mut viewer = broadcast.add_viewer();
    let sent = broadcast.publish(true, 500);
    let (first, _) = viewer.received(&sent).remove(0);
    take_reports(&mut broadcast);
    hold(&mut broadcast, &viewer, true);
    assert_eq!(take_reports(&mut broadcast).0, [HELD]);
    for _ in 0..40 {
        let sent = broadcast.publish(true, 500);
        assert_eq!(viewer.received(&sent).len(), 0);
        broadcast.advance(FRAME);
    }
    broadcast.advance(Duration::from_secs(2));
    let before = broadcast.keyframe_requests();
    hold(&mut broadcast, &viewer, false);
    assert_eq!(broadcast.keyframe_requests(), before + 1);
    let sent = broadcast.publish(false, 500);
    assert_eq!(viewer.received(&sent).len(), 0, "not decodable");
    assert_eq!(take_reports(&mut broadcast).0, []);
    let sent = broadcast.publish(true, 500);
    let (second, _) = viewer.received(&sent).remove(0);
    assert_eq!(second.seq, first.seq.wrapping_add(1));
    assert_eq!(take_reports(&mut broadcast).0, [(Some(0), None)]);
}

#[test]
fn publisher_is_told_when_all_its_consumers_are_held() {
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    let producer = simulcast_producer(&mut broadcast);
    let viewer = broadcast.add_viewer_of(producer);
    let send = |broadcast: &mut Broadcast, from: u64| {
        for count in from..from + 500 {
            send_picture(
                broadcast,
                count,
                count.is_multiple_of(25),
                [130, 480, 1_400],
            );
            broadcast.advance(FRAME);
        }
        take_reports(broadcast).1
    };
    assert!(!send(&mut broadcast, 0));
    hold(&mut broadcast, &viewer, true);
    assert!(send(&mut broadcast, 500));
    hold(&mut broadcast, &viewer, false);
    assert!(!take_reports(&mut broadcast).1);
}

#[test]
fn consumer_that_was_held_before_it_is_resumed_is_reported_then() {
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    let mut viewer = broadcast.add_viewer();
    let consumer = viewer.consumer;
    broadcast.command(Command::PauseConsumer { consumer });
    hold(&mut broadcast, &viewer, true);
    assert_eq!(take_reports(&mut broadcast).0, []);
    broadcast.command(Command::ResumeConsumer { consumer });
    assert_eq!(take_reports(&mut broadcast).0, [HELD]);
    let sent = broadcast.publish(true, 500);
    assert_eq!(viewer.received(&sent).len(), 0);
    // It is the same to be held twice.
    hold(&mut broadcast, &viewer, true);
    assert_eq!(take_reports(&mut broadcast).0, []);
}

#[test]
fn path_that_carries_nothing_is_the_reason_after_the_hold() {
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    broadcast.transport_options.adapts_to_bandwidth = true;
    let mut viewer = broadcast.add_viewer();
    for _ in 0..50 {
        broadcast.publish(true, 800);
        broadcast.advance(FRAME);
    }
    hold(&mut broadcast, &viewer, true);
    let bitrate = watersmeet_wire::units::Bitrate::from_kbps(5);
    let ssrc = watersmeet_wire::units::Ssrc(1);
    let remb = viewer.rtcp(|writer| assert!(writer.write_remb(ssrc, bitrate, &[])));
    broadcast.receive_from(&viewer, remb);
    broadcast.advance(FRAME);
    take_reports(&mut broadcast);
    hold(&mut broadcast, &viewer, false);
    let narrow = (None, Some(LayersReason::Bandwidth));
    assert_eq!(take_reports(&mut broadcast).0, [narrow]);
}
