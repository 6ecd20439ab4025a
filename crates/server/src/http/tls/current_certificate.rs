//! The certificate that a listener presents, which can be replaced while connections are open. Does not
//! know where certificates come from.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// The certificate that new connections get; none before the first was obtained by ACME.
#[derive(Debug, Default)]
pub struct CurrentCertificate(RwLock<Option<Arc<CertifiedKey>>>);

impl CurrentCertificate {
    /// Starts with a certificate.
    pub fn new(certificate: CertifiedKey) -> Self {
        Self(RwLock::new(Some(Arc::new(certificate))))
    }

    /// Returns the certificate.
    pub fn get(&self) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// Returns the end of its validity; `None` where there is no certificate or it cannot be read.
    pub fn not_after(&self) -> Option<SystemTime> {
        let current = self.get()?;
        let parsed = Certificate::from_der(current.cert.first()?).ok()?;
        let validity = parsed.tbs_certificate().validity();
        Some(UNIX_EPOCH + validity.not_after.to_unix_duration())
    }

    /// Replaces the certificate for new connections. Open ones go on.
    pub fn replace(&self, certificate: CertifiedKey) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(Arc::new(certificate));
    }
}

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.get()
    }
}
