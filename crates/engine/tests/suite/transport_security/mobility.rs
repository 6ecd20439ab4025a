//! A peer that changes its address, network or credentials, or falls silent.

use std::time::Duration;

use watersmeet_engine::command::{CloseReason, IceState, Path, Protocol};
use watersmeet_engine::transport::dtls::DtlsVersion;
use watersmeet_engine::transport::ice::{PATH_SWITCH_WINDOW, PATHS_MAX};
use watersmeet_engine::transport::{
    CONSENT_TIMEOUT, Received, TransportEvent, WebRtcTransport, discard::DiscardReason,
};
use watersmeet_wire::params::{IceProtocol, TcpType};
use watersmeet_wire::stun::{Class, IceRole, StunMessage};
use watersmeet_wire::units::Time;

use super::peer::{
    DtlsOptions, Peer, answer, assert_media_flows, connected, deliver, drain, events, rng,
    transport, udp,
};

const NOW: Time = Time::from_millis(1_000);

/// Returns the path to this port of the peer's host.
fn port(port: u16) -> Path {
    udp(&format!("198.51.100.7:{port}"))
}

/// Delivers a check from `path` that nominates it, and answers the server's checks.
fn nominate(transport: &mut WebRtcTransport, peer: &mut Peer, now: Time, path: Path) {
    let check = peer.check(true, None);
    assert_eq!(deliver(transport, now, path, &check), Received::Nothing);
    answer_checks(transport, now);
}

/// Answers every check of the server from the address that it was sent to.
fn answer_checks(transport: &mut WebRtcTransport, now: Time) {
    for (path, packet) in drain(transport) {
        if let Some(answer) = answer(&packet) {
            assert_eq!(deliver(transport, now, path, &answer), Received::Nothing);
        }
    }
}

#[test]
fn responses_carry_ipv4_mapped_addresses_as_ipv4() {
    let cases = [
        ("198.51.100.7:50000", "198.51.100.7:50000"),
        ("[2001:db8::7]:50000", "[2001:db8::7]:50000"),
        ("[::ffff:198.51.100.7]:50000", "198.51.100.7:50000"),
    ];
    for (seen, mapped) in cases {
        let mut transport = transport(DtlsVersion::V12, 1);
        let mut peer = Peer::new(&transport, udp(seen), DtlsOptions::BROWSER, NOW);
        let check = peer.check(false, None);
        deliver(&mut transport, NOW, peer.path, &check);
        let (path, response) = transport.poll_transmit().unwrap();
        assert_eq!(path, peer.path);
        let response = StunMessage::parse(&response).unwrap();
        assert_eq!(response.class, Class::Success);
        assert_eq!(response.mapped_address, Some(mapped.parse().unwrap()));
        assert_eq!(response.transaction_id[..], check[8..20]);
    }
}

#[test]
fn a_check_in_the_controlled_role_gets_a_role_conflict_without_effect() {
    let mut transport = transport(DtlsVersion::V12, 2);
    let mut peer = Peer::new(&transport, port(50_000), DtlsOptions::BROWSER, NOW);
    let check = peer.check_as(IceRole::Controlled(9), true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    let (_, response) = transport.poll_transmit().unwrap();
    assert_eq!(StunMessage::parse(&response).unwrap().error_code, Some(487));
    assert_eq!(transport.ice_state(), IceState::New);
    assert_eq!(events(&mut transport), []);
}

#[test]
fn the_path_moves_at_once_to_a_new_nominated_address() {
    let (mut transport, mut peer) = connected(3, NOW);
    let moved = port(61_234);
    nominate(&mut transport, &mut peer, NOW, moved);
    assert_eq!(transport.path(), Some(moved));
    assert_eq!(events(&mut transport), [TransportEvent::PathAdded(moved)]);
    peer.path = moved;
    assert_media_flows(&mut transport, &mut peer, NOW);
}

#[test]
fn the_path_switches_at_most_twice_in_any_second() {
    let (mut transport, mut peer) = connected(4, NOW);
    let mut switches = Vec::new();
    let mut now = NOW;
    let mut current = transport.path();
    for step in 0..1_000_u16 {
        let path = port(50_000 + step % 5);
        for is_due in [false, true] {
            if is_due {
                now = now + Duration::from_millis(10);
                transport.handle_timeout(now);
            } else {
                nominate(&mut transport, &mut peer, now, path);
            }
            if transport.path() != current {
                current = transport.path();
                switches.push(now);
            }
        }
    }
    assert!(
        switches.len() >= 15,
        "too few switches in ten seconds: {}",
        switches.len()
    );
    for three in switches.windows(3) {
        assert!(three[2].since(three[0]) >= PATH_SWITCH_WINDOW, "{three:?}");
    }
}

#[test]
fn a_postponed_path_switch_happens_within_a_second() {
    let (mut transport, mut peer) = connected(5, NOW);
    for step in 1..=3 {
        nominate(&mut transport, &mut peer, NOW, port(50_000 + step));
    }
    assert_eq!(transport.path(), Some(port(50_002)));
    let due = transport.poll_timeout();
    assert!(due <= NOW + PATH_SWITCH_WINDOW);
    transport.handle_timeout(due);
    assert_eq!(transport.path(), Some(port(50_003)));
}

#[test]
fn only_a_greater_nomination_value_moves_the_path() {
    let mut transport = transport(DtlsVersion::V12, 6);
    let mut peer = Peer::new(&transport, port(50_000), DtlsOptions::BROWSER, NOW);
    let steps = [
        (50_000, 2, 50_000),
        (50_001, 1, 50_000),
        (50_001, 2, 50_000),
        (50_001, 3, 50_001),
        (50_000, 3, 50_001),
        (50_000, 9, 50_000),
    ];
    for (from, nomination, expected) in steps {
        let check = peer.check(false, Some(nomination));
        deliver(&mut transport, NOW, port(from), &check);
        assert_eq!(
            transport.selected_path(),
            Some(port(expected)),
            "{from}, {nomination}"
        );
        assert_eq!(transport.ice_state(), IceState::Completed);
    }
}

#[test]
fn a_check_without_nomination_does_not_move_the_path() {
    let (mut transport, mut peer) = connected(7, NOW);
    let check = peer.check(false, None);
    deliver(&mut transport, NOW, port(50_001), &check);
    assert_eq!(transport.path(), Some(port(50_000)));
}

#[test]
fn the_path_moves_from_a_silent_nominated_path_to_an_active_one() {
    let (mut transport, mut peer) = connected(8, NOW);
    let mut now = NOW;
    for _ in 0..6 {
        now = now + Duration::from_secs(1);
        let check = peer.check(false, None);
        deliver(&mut transport, now, port(50_001), &check);
        answer_checks(&mut transport, now);
    }
    assert_eq!(transport.path(), Some(port(50_001)));
}

#[test]
fn udp_is_preferred_to_tcp_until_a_path_is_nominated() {
    let tcp = Path {
        protocol: Protocol::Tcp,
        connection: 3,
        ..port(50_000)
    };
    let other = Path {
        protocol: Protocol::Tcp,
        connection: 4,
        ..port(50_002)
    };
    let mut transport = transport(DtlsVersion::V12, 9);
    let mut peer = Peer::new(&transport, tcp, DtlsOptions::BROWSER, NOW);
    for (from, expected) in [
        (tcp, tcp),
        (other, tcp),
        (port(50_001), port(50_001)),
        (tcp, port(50_001)),
    ] {
        let check = peer.check(false, None);
        deliver(&mut transport, NOW, from, &check);
        answer_checks(&mut transport, NOW);
        assert_eq!(transport.selected_path(), Some(expected));
        assert_eq!(transport.ice_state(), IceState::Connected);
    }
    nominate(&mut transport, &mut peer, NOW, tcp);
    assert_eq!(transport.selected_path(), Some(tcp));
    let check = peer.check(false, None);
    deliver(&mut transport, NOW, port(50_001), &check);
    assert_eq!(transport.selected_path(), Some(tcp));
}

#[test]
fn a_ninth_path_evicts_the_one_silent_longest() {
    let (mut transport, mut peer) = connected(10, NOW);
    let mut now = NOW;
    for step in 1..PATHS_MAX {
        now = now + Duration::from_millis(100);
        let check = peer.check(false, None);
        deliver(
            &mut transport,
            now,
            port(50_000 + u16::try_from(step).unwrap()),
            &check,
        );
    }
    let check = peer.check(false, None);
    deliver(&mut transport, now, port(50_001), &check);
    events(&mut transport);
    let check = peer.check(false, None);
    deliver(&mut transport, now, port(60_000), &check);
    assert_eq!(
        events(&mut transport),
        [
            TransportEvent::PathRemoved(port(50_002)),
            TransportEvent::PathAdded(port(60_000))
        ]
    );
    assert_eq!(transport.paths().count(), PATHS_MAX);
    assert_eq!(
        transport.path(),
        Some(port(50_000)),
        "the path in use stays"
    );
}

#[test]
fn closing_a_path_moves_to_another_or_disconnects() {
    let (mut transport, mut peer) = connected(11, NOW);
    let tcp = Path {
        protocol: Protocol::Tcp,
        connection: 3,
        ..port(50_001)
    };
    nominate(&mut transport, &mut peer, NOW, tcp);
    assert_eq!(transport.path(), Some(tcp));
    events(&mut transport);
    transport.handle_path_closed(NOW, tcp);
    assert_eq!(transport.path(), Some(port(50_000)));
    transport.handle_path_closed(NOW, port(50_000));
    assert_eq!(transport.path(), None);
    assert_eq!(
        events(&mut transport),
        [
            TransportEvent::PathRemoved(tcp),
            TransportEvent::PathRemoved(port(50_000)),
            TransportEvent::IceStateChanged(IceState::Disconnected),
        ]
    );
    nominate(&mut transport, &mut peer, NOW, port(50_009));
    assert_eq!(transport.path(), Some(port(50_009)));
}

#[test]
fn media_stops_when_consent_expires_and_resumes_when_the_peer_returns() {
    let (mut transport, mut peer) = connected(12, NOW);
    assert_eq!(transport.poll_timeout(), NOW + CONSENT_TIMEOUT);
    let just_before = NOW + CONSENT_TIMEOUT - Duration::from_micros(1);
    transport.handle_timeout(just_before);
    assert!(transport.path().is_some());
    let expired = NOW + CONSENT_TIMEOUT;
    transport.handle_timeout(expired);
    assert_eq!(transport.path(), None);
    assert_eq!(
        events(&mut transport),
        [
            TransportEvent::PathRemoved(peer.path),
            TransportEvent::IceStateChanged(IceState::Disconnected),
        ]
    );
    let (sealed, _) = peer.rtp();
    let received = deliver(&mut transport, expired, peer.path, &sealed);
    assert_eq!(received, Received::Discarded(DiscardReason::UnknownPath));

    let returned = expired + Duration::from_secs(10);
    let from = peer.path;
    nominate(&mut transport, &mut peer, returned, from);
    assert_eq!(transport.path(), Some(peer.path));
    assert_media_flows(&mut transport, &mut peer, returned);
    assert_eq!(transport.poll_timeout(), returned + CONSENT_TIMEOUT);
}

#[test]
fn a_transport_closes_after_twice_the_consent_timeout() {
    let (mut transport, peer) = connected(13, NOW);
    while transport.poll_timeout() != Time::FAR_FUTURE {
        let due = transport.poll_timeout();
        assert!(due <= NOW + CONSENT_TIMEOUT * 2);
        transport.handle_timeout(due);
    }
    assert_eq!(
        events(&mut transport),
        [
            TransportEvent::PathRemoved(peer.path),
            TransportEvent::IceStateChanged(IceState::Disconnected),
            TransportEvent::Closed(CloseReason::ConsentLost),
        ]
    );
}

#[test]
fn an_unused_transport_never_times_out() {
    let mut transport = transport(DtlsVersion::V12, 14);
    assert_eq!(transport.poll_timeout(), Time::FAR_FUTURE);
    transport.handle_timeout(NOW + Duration::from_secs(86_400));
    assert_eq!(events(&mut transport), []);
}

#[test]
fn old_credentials_are_valid_until_the_new_ones_are_used() {
    let (mut transport, mut peer) = connected(15, NOW);
    let old = transport.ice_parameters();
    let old_check = peer.check(true, None);
    let new = transport.restart_ice("srv00099".to_owned(), &mut rng(99));
    assert_eq!(new, transport.ice_parameters());
    assert_ne!(
        (&new.username_fragment, &new.password),
        (&old.username_fragment, &old.password)
    );
    assert_eq!(
        transport.ufrags().collect::<Vec<_>>(),
        ["srv00099", "srv00015"]
    );
    assert_eq!(
        deliver(&mut transport, NOW, peer.path, &old_check),
        Received::Nothing
    );
    assert_eq!(events(&mut transport), []);

    peer.learn_ice(&transport);
    peer.path = port(61_000);
    let from = peer.path;
    nominate(&mut transport, &mut peer, NOW, from);
    assert!(events(&mut transport).contains(&TransportEvent::UfragRetired(old.username_fragment)));
    assert_eq!(transport.path(), Some(peer.path));
    assert_media_flows(&mut transport, &mut peer, NOW);
    let received = deliver(&mut transport, NOW, peer.path, &old_check);
    assert_eq!(received, Received::Discarded(DiscardReason::StunAuth));
}

#[test]
fn a_second_restart_retires_the_unused_credentials_of_the_first() {
    let (mut transport, mut peer) = connected(16, NOW);
    transport.restart_ice("srv00098".to_owned(), &mut rng(98));
    transport.restart_ice("srv00099".to_owned(), &mut rng(99));
    assert_eq!(
        events(&mut transport),
        [TransportEvent::UfragRetired("srv00098".to_owned())]
    );
    let from = peer.path;
    nominate(&mut transport, &mut peer, NOW, from);
    peer.learn_ice(&transport);
    nominate(&mut transport, &mut peer, NOW, from);
    assert_eq!(
        events(&mut transport),
        [TransportEvent::UfragRetired("srv00016".to_owned())]
    );
}

#[test]
fn an_ice_restart_resets_the_greatest_nomination() {
    let mut transport = transport(DtlsVersion::V12, 17);
    let mut peer = Peer::new(&transport, port(50_000), DtlsOptions::BROWSER, NOW);
    let check = peer.check(false, Some(9));
    deliver(&mut transport, NOW, port(50_000), &check);
    transport.restart_ice("srv00099".to_owned(), &mut rng(99));
    peer.learn_ice(&transport);
    let check = peer.check(false, Some(1));
    deliver(&mut transport, NOW, port(50_001), &check);
    assert_eq!(transport.selected_path(), Some(port(50_001)));
}

#[test]
fn udp_candidates_rank_first_and_passwords_are_random() {
    let transport = transport(DtlsVersion::V12, 18);
    let candidates = transport.candidates();
    assert_eq!(candidates.len(), 2);
    let (udp, tcp) = (&candidates[0], &candidates[1]);
    assert_eq!(
        (udp.protocol, udp.port, udp.tcp_type),
        (IceProtocol::Udp, 40_000, None)
    );
    assert_eq!(
        (tcp.protocol, tcp.port, tcp.tcp_type),
        (IceProtocol::Tcp, 40_001, Some(TcpType::Passive))
    );
    assert!(udp.priority > tcp.priority);
    assert_ne!(udp.foundation, tcp.foundation);
    assert_eq!(
        (udp.ip.as_str(), udp.address.as_str()),
        ("192.0.2.1", "192.0.2.1")
    );
    let ice = transport.ice_parameters();
    assert!(ice.ice_lite && ice.password.len() >= 22);
    let other = super::peer::transport(DtlsVersion::V12, 19).ice_parameters();
    assert_ne!(ice.password, other.password);
}
