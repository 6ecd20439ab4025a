//! DTLS handshakes in every version and both roles, and over lossy links.

use std::collections::VecDeque;
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
    DtlsOptions, Peer, assert_media_flows, connected, deliver, drain, events, exchange, rng,
    transport, udp,
};

const NOW: Time = Time::from_millis(1_000);

#[test]
fn handshakes_complete_in_every_version_and_role() {
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
        for is_client in [true, false] {
            let mut transport = transport(ours, 1);
            let options = DtlsOptions {
                is_client,
                version: theirs,
                mtu: 1_150,
            };
            let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), options, NOW);
            transport.connect(NOW, &peer.parameters()).unwrap();
            let check = peer.check(true, None);
            deliver(&mut transport, NOW, peer.path, &check);
            exchange(&mut transport, &mut peer, NOW);
            let case = format!("ours {ours:?}, theirs {theirs:?}, peer is client: {is_client}");
            assert_eq!(peer.error, None, "{case}");
            assert_eq!(transport.dtls_state(), DtlsState::Connected, "{case}");
            assert_eq!(transport.path(), Some(peer.path), "{case}");
            assert_media_flows(&mut transport, &mut peer, NOW);
        }
    }
}

#[test]
fn a_dtls_1_2_server_selects_aes_256_gcm() {
    let (transport, _) = connected(2, NOW);
    assert_eq!(transport.srtp_profile(), Some(SrtpProfile::AeadAes256Gcm));
}

#[test]
fn state_changes_are_reported_in_order() {
    let mut transport = transport(DtlsVersion::V12, 3);
    let mut peer = Peer::new(
        &transport,
        udp("198.51.100.7:50000"),
        DtlsOptions::BROWSER,
        NOW,
    );
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

/// Runs a handshake over a line whose round trip takes `round_trip`, in steps of 1 ms. Returns the time
/// from the peer's first check until media can be sent to it.
fn time_to_media(seed: u64, round_trip: Duration) -> Duration {
    let mut transport = transport(DtlsVersion::V12, seed);
    let path = udp("198.51.100.7:50000");
    let mut peer = Peer::new(&transport, path, DtlsOptions::BROWSER, NOW);
    transport.connect(NOW, &peer.parameters()).unwrap();
    let (mut to_server, mut to_peer) = (VecDeque::new(), VecDeque::new());
    to_server.push_back((NOW + round_trip / 2, peer.check(true, None)));
    let mut is_checked = false;
    for ms in 0..2_000 {
        let now = NOW + Duration::from_millis(ms);
        while let Some((_, packet)) = to_server.pop_front_if(|(at, _)| *at <= now) {
            deliver(&mut transport, now, path, &packet);
        }
        transport.handle_timeout(now);
        while transport.advance(now) {}
        for (_, packet) in drain(&mut transport) {
            to_peer.push_back((now + round_trip / 2, packet));
        }
        while let Some((_, packet)) = to_peer.pop_front_if(|(at, _)| *at <= now) {
            if packet[0] <= 3 {
                is_checked = true;
            } else {
                peer.handle(now, &packet);
            }
        }
        // A peer sends its ClientHello when its check is answered.
        if is_checked {
            for packet in peer.poll(now) {
                to_server.push_back((now + round_trip / 2, packet));
            }
        }
        if transport.path().is_some() {
            let taken = now.since(NOW);
            for (_, packet) in to_peer {
                peer.handle(now, &packet);
            }
            exchange(&mut transport, &mut peer, now);
            assert_media_flows(&mut transport, &mut peer, now);
            return taken;
        }
    }
    panic!("the handshake does not end");
}

#[test]
fn a_cookie_costs_no_round_trip() {
    for (seed, ms) in [20, 40, 100, 300].into_iter().enumerate() {
        let round_trip = Duration::from_millis(ms);
        let taken = time_to_media(seed as u64, round_trip);
        // Two round trips for check and ClientHello, and the way of the peer's second flight.
        let expected = round_trip * 5 / 2 + Duration::from_millis(5);
        assert!(taken <= expected, "{taken:?} of {expected:?}");
    }
}

#[test]
fn a_client_hello_waits_for_the_fingerprints() {
    let mut transport = transport(DtlsVersion::V12, 4);
    let mut peer = Peer::new(
        &transport,
        udp("198.51.100.7:50000"),
        DtlsOptions::BROWSER,
        NOW,
    );
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
        "nothing is sent before the fingerprints are known"
    );
    assert_eq!(transport.dtls_state(), DtlsState::New);

    transport.connect(NOW, &peer.parameters()).unwrap();
    assert_eq!(transport.dtls_state(), DtlsState::Connecting);
    exchange(&mut transport, &mut peer, NOW);
    assert_media_flows(&mut transport, &mut peer, NOW);
}

#[test]
fn pending_client_hellos_are_bounded_in_number() {
    // A ClientHello of 1.2 is not kept: it is answered with a cookie.
    let mut transport = transport(DtlsVersion::V13, 5);
    let options = DtlsOptions {
        version: DtlsVersion::V13,
        ..DtlsOptions::BROWSER
    };
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), options, NOW);
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
fn fragmented_flights_are_reassembled() {
    for version in [DtlsVersion::V12, DtlsVersion::V13, DtlsVersion::Auto] {
        let mut transport = transport(version, 6);
        let options = DtlsOptions {
            is_client: true,
            version,
            mtu: 256,
        };
        let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), options, NOW);
        transport.connect(NOW, &peer.parameters()).unwrap();
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, peer.path, &check);
        exchange(&mut transport, &mut peer, NOW);
        assert_media_flows(&mut transport, &mut peer, NOW);
    }
}

/// A link that loses, duplicates and delays packets.
struct LossyLink {
    rng: Rng,
    /// Arrival time, whether it travels to the server, and content of each packet.
    in_flight: Vec<(Time, bool, Vec<u8>)>,
}

impl LossyLink {
    fn send(&mut self, now: Time, to_server: bool, packet: &[u8]) {
        // With 30 % loss about one handshake in 2,000 runs out of retransmissions.
        let copies = match self.rng.next_u32() % 10 {
            0..=1 => 0,
            2 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let delay = Duration::from_millis(u64::from(20 + self.rng.next_u32() % 60));
            self.in_flight
                .push((now + delay, to_server, packet.to_vec()));
        }
    }

    /// Runs both ends until they are connected. Returns the time it took.
    fn run(&mut self, transport: &mut WebRtcTransport, peer: &mut Peer) -> Option<Duration> {
        let mut now = NOW;
        while now < NOW + HANDSHAKE_TIMEOUT {
            if now.since(NOW).as_millis().is_multiple_of(100) {
                self.send(now, true, &peer.check(true, None));
            }
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
            let (arrived, in_flight): (Vec<_>, Vec<_>) = std::mem::take(&mut self.in_flight)
                .into_iter()
                .partition(|(at, ..)| *at <= now);
            self.in_flight = in_flight;
            for (_, to_server, packet) in arrived {
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
fn handshakes_complete_despite_loss_reordering_and_duplication() {
    for seed in 0..60 {
        let version = [DtlsVersion::V12, DtlsVersion::V13, DtlsVersion::Auto]
            [usize::try_from(seed % 3).unwrap()];
        let options = DtlsOptions {
            is_client: seed % 2 == 0,
            version,
            mtu: 1_150,
        };
        let mut transport = transport(version, seed);
        let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), options, NOW);
        transport.connect(NOW, &peer.parameters()).unwrap();
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, peer.path, &check);
        let mut link = LossyLink {
            rng: rng(seed),
            in_flight: Vec::new(),
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
fn a_stalled_handshake_fails_at_its_deadline() {
    let mut transport = transport(DtlsVersion::V12, 7);
    let mut peer = Peer::new(
        &transport,
        udp("198.51.100.7:50000"),
        DtlsOptions::BROWSER,
        NOW,
    );
    transport.connect(NOW, &peer.parameters()).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    // Without a cookie it has not begun.
    for _ in 0..2 {
        for packet in peer.poll(NOW) {
            deliver(&mut transport, NOW, peer.path, &packet);
        }
        for (_, packet) in drain(&mut transport) {
            if packet[0] == 22 && packet[13] == 3 {
                peer.handle(NOW, &packet);
            }
        }
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
fn the_handshake_deadline_starts_with_the_first_packet() {
    let mut transport = transport(DtlsVersion::V12, 8);
    let mut peer = Peer::new(
        &transport,
        udp("198.51.100.7:50000"),
        DtlsOptions::BROWSER,
        NOW,
    );
    transport.connect(NOW, &peer.parameters()).unwrap();
    let mut now = NOW;
    for _ in 0..20 {
        let check = peer.check(true, None);
        deliver(&mut transport, now, peer.path, &check);
        now = now + Duration::from_secs(5);
        transport.handle_timeout(now);
        // A peer that has not started DTLS discards the cookie.
        drain(&mut transport);
    }
    assert_eq!(transport.dtls_state(), DtlsState::Connecting);
    exchange(&mut transport, &mut peer, now);
    assert_media_flows(&mut transport, &mut peer, now);
}

#[test]
fn connecting_again_succeeds_with_the_same_parameters_only() {
    let (mut transport, peer) = connected(9, NOW);
    assert_eq!(transport.connect(NOW, &peer.parameters()), Ok(()));
    let other = Peer::new(
        &transport,
        udp("198.51.100.9:50000"),
        DtlsOptions::BROWSER,
        NOW,
    );
    assert_eq!(
        transport.connect(NOW, &other.parameters()),
        Err(Refusal::AlreadyConnected)
    );
    assert_eq!(transport.dtls_state(), DtlsState::Connected);
}
