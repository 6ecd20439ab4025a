//! Sender alone, and connected directly to a receiver, without a server in between.

use rand_chacha::rand_core::SeedableRng as _;
use watersmeet_wire::rtcp::report::ReportBlock;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtp::{self, RtpHeader};
use watersmeet_wire::units::Map;

use super::*;
use crate::negotiation::IncomingStream;
use crate::receiver::Receiver;
use crate::receiver::violation::Violation;

const EPOCH: Duration = Duration::from_secs(1_790_000_000);

fn signature() -> PacketSignature {
    PacketSignature {
        room: 1,
        source: 1,
        layer: 0,
        temporal: 0,
        keyframe: false,
        reference_distances: [0, 0],
        frame: 0,
        index: 0,
        count: 0,
        captured: Time::ZERO,
    }
}

fn sender_with_camera(options: &CameraOptions) -> Sender {
    let mut sender = Sender::new("me".to_owned(), EPOCH, Rng::from_seed([7; 32]));
    sender.add_camera(Time::ZERO, signature(), options);
    sender.connect(Time::ZERO);
    sender
}

/// Runs a sender until `end`; returns its RTP packets with their send times.
fn run(sender: &mut Sender, end: Time) -> Vec<(Time, Vec<u8>)> {
    run_from(sender, Time::ZERO, end)
}

/// Runs a sender from `start` until `end`; returns its RTP packets with their send times.
fn run_from(sender: &mut Sender, start: Time, end: Time) -> Vec<(Time, Vec<u8>)> {
    let mut now = start;
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
fn simulcast_is_sent_at_its_target_bitrates() {
    let mut sender = sender_with_camera(&CameraOptions::simulcast(3));
    let packets = run(&mut sender, Time::from_millis(10_000));
    assert_eq!(ssrcs(&packets).len(), 3);
    let bytes: usize = packets.iter().map(|(_, packet)| packet.len()).sum();
    let kbps = bytes * 8 / 10_000;
    // 1,800 kbit/s plus headers.
    assert!((1_700..2_100).contains(&kbps), "{kbps} kbit/s");
    assert!(packets.iter().all(|(_, packet)| packet.len() <= 1_200));
    let numbers = packets
        .iter()
        .map(|(_, it)| extension(it, ExtensionIds::CHROME.transport_wide_cc));
    for (index, number) in numbers.enumerate() {
        assert_eq!(number.unwrap(), u16::try_from(index).unwrap().to_be_bytes());
    }
}

#[test]
fn keyframe_is_paced() {
    let mut sender = sender_with_camera(&CameraOptions::single());
    let packets = run(&mut sender, Time::from_millis(30));
    let at_once = packets.iter().filter(|(at, _)| *at == Time::ZERO).count();
    assert!((1..6).contains(&at_once), "{at_once} packets at once");
    assert!(packets.len() > 8);
}

#[test]
fn mid_and_rid_are_sent_until_the_server_reports() {
    let mut sender = sender_with_camera(&CameraOptions::simulcast(3));
    let before = run(&mut sender, Time::from_millis(500));
    let ids = |packet: &[u8]| {
        let ids = ExtensionIds::CHROME;
        (
            extension(packet, ids.mid).is_some(),
            extension(packet, ids.rid).is_some(),
        )
    };
    assert!(before.iter().all(|(_, packet)| ids(packet) == (true, true)));
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
    assert_eq!(ids(&after), (false, false));
}

#[test]
fn keyframe_is_sent_only_on_the_requested_encoding() {
    let mut sender = sender_with_camera(&CameraOptions::simulcast(3));
    let packets = run(&mut sender, Time::from_millis(500));
    assert_eq!(sender.counts().keyframes, 3);
    let requested = *ssrcs(&packets).keys().next().unwrap();
    for _ in 0..5 {
        let pli = written(|writer| assert!(writer.write_pli(Ssrc(9), requested)));
        sender.handle_rtcp(Time::from_millis(500), &pli);
    }
    sender.handle_timeout(Time::from_millis(600));
    sender.handle_timeout(Time::from_millis(700));
    assert_eq!(sender.counts().keyframes, 4);
    assert_eq!(sender.counts().plis, 5);
}

#[test]
fn requested_packet_is_retransmitted_once_per_interval() {
    let mut sender = sender_with_camera(&CameraOptions::single());
    let packets = run(&mut sender, Time::from_millis(300));
    let lost = RtpHeader::parse(&packets[3].1).unwrap();
    let nack = written(|writer| assert_eq!(writer.write_nack(Ssrc(9), lost.ssrc, &[lost.seq]), 1));
    sender.handle_rtcp(Time::from_millis(301), &nack);
    sender.handle_rtcp(Time::from_millis(302), &nack);
    let mut sent_again = Vec::new();
    for millis in 302..330 {
        while let Some(packet) = sender.poll_packet(Time::from_millis(millis)) {
            if let Packet::Rtp(packet) = packet {
                sent_again.push(packet);
            }
        }
    }
    let retransmitted: Vec<&Vec<u8>> = sent_again
        .iter()
        .filter(|it| RtpHeader::parse(it).unwrap().pt == VP8_RTX)
        .collect();
    assert_eq!(retransmitted.len(), 1);
    let header = RtpHeader::parse(retransmitted[0]).unwrap();
    let (number, payload) = rtp::split_osn(header.payload(retransmitted[0]).unwrap()).unwrap();
    assert_eq!((number, header.timestamp), (lost.seq, lost.timestamp));
    assert_eq!(payload, lost.payload(&packets[3].1).unwrap());
}

/// Connects a sender to a receiver for three seconds; `change` may alter packets, or drop them by
/// returning false.
fn back_to_back(mut change: impl FnMut(usize, &mut Vec<u8>) -> bool) -> (Receiver, Ssrc) {
    let mut sender = sender_with_camera(&CameraOptions::single());
    let options = sender.streams[0].options.clone();
    let mut receiver = Receiver::new(EPOCH);
    let incoming = IncomingStream {
        nack: true,
        ssrc: options.ssrc,
        rtx_ssrc: options.rtx_ssrc,
        pt: VP8,
        rtx_pt: Some(VP8_RTX),
        red_pt: None,
        clock_rate: VIDEO_CLOCK,
        video: true,
        extensions: ExtensionIds::CHROME,
    };
    receiver.add_stream(Time::ZERO, incoming);
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
    assert_eq!(sender.counts().malformed, 0);
    assert!(sender.counts().feedback > 20);
    (receiver, options.ssrc)
}

#[test]
fn perfect_link_causes_no_violations() {
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
fn loss_of_every_twentieth_packet_is_repaired() {
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
fn changed_byte_is_detected() {
    let (receiver, _) = back_to_back(|sent, packet| {
        if sent == 100 {
            let last = packet.len() - 1;
            packet[last] ^= 1;
        }
        true
    });
    assert!(matches!(
        receiver.violations(),
        [Violation::CorruptPayload { .. }]
    ));
}

#[test]
fn frame_mixed_from_two_frames_is_detected() {
    let mut before: Option<Vec<u8>> = None;
    let mut is_mixed = false;
    let (receiver, _) = back_to_back(|_, packet| {
        let header = RtpHeader::parse(packet).unwrap();
        // Replaces the payload of the last packet of a frame by that of the previous frame.
        if header.marker && !is_mixed {
            let payload = packet[header.header_len..].to_vec();
            match before.take().filter(|it| it.len() != payload.len()) {
                Some(other) => {
                    packet.truncate(header.header_len);
                    packet.extend_from_slice(&other);
                    is_mixed = true;
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
            .any(|it| matches!(it, Violation::InconsistentFrame { .. })),
        "{violations:?}"
    );
}

#[test]
fn encoding_that_is_off_sends_nothing_and_starts_again_with_a_keyframe() {
    let mut sender = sender_with_camera(&CameraOptions::chromium());
    let all = run(&mut sender, Time::from_millis(1_000));
    assert_eq!(ssrcs(&all).len(), 3);
    let keyframes = sender.counts().keyframes;
    sender.set_encoding_active(SourceId(0), 2, false);
    // Frames captured before the encoding was switched off are still sent.
    run_from(
        &mut sender,
        Time::from_millis(1_001),
        Time::from_millis(1_500),
    );
    let packets = run_from(
        &mut sender,
        Time::from_millis(1_600),
        Time::from_millis(2_600),
    );
    assert_eq!(ssrcs(&packets).len(), 2);
    sender.set_encoding_active(SourceId(0), 2, true);
    let packets = run_from(
        &mut sender,
        Time::from_millis(2_700),
        Time::from_millis(3_700),
    );
    assert_eq!(ssrcs(&packets).len(), 3);
    assert_eq!(sender.counts().keyframes, keyframes + 1);
}
