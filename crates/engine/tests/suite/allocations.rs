//! Forwarding a packet allocates nothing after warm-up, and neither does finding the active speaker.

use std::time::Duration;

use watersmeet_engine::command::{Command, Event};
use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, WINDOW_MAX};
use watersmeet_engine::transport::srtp::SrtpProfile;

use crate::redundant_audio::Call;
use crate::speakers::{Microphones, PACKET_TIME, QUIET, SPEECH};
use crate::support::broadcast::Broadcast;

/// Publishes packets in pairs, 500 a second, and drains the outputs as a shard does.
fn publish_pairs(broadcast: &mut Broadcast, packets: usize) {
    let mut packet = [0; 1_500];
    for index in 0..packets {
        broadcast.now = broadcast.now + Duration::from_micros([500, 3_500][index % 2]);
        let len = broadcast.protect_packet(index % 300 == 0, 1_100, &mut packet);
        broadcast.receive_from_publisher(&mut packet[..len]);
        broadcast.worker.handle_timeout(broadcast.now);
        while broadcast.worker.poll_transmit(broadcast.now).is_some() {}
        while broadcast.worker.poll_event().is_some() {}
    }
}

/// Counts the allocations of 400 packets to ten viewers, after warm-up.
fn count_allocations(egress: EgressOptions) -> u64 {
    let mut broadcast = Broadcast::with_egress(SrtpProfile::AeadAes128Gcm, egress);
    let viewers: Vec<_> = (0..10).map(|_| broadcast.add_viewer()).collect();
    publish_pairs(&mut broadcast, 3_000);
    // Less than the second between reports, so that only the packet path is measured.
    let before = broadcast.worker.metrics().totals.video_out.packets;
    let info = allocation_counter::measure(|| {
        publish_pairs(&mut broadcast, 400);
    });
    let packets = broadcast.worker.metrics().totals.video_out.packets - before;
    let expected = 400 * viewers.len() as u64 - 40;
    assert!(packets >= expected, "{packets} packets were forwarded");
    info.count_total
}

#[test]
fn forwarding_allocates_nothing_after_warm_up() {
    assert_eq!(count_allocations(EgressOptions::default()), 0);
}

#[test]
fn forwarding_with_a_window_and_padding_allocates_nothing_after_warm_up() {
    let egress = EgressOptions {
        window: EgressWindow::Fixed(WINDOW_MAX),
        padding_max: 32,
    };
    assert_eq!(count_allocations(egress), 0);
}

#[test]
fn redundant_audio_allocates_nothing_after_warm_up() {
    let sent = |call: &Call| {
        let totals = call.broadcast.worker.metrics().totals;
        totals.redundant_packets_sent
    };
    let mut call = Call::new();
    call.speak(40, 51);
    let mut packets: Vec<_> = (0..45).map(|_| call.protect_speech()).collect();
    let mut publish = |packets: &mut [Vec<u8>]| {
        let broadcast = &mut call.broadcast;
        for packet in packets {
            broadcast.now = broadcast.now + PACKET_TIME;
            broadcast.worker.handle_timeout(broadcast.now);
            broadcast.receive_from_publisher(packet);
            while broadcast.worker.poll_transmit(broadcast.now).is_some() {}
        }
    };
    // The measured packets do not contain the reports of each full second.
    let (first, measured) = packets.split_at_mut(10);
    publish(first);
    let info = allocation_counter::measure(|| publish(measured));
    assert_eq!(info.count_total, 0);
    assert!(sent(&call) > 100);
}

/// Lets one of the microphones carry speech, and drains the outputs as a shard does. Returns how often
/// the active speaker changed.
fn speak(microphones: &mut Microphones, speaking: usize, packets: usize) -> usize {
    let mut changes = 0;
    for _ in 0..packets {
        let broadcast = &mut microphones.broadcast;
        broadcast.now = broadcast.now + PACKET_TIME;
        broadcast.worker.handle_timeout(broadcast.now);
        for index in 0..microphones.producers.len() {
            microphones.receive(index, if index == speaking { SPEECH } else { QUIET });
        }
        let Broadcast { worker, now, .. } = &mut microphones.broadcast;
        while worker.poll_transmit(*now).is_some() {}
        while let Some(event) = worker.poll_event() {
            changes += usize::from(matches!(event, Event::ActiveSpeakerChanged { .. }));
        }
    }
    changes
}

#[test]
fn finding_the_active_speaker_allocates_nothing_after_warm_up() {
    let mut microphones = Microphones::new(5);
    for producer in microphones.producers.clone() {
        microphones.broadcast.add_viewer_of(producer);
    }
    // Six seconds, as the measured time must not contain the reports of each full second.
    speak(&mut microphones, 0, 150);
    speak(&mut microphones, 1, 150);
    let mut changes = 0;
    let info = allocation_counter::measure(|| {
        changes = speak(&mut microphones, 0, 45);
    });
    assert_eq!((changes, info.count_total), (1, 0));
}

#[test]
fn choosing_the_loudest_voices_allocates_nothing_after_warm_up() {
    let mut broadcast = Broadcast::without_producers(0);
    let router = broadcast.router;
    broadcast.command(Command::LimitVoices { router, count: 2 });
    let mut microphones = Microphones::on(broadcast, 5);
    for producer in microphones.producers.clone() {
        microphones.broadcast.add_viewer_of(producer);
    }
    for speaking in [0, 1, 2, 3, 4, 0] {
        speak(&mut microphones, speaking, 50);
    }
    let info = allocation_counter::measure(|| {
        speak(&mut microphones, 3, 45);
    });
    assert_eq!(info.count_total, 0);
}
