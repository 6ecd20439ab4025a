//! How much of a shared screen may wait, and for how long.

use watersmeet_wire::units::SeqNo;

use super::*;
use crate::consumer::queued_packet::{PacketPatch, SendPriority};
use crate::slots::{ConsumerKey, Key as _};

/// Bytes per second of a path of 80 kbit/s.
const PATH: u64 = 10_000;

const PACKET_LEN: u64 = 1_000;

/// Returns packets of one picture, queued at this time.
fn picture(count: u64, timestamp: u32, queued_millis: u32) -> Vec<QueuedPacket> {
    let packet = |seq| QueuedPacket {
        consumer: ConsumerKey::from_index(0),
        stream: 0,
        origin: SeqNo(seq),
        seq,
        transmission: Transmission::First,
        priority: SendPriority::Screen,
        queued_millis,
        timestamp,
        patch: PacketPatch::default(),
    };
    (0..count).map(packet).collect()
}

fn excess(screen: &ScreenSending, millis: u64, pictures: &[Vec<QueuedPacket>]) -> Option<Excess> {
    let waiting = pictures.iter().flatten().map(|it| (it, PACKET_LEN));
    screen.excess(Time::from_millis(millis), PATH, waiting)
}

fn screen_with_keyframe(timestamp: u32) -> ScreenSending {
    let mut screen = ScreenSending::default();
    screen.record_keyframe(timestamp);
    screen
}

#[test]
fn keyframe_may_take_many_seconds() {
    let screen = screen_with_keyframe(1);
    let waiting = [picture(60, 1, 0), picture(9, 2, 500)];
    assert_eq!(excess(&screen, 5_000, &waiting), None);
    assert_eq!(excess(&screen, 15_001, &waiting), Some(Excess::All));
}

#[test]
fn pictures_behind_a_keyframe_may_take_a_second() {
    let screen = screen_with_keyframe(1);
    let waiting = [picture(60, 1, 0), picture(6, 2, 500), picture(6, 3, 600)];
    assert_eq!(excess(&screen, 1_000, &waiting), Some(Excess::Behind(1)));
}

#[test]
fn picture_that_is_being_sent_may_take_longer_than_those_behind_it() {
    let screen = screen_with_keyframe(1);
    let waiting = [picture(40, 7, 0), picture(5, 8, 500)];
    assert_eq!(excess(&screen, 1_000, &waiting), None);
    let waiting = [picture(40, 7, 0), picture(11, 8, 500)];
    assert_eq!(excess(&screen, 1_000, &waiting), Some(Excess::Behind(7)));
}

#[test]
fn pictures_are_kept_while_they_are_less_than_a_keyframe() {
    let mut screen = screen_with_keyframe(1);
    for packet in picture(20, 1, 0) {
        screen.record_sent(Time::from_millis(100), &packet, 1_000);
    }
    let waiting = [picture(40, 7, 0), picture(20, 8, 500)];
    assert_eq!(excess(&screen, 1_000, &waiting), None);
    let waiting = [picture(40, 7, 0), picture(21, 8, 500)];
    assert_eq!(excess(&screen, 1_000, &waiting), Some(Excess::Behind(7)));
    // Of the next one little has been sent.
    screen.record_keyframe(9);
    for packet in picture(1, 9, 0) {
        screen.record_sent(Time::from_millis(200), &packet, 1_000);
    }
    let waiting = [picture(40, 9, 0), picture(20, 10, 500)];
    assert_eq!(excess(&screen, 1_000, &waiting), None);
}

#[test]
fn keyframe_waits_for_little_only() {
    let screen = screen_with_keyframe(3);
    let waiting = [picture(8, 2, 0), picture(60, 3, 500)];
    assert_eq!(excess(&screen, 1_000, &waiting), None);
    let waiting = [picture(20, 2, 0), picture(60, 3, 500)];
    assert_eq!(excess(&screen, 1_000, &waiting), Some(Excess::Behind(2)));
}

#[test]
fn what_waits_for_a_moment_is_not_too_much() {
    let screen = ScreenSending::default();
    let waiting = [picture(40, 1, 0), picture(40, 2, 0)];
    assert_eq!(excess(&screen, 500, &waiting), None);
    assert_eq!(excess(&screen, 501, &waiting), Some(Excess::Behind(1)));
}

#[test]
fn keyframe_counts_as_arriving_for_a_round_trip_and_a_little() {
    let mut screen = screen_with_keyframe(1);
    let round_trip = Duration::from_millis(100);
    for packet in [picture(1, 1, 0), picture(1, 2, 0)].concat() {
        let millis = u64::from(packet.timestamp) * 1_000;
        screen.record_sent(Time::from_millis(millis), &packet, 1_000);
    }
    assert!(screen.is_keyframe_arriving(Time::from_millis(1_399), round_trip));
    assert!(!screen.is_keyframe_arriving(Time::from_millis(1_400), round_trip));
}
