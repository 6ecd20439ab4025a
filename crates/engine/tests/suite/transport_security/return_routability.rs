//! A peer that forges its source address cannot direct media to a third party: until the address
//! answers a check of ours, it gets at most three times the bytes that came from it.

use std::time::Duration;

use watersmeet_engine::command::Path;
use watersmeet_engine::transport::dtls::DtlsVersion;
use watersmeet_engine::transport::ice::AMPLIFICATION_MAX;
use watersmeet_engine::transport::{Received, WebRtcTransport};
use watersmeet_wire::stun::{IntegrityKey, StunMessage, write_success};
use watersmeet_wire::units::Time;

use super::peer::{
    DtlsOptions, Peer, answer, assert_media_flows, connected, deliver, drain, events, transport,
    udp,
};

const NOW: Time = Time::from_millis(1_000);

/// Address of a third party.
fn victim() -> Path {
    udp("203.0.113.9:9000")
}

/// Runs the transport's timers until `end`, passing every datagram to `visit`.
fn run_until(
    transport: &mut WebRtcTransport,
    mut now: Time,
    end: Time,
    mut visit: impl FnMut(Path, &[u8]),
) {
    loop {
        for (path, packet) in drain(transport) {
            visit(path, &packet);
        }
        let due = transport.poll_timeout();
        if due >= end {
            return;
        }
        now = now.max(due);
        transport.handle_timeout(now);
    }
}

/// Returns the first check of the server among `sent`, and where it was sent to.
fn own_check(sent: &[(Path, Vec<u8>)]) -> Option<(Path, &[u8])> {
    let is_check = |(_, packet): &&(Path, Vec<u8>)| answer(packet).is_some();
    let (path, packet) = sent.iter().find(is_check)?;
    Some((*path, packet))
}

#[test]
fn forged_address_gets_no_media_and_three_times_its_bytes_at_most() {
    let (mut transport, mut peer) = connected(1, NOW);
    let (mut received, mut sent) = (0, 0);
    let mut now = NOW;
    for round in 0..300 {
        let nomination = (round % 2 == 0).then_some(round + 1);
        let check = peer.check(true, nomination);
        received += check.len() as u64;
        deliver(&mut transport, now, victim(), &check);
        // The forger is silent on its own path, which then is given up sooner.
        let next = now + Duration::from_millis(100);
        run_until(&mut transport, now, next, |path, packet| {
            if path == victim() {
                sent += packet.len() as u64;
            }
        });
        now = next;
        assert_eq!(transport.path(), Some(peer.path), "{round}");
        assert!(sent <= AMPLIFICATION_MAX * received, "{sent} of {received}");
    }
}

#[test]
fn forged_address_gets_three_times_its_bytes_at_most_when_it_is_the_first() {
    for has_hello in [false, true] {
        let mut transport = transport(DtlsVersion::V12, 2);
        let mut peer = Peer::new(&transport, victim(), DtlsOptions::BROWSER, NOW);
        transport.connect(NOW, &peer.parameters()).unwrap();
        let mut packets = vec![peer.check(true, None)];
        if has_hello {
            packets.extend(peer.poll(NOW));
        }
        let mut received = 0;
        for packet in packets {
            received += packet.len() as u64;
            deliver(&mut transport, NOW, victim(), &packet);
        }
        let mut sent = 0;
        let end = NOW + Duration::from_secs(60);
        run_until(&mut transport, NOW, end, |_, packet| {
            sent += packet.len() as u64;
        });
        assert!(sent > 0 && sent <= AMPLIFICATION_MAX * received);
        assert_eq!(transport.path(), None);
    }
}

#[test]
fn path_moves_when_its_address_answers_a_check() {
    for is_success in [true, false] {
        let (mut transport, mut peer) = connected(3, NOW);
        let (old, moved) = (peer.path, udp("198.51.100.7:61234"));
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, moved, &check);
        assert_eq!(transport.path(), Some(old), "not proven yet");
        let sent = drain(&mut transport);
        let (to, check) = own_check(&sent).expect("a check leaves at once");
        assert_eq!(to, moved);
        let id = StunMessage::parse(check).unwrap().transaction_id;
        let answered = if is_success {
            let mut out = [0; 128];
            let key = IntegrityKey::from_password("the peer's own");
            let len = write_success(&mut out, &id, "192.0.2.1:40000".parse().unwrap(), &key);
            out[..len.unwrap()].to_vec()
        } else {
            answer(check).unwrap()
        };
        // From elsewhere, or with another transaction id, it proves nothing.
        let mut guessed = answered.clone();
        guessed[19] ^= 1;
        for (from, packet) in [(old, &answered), (moved, &guessed)] {
            let received = deliver(&mut transport, NOW, from, packet);
            assert!(matches!(received, Received::Discarded(_)));
            assert_eq!(transport.path(), Some(old));
        }
        events(&mut transport);
        let received = deliver(&mut transport, NOW, moved, &answered);
        assert_eq!(received, Received::Nothing);
        assert_eq!(transport.path(), Some(moved));
        peer.path = moved;
        assert_media_flows(&mut transport, &mut peer, NOW);
    }
}

#[test]
fn unanswered_checks_are_repeated_and_again_after_later_checks_of_the_peer() {
    let (mut transport, mut peer) = connected(4, NOW);
    let moved = udp("198.51.100.7:61234");
    let mut now = NOW;
    let mut series = Vec::new();
    for _ in 0..3 {
        let mut count = 0;
        for _ in 0..8 {
            // More bytes than a check has, so that the limit is not what ends the series.
            let check = peer.check(true, None);
            deliver(&mut transport, now, moved, &check);
            let next = now + Duration::from_secs(2);
            run_until(&mut transport, now, next, |path, packet| {
                count += usize::from(path == moved && answer(packet).is_some());
            });
            now = next;
        }
        series.push(count);
    }
    assert!(series.iter().all(|count| *count >= 8), "{series:?}");
    let check = peer.check(true, None);
    deliver(&mut transport, now, moved, &check);
    let due = transport.poll_timeout().max(now);
    transport.handle_timeout(due);
    let sent = drain(&mut transport);
    let (_, check) = own_check(&sent).expect("checks go on");
    deliver(&mut transport, due, moved, &answer(check).unwrap());
    assert_eq!(transport.path(), Some(moved));
}

#[test]
fn path_that_returns_after_consent_expired_needs_no_new_proof() {
    let (mut transport, mut peer) = connected(5, NOW);
    let expired = transport.poll_timeout();
    transport.handle_timeout(expired);
    assert_eq!(transport.path(), None);
    let check = peer.check(true, None);
    deliver(&mut transport, expired, peer.path, &check);
    assert_eq!(transport.path(), Some(peer.path));
}
