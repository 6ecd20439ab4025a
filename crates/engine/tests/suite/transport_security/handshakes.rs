//! Handshakes in every version and both roles, over every kind of bad link.

use std::time::Duration;

use rand_chacha::rand_core::Rng as _;
use watersmeet_engine::command::{CloseReason, DtlsState, IceState, Refusal};
use watersmeet_engine::transport::dtls::{DtlsVersion, HANDSHAKE_TIMEOUT, PENDING_DATAGRAMS_MAX};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::transport::{
    Received, TransportEvent, WebRtcTransport, discard::DiscardReason,
};
use watersmeet_wire::units::{Rng, Time};

use super::peer::{
    Manner, Peer, assert_media_flows, connected, deliver, drain, events, exchange, rng, transport,
    udp,
};

const NOW: Time = Time::from_millis(1_000);

#[test]
fn both_roles_and_all_versions_shake_hands() {
    use DtlsVersion::{Auto, V12, V13};
    let pairs = [
        (V12, V12),
        (V13, V13),
        (Auto, V12),
        (Auto, V13),
        (V12, Auto),
        (Auto, Auto),
    ];
    for (ours, theirs) in pairs {
        for opens in [true, false] {
            let mut transport = transport(ours, 1);
            let manner = Manner {
                opens,
                version: theirs,
                mtu: 1_150,
            };
            let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), manner, NOW);
            transport.connect(NOW, &peer.parameters()).unwrap();
            let check = peer.check(true, None);
            deliver(&mut transport, NOW, peer.path, &check);
            exchange(&mut transport, &mut peer, NOW);
            let case = format!("ours {ours:?}, theirs {theirs:?}, peer opens {opens}");
            assert_eq!(peer.error, None, "{case}");
            assert_eq!(transport.dtls_state(), DtlsState::Connected, "{case}");
            assert_eq!(transport.path(), Some(peer.path), "{case}");
            assert_media_flows(&mut transport, &mut peer, NOW);
        }
    }
}

#[test]
fn a_server_of_1_2_chooses_gcm() {
    let (transport, _) = connected(2, NOW);
    assert_eq!(transport.srtp_profile(), Some(SrtpProfile::AeadAes256Gcm));
}

#[test]
fn what_happens_is_told_in_order() {
    let mut transport = transport(DtlsVersion::V12, 3);
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), Manner::BROWSER, NOW);
    transport.connect(NOW, &peer.parameters()).unwrap();
    assert_eq!(events(&mut transport), []);
    let check = peer.check(false, None);
    deliver(&mut transport, NOW, peer.path, &check);
    assert_eq!(
        events(&mut transport),
        [
            TransportEvent::PathAdded(peer.path),
            TransportEvent::IceStateChanged(IceState::Connected),
            TransportEvent::DtlsStateChanged(DtlsState::Connecting),
        ]
    );
    assert_eq!(transport.path(), None, "no media before verification");
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    exchange(&mut transport, &mut peer, NOW);
    assert_eq!(
        events(&mut transport),
        [
            TransportEvent::IceStateChanged(IceState::Completed),
            TransportEvent::DtlsStateChanged(DtlsState::Connected),
        ]
    );
}

#[test]
fn a_client_hello_before_the_fingerprints_is_held() {
    let mut transport = transport(DtlsVersion::V12, 4);
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), Manner::BROWSER, NOW);
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    drain(&mut transport);
    for packet in peer.poll(NOW) {
        assert_eq!(
            deliver(&mut transport, NOW, peer.path, &packet),
            Received::Nothing
        );
    }
    assert_eq!(
        drain(&mut transport),
        [],
        "no answer before it is known whom to answer"
    );
    assert_eq!(transport.dtls_state(), DtlsState::New);

    transport.connect(NOW, &peer.parameters()).unwrap();
    assert_eq!(transport.dtls_state(), DtlsState::Connecting);
    exchange(&mut transport, &mut peer, NOW);
    assert_media_flows(&mut transport, &mut peer, NOW);
}

#[test]
fn only_so_many_client_hellos_are_held() {
    let mut transport = transport(DtlsVersion::V12, 5);
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), Manner::BROWSER, NOW);
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    let hello = peer.poll(NOW).remove(0);
    for _ in 0..PENDING_DATAGRAMS_MAX {
        assert_eq!(
            deliver(&mut transport, NOW, peer.path, &hello),
            Received::Nothing
        );
    }
    let over = deliver(&mut transport, NOW, peer.path, &hello);
    assert_eq!(over, Received::Discarded(DiscardReason::DtlsNotReady));

    transport.connect(NOW, &peer.parameters()).unwrap();
    exchange(&mut transport, &mut peer, NOW);
    assert_media_flows(&mut transport, &mut peer, NOW);
}

#[test]
fn flights_in_small_fragments_are_put_together() {
    for version in [DtlsVersion::V12, DtlsVersion::V13, DtlsVersion::Auto] {
        let mut transport = transport(version, 6);
        let manner = Manner {
            opens: true,
            version,
            mtu: 256,
        };
        let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), manner, NOW);
        transport.connect(NOW, &peer.parameters()).unwrap();
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, peer.path, &check);
        exchange(&mut transport, &mut peer, NOW);
        assert_media_flows(&mut transport, &mut peer, NOW);
    }
}

/// A link that loses, doubles and delays packets.
struct Link {
    rng: Rng,
    /// When it arrives, whether at the server, and what.
    flying: Vec<(Time, bool, Vec<u8>)>,
}

impl Link {
    fn send(&mut self, now: Time, to_server: bool, packet: &[u8]) {
        // With 30 % lost about one handshake in 2,000 runs out of its tries.
        let copies = match self.rng.next_u32() % 10 {
            0..=1 => 0,
            2 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let delay = Duration::from_millis(u64::from(20 + self.rng.next_u32() % 60));
            self.flying.push((now + delay, to_server, packet.to_vec()));
        }
    }

    /// Runs both ends until the server is connected; the time it took.
    fn run(&mut self, transport: &mut WebRtcTransport, peer: &mut Peer) -> Option<Duration> {
        let mut now = NOW;
        while now < NOW + HANDSHAKE_TIMEOUT {
            for packet in peer.poll(now) {
                self.send(now, true, &packet);
            }
            for (_, packet) in drain(transport) {
                self.send(now, false, &packet);
            }
            if peer.srtp.is_some() && transport.path().is_some() {
                return Some(now.since(NOW));
            }
            now = now + Duration::from_millis(5);
            transport.handle_timeout(now);
            let (landed, flying): (Vec<_>, Vec<_>) = std::mem::take(&mut self.flying)
                .into_iter()
                .partition(|(at, ..)| *at <= now);
            self.flying = flying;
            for (_, to_server, packet) in landed {
                if to_server {
                    deliver(transport, now, peer.path, &packet);
                } else {
                    peer.handle(now, &packet);
                }
            }
        }
        None
    }
}

#[test]
fn loss_reordering_and_duplication_only_cost_time() {
    for seed in 0..60 {
        let version = [DtlsVersion::V12, DtlsVersion::V13, DtlsVersion::Auto]
            [usize::try_from(seed % 3).unwrap()];
        let manner = Manner {
            opens: seed % 2 == 0,
            version,
            mtu: 1_150,
        };
        let mut transport = transport(version, seed);
        let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), manner, NOW);
        transport.connect(NOW, &peer.parameters()).unwrap();
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, peer.path, &check);
        let mut link = Link {
            rng: rng(seed),
            flying: Vec::new(),
        };
        let took = link.run(&mut transport, &mut peer);
        assert!(
            took.is_some(),
            "seed {seed}: {:?}, {:?}",
            peer.error,
            transport.dtls_state()
        );
        assert_media_flows(&mut transport, &mut peer, NOW);
    }
}

#[test]
fn a_handshake_that_stalls_fails_at_its_deadline() {
    let mut transport = transport(DtlsVersion::V12, 7);
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), Manner::BROWSER, NOW);
    transport.connect(NOW, &peer.parameters()).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    for packet in peer.poll(NOW) {
        deliver(&mut transport, NOW, peer.path, &packet);
    }
    let mut now = NOW;
    while transport.dtls_state() == DtlsState::Connecting {
        now = transport.poll_timeout();
        let check = peer.check(true, None);
        deliver(&mut transport, now, peer.path, &check);
        transport.handle_timeout(now);
        assert!(now <= NOW + HANDSHAKE_TIMEOUT);
    }
    assert_eq!(now, NOW + HANDSHAKE_TIMEOUT);
    assert_eq!(transport.dtls_state(), DtlsState::Failed);
    assert!(events(&mut transport).contains(&TransportEvent::Closed(CloseReason::DtlsFailed)));
    assert!(transport.sender().is_none() && transport.path().is_none());
}

#[test]
fn a_peer_that_has_not_begun_may_take_its_time() {
    let mut transport = transport(DtlsVersion::V12, 8);
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), Manner::BROWSER, NOW);
    transport.connect(NOW, &peer.parameters()).unwrap();
    let mut now = NOW;
    for _ in 0..20 {
        let check = peer.check(true, None);
        deliver(&mut transport, now, peer.path, &check);
        now = now + Duration::from_secs(5);
        transport.handle_timeout(now);
    }
    assert_eq!(transport.dtls_state(), DtlsState::Connecting);
    exchange(&mut transport, &mut peer, now);
    assert_media_flows(&mut transport, &mut peer, now);
}

#[test]
fn the_same_parameters_again_are_fine_and_others_are_refused() {
    let (mut transport, peer) = connected(9, NOW);
    assert_eq!(transport.connect(NOW, &peer.parameters()), Ok(()));
    let other = Peer::new(&transport, udp("198.51.100.9:50000"), Manner::BROWSER, NOW);
    assert_eq!(
        transport.connect(NOW, &other.parameters()),
        Err(Refusal::AlreadyConnected)
    );
    assert_eq!(transport.dtls_state(), DtlsState::Connected);
}
