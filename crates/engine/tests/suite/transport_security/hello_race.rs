//! An attacker races the peer to the handshake (CVE-2023-49786 and similar). A ClientHello from
//! another address is discarded, and an invalid one with the peer's own address has no effect.

use watersmeet_engine::command::{DtlsState, Path};
use watersmeet_engine::transport::dtls::DtlsVersion;
use watersmeet_engine::transport::{Received, WebRtcTransport, discard::DiscardReason};
use watersmeet_wire::units::Time;

use super::peer::{
    DtlsOptions, Peer, assert_media_flows, deliver, drain, endpoint, exchange, random_bytes, rng,
    settings, transport, udp,
};

const NOW: Time = Time::from_millis(1_000);

/// Offset of the length of the session id in a ClientHello: after both headers, version and random.
const SESSION_ID_OFFSET: usize = 13 + 12 + 2 + 32;

/// ClientHello datagrams of an attacker.
struct Hellos {
    /// Sent as by a browser.
    valid: Vec<u8>,
    /// Offers only the NULL cipher.
    null: Vec<u8>,
    /// Offers DTLS 1.0 only, which makes the endpoint fail.
    old: Vec<u8>,
    /// Truncated, with a record length that matches.
    truncated: Vec<u8>,
    /// First fragment of another ClientHello.
    fragment: Vec<u8>,
    /// Offers DTLS 1.3, with an AES-GCM profile first.
    newer: Vec<u8>,
}

impl Hellos {
    fn all(&self) -> [&Vec<u8>; 6] {
        [
            &self.valid,
            &self.null,
            &self.old,
            &self.truncated,
            &self.fragment,
            &self.newer,
        ]
    }
}

fn hellos() -> Hellos {
    let now = settings(DtlsVersion::V12).epoch + NOW.since_origin();
    let first_datagram = |mtu, version| {
        let options = DtlsOptions {
            mtu,
            version,
            ..DtlsOptions::BROWSER
        };
        let (mut dtls, _) = endpoint(options, now);
        let mut buffer = vec![0; 4_096];
        let dimpl::Output::Packet(datagram) = dtls.poll_output(&mut buffer) else {
            panic!("a client begins with a hello");
        };
        datagram.to_vec()
    };
    let valid = first_datagram(1_150, DtlsVersion::V12);
    let null = without_cipher_suites(&valid);
    let mut truncated = valid[..60].to_vec();
    truncated[11..13].copy_from_slice(&47_u16.to_be_bytes());
    let mut old = valid.clone();
    old[25..27].copy_from_slice(&[0xfe, 0xff]);
    Hellos {
        valid,
        null,
        old,
        truncated,
        fragment: first_datagram(256, DtlsVersion::V12),
        newer: first_datagram(1_150, DtlsVersion::V13),
    }
}

/// Replaces all cipher suites of a ClientHello by the NULL cipher.
fn without_cipher_suites(hello: &[u8]) -> Vec<u8> {
    let mut null = hello.to_vec();
    let mut at = SESSION_ID_OFFSET;
    for _ in ["session id", "cookie"] {
        at += 1 + usize::from(null[at]);
    }
    let suites_len = usize::from(u16::from_be_bytes([null[at], null[at + 1]]));
    null[at + 2..at + 2 + suites_len].fill(0);
    null
}

/// Sends every ClientHello from each of these paths. Returns how many were discarded.
fn send_all(transport: &mut WebRtcTransport, from: &[Path], hellos: &Hellos) -> u64 {
    let mut discarded = 0;
    for path in from {
        for hello in hellos.all() {
            let received = deliver(transport, NOW, *path, hello);
            assert_eq!(received, Received::Discarded(DiscardReason::UnknownPath));
            discarded += 1;
        }
    }
    discarded
}

#[test]
fn client_hellos_from_other_addresses_never_affect_a_handshake() {
    let hellos = hellos();
    let victim = udp("198.51.100.7:50000");
    let attackers = [udp("203.0.113.66:50000"), udp("198.51.100.7:50001")];
    for round in 0..1_000 {
        let mut transport = transport(DtlsVersion::V12, round);
        let mut peer = Peer::new(&transport, victim, DtlsOptions::BROWSER, NOW);
        let mut discarded = send_all(&mut transport, &attackers, &hellos);
        if round % 2 == 0 {
            transport.connect(NOW, &peer.parameters()).unwrap();
        }
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, victim, &check);
        discarded += send_all(&mut transport, &attackers, &hellos);
        if round % 2 != 0 {
            transport.connect(NOW, &peer.parameters()).unwrap();
        }
        // A handshake has four flights; the attacker sends between any two of them.
        for _ in 0..4 {
            for packet in peer.poll(NOW) {
                discarded += send_all(&mut transport, &attackers, &hellos);
                deliver(&mut transport, NOW, victim, &packet);
            }
            for (path, packet) in drain(&mut transport) {
                assert_eq!(path, victim, "a datagram was sent to the attacker");
                peer.handle(NOW, &packet);
            }
        }
        discarded += send_all(&mut transport, &attackers, &hellos);
        assert_eq!(peer.error, None, "round {round}");
        assert_eq!(
            transport.dtls_state(),
            DtlsState::Connected,
            "round {round}"
        );
        assert_eq!(drain(&mut transport), [], "round {round}");
        assert_eq!(
            transport.discards().get(DiscardReason::UnknownPath),
            discarded
        );
        assert_eq!(transport.discards().total(), discarded);
    }
}

#[test]
fn invalid_client_hellos_with_the_peers_address_have_no_effect_before_the_first_flight() {
    let hellos = hellos();
    let Hellos {
        null,
        old,
        truncated,
        ..
    } = &hellos;
    for version in [DtlsVersion::V12, DtlsVersion::V13, DtlsVersion::Auto] {
        for seed in 0..50 {
            let mut transport = transport(version, seed);
            let options = DtlsOptions {
                version,
                ..DtlsOptions::GCM_FIRST
            };
            let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), options, NOW);
            transport.connect(NOW, &peer.parameters()).unwrap();
            let check = peer.check(true, None);
            deliver(&mut transport, NOW, peer.path, &check);
            let mut random = random_bytes(&mut rng(seed), 200);
            random[0] = 22;
            for packet in [null, old, truncated, &random, old, null] {
                deliver(&mut transport, NOW, peer.path, packet);
                assert_eq!(transport.dtls_state(), DtlsState::Connecting);
            }
            exchange(&mut transport, &mut peer, NOW);
            assert_eq!(peer.error, None, "{version:?}, seed {seed}");
            assert_media_flows(&mut transport, &mut peer, NOW);
        }
    }
}

/// Delivers a datagram with the peer's address, and everything sent in consequence to the peer.
fn forge(transport: &mut WebRtcTransport, peer: &mut Peer, packet: &[u8]) {
    deliver(transport, NOW, peer.path, packet);
    for (_, packet) in drain(transport) {
        peer.handle(NOW, &packet);
    }
}

/// Settings and peers whose handshakes a forged ClientHello must not end.
const RACED: [(DtlsVersion, DtlsOptions); 5] = [
    (DtlsVersion::V12, DtlsOptions::BROWSER),
    (DtlsVersion::Auto, DtlsOptions::BROWSER),
    (DtlsVersion::Auto, DtlsOptions::GCM_FIRST),
    (
        DtlsVersion::Auto,
        DtlsOptions {
            version: DtlsVersion::Auto,
            ..DtlsOptions::GCM_FIRST
        },
    ),
    (DtlsVersion::V13, DtlsOptions::GCM_FIRST),
];

/// Runs a handshake in which an attacker sends every ClientHello `count` times before each datagram of
/// the peer, from its `start`th on.
fn race(
    (version, options): (DtlsVersion, DtlsOptions),
    hellos: &[&Vec<u8>],
    fingerprints_first: bool,
    start: usize,
    count: usize,
) {
    let mut transport = transport(version, 1);
    let path = udp("198.51.100.7:50000");
    let mut peer = Peer::new(&transport, path, options, NOW);
    if fingerprints_first {
        transport.connect(NOW, &peer.parameters()).unwrap();
    }
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    let mut delivered = 0;
    for _ in 0..6 {
        for packet in peer.poll(NOW) {
            if delivered >= start {
                for _ in 0..count {
                    for hello in hellos {
                        forge(&mut transport, &mut peer, hello);
                    }
                }
            }
            if !fingerprints_first && delivered == 1 {
                transport.connect(NOW, &peer.parameters()).unwrap();
            }
            delivered += 1;
            forge(&mut transport, &mut peer, &packet);
        }
        if !fingerprints_first {
            transport.connect(NOW, &peer.parameters()).unwrap();
            for (_, packet) in drain(&mut transport) {
                peer.handle(NOW, &packet);
            }
        }
    }
    assert_eq!(
        peer.error, None,
        "{version:?} from {start}, {count} at once"
    );
    assert_media_flows(&mut transport, &mut peer, NOW);
}

#[test]
fn client_hellos_with_the_peers_address_never_end_its_handshake() {
    let hellos = hellos();
    for raced in RACED {
        // A client that speaks nothing but 1.3 cannot use the answer to a ClientHello of 1.2.
        let is_only_13 = raced.1.version == DtlsVersion::V13;
        let sent: &[&Vec<u8>] = if is_only_13 && raced.0 == DtlsVersion::Auto {
            &[&hellos.newer]
        } else {
            &hellos.all()
        };
        for fingerprints_first in [true, false] {
            // The number of datagrams of the peer after which the attacker sends.
            for start in 0..6 {
                for count in [1, 200] {
                    race(raced, sent, fingerprints_first, start, count);
                }
            }
        }
    }
}

#[test]
fn peer_that_starts_again_on_an_unfinished_transport_is_connected() {
    // Datagrams of the first attempt that arrive: a ClientHello, one with a cookie, the second flight.
    let cases = [1, 2, 3].map(|arriving| RACED.map(|raced| (arriving, raced)));
    for (arriving, (version, options)) in cases.into_iter().flatten() {
        let mut transport = transport(version, 2);
        let path = udp("198.51.100.7:50000");
        let options = DtlsOptions {
            mtu: 256,
            ..options
        };
        let mut peer = Peer::new(&transport, path, options, NOW);
        transport.connect(NOW, &peer.parameters()).unwrap();
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, peer.path, &check);
        for step in 1..=arriving {
            let packets = peer.poll(NOW);
            let count = if step == 3 { 1 } else { packets.len() };
            for packet in packets.iter().take(count) {
                forge(&mut transport, &mut peer, packet);
            }
        }
        assert_eq!(transport.dtls_state(), DtlsState::Connecting);
        peer.restart_dtls(NOW);
        exchange(&mut transport, &mut peer, NOW);
        assert_eq!(peer.error, None, "after {arriving}");
        assert_media_flows(&mut transport, &mut peer, NOW);
    }
}

#[test]
fn client_hello_with_a_guessed_cookie_is_discarded() {
    let mut transport = transport(DtlsVersion::V12, 3);
    let path = udp("198.51.100.7:50000");
    let mut peer = Peer::new(&transport, path, DtlsOptions::BROWSER, NOW);
    transport.connect(NOW, &peer.parameters()).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    for packet in peer.poll(NOW) {
        forge(&mut transport, &mut peer, &packet);
    }
    let with_cookie = peer.poll(NOW).remove(0);
    // Behind both headers, version, random and an empty session id.
    const COOKIE_OFFSET: usize = 13 + 12 + 2 + 32 + 1 + 1;
    let mut guessed = with_cookie.clone();
    guessed[COOKIE_OFFSET + 31] ^= 1;
    let received = deliver(&mut transport, NOW, peer.path, &guessed);
    assert_eq!(received, Received::Discarded(DiscardReason::DtlsMalformed));
    forge(&mut transport, &mut peer, &with_cookie);
    exchange(&mut transport, &mut peer, NOW);
    assert_eq!(transport.dtls_state(), DtlsState::Connected);
}

#[test]
fn unauthenticated_alerts_and_second_hellos_never_end_a_handshake() {
    let mut fatal_alert = vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2];
    fatal_alert.extend([2, 40]);
    let mut close_notify = fatal_alert.clone();
    close_notify[13..].copy_from_slice(&[1, 0]);
    let mut second_hello = hellos().valid;
    second_hello[18] = 1;
    let forged = [fatal_alert, close_notify, second_hello];
    for is_client in [true, false] {
        let mut transport = transport(DtlsVersion::V12, 1);
        let options = DtlsOptions {
            is_client,
            ..DtlsOptions::BROWSER
        };
        let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), options, NOW);
        transport.connect(NOW, &peer.parameters()).unwrap();
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, peer.path, &check);
        for _ in 0..4 {
            for packet in &forged {
                let received = deliver(&mut transport, NOW, peer.path, packet);
                assert_eq!(received, Received::Discarded(DiscardReason::DtlsMalformed));
            }
            for packet in peer.poll(NOW) {
                deliver(&mut transport, NOW, peer.path, &packet);
            }
            for (_, packet) in drain(&mut transport) {
                peer.handle(NOW, &packet);
            }
        }
        for packet in &forged {
            deliver(&mut transport, NOW, peer.path, packet);
        }
        assert_eq!(transport.dtls_state(), DtlsState::Connected);
        assert_media_flows(&mut transport, &mut peer, NOW);
    }
}
