//! Producers whose packets change between codecs: each packet goes out under its own codec's payload
//! type, and only to viewers that have that codec. Also SSRCs and extension ids of several producers.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_engine::command::{Command, ConsumerStats, Reply};
use watersmeet_engine::ortc;
use watersmeet_wire::params::{MediaKind, ParameterValue, RtpCapabilities, RtpCodecCapability};
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::Pt;

use crate::support::broadcast::{Broadcast, PublishedPacket, Viewer};
use crate::support::worker_setup::Datagram;

const VP8_KEYFRAME: &[u8] = &[0x10, 0, 1, 2, 3];
const VP8_FRAME: &[u8] = &[0x10, 1, 1, 2, 3];
const H264_KEYFRAME: &[u8] = &[0x67, 0x42, 0x68, 0x34];
const H264_FRAME: &[u8] = &[0x61, 0x88, 0x68, 0x34];
const AV1_KEYFRAME: &[u8] = &[0x28, 2, 0x08, 0x00, 0x30, 0x10];
const AV1_FRAME: &[u8] = &[0x10, 0x30, 0x10];

/// A worker whose router has these codecs of all that are supported.
fn broadcast_with(mime_types: &[&str]) -> Broadcast {
    let defaults = ortc::default_codecs();
    let supported = ortc::supported_capabilities().codecs;
    let codecs = mime_types.iter().map(|mime_type| {
        let mut all = defaults.iter().chain(&supported);
        let codec = all.find(|codec| codec.mime_type.eq_ignore_ascii_case(mime_type));
        codec.expect("supported").clone()
    });
    Broadcast::with_codecs(codecs.collect::<Vec<RtpCodecCapability>>())
}

fn video_codec(mime_type: &str, pt: u8, feedback: &Value) -> Value {
    let parameters = match mime_type {
        "video/H264" => json!({"packetization-mode": 1, "profile-level-id": "42e01f"}),
        _ => json!({}),
    };
    json!({
        "mimeType": mime_type, "payloadType": pt, "clockRate": 90_000,
        "parameters": parameters, "rtcpFeedback": feedback,
    })
}

/// A worker with a producer that changes between VP8 (96) and H.264 (102).
fn two_video_codecs() -> Broadcast {
    let mut broadcast = broadcast_with(&["audio/opus", "video/VP8", "video/H264"]);
    let pli = json!([{"type": "nack"}, {"type": "nack", "parameter": "pli"}]);
    let fir = json!([{"type": "ccm", "parameter": "fir"}]);
    let rtx = json!({
        "mimeType": "video/rtx", "payloadType": 97, "clockRate": 90_000,
        "parameters": {"apt": 96},
    });
    let rtp = json!({
        "codecs": [
            video_codec("video/VP8", 96, &pli), rtx, video_codec("video/H264", 102, &fir),
        ],
        "encodings": [{"ssrc": 1_111, "rtx": {"ssrc": 1_112}}],
    });
    broadcast.produce_with(MediaKind::Video, rtp);
    broadcast
}

/// A worker with a producer that changes between Opus (111) and PCMU (0).
fn two_audio_codecs() -> Broadcast {
    let mut broadcast = broadcast_with(&["audio/opus", "audio/PCMU"]);
    let rtp = json!({
        "codecs": [
            {"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48_000, "channels": 2},
            {"mimeType": "audio/PCMU", "payloadType": 0, "clockRate": 8_000, "channels": 1},
        ],
        "encodings": [{"ssrc": 2_222}],
    });
    broadcast.produce_with(MediaKind::Audio, rtp);
    broadcast
}

fn without(capabilities: &RtpCapabilities, mime_type: &str) -> RtpCapabilities {
    let mut rest = capabilities.clone();
    let is_removed = |codec: &RtpCodecCapability| codec.mime_type.eq_ignore_ascii_case(mime_type);
    let removed = rest.codecs.iter().find(|codec| is_removed(codec));
    let removed = removed.and_then(|codec| codec.preferred_payload_type);
    let apt = i64::from(removed.expect("the router has it").0);
    rest.codecs.retain(|codec| {
        let repairs = codec.parameters.get("apt");
        !is_removed(codec) && repairs.and_then(ParameterValue::as_integer) != Some(apt)
    });
    rest
}

/// Returns the payload type under which a viewer receives a codec.
fn pt_of(viewer: &Viewer, mime_type: &str) -> Pt {
    let mut codecs = viewer.rtp.codecs.iter();
    let codec = codecs.find(|codec| codec.mime_type.eq_ignore_ascii_case(mime_type));
    codec.expect("the viewer has it").payload_type
}

fn send(broadcast: &mut Broadcast, ssrc: u32, pt: u8, seq: u64, payload: &[u8]) -> Vec<Datagram> {
    broadcast.now = broadcast.now + Duration::from_millis(20);
    broadcast.send(&PublishedPacket {
        ssrc,
        pt,
        seq,
        timestamp: u32::try_from(seq * 160).expect("small"),
        extensions: &[],
        payload,
    })
}

/// Returns the payload types and payloads that a viewer receives.
fn received(viewer: &mut Viewer, sent: &[Datagram]) -> Vec<(Pt, Vec<u8>)> {
    let packets = viewer.received(sent).into_iter();
    let payload = |(header, packet): (watersmeet_wire::rtp::RtpHeader, Vec<u8>)| {
        (
            header.pt,
            header.payload(&packet).expect("no padding").to_vec(),
        )
    };
    packets.map(payload).collect()
}

fn stats(broadcast: &mut Broadcast, viewer: &Viewer) -> ConsumerStats {
    let consumer = viewer.consumer;
    match broadcast.command(Command::ConsumerStats { consumer }) {
        Reply::ConsumerStats(stats) => *stats,
        other => panic!("no consumer statistics in {other:?}"),
    }
}

#[test]
fn packets_of_each_codec_are_sent_under_its_payload_type() {
    let mut broadcast = two_video_codecs();
    let mut viewer = broadcast.add_viewer();
    let (vp8, h264) = (pt_of(&viewer, "video/VP8"), pt_of(&viewer, "video/H264"));
    let mut numbers = Vec::new();
    for (seq, pt, payload, expected) in [
        (1, 96, VP8_KEYFRAME, vp8),
        (2, 96, VP8_FRAME, vp8),
        (3, 102, H264_KEYFRAME, h264),
        (4, 102, H264_FRAME, h264),
        (5, 96, VP8_KEYFRAME, vp8),
    ] {
        let sent = send(&mut broadcast, 1_111, pt, seq, payload);
        let [(header, packet)] = &viewer.received(&sent)[..] else {
            panic!("packet {seq} is not sent once");
        };
        assert_eq!(header.pt, expected);
        assert_eq!(header.payload(packet), Ok(payload));
        numbers.push(header.seq.wrapping_sub(u16::try_from(seq).expect("small")));
    }
    assert!(numbers.windows(2).all(|pair| pair[0] == pair[1]), "no gaps");
    assert_eq!(stats(&mut broadcast, &viewer).mime_type, "video/VP8");
}

#[test]
fn video_in_another_codec_starts_with_a_keyframe_that_is_requested() {
    let mut broadcast = two_video_codecs();
    let mut viewer = broadcast.add_viewer();
    send(&mut broadcast, 1_111, 96, 1, VP8_KEYFRAME);
    let sent = send(&mut broadcast, 1_111, 102, 2, H264_FRAME);
    assert!(viewer.received(&sent).is_empty());
    let producer = broadcast.producer;
    let stats = broadcast.producer_stats(producer).remove(0);
    // H.264 of this publisher supports FIR, not PLI.
    assert_eq!((stats.pli_count, stats.fir_count), (0, 1));
    assert_eq!(stats.mime_type, "video/H264");
    let sent = send(&mut broadcast, 1_111, 102, 3, H264_KEYFRAME);
    assert_eq!(viewer.received(&sent).len(), 1);
}

#[test]
fn late_packet_of_the_former_codec_does_not_change_the_codec_back() {
    let mut broadcast = two_video_codecs();
    let mut viewer = broadcast.add_viewer();
    send(&mut broadcast, 1_111, 96, 1, VP8_KEYFRAME);
    send(&mut broadcast, 1_111, 102, 3, H264_KEYFRAME);
    let sent = send(&mut broadcast, 1_111, 96, 2, VP8_FRAME);
    assert!(viewer.received(&sent).is_empty());
    let sent = send(&mut broadcast, 1_111, 102, 4, H264_FRAME);
    assert_eq!(viewer.received(&sent).len(), 1);
}

#[test]
fn viewer_without_a_codec_gets_none_of_its_packets_and_they_are_counted() {
    let mut broadcast = two_video_codecs();
    let capabilities = without(&broadcast.capabilities, "video/H264");
    let producer = broadcast.producer;
    let mut viewer = broadcast.add_viewer_with(producer, capabilities);
    send(&mut broadcast, 1_111, 96, 1, VP8_KEYFRAME);
    for seq in 2..8 {
        let payload = if seq == 2 { H264_KEYFRAME } else { H264_FRAME };
        let sent = send(&mut broadcast, 1_111, 102, seq, payload);
        assert!(viewer.received(&sent).is_empty());
    }
    assert_eq!(broadcast.worker.metrics().totals.unsupported_codec, 6);
    let requests = broadcast.producer_stats(producer).remove(0).fir_count;
    for seq in 8..400 {
        send(&mut broadcast, 1_111, 102, seq, H264_FRAME);
        broadcast.advance(Duration::from_millis(20));
    }
    let after = broadcast.producer_stats(producer).remove(0).fir_count;
    assert_eq!(after, requests, "nobody waits for a keyframe in vain");
    let sent = send(&mut broadcast, 1_111, 96, 400, VP8_FRAME);
    assert!(viewer.received(&sent).is_empty());
    let sent = send(&mut broadcast, 1_111, 96, 401, VP8_KEYFRAME);
    assert_eq!(viewer.received(&sent).len(), 1);
}

#[test]
fn viewer_that_lacks_the_first_codec_gets_the_second() {
    let mut broadcast = two_video_codecs();
    let capabilities = without(&broadcast.capabilities, "video/VP8");
    let producer = broadcast.producer;
    let mut viewer = broadcast.add_viewer_with(producer, capabilities);
    let sent = send(&mut broadcast, 1_111, 96, 1, VP8_KEYFRAME);
    assert!(viewer.received(&sent).is_empty());
    let sent = send(&mut broadcast, 1_111, 102, 2, H264_KEYFRAME);
    let h264 = pt_of(&viewer, "video/H264");
    assert_eq!(
        received(&mut viewer, &sent),
        [(h264, H264_KEYFRAME.to_vec())]
    );
}

#[test]
fn packets_of_each_codec_are_resent_with_its_rtx_payload_type() {
    let mut broadcast = two_video_codecs();
    let mut viewer = broadcast.add_viewer();
    for (seq, pt, payload) in [(1, 96, VP8_KEYFRAME), (2, 102, H264_KEYFRAME)] {
        let sent = send(&mut broadcast, 1_111, pt, seq, payload);
        let (header, _) = viewer.received(&sent).remove(0);
        let nack = viewer.nack(header.ssrc, &[header.seq]);
        broadcast.receive_from(&viewer, nack);
        let sent = broadcast.drain();
        let (resent, _) = viewer.received(&sent).remove(0);
        let mut codecs = viewer.rtp.codecs.iter();
        let rtx = codecs.find(|codec| codec.apt() == Some(header.pt));
        assert_eq!(resent.pt, rtx.expect("each codec has RTX").payload_type);
    }
}

#[test]
fn audio_changes_its_codec_without_a_gap() {
    let mut broadcast = two_audio_codecs();
    let mut viewer = broadcast.add_viewer();
    let (opus, pcmu) = (pt_of(&viewer, "audio/opus"), pt_of(&viewer, "audio/PCMU"));
    let mut pts = Vec::new();
    for (seq, pt) in [(1, 111), (2, 0), (3, 0), (4, 111)] {
        let sent = send(&mut broadcast, 2_222, pt, seq, b"\x78speech");
        pts.extend(received(&mut viewer, &sent).into_iter().map(|(pt, _)| pt));
    }
    assert_eq!(pts, [opus, pcmu, pcmu, opus]);
}

#[test]
fn listener_without_an_audio_codec_hears_silence_instead_of_noise() {
    let mut broadcast = two_audio_codecs();
    let capabilities = without(&broadcast.capabilities, "audio/PCMU");
    let producer = broadcast.producer;
    let mut viewer = broadcast.add_viewer_with(producer, capabilities);
    let opus = pt_of(&viewer, "audio/opus");
    let mut numbers = Vec::new();
    for (seq, pt) in [(1, 111), (2, 0), (3, 0), (4, 111), (5, 111)] {
        let sent = send(&mut broadcast, 2_222, pt, seq, b"\x78speech");
        for (header, _) in viewer.received(&sent) {
            assert_eq!(header.pt, opus);
            numbers.push(header.seq);
        }
    }
    let first = numbers[0];
    assert_eq!(
        numbers,
        [first, first.wrapping_add(1), first.wrapping_add(2)]
    );
    assert_eq!(broadcast.worker.metrics().totals.unsupported_codec, 2);
}

#[test]
fn jitter_is_measured_by_the_clock_of_the_codec_in_use() {
    let mut broadcast = two_audio_codecs();
    // 20 ms are 160 units of PCMU's clock, and nothing jitters.
    for seq in 1..200 {
        send(&mut broadcast, 2_222, 0, seq, b"speech");
    }
    let producer = broadcast.producer;
    let stats = broadcast.producer_stats(producer).remove(0);
    assert_eq!((stats.jitter, stats.mime_type.as_str()), (0, "audio/PCMU"));
}

#[test]
fn av1_is_forwarded_from_a_keyframe_on() {
    let mut broadcast = broadcast_with(&["audio/opus", "video/AV1"]);
    let pli = json!([{"type": "nack"}, {"type": "nack", "parameter": "pli"}]);
    let rtp = json!({
        "codecs": [video_codec("video/AV1", 45, &pli)], "encodings": [{"ssrc": 1_111}],
    });
    broadcast.produce_with(MediaKind::Video, rtp);
    let mut viewer = broadcast.add_viewer();
    let sent = send(&mut broadcast, 1_111, 45, 1, AV1_FRAME);
    assert!(viewer.received(&sent).is_empty());
    assert_eq!(broadcast.keyframe_requests(), 1);
    for (seq, payload) in [(2, AV1_KEYFRAME), (3, AV1_FRAME)] {
        let sent = send(&mut broadcast, 1_111, 45, seq, payload);
        let av1 = pt_of(&viewer, "video/AV1");
        assert_eq!(received(&mut viewer, &sent), [(av1, payload.to_vec())]);
    }
}

#[test]
fn refusal_of_a_codec_says_whether_the_server_supports_it() {
    let mut broadcast = broadcast_with(&["audio/opus", "video/VP8"]);
    for (mime_type, expected) in [
        ("video/H265", "does not support that codec"),
        ("video/AV1", "not among the configured codecs"),
    ] {
        let rtp = json!({
            "codecs": [video_codec(mime_type, 96, &json!([]))], "encodings": [{"ssrc": 5}],
        });
        let command = Command::Produce {
            transport: broadcast.publisher,
            producer: broadcast.producer,
            kind: MediaKind::Video,
            rtp: serde_json::from_value(rtp).expect("good parameters"),
            paused: false,
            is_screen: false,
        };
        let refused = broadcast.worker.handle_command(broadcast.now, command);
        let text = refused.expect_err("the router lacks it").to_string();
        assert!(text.contains(expected), "{text}");
    }
}

/// Adds a simulcast producer with the MID `1`.
fn simulcast_producer(broadcast: &mut Broadcast) {
    let pli = json!([{"type": "nack"}, {"type": "nack", "parameter": "pli"}]);
    let rtp = json!({
        "mid": "1",
        "codecs": [video_codec("video/VP8", 96, &pli)],
        "headerExtensions": [
            {"uri": ExtensionKind::Mid.uri(), "id": 1},
            {"uri": ExtensionKind::Rid.uri(), "id": 4},
        ],
        "encodings": [{"rid": "q"}, {"rid": "f"}],
    });
    broadcast.produce_with(MediaKind::Video, rtp);
}

/// Sends packets of both encodings under these SSRCs. Returns how many the viewer receives.
fn send_simulcast(
    broadcast: &mut Broadcast,
    viewer: &mut Viewer,
    ssrcs: [u32; 2],
    numbers: std::ops::Range<u64>,
) -> usize {
    let mut count = 0;
    for seq in numbers {
        broadcast.now = broadcast.now + Duration::from_millis(20);
        for (ssrc, rid) in ssrcs.into_iter().zip([b"q", b"f"]) {
            let sent = broadcast.send(&PublishedPacket {
                ssrc,
                pt: 96,
                seq,
                timestamp: u32::try_from(seq * 1_800).expect("small"),
                extensions: &[(1, b"1"), (4, rid)],
                payload: if seq % 10 == 0 {
                    VP8_KEYFRAME
                } else {
                    VP8_FRAME
                },
            });
            count += viewer.received(&sent).len();
        }
    }
    count
}

#[test]
fn late_packets_of_a_closed_producer_do_not_take_the_place_of_the_next_one() {
    let mut broadcast = broadcast_with(&["video/VP8"]);
    simulcast_producer(&mut broadcast);
    let mut viewer = broadcast.add_viewer();
    assert_eq!(
        send_simulcast(&mut broadcast, &mut viewer, [10, 20], 0..30),
        31,
        "the first picture of both encodings, then those of the better one"
    );
    let producer = broadcast.producer;
    broadcast.command(Command::CloseProducer { producer });
    simulcast_producer(&mut broadcast);
    let mut viewer = broadcast.add_viewer();
    assert_eq!(
        send_simulcast(&mut broadcast, &mut viewer, [10, 20], 30..35),
        0
    );
    assert_eq!(
        send_simulcast(&mut broadcast, &mut viewer, [110, 120], 500..560),
        61
    );
}

#[test]
fn publisher_that_continues_under_other_ssrcs_is_seen_again() {
    let mut broadcast = broadcast_with(&["video/VP8"]);
    simulcast_producer(&mut broadcast);
    let mut viewer = broadcast.add_viewer();
    send_simulcast(&mut broadcast, &mut viewer, [10, 20], 0..30);
    broadcast.advance(Duration::from_secs(1));
    let mut received = Vec::new();
    for seq in 900..960 {
        broadcast.now = broadcast.now + Duration::from_millis(20);
        let sent = broadcast.send(&PublishedPacket {
            ssrc: 120,
            pt: 96,
            seq,
            timestamp: u32::try_from(seq * 1_800).expect("small"),
            extensions: &[(1, b"1"), (4, b"f")],
            payload: if seq % 10 == 0 {
                VP8_KEYFRAME
            } else {
                VP8_FRAME
            },
        });
        received.extend(viewer.received(&sent));
    }
    let sent_payloads = (900..960).map(|seq| {
        if seq % 10 == 0 {
            VP8_KEYFRAME
        } else {
            VP8_FRAME
        }
    });
    let payloads = received
        .iter()
        .map(|(header, packet)| &packet[header.header_len..]);
    assert!(
        payloads.eq(sent_payloads),
        "all, from the first keyframe on"
    );
    let numbers = received.iter().map(|(header, _)| header.seq);
    let is_next = |(before, after): (u16, u16)| after == before.wrapping_add(1);
    assert!(numbers.clone().zip(numbers.skip(1)).all(is_next));
}

#[test]
fn producers_with_one_extension_id_for_different_things_are_both_received() {
    let mut broadcast = broadcast_with(&["audio/opus", "video/VP8"]);
    let audio = json!({
        "mid": "0",
        "codecs": [
            {"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48_000, "channels": 2},
        ],
        "headerExtensions": [
            {"uri": ExtensionKind::Mid.uri(), "id": 4},
            {"uri": ExtensionKind::AudioLevel.uri(), "id": 1},
        ],
        "encodings": [{"ssrc": 2_222}],
    });
    broadcast.produce_with(MediaKind::Audio, audio);
    let mut listener = broadcast.add_viewer();
    simulcast_producer(&mut broadcast);
    let mut viewer = broadcast.add_viewer();
    for seq in 0..30 {
        let sent = broadcast.send(&PublishedPacket {
            ssrc: 2_222,
            pt: 111,
            seq,
            timestamp: u32::try_from(seq * 960).expect("small"),
            extensions: &[(4, b"0"), (1, b"\x30")],
            payload: b"\x78speech",
        });
        let (header, packet) = listener.received(&sent).remove(0);
        let has_level = header
            .extension_ranges(&packet)
            .any(|(_, range)| packet[range] == *b"\x30");
        assert!(has_level, "the audio level is forwarded");
        assert_eq!(
            send_simulcast(&mut broadcast, &mut viewer, [10, 20], seq..seq + 1),
            if seq == 0 { 2 } else { 1 }
        );
    }
}
