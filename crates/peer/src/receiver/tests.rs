//! Receiver alone: what it accepts, and what it reports.

use rand_chacha::rand_core::SeedableRng as _;
use watersmeet_wire::codec::red;
use watersmeet_wire::rtp::{RtpHeaderFields, extension};
use watersmeet_wire::units::{Pt, Rng};

use super::*;
use crate::negotiation::{AUDIO_CLOCK, ExtensionIds, OPUS, VIDEO_CLOCK, VP8, VP8_RTX};

const VIDEO: Ssrc = Ssrc(7);
const AUDIO: Ssrc = Ssrc(8);

/// Returns a receiver of a video and an audio stream.
fn receiver() -> Receiver {
    let mut receiver = Receiver::new(Duration::ZERO);
    let video = IncomingStream {
        ssrc: VIDEO,
        rtx_ssrc: Some(Ssrc(9)),
        pt: VP8,
        rtx_pt: Some(VP8_RTX),
        red_pt: None,
        clock_rate: VIDEO_CLOCK,
        video: true,
        nack: true,
        extensions: ExtensionIds::CHROME,
    };
    let audio = IncomingStream {
        ssrc: AUDIO,
        rtx_ssrc: None,
        pt: OPUS,
        rtx_pt: None,
        clock_rate: AUDIO_CLOCK,
        video: false,
        nack: false,
        ..video.clone()
    };
    receiver.add_stream(Time::ZERO, video);
    receiver.add_stream(Time::ZERO, audio);
    receiver
}

/// Returns a packet with a transport-wide sequence number.
fn packet(ssrc: Ssrc, pt: Pt, seq: u16, timestamp: u32, padding: bool, rest: &[u8]) -> Vec<u8> {
    let fields = RtpHeaderFields {
        marker: false,
        padding,
        pt,
        seq,
        timestamp,
        ssrc,
    };
    let transport_seq = extension::write_transport_seq(seq);
    let id = ExtensionIds::CHROME.transport_wide_cc.unwrap();
    let mut packet = vec![0; 64];
    let len = rtp::write_header(&mut packet, &fields, &[(id, &transport_seq)]).unwrap();
    packet.truncate(len);
    packet.extend_from_slice(rest);
    packet
}

/// Returns the padding of a packet that is nothing else.
fn padding(len: u8) -> Vec<u8> {
    let mut padding = vec![0; usize::from(len)];
    *padding.last_mut().unwrap() = len;
    padding
}

/// Returns sequence number and arrival of everything that the next feedback covers.
fn feedback(receiver: &mut Receiver, now: Time) -> Vec<(u16, Option<i64>)> {
    receiver.handle_timeout(now);
    let mut covered = Vec::new();
    while let Some(compound) = receiver.poll_rtcp() {
        for packet in rtcp::packets(&compound) {
            if let Ok(Packet::TransportFeedback(feedback)) = packet {
                covered.extend(feedback.packets());
            }
        }
    }
    covered
}

#[test]
fn padding_of_the_probation_stream_is_accepted_and_reported() {
    let mut receiver = receiver();
    for seq in [1, 2, 4] {
        let probe = packet(PROBATION_SSRC, PROBATION_PT, seq, 0, true, &padding(200));
        assert_eq!(
            receiver.handle_rtp(Time::from_millis(u64::from(seq)), &probe),
            None
        );
    }
    assert_eq!(receiver.violations(), []);
    assert_eq!(receiver.padding_packets, 3);
    let covered = feedback(&mut receiver, Time::from_millis(200));
    let received: Vec<_> = covered
        .iter()
        .map(|(seq, at)| (*seq, at.is_some()))
        .collect();
    assert_eq!(received, [(1, true), (2, true), (3, false), (4, true)]);
}

#[test]
fn media_on_the_probation_stream_is_a_violation() {
    let mut receiver = receiver();
    let media = packet(PROBATION_SSRC, PROBATION_PT, 1, 0, false, &[1; 100]);
    receiver.handle_rtp(Time::ZERO, &media);
    let other_type = packet(PROBATION_SSRC, VP8, 2, 0, true, &padding(100));
    receiver.handle_rtp(Time::ZERO, &other_type);
    let ssrc = PROBATION_SSRC;
    let expected = [
        Violation::Unreadable { ssrc },
        Violation::WrongPayloadType { ssrc },
    ];
    assert_eq!(receiver.violations(), expected);
}

#[test]
fn retransmission_packet_that_is_only_padding_is_reported() {
    let mut receiver = receiver();
    let probe = packet(Ssrc(9), VP8_RTX, 1, 0, true, &padding(200));
    receiver.handle_rtp(Time::from_millis(1), &probe);
    assert_eq!(receiver.violations(), []);
    assert_eq!(feedback(&mut receiver, Time::from_millis(200)).len(), 1);
}

/// Lets every second of ten packets arrive; returns the feedback on them.
fn feedback_claiming(claim: FeedbackClaim) -> Vec<(u16, Option<i64>)> {
    let mut receiver = receiver();
    receiver.set_feedback_claim(claim);
    for seq in (0..10).step_by(2) {
        let probe = packet(PROBATION_SSRC, PROBATION_PT, seq, 0, true, &padding(200));
        receiver.handle_rtp(Time::from_millis(u64::from(seq) * 10), &probe);
    }
    feedback(&mut receiver, Time::from_millis(200))
}

#[test]
fn lying_feedback_differs_from_what_arrived() {
    let lost =
        |covered: &[(u16, Option<i64>)]| covered.iter().filter(|(_, at)| at.is_none()).count();
    let honest = feedback_claiming(FeedbackClaim::True);
    assert_eq!((honest.len(), lost(&honest)), (9, 4));
    let all = feedback_claiming(FeedbackClaim::AllReceived);
    assert_eq!((all.len(), lost(&all)), (9, 0));
    assert!(all.iter().all(|(_, at)| *at == all[0].1));
    let rng = Box::new(Rng::from_seed([3; 32]));
    let random = feedback_claiming(FeedbackClaim::Random(rng));
    assert!(!random.is_empty());
    assert_ne!(random, honest);
}

#[test]
fn audio_that_arrives_after_its_playout_is_concealed() {
    let mut receiver = receiver();
    for number in 0..100_u16 {
        // One packet is 30 ms late, which the jitter buffer holds, another one 200 ms.
        let late = match number {
            50 => 30,
            80 => 200,
            _ => 0,
        };
        let now = Time::from_millis(u64::from(number) * 20 + late);
        let silence = packet(AUDIO, OPUS, number, u32::from(number) * 960, false, &[120]);
        receiver.handle_rtp(now, &silence);
    }
    let report = receiver
        .audio_report(Time::from_millis(5_000), AUDIO)
        .unwrap();
    assert_eq!((report.lost, report.late_packets), (0, 1));
    assert!((report.concealed() - 0.01).abs() < 1e-9);
}

/// Returns a packet's payload of speech, captured at a multiple of 20 ms.
fn speech(number: u16) -> Vec<u8> {
    let signature = PacketSignature {
        room: 1,
        source: 2,
        layer: 0,
        temporal: 0,
        keyframe: false,
        reference_distances: [0, 0],
        frame: number.into(),
        index: 0,
        count: 1,
        captured: Time::from_millis(u64::from(number) * 20),
    };
    let mut payload = vec![120];
    signature.write(&mut payload, 79);
    payload
}

#[test]
fn lost_audio_is_taken_from_packets_that_repeat_it() {
    const RED: Pt = Pt(63);
    let mut receiver = Receiver::new(Duration::ZERO);
    let audio = IncomingStream {
        ssrc: AUDIO,
        rtx_ssrc: None,
        pt: OPUS,
        rtx_pt: None,
        red_pt: Some(RED),
        clock_rate: AUDIO_CLOCK,
        video: false,
        nack: false,
        extensions: ExtensionIds::CHROME,
    };
    receiver.add_stream(Time::ZERO, audio);
    let timestamp = |number: u16| u32::from(number) * 960;
    // 50 is lost alone, 80 with the packet that repeats it.
    for number in (1..100).filter(|number| ![50, 80, 81].contains(number)) {
        let (own, former) = (speech(number), speech(number - 1));
        let earlier = [red::EarlierPayload {
            timestamp: timestamp(number).wrapping_sub(960),
            payload: &former,
        }];
        let mut out = [0; 400];
        let len = red::write(&mut out, 400, OPUS, timestamp(number), &own, &earlier).unwrap();
        let now = Time::from_millis(u64::from(number) * 20);
        let sent = packet(AUDIO, RED, number, timestamp(number), false, &out[..len]);
        assert!(receiver.handle_rtp(now, &sent).is_some());
    }
    let report = receiver
        .audio_report(Time::from_millis(5_000), AUDIO)
        .unwrap();
    assert_eq!((report.recovered, report.lost, report.expected), (2, 1, 99));
    assert_eq!(report.speech_packets, 98);
    assert!(receiver.violations().is_empty());
    // The same payloads with another distance of their timestamps.
    let earlier = [red::EarlierPayload {
        timestamp: timestamp(100) - 1_920,
        payload: &speech(99),
    }];
    let mut out = [0; 400];
    let len = red::write(&mut out, 400, OPUS, timestamp(100), &speech(100), &earlier);
    let sent = packet(AUDIO, RED, 100, timestamp(100), false, &out[..len.unwrap()]);
    receiver.handle_rtp(Time::from_millis(2_000), &sent);
    let wrong = Violation::WrongRedundancy { ssrc: AUDIO };
    assert_eq!(receiver.violations(), [wrong]);
}
