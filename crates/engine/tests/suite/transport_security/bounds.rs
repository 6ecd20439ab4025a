//! Fills every queue of a transport, and survives a panic of the DTLS library.

use watersmeet_engine::command::{CloseReason, DtlsState};
use watersmeet_engine::transport::dtls::{DtlsVersion, PENDING_BYTES_MAX, PENDING_DATAGRAMS_MAX};
use watersmeet_engine::transport::ice::EVENTS_MAX;
use watersmeet_engine::transport::{Received, TransportEvent, discard::DiscardReason};
use watersmeet_wire::params::{DtlsFingerprint, DtlsParameters, DtlsRole, FINGERPRINTS_MAX};
use watersmeet_wire::units::Time;

use super::peer::{DtlsOptions, Peer, connected, deliver, drain, events, exchange, transport, udp};

const NOW: Time = Time::from_millis(1_000);

#[test]
fn checks_on_new_paths_are_discarded_while_the_event_queue_is_full() {
    let (mut transport, mut peer) = connected(1, NOW);
    let mut refused = 0;
    for port in 1..1_000_u16 {
        let check = peer.check(false, None);
        let path = udp(&format!("203.0.113.66:{port}"));
        match deliver(&mut transport, NOW, path, &check) {
            Received::Nothing => assert_eq!(refused, 0),
            received => {
                assert_eq!(received, Received::Discarded(DiscardReason::Overloaded));
                refused += 1;
            }
        }
        drain(&mut transport);
    }
    assert!(refused > 0);
    assert!(events(&mut transport).len() <= EVENTS_MAX);
    let check = peer.check(false, None);
    assert_eq!(
        deliver(&mut transport, NOW, udp("203.0.113.66:1"), &check),
        Received::Nothing
    );
}

#[test]
fn pending_handshake_datagrams_are_bounded() {
    for (body_len, fit) in [(16_200_u16, 4), (100, PENDING_DATAGRAMS_MAX)] {
        let mut transport = transport(DtlsVersion::Auto, 2);
        let path = udp("198.51.100.7:50000");
        let mut peer = Peer::new(&transport, path, DtlsOptions::GCM_FIRST, NOW);
        transport.connect(NOW, &peer.parameters()).unwrap();
        let check = peer.check(true, None);
        deliver(&mut transport, NOW, path, &check);
        for packet in peer.poll(NOW) {
            deliver(&mut transport, NOW, path, &packet);
        }
        for (_, packet) in drain(&mut transport) {
            peer.handle(NOW, &packet);
        }
        // The ClientHello with the cookie waits to be processed, and then its flight.
        for mut packet in peer.poll(NOW) {
            transport.receive(NOW, path, &mut packet);
        }
        assert!(PENDING_BYTES_MAX / usize::from(body_len) >= fit - 1);
        let mut certificate = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
        certificate.extend((body_len + 12).to_be_bytes());
        let [len_0, len_1] = body_len.to_be_bytes();
        certificate.extend([11, 0, len_0, len_1, 0, 2, 0, 0, 0, 0, len_0, len_1]);
        certificate.resize(certificate.len() + usize::from(body_len), 0);
        for _ in 1..fit {
            let received = transport.receive(NOW, path, &mut certificate.clone());
            assert_eq!(received, Received::Nothing);
        }
        let over = transport.receive(NOW, path, &mut certificate);
        assert_eq!(over, Received::Discarded(DiscardReason::DtlsNotReady));
    }
}

#[test]
fn too_many_fingerprints_are_refused() {
    let mut transport = transport(DtlsVersion::V12, 4);
    let fingerprint = |byte: usize| DtlsFingerprint {
        algorithm: "sha-256".to_owned(),
        value: vec![format!("{byte:02X}"); 32].join(":"),
    };
    let fingerprints = (0..=FINGERPRINTS_MAX).map(fingerprint).collect();
    let parameters = DtlsParameters {
        role: DtlsRole::Client,
        fingerprints,
    };
    assert!(transport.connect(NOW, &parameters).is_err());
}

#[test]
fn a_panic_in_the_dtls_library_fails_only_its_own_handshake() {
    // A certificate longer than the output buffer makes `dimpl` panic.
    let mut transport = transport(DtlsVersion::V12, 5);
    let path = udp("198.51.100.7:50000");
    let mut peer = Peer::with_padded_certificate(&transport, path, 20_000, NOW);
    transport.connect(NOW, &peer.parameters()).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    exchange(&mut transport, &mut peer, NOW);
    assert_eq!(transport.dtls_state(), DtlsState::Failed);
    assert!(events(&mut transport).contains(&TransportEvent::Closed(CloseReason::DtlsFailed)));
    assert!(transport.sender().is_none());
    let check = peer.check(true, None);
    assert_eq!(
        deliver(&mut transport, NOW, peer.path, &check),
        Received::Nothing
    );
}
