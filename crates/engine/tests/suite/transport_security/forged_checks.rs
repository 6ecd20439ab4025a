//! STUN requests forged without the ICE password get no response, add no path and change nothing.
//! No response is longer than its request.

use rand_chacha::rand_core::Rng as _;
use watersmeet_engine::command::{IceState, Path};
use watersmeet_engine::transport::dtls::DtlsVersion;
use watersmeet_engine::transport::{
    RESPONSES_MAX, Received, WebRtcTransport, discard::DiscardReason,
};
use watersmeet_wire::stun::{
    BindingRequest, IceRole, IntegrityKey, StunMessage, write_indication, write_success,
};
use watersmeet_wire::units::Time;

use super::peer::{
    DtlsOptions, Peer, answer, connected, deliver, drain, events, rng, transport, udp,
};

const NOW: Time = Time::from_millis(1_000);

/// Requests per test.
const FORGED: u32 = 1_000_000;

/// Rewrites the FINGERPRINT at the end of `message`, so that only its integrity is wrong.
fn fix_fingerprint(message: &mut [u8]) {
    let at = message.len() - 8;
    let fingerprint = crc32(&message[..at]) ^ 0x5354_554e;
    message[at + 4..].copy_from_slice(&fingerprint.to_be_bytes());
}

/// Computes the CRC-32 of RFC 8489 §14.7, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 0 {
                crc >> 1
            } else {
                crc >> 1 ^ 0xedb8_8320
            };
        }
    }
    !crc
}

/// Removes the attributes of this type, and corrects length and FINGERPRINT.
fn without_attribute(message: &[u8], kind: u16) -> Vec<u8> {
    let mut kept = message[..20].to_vec();
    let mut rest = &message[20..];
    while rest.len() >= 4 {
        let len = usize::from(u16::from_be_bytes([rest[2], rest[3]])).next_multiple_of(4) + 4;
        if u16::from_be_bytes([rest[0], rest[1]]) != kind {
            kept.extend(&rest[..len]);
        }
        rest = &rest[len..];
    }
    let len = u16::try_from(kept.len() - 20).unwrap();
    kept[2..4].copy_from_slice(&len.to_be_bytes());
    if kind != 0x8028 {
        fix_fingerprint(&mut kept);
    }
    kept
}

/// Returns messages that an attacker can make from a genuine request, and how each is discarded.
fn forgeries(transport: &WebRtcTransport, genuine: &[u8]) -> Vec<(Vec<u8>, DiscardReason)> {
    let ufrag = transport.ice_parameters().username_fragment;
    let wrong_key = IntegrityKey::from_password("a password that is not the right one");
    let right_key = IntegrityKey::from_password(&transport.ice_parameters().password);
    let request = |username: &str, key: &IntegrityKey| {
        let mut out = [0; 256];
        let request = BindingRequest {
            transaction_id: [1; 12],
            username,
            priority: 1,
            role: IceRole::Controlling(1),
            use_candidate: true,
            nomination: None,
            network_info: None,
        };
        let len = request.write(&mut out, key).unwrap();
        out[..len].to_vec()
    };
    let mut flipped = genuine.to_vec();
    let integrity_at = flipped.len() - 8 - 20;
    flipped[integrity_at] ^= 1;
    fix_fingerprint(&mut flipped);
    let mut nominated = genuine.to_vec();
    nominated[4 + 16 + 8] ^= 0x20;
    fix_fingerprint(&mut nominated);
    let mut appended = genuine.to_vec();
    let tail = appended.split_off(appended.len() - 8);
    appended.extend([0x00, 0x25, 0, 0]);
    appended.extend(tail);
    let len = u16::try_from(appended.len() - 20).unwrap();
    appended[2..4].copy_from_slice(&len.to_be_bytes());
    appended[integrity_at + 3] ^= 0x80;
    fix_fingerprint(&mut appended);
    let mut response = [0; 128];
    let remote = "198.51.100.7:50000".parse().unwrap();
    let response_len = write_success(&mut response, &[1; 12], remote, &right_key).unwrap();
    let mut indication = [0; 64];
    let indication_len = write_indication(&mut indication, &[1; 12]).unwrap();
    vec![
        (flipped, DiscardReason::StunAuth),
        (nominated, DiscardReason::StunAuth),
        (appended, DiscardReason::StunAuth),
        (without_attribute(genuine, 0x0008), DiscardReason::StunAuth),
        (without_attribute(genuine, 0x0006), DiscardReason::StunAuth),
        (
            without_attribute(genuine, 0x8028),
            DiscardReason::StunMalformed,
        ),
        (
            request(&format!("{ufrag}:peer"), &wrong_key),
            DiscardReason::StunAuth,
        ),
        (
            request(&format!("peer:{ufrag}"), &right_key),
            DiscardReason::StunAuth,
        ),
        (
            request(&format!("{ufrag}x:peer"), &right_key),
            DiscardReason::StunAuth,
        ),
        (
            request(&format!("{}:peer", &ufrag[1..]), &right_key),
            DiscardReason::StunAuth,
        ),
        (request(&ufrag, &right_key), DiscardReason::StunAuth),
        (
            request(&format!("{ufrag}:"), &right_key),
            DiscardReason::StunAuth,
        ),
        (request("", &right_key), DiscardReason::StunAuth),
        (
            response[..response_len].to_vec(),
            DiscardReason::StunUnsolicited,
        ),
        (
            indication[..indication_len].to_vec(),
            DiscardReason::StunUnsolicited,
        ),
    ]
}

#[test]
fn a_million_forged_checks_change_nothing_and_get_no_response() {
    let mut transport = transport(DtlsVersion::V12, 1);
    let mut peer = Peer::new(
        &transport,
        udp("198.51.100.7:50000"),
        DtlsOptions::BROWSER,
        NOW,
    );
    let genuine = peer.check(true, None);
    let forgeries = forgeries(&transport, &genuine);
    let from = [peer.path, udp("203.0.113.66:50000")];
    let mut rng = rng(1);
    let mut packet = [0; 256];
    for index in 0..FORGED {
        let (forged, expected) = &forgeries[usize::try_from(index).unwrap() % forgeries.len()];
        let packet = &mut packet[..forged.len()];
        packet.copy_from_slice(forged);
        let path = from[usize::try_from(rng.next_u32() & 1).unwrap()];
        let received = transport.receive(NOW, path, packet);
        assert_eq!(received, Received::Discarded(*expected), "{index}");
    }
    assert_eq!(transport.poll_transmit(), None);
    assert_eq!(events(&mut transport), []);
    assert_eq!(transport.ice_state(), IceState::New);
    assert_eq!(transport.paths().next(), None);
    assert_eq!(transport.poll_timeout(), Time::FAR_FUTURE);
    assert_eq!(transport.discards().total(), u64::from(FORGED));
    assert_eq!(
        deliver(&mut transport, NOW, peer.path, &genuine),
        Received::Nothing
    );
    assert_eq!(transport.ice_state(), IceState::Completed);
}

#[test]
fn forged_checks_do_not_affect_a_connected_transport() {
    let (mut transport, mut peer) = connected(2, NOW);
    let genuine = peer.check(true, None);
    let elsewhere = udp("203.0.113.66:50000");
    for (forged, expected) in forgeries(&transport, &genuine) {
        for path in [peer.path, elsewhere] {
            let received = deliver(&mut transport, NOW, path, &forged);
            assert_eq!(received, Received::Discarded(expected));
        }
    }
    assert_eq!(transport.path(), Some(peer.path));
    assert_eq!(transport.paths().collect::<Vec<Path>>(), [peer.path]);
    assert_eq!(drain(&mut transport), []);
    assert_eq!(events(&mut transport), []);
}

#[test]
fn no_response_is_longer_than_its_request() {
    for address in [
        "198.51.100.7:50000",
        "[2001:db8::7]:50000",
        "[::ffff:198.51.100.7]:50000",
    ] {
        let mut transport = transport(DtlsVersion::V12, 3);
        let mut peer = Peer::new(&transport, udp(address), DtlsOptions::BROWSER, NOW);
        let requests = [
            peer.check(false, None),
            peer.check(true, Some(1)),
            peer.check_as(IceRole::Controlled(1), false, None),
        ];
        for request in requests {
            deliver(&mut transport, NOW, peer.path, &request);
            let mut responses = drain(&mut transport);
            responses.retain(|(_, packet)| answer(packet).is_none());
            assert_eq!(responses.len(), 1);
            assert!(responses[0].1.len() <= request.len(), "{address}");
        }
    }
}

#[test]
fn a_request_shorter_than_its_response_gets_none() {
    let mut transport = transport(DtlsVersion::V12, 4);
    let path = udp("[2001:db8::7]:50000");
    let ice = transport.ice_parameters();
    let genuine = Peer::new(&transport, path, DtlsOptions::GCM_FIRST, NOW).check(false, None);
    // Without PRIORITY and role, and with a recomputed integrity, the request is shorter than a
    // response with an IPv6 address.
    let shortened = without_attribute(&without_attribute(&genuine, 0x0024), 0x802a);
    let covered = &shortened[..shortened.len() - 8 - 24];
    let mut request = covered.to_vec();
    let integrity_len = u16::try_from(covered.len() - 20 + 24).unwrap();
    request[2..4].copy_from_slice(&integrity_len.to_be_bytes());
    let key = aws_lc_rs::hmac::Key::new(
        aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        ice.password.as_bytes(),
    );
    let tag = aws_lc_rs::hmac::sign(&key, &request);
    request.extend([0x00, 0x08, 0, 20]);
    request.extend(tag.as_ref());
    request.extend([0x80, 0x28, 0, 4, 0, 0, 0, 0]);
    let len = u16::try_from(request.len() - 20).unwrap();
    request[2..4].copy_from_slice(&len.to_be_bytes());
    fix_fingerprint(&mut request);
    assert!(
        StunMessage::parse(&request)
            .unwrap()
            .verify(&IntegrityKey::from_password(&ice.password))
    );

    let received = deliver(&mut transport, NOW, path, &request);
    assert_eq!(
        received,
        Received::Discarded(DiscardReason::StunUnsolicited)
    );
    assert_eq!(drain(&mut transport), []);
    assert_eq!(transport.ice_state(), IceState::New);
}

#[test]
fn queued_responses_are_bounded() {
    let (mut transport, mut peer) = connected(5, NOW);
    for _ in 0..RESPONSES_MAX {
        let check = peer.check(true, None);
        assert_eq!(
            deliver(&mut transport, NOW, peer.path, &check),
            Received::Nothing
        );
    }
    let check = peer.check(true, None);
    let received = deliver(&mut transport, NOW, peer.path, &check);
    assert_eq!(received, Received::Discarded(DiscardReason::Overloaded));
    assert_eq!(drain(&mut transport).len(), RESPONSES_MAX);
}
