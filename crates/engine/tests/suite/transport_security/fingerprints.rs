//! Fingerprint verification: no SRTP key exists for a peer whose certificate was not announced by
//! signalling.

use aws_lc_rs::digest;
use watersmeet_engine::command::{CloseReason, DtlsState, Refusal};
use watersmeet_engine::transport::dtls::DtlsVersion;
use watersmeet_engine::transport::{
    Received, TransportEvent, WebRtcTransport, discard::DiscardReason,
};
use watersmeet_wire::params::{DtlsFingerprint, DtlsParameters, DtlsRole};
use watersmeet_wire::units::Time;

use super::peer::{
    DtlsOptions, Peer, assert_media_flows, deliver, events, exchange, rtp, transport, udp,
};

const NOW: Time = Time::from_millis(1_000);

/// Returns a fingerprint of `certificate`.
fn fingerprint(
    name: &str,
    hash: &'static digest::Algorithm,
    certificate: &[u8],
) -> DtlsFingerprint {
    let digest = digest::digest(hash, certificate);
    let hex: Vec<String> = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    DtlsFingerprint {
        algorithm: name.to_owned(),
        value: hex.join(":"),
    }
}

/// Runs a handshake with a peer while the server expects the fingerprints of `expected`.
fn attempt_handshake(
    version: DtlsVersion,
    is_client: bool,
    expected: impl Fn(&Peer) -> Vec<DtlsFingerprint>,
) -> (WebRtcTransport, Peer) {
    let mut transport = transport(version, 1);
    let options = DtlsOptions {
        is_client,
        version,
        ..DtlsOptions::GCM_FIRST
    };
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), options, NOW);
    let parameters = DtlsParameters {
        fingerprints: expected(&peer),
        ..peer.parameters()
    };
    transport.connect(NOW, &parameters).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, NOW, peer.path, &check);
    exchange(&mut transport, &mut peer, NOW);
    (transport, peer)
}

/// Asserts that the handshake failed without SRTP keys.
fn assert_refused(mut transport: WebRtcTransport, mut peer: Peer, case: &str) {
    assert_eq!(transport.dtls_state(), DtlsState::Failed, "{case}");
    assert!(transport.sender().is_none(), "{case}");
    assert_eq!(transport.srtp_profile(), None, "{case}");
    assert_eq!(transport.path(), None, "{case}");
    let events = events(&mut transport);
    assert!(
        events.contains(&TransportEvent::DtlsStateChanged(DtlsState::Failed)),
        "{case}"
    );
    assert!(
        events.contains(&TransportEvent::Closed(CloseReason::DtlsFailed)),
        "{case}"
    );
    assert!(
        !events.contains(&TransportEvent::DtlsStateChanged(DtlsState::Connected)),
        "{case}"
    );
    let sealed = if peer.srtp.is_some() {
        peer.rtp().0
    } else {
        rtp(1, 1)
    };
    let received = deliver(&mut transport, NOW, peer.path, &sealed);
    assert_eq!(
        received,
        Received::Discarded(DiscardReason::NotVerified),
        "{case}"
    );
}

#[test]
fn a_man_in_the_middle_gets_no_keys_in_any_version_or_role() {
    for version in [DtlsVersion::V12, DtlsVersion::V13, DtlsVersion::Auto] {
        for is_client in [true, false] {
            let victim = dimpl::certificate::generate_self_signed_certificate().unwrap();
            let (transport, peer) = attempt_handshake(version, is_client, |_| {
                vec![fingerprint("sha-256", &digest::SHA256, &victim.certificate)]
            });
            assert_refused(
                transport,
                peer,
                &format!("{version:?}, peer is client: {is_client}"),
            );
        }
    }
}

#[test]
fn a_fingerprint_with_one_flipped_bit_is_refused() {
    for bit in 0..256 {
        let (transport, peer) = attempt_handshake(DtlsVersion::V12, true, |peer| {
            let mut digest = digest::digest(&digest::SHA256, peer.certificate())
                .as_ref()
                .to_vec();
            digest[bit / 8] ^= 1 << (bit % 8);
            let hex: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
            vec![DtlsFingerprint {
                algorithm: "sha-256".to_owned(),
                value: hex.join(":"),
            }]
        });
        assert_refused(transport, peer, &format!("bit {bit}"));
    }
}

#[test]
fn a_matching_sha_1_fingerprint_does_not_verify_the_peer() {
    let (transport, peer) = attempt_handshake(DtlsVersion::V12, true, |peer| {
        let sha_1 = fingerprint(
            "sha-1",
            &digest::SHA1_FOR_LEGACY_USE_ONLY,
            peer.certificate(),
        );
        let other = fingerprint("sha-256", &digest::SHA256, b"another certificate");
        vec![sha_1, other]
    });
    assert_refused(transport, peer, "only the weak fingerprint matches");
}

#[test]
fn parameters_without_a_strong_fingerprint_are_refused() {
    let mut transport = transport(DtlsVersion::V12, 2);
    let peer = Peer::new(
        &transport,
        udp("198.51.100.7:50000"),
        DtlsOptions::BROWSER,
        NOW,
    );
    let certificate = peer.certificate();
    let sha_1 = fingerprint("sha-1", &digest::SHA1_FOR_LEGACY_USE_ONLY, certificate);
    let md5 = DtlsFingerprint {
        algorithm: "md5".to_owned(),
        value: ["AA"; 16].join(":"),
    };
    let strong = fingerprint("sha-256", &digest::SHA256, certificate);
    let with_value = |value: String| DtlsFingerprint {
        value,
        ..strong.clone()
    };
    let refused = [
        vec![],
        vec![sha_1.clone()],
        vec![md5.clone()],
        vec![sha_1, md5],
        vec![with_value(String::new())],
        vec![with_value(strong.value.replace(':', ""))],
        vec![with_value(strong.value[3..].to_owned())],
        vec![with_value(format!("{}:00", strong.value))],
        vec![with_value(strong.value.replacen(
            &strong.value[..2],
            "+1",
            1,
        ))],
        vec![DtlsFingerprint {
            algorithm: "sha-512".to_owned(),
            ..strong.clone()
        }],
    ];
    for fingerprints in refused {
        let case = format!("{fingerprints:?}");
        let parameters = DtlsParameters {
            role: DtlsRole::Client,
            fingerprints,
        };
        let refusal = transport.connect(NOW, &parameters).unwrap_err();
        assert!(matches!(refusal, Refusal::BadParameters(_)), "{case}");
    }
    assert_eq!(transport.dtls_state(), DtlsState::New);
    assert_eq!(
        transport.connect(NOW, &peer.parameters()),
        Ok(()),
        "a refusal changes nothing"
    );
}

#[test]
fn one_matching_strong_fingerprint_is_enough() {
    let hashes: [(&str, &'static digest::Algorithm); 4] = [
        ("sha-256", &digest::SHA256),
        ("SHA-256", &digest::SHA256),
        ("sha-384", &digest::SHA384),
        ("sha-512", &digest::SHA512),
    ];
    for (name, hash) in hashes {
        let (mut transport, mut peer) = attempt_handshake(DtlsVersion::V12, true, |peer| {
            let other = fingerprint(name, hash, b"an older certificate");
            let mut right = fingerprint(name, hash, peer.certificate());
            right.value = right.value.to_lowercase();
            vec![other.clone(), other, right.clone(), right]
        });
        assert_media_flows(&mut transport, &mut peer, NOW);
    }
}

#[test]
fn announced_fingerprints_match_the_certificate_sent() {
    let (transport, peer) = attempt_handshake(DtlsVersion::V12, true, |peer| {
        peer.parameters().fingerprints
    });
    let ours = transport.dtls_parameters();
    assert_eq!(ours.role, DtlsRole::Auto);
    let names: Vec<&str> = ours
        .fingerprints
        .iter()
        .map(|one| one.algorithm.as_str())
        .collect();
    assert_eq!(names, ["sha-512", "sha-384", "sha-256"]);
    assert_eq!(
        ours.fingerprints.last(),
        Some(&fingerprint(
            "sha-256",
            &digest::SHA256,
            peer.server_certificate().unwrap()
        ))
    );
}
