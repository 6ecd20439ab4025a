//! Presents the certificate that was obtained by ACME, and to validations of the certificate authority
//! the one that answers them (RFC 8737).

use std::sync::Arc;

use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::challenges::PendingChallenges;
use crate::http::tls::current_certificate::CurrentCertificate;

/// ALPN protocol of validations by TLS-ALPN-01 (RFC 8737 §6.2).
pub const ACME_TLS_ALPN: &[u8] = b"acme-tls/1";

/// Chooses between the certificate in use and answers to validations.
#[derive(Debug)]
pub struct AcmeResolver {
    /// The certificate in use, if there is one already.
    current: Arc<CurrentCertificate>,
    /// Answers to validations in progress.
    challenges: Arc<PendingChallenges>,
}

impl AcmeResolver {
    /// Takes the certificate in use and the answers, which both may change.
    pub const fn new(current: Arc<CurrentCertificate>, challenges: Arc<PendingChallenges>) -> Self {
        Self {
            current,
            challenges,
        }
    }
}

impl ResolvesServerCert for AcmeResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_validation = hello
            .alpn()
            .is_some_and(|mut it| it.any(|name| name == ACME_TLS_ALPN));
        match is_validation {
            true => self.challenges.certificate(hello.server_name()?),
            false => self.current.get(),
        }
    }
}
