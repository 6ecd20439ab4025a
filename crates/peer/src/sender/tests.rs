//! A sender by itself, and back to back with a receiver: what the server is doubted with must be
//! beyond doubt.

use rand_chacha::rand_core::SeedableRng as _;
use watersmeet_wire::rtcp::report::ReportBlock;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtp::{self, RtpHeader};
use watersmeet_wire::units::Map;

use super::*;
use crate::negotiation::Incoming;
use crate::receiver::Receiver;
use crate::receiver::violation::Violation;

const EPOCH: Duration = Duration::from_secs(1_790_000_000);

fn signature() -> Tag {
    Tag {
        room: 1,
        source: 1,
        layer: 0,
        temporal: 0,
        keyframe: false,
        needs: [0, 0],
        frame: 0,
        index: 0,
        count: 0,
        captured: Time::ZERO,
    }
}

fn filming(options: &CameraOptions) -> Sender {
    let mut sender = Sender::new("me".to_owned(), EPOCH, Rng::from_seed([7; 32]));
    sender.add_camera(Time::ZERO, signature(), options);
    sender.connect(Time::ZERO);
    sender
}

/// Runs a sender up to `end`; its RTP packets with the moment each left.
fn run(sender: &mut Sender, end: Time) -> Vec<(Time, Vec<u8>)> {
    let mut now = Time::ZERO;
    let mut packets = Vec::new();
    while now <= end {
        sender.handle_timeout(now);
        while let Some(packet) = sender.poll_packet(now) {
            if let Packet::Rtp(packet) = packet {
                packets.push((now, packet));
            }
        }
        now = sender.poll_timeout().max(now + Duration::from_micros(1));
    }
    packets
}

fn extension(packet: &[u8], id: Option<u8>) -> Option<Vec<u8>> {
    let header = RtpHeader::parse(packet).unwrap();
    header.extension(packet, id.unwrap()).map(<[u8]>::to_vec)
}

fn ssrcs(packets: &[(Time, Vec<u8>)]) -> Map<Ssrc, usize> {
    let mut ssrcs = Map::new();
    for (_, packet) in packets {
        *ssrcs
            .entry(RtpHeader::parse(packet).unwrap().ssrc)
            .or_default() += 1;
    }
    ssrcs
}

fn written(write: impl FnOnce(&mut CompoundWriter<'_>)) -> Vec<u8> {
    let mut compound = Vec::new();
    write(&mut CompoundWriter::new(&mut compound));
    compound
}

#[test]
fn a_ladder_sends_at_its_rates() {
    let mut sender = filming(&CameraOptions::simulcast(3));
    let packets = run(&mut sender, Time::from_millis(10_000));
    assert_eq!(ssrcs(&packets).len(), 3);
    let bytes: usize = packets.iter().map(|(_, packet)| packet.len()).sum();
    let kbps = bytes * 8 / 10_000;
    // 1,800 kbit/s, and headers.
    assert!((1_700..2_100).contains(&kbps), "{kbps} kbit/s");
    assert!(packets.iter().all(|(_, packet)| packet.len() <= 1_200));
    let numbers = packets
        .iter()
        .map(|(_, it)| extension(it, ExtensionIds::CHROME.transport_wide_cc));
    for (place, number) in numbers.enumerate() {
        assert_eq!(number.unwrap(), u16::try_from(place).unwrap().to_be_bytes());
    }
}

#[test]
fn a_keyframe_is_spread_and_not_a_burst() {
    let mut sender = filming(&CameraOptions::single());
    let packets = run(&mut sender, Time::from_millis(30));
    let at_once = packets.iter().filter(|(at, _)| *at == Time::ZERO).count();
    assert!((1..6).contains(&at_once), "{at_once} packets at once");
    assert!(packets.len() > 8);
}

#[test]
fn names_are_repeated_until_the_server_reports() {
    let mut sender = filming(&CameraOptions::simulcast(3));
    let before = run(&mut sender, Time::from_millis(500));
    let names = |packet: &[u8]| {
        let ids = ExtensionIds::CHROME;
        (
            extension(packet, ids.mid).is_some(),
            extension(packet, ids.rid).is_some(),
        )
    };
    assert!(
        before
            .iter()
            .all(|(_, packet)| names(packet) == (true, true))
    );
    let blocks: Vec<ReportBlock> = ssrcs(&before)
        .into_keys()
        .map(|ssrc| ReportBlock {
            ssrc,
            ..ReportBlock::default()
        })
        .collect();
    let report = written(|writer| assert!(writer.write_receiver_report(Ssrc(9), &blocks)));
    sender.handle_rtcp(Time::from_millis(500), &report);
    sender.handle_timeout(Time::from_millis(600));
    let Some(Packet::Rtp(after)) = sender.poll_packet(Time::from_millis(600)) else {
        panic!("a frame is due");
    };
    assert_eq!(names(&after), (false, false));
}

#[test]
fn a_keyframe_is_made_for_the_encoding_that_was_asked_and_no_other() {
    let mut sender = filming(&CameraOptions::simulcast(3));
    let packets = run(&mut sender, Time::from_millis(500));
    assert_eq!(sender.counts().keyframes, 3);
    let asked = *ssrcs(&packets).keys().next().unwrap();
    for _ in 0..5 {
        let pli = written(|writer| assert!(writer.write_pli(Ssrc(9), asked)));
        sender.handle_rtcp(Time::from_millis(500), &pli);
    }
    sender.handle_timeout(Time::from_millis(600));
    sender.handle_timeout(Time::from_millis(700));
    assert_eq!(sender.counts().keyframes, 4);
    assert_eq!(sender.counts().plis, 5);
}

#[test]
fn a_packet_that_is_asked_for_is_sent_again_once_in_a_while() {
    let mut sender = filming(&CameraOptions::single());
    let packets = run(&mut sender, Time::from_millis(300));
    let lost = RtpHeader::parse(&packets[3].1).unwrap();
    let nack = written(|writer| assert_eq!(writer.write_nack(Ssrc(9), lost.ssrc, &[lost.seq]), 1));
    sender.handle_rtcp(Time::from_millis(301), &nack);
    sender.handle_rtcp(Time::from_millis(302), &nack);
    let mut again = Vec::new();
    for millis in 302..330 {
        while let Some(packet) = sender.poll_packet(Time::from_millis(millis)) {
            if let Packet::Rtp(packet) = packet {
                again.push(packet);
            }
        }
    }
    let resent: Vec<&Vec<u8>> = again
        .iter()
        .filter(|it| RtpHeader::parse(it).unwrap().pt == VP8_RTX)
        .collect();
    assert_eq!(resent.len(), 1);
    let header = RtpHeader::parse(resent[0]).unwrap();
    let (number, payload) = rtp::split_osn(header.payload(resent[0]).unwrap()).unwrap();
    assert_eq!((number, header.timestamp), (lost.seq, lost.timestamp));
    assert_eq!(payload, lost.payload(&packets[3].1).unwrap());
}

/// A sender and a receiver with nothing between them but `change`, which may drop or alter packets,
/// for three seconds.
fn back_to_back(mut change: impl FnMut(usize, &mut Vec<u8>) -> bool) -> (Receiver, Ssrc) {
    let mut sender = filming(&CameraOptions::single());
    let options = sender.streams[0].options.clone();
    let mut receiver = Receiver::new(EPOCH);
    let incoming = Incoming {
        ssrc: options.ssrc,
        rtx_ssrc: options.rtx_ssrc,
        pt: VP8,
        rtx_pt: Some(VP8_RTX),
        clock_rate: VIDEO_CLOCK,
        video: true,
        extensions: ExtensionIds::CHROME,
    };
    receiver.add(Time::ZERO, incoming);
    let mut now = Time::ZERO;
    let mut sent = 0;
    while now < Time::from_millis(3_000) {
        sender.handle_timeout(now);
        while let Some(packet) = sender.poll_packet(now) {
            match packet {
                Packet::Rtp(mut packet) => {
                    sent += 1;
                    if change(sent, &mut packet) {
                        receiver.handle_rtp(now, &packet);
                    }
                }
                Packet::Rtcp(packet) => receiver.handle_rtcp(now, &packet),
            }
        }
        receiver.handle_timeout(now);
        while let Some(packet) = receiver.poll_rtcp() {
            sender.handle_rtcp(now, &packet);
        }
        let next = sender.poll_timeout().min(receiver.poll_timeout());
        now = next.max(now + Duration::from_micros(1));
    }
    assert_eq!(sender.counts().unreadable, 0);
    assert!(sender.counts().feedback > 20);
    (receiver, options.ssrc)
}

#[test]
fn nothing_between_them_leaves_nothing_to_complain() {
    let (receiver, ssrc) = back_to_back(|_, _| true);
    assert_eq!(receiver.violations(), []);
    let report = receiver
        .video_report(Time::from_millis(3_000), ssrc)
        .unwrap();
    assert!(
        report.fps > 29.0 && report.freezes == 0 && report.lost == 0,
        "{report}"
    );
    assert_eq!(
        (report.nacked, report.plis, report.skew_micros),
        (0, 0, Some(0))
    );
}

#[test]
fn every_twentieth_packet_lost_is_repaired() {
    let (receiver, ssrc) = back_to_back(|sent, _| sent % 20 != 0);
    assert_eq!(receiver.violations(), []);
    let report = receiver
        .video_report(Time::from_millis(3_000), ssrc)
        .unwrap();
    assert!(report.fps > 27.0 && report.repaired > 10, "{report}");
    assert!(
        report.longest_freeze < Duration::from_millis(300),
        "{report}"
    );
}

#[test]
fn a_byte_that_is_changed_on_the_way_is_noticed() {
    let (receiver, _) = back_to_back(|sent, packet| {
        if sent == 100 {
            let last = packet.len() - 1;
            packet[last] ^= 1;
        }
        true
    });
    assert!(matches!(receiver.violations(), [Violation::Damaged { .. }]));
}

#[test]
fn pieces_of_two_frames_under_one_timestamp_are_noticed() {
    let mut before: Option<Vec<u8>> = None;
    let mut torn = false;
    let (receiver, _) = back_to_back(|_, packet| {
        let header = RtpHeader::parse(packet).unwrap();
        // Puts the payload of a frame's last packet in the place of the next one's.
        if header.marker && !torn {
            let payload = packet[header.header_len..].to_vec();
            match before.take().filter(|it| it.len() != payload.len()) {
                Some(other) => {
                    packet.truncate(header.header_len);
                    packet.extend_from_slice(&other);
                    torn = true;
                }
                None => before = Some(payload),
            }
        }
        true
    });
    let violations = receiver.violations();
    assert!(
        violations
            .iter()
            .any(|it| matches!(it, Violation::Torn { .. })),
        "{violations:?}"
    );
}
