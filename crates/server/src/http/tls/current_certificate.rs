//! The certificate that a listener presents, which can be replaced while connections are open. Does not
//! know where certificates come from.

use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

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
