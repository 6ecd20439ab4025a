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

fn learn(listener: &mut RtpListener, bytes: &[u8]) -> Option<StreamOwner> {
    let header = RtpHeader::parse(bytes).unwrap();
    let spans = listener.extension_ids.locate(&header, bytes);
    listener.learn(&header, &spans, bytes)
}

#[test]
fn simulcast_streams_are_learned_by_rid() {
    let mut listener = RtpListener::default();
    listener.add(key(4), &simulcast("0")).unwrap();
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
fn learned_stream_cannot_be_taken_over() {
    let mut listener = RtpListener::default();
    listener.add(key(4), &simulcast("0")).unwrap();
    learn(&mut listener, &packet(11, 96, &[(1, b"0"), (2, b"r1")]));
    assert_eq!(
        learn(&mut listener, &packet(13, 96, &[(1, b"0"), (2, b"r1")])),
        None
    );
}

#[test]
fn packet_with_unnegotiated_payload_type_has_no_owner() {
    let mut listener = RtpListener::default();
    listener.add(key(4), &simulcast("0")).unwrap();
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
    listener.add(key(1), &announced("0")).unwrap();
    assert_eq!(
        listener.add(key(2), &announced("1")),
        Err(Conflict::Ssrc(Ssrc(5)))
    );
    assert!(listener.owner(Ssrc(6)).unwrap().retransmission);
    listener.remove(key(1));
    assert!(listener.owner(Ssrc(5)).is_none());
    assert!(listener.is_empty());
}

#[test]
fn producer_without_ssrc_mid_and_rid_is_refused() {
    let nameless = rtp(json!({"codecs": codecs(), "encodings": [{}]}));
    assert_eq!(
        RtpListener::default().add(key(1), &nameless),
        Err(Conflict::Nameless)
    );
}

#[test]
fn ssrcs_are_bounded() {
    let mut listener = RtpListener::default();
    for producer in 0..u32::try_from(SSRCS_MAX).unwrap() {
        let ssrc = producer + 1_000;
        let one = rtp(json!({"codecs": codecs(), "encodings": [{"ssrc": ssrc}]}));
        listener.add(key(producer as usize), &one).unwrap();
    }
    let more = rtp(json!({"codecs": codecs(), "encodings": [{"ssrc": 9}]}));
    assert_eq!(listener.add(key(99), &more), Err(Conflict::TooMany));
    let named = rtp(json!({
        "mid": "x", "codecs": codecs(), "headerExtensions": extensions(), "encodings": [{}],
    }));
    listener.add(key(100), &named).unwrap();
    assert_eq!(learn(&mut listener, &packet(7, 96, &[(1, b"x")])), None);
}
