//! Bounds of a DTLS session that no peer reaches in the tests of whole handshakes.

use super::*;

#[test]
fn outgoing_datagrams_are_bounded() {
    #[expect(clippy::disallowed_methods, reason = "the origin of virtual time")]
    let epoch = Instant::now();
    let certificate = DtlsCertificate::generate().unwrap();
    let mut dtls = DtlsSession::new(certificate, DtlsVersion::V12, epoch);
    for _ in 0..=OUTGOING_DATAGRAMS_MAX {
        dtls.queue_outgoing(vec![vec![22]; 2]);
    }
    assert_eq!(
        std::iter::from_fn(|| dtls.poll_transmit()).count(),
        OUTGOING_DATAGRAMS_MAX
    );
}
