//! Media injected without the SRTP keys ("RTP bleed", CVE-2017-14099 and similar) is counted and
//! has no other effect.

use watersmeet_engine::command::{Path, Protocol};
use watersmeet_engine::transport::{Received, WebRtcTransport, discard::DiscardReason};
use watersmeet_wire::units::{Rng, Time};

use rand_chacha::rand_core::Rng as _;

use super::peer::{
    Peer, RTP_LEN, assert_media_flows, connected, deliver, drain, events, rng, rtp, udp,
};

const NOW: Time = Time::from_millis(1_000);

/// Packets per test.
const INJECTED: u32 = 1_000_000;

/// Returns all observable state except counters.
fn observable_state(transport: &WebRtcTransport) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        transport.path(),
        transport.paths().collect::<Vec<Path>>(),
        transport.ice_state(),
        transport.dtls_state(),
        transport.srtp_profile(),
        transport.poll_timeout(),
    )
}

/// Forges a packet of the peer's own stream near its current sequence number, without the keys.
fn forge(rng: &mut Rng, kind: u32, template: &mut [u8], peer_seq: u16) {
    let is_rtcp = kind % 5 == 4;
    let [first, second, seq_0, seq_1, ..] = template else {
        return;
    };
    *first = 0x80;
    *second = if is_rtcp { 200 } else { 111 };
    let seq = peer_seq.wrapping_add(u16::try_from(rng.next_u32() % 64).unwrap_or(0));
    [*seq_0, *seq_1] = seq.to_be_bytes();
    let tag_at = template.len() - 16;
    match kind % 5 {
        0 => {}
        1 => template[tag_at..].fill(0),
        _ => rng.fill_bytes(&mut template[tag_at..]),
    }
    if kind % 5 == 3 {
        // An SSRC that was not announced.
        rng.fill_bytes(&mut template[8..12]);
    }
}

#[test]
fn a_million_injected_packets_change_only_counters() {
    let (mut transport, mut peer) = connected(1, NOW);
    assert_media_flows(&mut transport, &mut peer, NOW);
    let before = observable_state(&transport);
    let tcp = Path {
        protocol: Protocol::Tcp,
        connection: 7,
        ..peer.path
    };
    let from = [
        peer.path,
        udp("198.51.100.7:50001"),
        udp("203.0.113.66:50000"),
        tcp,
    ];
    let mut rng = rng(1);
    let mut packet = rtp(0x1234_5678, 1);
    packet.resize(RTP_LEN + 16, 0);
    let mut scratch = packet.clone();
    for index in 0..INJECTED {
        scratch.copy_from_slice(&packet);
        forge(&mut rng, index, &mut scratch, 1);
        let path = from[usize::try_from(index / 5 % 4).unwrap()];
        let received = transport.receive(NOW, path, &mut scratch);
        let Received::Discarded(why) = received else {
            panic!("packet {index} was accepted: {received:?}");
        };
        let expected = if path == peer.path {
            matches!(why, DiscardReason::SrtpAuth | DiscardReason::Replay)
        } else {
            why == DiscardReason::UnknownPath
        };
        assert!(expected, "packet {index}: {why:?}");
    }
    assert_eq!(observable_state(&transport), before);
    assert_eq!(drain(&mut transport), []);
    assert_eq!(events(&mut transport), []);
    assert_eq!(transport.discards().total(), u64::from(INJECTED));
    let (mut sealed, plain) = peer.rtp();
    let Received::Rtp { len, .. } = transport.receive(NOW, peer.path, &mut sealed) else {
        panic!("the peer's own packet is discarded afterwards");
    };
    assert_eq!(&sealed[..len], &plain);
}

#[test]
fn a_replayed_packet_is_discarded() {
    let (mut transport, mut peer) = connected(2, NOW);
    let (sealed, _) = peer.rtp();
    assert!(matches!(
        deliver(&mut transport, NOW, peer.path, &sealed),
        Received::Rtp { .. }
    ));
    let again = deliver(&mut transport, NOW, peer.path, &sealed);
    assert_eq!(again, Received::Discarded(DiscardReason::Replay));
    assert_eq!(transport.discards().get(DiscardReason::Replay), 1);
}

#[test]
fn media_before_verification_is_discarded() {
    let mut transport = super::peer::transport(Default::default(), 3);
    let path = udp("198.51.100.7:50000");
    let mut peer = Peer::new(&transport, path, super::peer::DtlsOptions::BROWSER, NOW);
    let packet = rtp(1, 1);
    let received = deliver(&mut transport, NOW, path, &packet);
    assert_eq!(received, Received::Discarded(DiscardReason::UnknownPath));
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, path, &check);
    let received = deliver(&mut transport, NOW, path, &packet);
    assert_eq!(received, Received::Discarded(DiscardReason::NotVerified));
    assert!(transport.sender().is_none());
}

#[test]
fn short_and_unknown_packets_are_discarded() {
    let (mut transport, peer) = connected(4, NOW);
    for first in 0..=u8::MAX {
        for len in 1..40 {
            let mut packet = vec![0xa5; len];
            packet[0] = first;
            let received = transport.receive(NOW, peer.path, &mut packet);
            assert!(
                matches!(received, Received::Discarded(_)),
                "{first:#04x}, {len}"
            );
        }
    }
    let received = transport.receive(NOW, peer.path, &mut []);
    assert_eq!(received, Received::Discarded(DiscardReason::Malformed));
    assert!(transport.path().is_some());
}
