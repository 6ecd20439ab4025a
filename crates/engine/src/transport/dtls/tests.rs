//! Bounds of a DTLS session that no peer reaches in the tests of whole handshakes.

use watersmeet_wire::params::{DtlsFingerprint, DtlsParameters, DtlsRole};

use super::*;

fn session(version: DtlsVersion) -> DtlsSession {
    #[expect(clippy::disallowed_methods, reason = "the origin of virtual time")]
    let epoch = Instant::now();
    DtlsSession::new(DtlsCertificate::generate().unwrap(), version, epoch)
}

#[test]
fn outgoing_datagrams_are_bounded() {
    let mut dtls = session(DtlsVersion::V12);
    for _ in 0..=OUTGOING_DATAGRAMS_MAX {
        dtls.queue_outgoing(vec![vec![22]; 2]);
    }
    assert_eq!(
        std::iter::from_fn(|| dtls.poll_transmit()).count(),
        OUTGOING_DATAGRAMS_MAX
    );
}

#[test]
fn endpoint_restarts_are_bounded_without_cookies() {
    let mut dtls = session(DtlsVersion::V13);
    let parameters = DtlsParameters {
        role: DtlsRole::Client,
        fingerprints: vec![DtlsFingerprint {
            algorithm: "sha-256".to_owned(),
            value: vec!["AA"; 32].join(":"),
        }],
    };
    let peer = ExpectedPeer::from_parameters(&parameters).unwrap();
    dtls.set_expected_peer(Time::ZERO, peer);
    dtls.handle_authenticated_path(Time::ZERO);
    for _ in 0..ENDPOINT_RESTARTS_MAX {
        dtls.replace_endpoint(Time::ZERO, &EndpointError::Panicked);
        assert_eq!(dtls.state(), DtlsState::Connecting);
    }
    dtls.replace_endpoint(Time::ZERO, &EndpointError::Panicked);
    assert_eq!(dtls.state(), DtlsState::Failed);
}
