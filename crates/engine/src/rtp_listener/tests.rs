//! Assignment of packets to producers, and protection against hijacking.

use super::*;
use crate::slots::Key as _;
use serde_json::json;

fn key(index: usize) -> ProducerKey {
    ProducerKey::from_index(index)
}

fn rtp(value: serde_json::Value) -> RtpParameters {
    serde_json::from_value(value).unwrap()
}

fn codecs() -> serde_json::Value {
    json!([
        {"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000},
        {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000, "parameters": {"apt": 96}},
    ])
}

fn extensions() -> serde_json::Value {
    json!([
        {"uri": ExtensionKind::Mid.uri(), "id": 1},
        {"uri": ExtensionKind::Rid.uri(), "id": 2},
        {"uri": ExtensionKind::RepairedRid.uri(), "id": 3},
    ])
}

fn simulcast(mid: &str) -> RtpParameters {
    rtp(json!({
        "mid": mid, "codecs": codecs(), "headerExtensions": extensions(),
        "encodings": [{"rid": "r0"}, {"rid": "r1"}],
    }))
}

fn packet(ssrc: u32, pt: u8, names: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 100];
    let fields = watersmeet_wire::rtp::RtpHeaderFields {
        marker: false,
        padding: false,
        pt: Pt(pt),
        seq: 1,
        timestamp: 1,
        ssrc: Ssrc(ssrc),
    };
    let len = watersmeet_wire::rtp::write_header(&mut bytes, &fields, names).unwrap();
    bytes.truncate(len);
    bytes
}

const START: Time = Time::from_millis(1_000);

fn locate_at(now: Time, listener: &mut RtpListener, bytes: &[u8]) -> Option<StreamOwner> {
    let header = RtpHeader::parse(bytes).unwrap();
    listener.locate(now, &header, bytes).0
}

fn learn(listener: &mut RtpListener, bytes: &[u8]) -> Option<StreamOwner> {
    locate_at(START, listener, bytes)
}

fn media_of(ssrc: u32) -> Vec<u8> {
    packet(ssrc, 96, &[(1, b"0"), (2, b"r1")])
}

#[test]
fn simulcast_streams_are_learned_by_rid() {
    let mut listener = RtpListener::default();
    listener.add(START, key(4), &simulcast("0")).unwrap();
    let media = packet(11, 96, &[(1, b"0"), (2, b"r1")]);
    let owner = StreamOwner {
        producer: key(4),
        stream: 1,
        retransmission: false,
    };
    assert_eq!(learn(&mut listener, &media), Some(owner));
    assert_eq!(listener.owner(Ssrc(11)), Some(owner));
    let repair = packet(12, 97, &[(1, b"0"), (3, b"r1")]);
    assert_eq!(
        learn(&mut listener, &repair),
        Some(StreamOwner {
            retransmission: true,
            ..owner
        })
    );
}

#[test]
fn learned_stream_that_sends_cannot_be_taken_over() {
    let mut listener = RtpListener::default();
    listener.add(START, key(4), &simulcast("0")).unwrap();
    learn(&mut listener, &packet(11, 96, &[(1, b"0"), (2, b"r1")]));
    assert_eq!(
        learn(&mut listener, &packet(13, 96, &[(1, b"0"), (2, b"r1")])),
        None
    );
}

#[test]
fn packet_with_unnegotiated_payload_type_has_no_owner() {
    let mut listener = RtpListener::default();
    listener.add(START, key(4), &simulcast("0")).unwrap();
    assert_eq!(
        learn(&mut listener, &packet(11, 100, &[(1, b"0"), (2, b"r1")])),
        None
    );
    assert_eq!(
        learn(&mut listener, &packet(11, 96, &[(1, b"7"), (2, b"r1")])),
        None
    );
    assert_eq!(learn(&mut listener, &packet(11, 96, &[])), None);
}

#[test]
fn announced_ssrc_belongs_to_one_producer() {
    let announced = |mid: &str| {
        rtp(json!({
            "mid": mid, "codecs": codecs(), "headerExtensions": extensions(),
            "encodings": [{"ssrc": 5, "rtx": {"ssrc": 6}}],
        }))
    };
    let mut listener = RtpListener::default();
    listener.add(START, key(1), &announced("0")).unwrap();
    assert_eq!(
        listener.add(START, key(2), &announced("1")),
        Err(Conflict::Ssrc(Ssrc(5)))
    );
    assert!(listener.owner(Ssrc(6)).unwrap().retransmission);
    listener.remove(START, key(1));
    assert!(listener.owner(Ssrc(5)).is_none());
    assert!(listener.is_empty());
}

#[test]
fn producer_without_ssrc_mid_and_rid_is_refused() {
    let nameless = rtp(json!({"codecs": codecs(), "encodings": [{}]}));
    assert_eq!(
        RtpListener::default().add(START, key(1), &nameless),
        Err(Conflict::Nameless)
    );
}

#[test]
fn ssrcs_are_bounded() {
    let mut listener = RtpListener::default();
    for producer in 0..u32::try_from(SSRCS_MAX).unwrap() {
        let ssrc = producer + 1_000;
        let one = rtp(json!({"codecs": codecs(), "encodings": [{"ssrc": ssrc}]}));
        listener.add(START, key(producer as usize), &one).unwrap();
    }
    let more = rtp(json!({"codecs": codecs(), "encodings": [{"ssrc": 9}]}));
    assert_eq!(listener.add(START, key(99), &more), Err(Conflict::TooMany));
    let named = rtp(json!({
        "mid": "x", "codecs": codecs(), "headerExtensions": extensions(), "encodings": [{}],
    }));
    listener.add(START, key(100), &named).unwrap();
    assert_eq!(learn(&mut listener, &packet(7, 96, &[(1, b"x")])), None);
}

#[test]
fn ssrc_that_is_silent_for_a_while_loses_its_place() {
    let mut listener = RtpListener::default();
    listener.add(START, key(4), &simulcast("0")).unwrap();
    let owner = learn(&mut listener, &media_of(11));
    let soon = START + SILENT_AFTER / 2;
    assert_eq!(locate_at(soon, &mut listener, &media_of(13)), None);
    assert_eq!(locate_at(soon, &mut listener, &packet(11, 96, &[])), owner);
    let later = soon + SILENT_AFTER;
    assert_eq!(locate_at(later, &mut listener, &media_of(13)), owner);
    assert_eq!(listener.owner(Ssrc(11)), None);
    // The former SSRC cannot take its place back by a late packet.
    let late = later + SILENT_AFTER;
    assert_eq!(locate_at(late, &mut listener, &media_of(11)), None);
    assert_eq!(locate_at(late, &mut listener, &media_of(13)), owner);
}

#[test]
fn announced_ssrc_that_is_silent_loses_its_place_too() {
    let announced = rtp(json!({
        "mid": "0", "codecs": codecs(), "headerExtensions": extensions(),
        "encodings": [{"ssrc": 5, "rtx": {"ssrc": 6}}],
    }));
    let mut listener = RtpListener::default();
    listener.add(START, key(1), &announced).unwrap();
    let named = packet(7, 96, &[(1, b"0")]);
    assert_eq!(learn(&mut listener, &named), None);
    let owner = locate_at(START + SILENT_AFTER, &mut listener, &named);
    assert_eq!(owner.map(|it| it.retransmission), Some(false));
}

#[test]
fn ssrc_of_a_closed_producer_is_not_learned_for_the_next_one_at_once() {
    let mut listener = RtpListener::default();
    listener.add(START, key(4), &simulcast("0")).unwrap();
    learn(&mut listener, &media_of(11));
    listener.remove(START, key(4));
    listener.add(START, key(5), &simulcast("0")).unwrap();
    let soon = START + Duration::from_secs(1);
    assert_eq!(locate_at(soon, &mut listener, &media_of(11)), None);
    let owner = locate_at(soon, &mut listener, &media_of(21));
    assert_eq!(owner.map(|it| it.producer), Some(key(5)));
}

#[test]
fn ssrc_of_a_closed_producer_can_be_announced_again_at_once() {
    let announced = rtp(json!({
        "mid": "0", "codecs": codecs(), "headerExtensions": extensions(),
        "encodings": [{"ssrc": 5}],
    }));
    let mut listener = RtpListener::default();
    listener.add(START, key(1), &announced).unwrap();
    listener.remove(START, key(1));
    listener.add(START, key(2), &announced).unwrap();
    let owner = learn(&mut listener, &packet(5, 96, &[]));
    assert_eq!(owner.map(|it| it.producer), Some(key(2)));
}

#[test]
fn retired_ssrcs_are_bounded_and_forgotten_after_some_seconds() {
    let mut listener = RtpListener::default();
    for ssrc in 0..u32::try_from(RETIRED_MAX).unwrap() + 10 {
        listener.add(START, key(4), &simulcast("0")).unwrap();
        learn(&mut listener, &media_of(ssrc));
        listener.remove(START, key(4));
    }
    assert_eq!(listener.retired.len(), RETIRED_MAX);
    listener.add(START, key(4), &simulcast("0")).unwrap();
    let later = START + RETIRED_FOR;
    assert!(
        locate_at(
            later,
            &mut listener,
            &media_of(u32::try_from(RETIRED_MAX).unwrap())
        )
        .is_some()
    );
}

#[test]
fn producers_with_one_extension_id_for_different_things_keep_their_extensions() {
    let audio = rtp(json!({
        "mid": "a", "encodings": [{}],
        "codecs": [{"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000}],
        "headerExtensions": [
            {"uri": ExtensionKind::Mid.uri(), "id": 2},
            {"uri": ExtensionKind::AudioLevel.uri(), "id": 1},
        ],
    }));
    let mut listener = RtpListener::default();
    listener.add(START, key(1), &audio).unwrap();
    listener.add(START, key(2), &simulcast("0")).unwrap();
    for _ in 0..2 {
        let speech = packet(21, 111, &[(2, b"a"), (1, b"\x30")]);
        let header = RtpHeader::parse(&speech).unwrap();
        let (owner, spans) = listener.locate(START, &header, &speech);
        assert_eq!(owner.map(|it| it.producer), Some(key(1)));
        assert_eq!(
            spans.value(ExtensionKind::AudioLevel, &speech),
            Some(&b"\x30"[..])
        );
        let picture = media_of(22);
        let header = RtpHeader::parse(&picture).unwrap();
        let (owner, spans) = listener.locate(START, &header, &picture);
        assert_eq!(owner.map(|it| it.producer), Some(key(2)));
        assert_eq!(spans.value(ExtensionKind::AudioLevel, &picture), None);
        assert_eq!(spans.value(ExtensionKind::Rid, &picture), Some(&b"r1"[..]));
    }
}

#[test]
fn extension_ids_of_the_two_byte_form_are_found() {
    let mut parameters = simulcast("0");
    for extension in &mut parameters.header_extensions {
        extension.id += 100;
    }
    let mut listener = RtpListener::default();
    listener.add(START, key(4), &parameters).unwrap();
    let media = packet(11, 96, &[(101, b"0"), (102, b"r1")]);
    assert_eq!(learn(&mut listener, &media).map(|it| it.stream), Some(1));
}
