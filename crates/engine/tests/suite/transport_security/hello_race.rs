//! An attacker who races the peer to the handshake (CVE-2023-49786 and its relatives): a hello
//! from elsewhere reaches nobody, and a broken one that carries the peer's own address costs
//! nothing but itself.

use watersmeet_engine::command::{DtlsState, Path};
use watersmeet_engine::transport::dtls::{DtlsVersion, ENDPOINT_RESTARTS_MAX};
use watersmeet_engine::transport::{Received, WebRtcTransport, discard::DiscardReason};
use watersmeet_wire::units::Time;

use super::peer::{
    Manner, Peer, assert_media_flows, deliver, drain, endpoint, exchange, noise, rng, settings,
    transport, udp,
};

const NOW: Time = Time::from_millis(1_000);

/// Where the cipher suites of a hello of DTLS 1.2 begin: after both headers, version, random and
/// two empty fields; their length stands in front.
const SUITES_AT: usize = 13 + 12 + 2 + 32 + 1 + 1 + 2;

/// Datagrams that try to take the handshake over.
struct Hellos {
    /// As a browser sends it.
    valid: Vec<u8>,
    /// Offers only the NULL cipher.
    null: Vec<u8>,
    /// Speaks DTLS 1.0, which makes the endpoint give up.
    old: Vec<u8>,
    /// Ends in its middle, with a record that ends there too.
    truncated: Vec<u8>,
    /// The first fragment of another.
    fragment: Vec<u8>,
}

impl Hellos {
    fn all(&self) -> [&Vec<u8>; 5] {
        [
            &self.valid,
            &self.null,
            &self.old,
            &self.truncated,
            &self.fragment,
        ]
    }
}

fn hellos() -> Hellos {
    let now = settings(DtlsVersion::V12).epoch + NOW.since_origin();
    let first_datagram = |mtu| {
        let manner = Manner {
            mtu,
            ..Manner::BROWSER
        };
        let (mut dtls, _) = endpoint(manner, now);
        let mut buffer = vec![0; 4_096];
        let dimpl::Output::Packet(datagram) = dtls.poll_output(&mut buffer) else {
            panic!("a client begins with a hello");
        };
        datagram.to_vec()
    };
    let valid = first_datagram(1_150);
    let mut null = valid.clone();
    let suites_len = usize::from(u16::from_be_bytes([
        null[SUITES_AT - 2],
        null[SUITES_AT - 1],
    ]));
    null[SUITES_AT..SUITES_AT + suites_len].fill(0);
    let mut truncated = valid[..60].to_vec();
    truncated[11..13].copy_from_slice(&47_u16.to_be_bytes());
    let mut old = valid.clone();
    old[25..27].copy_from_slice(&[0xfe, 0xff]);
    Hellos {
        valid,
        null,
        old,
        truncated,
        fragment: first_datagram(256),
    }
}

/// Sends every hello from every one of these paths; how many the transport refused.
fn spray(transport: &mut WebRtcTransport, from: &[Path], hellos: &Hellos) -> u64 {
    let mut refused = 0;
    for path in from {
        for hello in hellos.all() {
            let received = deliver(transport, NOW, *path, hello);
            assert_eq!(received, Received::Discarded(DiscardReason::UnknownPath));
            refused += 1;
        }
    }
    refused
}

#[test]
fn a_hello_from_elsewhere_never_disturbs_a_handshake() {
    let hellos = hellos();
    let victim = udp("198.51.100.7:50000");
    let attackers = [udp("203.0.113.66:50000"), udp("198.51.100.7:50001")];
    for round in 0..1_000 {
        let mut transport = transport(DtlsVersion::V12, round);
        let mut peer = Peer::new(&transport, victim, Manner::BROWSER, NOW);
        let mut refused = spray(&mut transport, &attackers, &hellos);
        if round % 2 == 0 {
            transport.connect(NOW, &peer.parameters()).unwrap();
        }
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, victim, &check);
        refused += spray(&mut transport, &attackers, &hellos);
        if round % 2 != 0 {
            transport.connect(NOW, &peer.parameters()).unwrap();
        }
        // Four flights make a handshake; the attacker is between any two of them.
        for _ in 0..4 {
            for packet in peer.poll(NOW) {
                refused += spray(&mut transport, &attackers, &hellos);
                deliver(&mut transport, NOW, victim, &packet);
            }
            for (path, packet) in drain(&mut transport) {
                assert_eq!(path, victim, "a byte for the attacker");
                peer.handle(NOW, &packet);
            }
        }
        refused += spray(&mut transport, &attackers, &hellos);
        assert_eq!(peer.error, None, "round {round}");
        assert_eq!(
            transport.dtls_state(),
            DtlsState::Connected,
            "round {round}"
        );
        assert_eq!(drain(&mut transport), [], "round {round}");
        assert_eq!(
            transport.discards().get(DiscardReason::UnknownPath),
            refused
        );
        assert_eq!(transport.discards().total(), refused);
    }
}

#[test]
fn a_broken_hello_with_the_peers_address_costs_nothing_before_the_first_flight() {
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
            let manner = Manner {
                version,
                ..Manner::BROWSER
            };
            let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), manner, NOW);
            transport.connect(NOW, &peer.parameters()).unwrap();
            let check = peer.check(true, None);
            deliver(&mut transport, NOW, peer.path, &check);
            let mut random = noise(&mut rng(seed), 200);
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

#[test]
fn broken_hellos_are_forgiven_a_limited_number_of_times() {
    let old = hellos().old;
    let mut transport = transport(DtlsVersion::V12, 1);
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), Manner::BROWSER, NOW);
    transport.connect(NOW, &peer.parameters()).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    for _ in 0..ENDPOINT_RESTARTS_MAX {
        deliver(&mut transport, NOW, peer.path, &old);
        assert_eq!(transport.dtls_state(), DtlsState::Connecting);
    }
    deliver(&mut transport, NOW, peer.path, &old);
    assert_eq!(transport.dtls_state(), DtlsState::Failed);
}

#[test]
fn what_nobody_authenticated_never_ends_a_handshake() {
    let mut fatal_alert = vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2];
    fatal_alert.extend([2, 40]);
    let mut close_notify = fatal_alert.clone();
    close_notify[13..].copy_from_slice(&[1, 0]);
    let mut second_hello = hellos().valid;
    second_hello[18] = 1;
    let forged = [fatal_alert, close_notify, second_hello];
    for opens in [true, false] {
        let mut transport = transport(DtlsVersion::V12, 1);
        let manner = Manner {
            opens,
            ..Manner::BROWSER
        };
        let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), manner, NOW);
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
