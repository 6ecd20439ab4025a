//! DTLS handshakes in every version and both roles, and over lossy links.

use std::collections::VecDeque;
use std::time::Duration;

use dimpl::ProtocolVersion;
use rand_chacha::rand_core::Rng as _;
use watersmeet_engine::command::{CloseReason, DtlsState, IceState, Refusal};
use watersmeet_engine::transport::dtls::{DtlsVersion, HANDSHAKE_TIMEOUT};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::transport::{Received, TransportEvent, WebRtcTransport};
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
                ..DtlsOptions::GCM_FIRST
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

/// Runs a handshake with the setting `auto`. Returns the version.
fn automatic_version(options: DtlsOptions) -> Option<ProtocolVersion> {
    let mut transport = transport(DtlsVersion::Auto, 1);
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), options, NOW);
    transport.connect(NOW, &peer.parameters()).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    exchange(&mut transport, &mut peer, NOW);
    assert_eq!(transport.srtp_profile(), Some(SrtpProfile::AeadAes256Gcm));
    assert_media_flows(&mut transport, &mut peer, NOW);
    peer.version()
}

#[test]
fn clients_that_list_gcm_first_get_dtls_1_3() {
    for version in [DtlsVersion::V13, DtlsVersion::Auto] {
        let options = DtlsOptions {
            version,
            ..DtlsOptions::GCM_FIRST
        };
        assert_eq!(
            automatic_version(options),
            Some(ProtocolVersion::DTLS1_3),
            "{version:?}"
        );
        let fragmented = DtlsOptions {
            mtu: 256,
            ..options
        };
        assert_eq!(
            automatic_version(fragmented),
            Some(ProtocolVersion::DTLS1_3),
            "{version:?}"
        );
    }
    let only_12 = DtlsOptions {
        version: DtlsVersion::V12,
        ..DtlsOptions::GCM_FIRST
    };
    assert_eq!(automatic_version(only_12), Some(ProtocolVersion::DTLS1_2));
    // libwebrtc is recognised by its ICE checks and gets 1.2, whatever its ClientHello lists.
    let libwebrtc = DtlsOptions {
        version: DtlsVersion::Auto,
        ..DtlsOptions::BROWSER
    };
    assert_eq!(automatic_version(libwebrtc), Some(ProtocolVersion::DTLS1_2));
}

/// Returns the type of the handshake message with which a server with the setting `auto` answers.
fn answer_type(hello: &[u8]) -> u8 {
    let mut transport = transport(DtlsVersion::Auto, 1);
    let path = udp("198.51.100.7:50000");
    let mut peer = Peer::new(&transport, path, DtlsOptions::GCM_FIRST, NOW);
    transport.connect(NOW, &peer.parameters()).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    drain(&mut transport);
    deliver(&mut transport, NOW, peer.path, hello);
    let (_, answer) = drain(&mut transport).remove(0);
    assert!(answer.len() <= hello.len());
    answer[13]
}

#[test]
fn clients_that_list_another_profile_first_get_dtls_1_2() {
    const HELLO_VERIFY_REQUEST: u8 = 3;
    const SERVER_HELLO: u8 = 2;
    let (transport, now) = (transport(DtlsVersion::Auto, 1), NOW);
    let path = udp("198.51.100.7:50000");
    let mut peer = Peer::new(&transport, path, DtlsOptions::GCM_FIRST, now);
    let mut hello = peer.poll(now).remove(0);
    assert_eq!(answer_type(&hello), SERVER_HELLO);
    // The profiles in the extension use_srtp, of six bytes: GCM with 256 and with 128 bits, then CM.
    let profiles = [0, 6, 0, 8, 0, 7, 0, 1];
    let at = hello.windows(profiles.len()).position(|it| it == profiles);
    hello[at.unwrap() + 3] = 1;
    hello[at.unwrap() + 7] = 8;
    assert_eq!(answer_type(&hello), HELLO_VERIFY_REQUEST);
}

#[test]
fn a_client_hello_of_which_a_part_is_missing_is_answered_with_dtls_1_2() {
    let mut transport = transport(DtlsVersion::Auto, 1);
    let options = DtlsOptions {
        version: DtlsVersion::Auto,
        mtu: 256,
        ..DtlsOptions::GCM_FIRST
    };
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), options, NOW);
    transport.connect(NOW, &peer.parameters()).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    drain(&mut transport);
    let hello = peer.poll(NOW).remove(0);
    let first_fragment = split_hello(&hello).0;
    deliver(&mut transport, NOW, peer.path, &first_fragment);
    assert_eq!(drain(&mut transport), []);
    let late = transport.poll_timeout();
    transport.handle_timeout(late);
    for (_, packet) in drain(&mut transport) {
        peer.handle(late, &packet);
    }
    exchange(&mut transport, &mut peer, late);
    assert_eq!(peer.error, None);
    assert_eq!(peer.version(), Some(ProtocolVersion::DTLS1_2));
    assert_media_flows(&mut transport, &mut peer, late);
}

#[test]
fn fragments_of_a_client_hello_may_arrive_before_the_fingerprints() {
    for (mtu, between) in [(1_150, 1), (1_150, 2)] {
        let mut transport = transport(DtlsVersion::Auto, 1);
        let options = DtlsOptions {
            mtu,
            ..DtlsOptions::GCM_FIRST
        };
        let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), options, NOW);
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, peer.path, &check);
        let hello = peer.poll(NOW).remove(0);
        let (first, second) = split_hello(&hello);
        for (index, fragment) in [first, second].iter().enumerate() {
            if index == between {
                transport.connect(NOW, &peer.parameters()).unwrap();
            }
            deliver(&mut transport, NOW, peer.path, fragment);
        }
        transport.connect(NOW, &peer.parameters()).unwrap();
        exchange(&mut transport, &mut peer, NOW);
        assert_eq!(peer.version(), Some(ProtocolVersion::DTLS1_3));
        assert_media_flows(&mut transport, &mut peer, NOW);
    }
}

/// Splits the datagram of a ClientHello into two, each with a fragment.
fn split_hello(hello: &[u8]) -> (Vec<u8>, Vec<u8>) {
    const HEADERS_LEN: usize = 13 + 12;
    let (headers, body) = hello.split_at(HEADERS_LEN);
    let fragment = |offset: usize, bytes: &[u8]| {
        let mut out = headers.to_vec();
        let len = u16::try_from(bytes.len()).unwrap();
        out[11..13].copy_from_slice(&(len + 12).to_be_bytes());
        out[20..22].copy_from_slice(&u16::try_from(offset).unwrap().to_be_bytes());
        out[23..25].copy_from_slice(&len.to_be_bytes());
        out.extend(bytes);
        out
    };
    let (first, second) = body.split_at(100);
    (fragment(0, first), fragment(100, second))
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
fn time_to_media(ours: DtlsVersion, options: DtlsOptions, round_trip: Duration) -> Duration {
    let mut transport = transport(ours, 3);
    let path = udp("198.51.100.7:50000");
    let mut peer = Peer::new(&transport, path, options, NOW);
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
            for (_, packet) in to_server {
                deliver(&mut transport, now, path, &packet);
            }
            for (_, packet) in to_peer {
                peer.handle(now, &packet);
            }
            let mut until = now;
            while !peer.is_connected() && until.since(now) < Duration::from_secs(5) {
                exchange(&mut transport, &mut peer, until);
                until = until + Duration::from_millis(50);
            }
            assert_media_flows(&mut transport, &mut peer, until);
            return taken;
        }
    }
    panic!("the handshake does not end");
}

#[test]
fn a_cookie_costs_no_round_trip_in_dtls_1_2_and_one_in_1_3() {
    let any_12 = DtlsOptions {
        is_libwebrtc: false,
        ..DtlsOptions::BROWSER
    };
    // Setting, peer, and how many round trips are taken at most.
    let cases = [
        (DtlsVersion::V12, DtlsOptions::BROWSER, 2.5),
        (DtlsVersion::V12, any_12, 2.5),
        (DtlsVersion::Auto, DtlsOptions::BROWSER, 2.5),
        (DtlsVersion::Auto, any_12, 3.5),
        (DtlsVersion::Auto, DtlsOptions::GCM_FIRST, 3.5),
    ];
    for (ours, options, round_trips) in cases {
        // A flight that is sent twice, because the round trip is longer than the timer, is another matter.
        let options = DtlsOptions {
            retry_ms: 1_000,
            ..options
        };
        for ms in [20, 40, 100, 300] {
            let round_trip = Duration::from_millis(ms);
            let taken = time_to_media(ours, options, round_trip);
            // Check, ClientHello, the cookie where it comes later, and the way of the peer's second flight.
            let expected = round_trip.mul_f64(round_trips) + Duration::from_millis(5);
            assert!(taken <= expected, "{taken:?} of {expected:?}");
        }
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
fn fragmented_flights_are_reassembled() {
    for version in [DtlsVersion::V12, DtlsVersion::V13, DtlsVersion::Auto] {
        let mut transport = transport(version, 6);
        let options = DtlsOptions {
            is_client: true,
            version,
            mtu: 256,
            is_libwebrtc: false,
            retry_ms: 50,
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
        // With 20 % loss about one handshake in 9,000 runs out of retransmissions, which no seed prevents: the lengths of
        // signatures, and thereby the packets, are random.
        let copies = match self.rng.next_u32() % 10 {
            0 => 0,
            1..=2 => 2,
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
            // The last flight of the one that finishes first may be lost.
            let is_finished = transport.dtls_state() == DtlsState::Connected;
            if peer.srtp.is_some() && is_finished && transport.path().is_some() {
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
            ..DtlsOptions::GCM_FIRST
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
