//! TLS certificates of listeners: from files, or generated at start. Browsers allow cameras on pages
//! of other machines only over TLS.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::config::ListenerConfig;
use crate::ip_addresses;

/// Validity of a generated certificate. Safari refuses more than 825 days.
const VALIDITY: Duration = Duration::from_hours(397 * 24);

/// Time by which the validity starts in the past, for clients whose clock is late.
const BACKDATED: Duration = Duration::from_hours(24);

/// Reason why TLS cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("`{key}` {}: {error}", path.display())]
    File {
        /// Configuration key that names the file.
        key: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Error of reading or parsing it.
        error: pem::Error,
    },
    /// Certificate and key do not match, or their type is not supported.
    #[error("`tls_cert` and `tls_key`: {0}")]
    Unusable(#[from] rustls::Error),
    /// A certificate cannot be generated.
    #[error("`tls_self_signed`: {0}")]
    Generate(#[from] rcgen::Error),
}

/// Returns the TLS acceptor of a listener; `None` for plain HTTP.
///
/// # Errors
/// The certificate or key cannot be read, does not match, or cannot be generated.
pub fn acceptor(listener: &ListenerConfig) -> Result<Option<TlsAcceptor>, TlsError> {
    let (chain, key) = match (&listener.tls_cert, &listener.tls_key) {
        (Some(cert), Some(key)) => read_certificate(cert, key)?,
        _ if listener.tls_self_signed => generate_certificate()?,
        _ => return Ok(None),
    };
    let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read_certificate(cert: &Path, key: &Path) -> Result<Identity, TlsError> {
    let failed = |key: &'static str, path: &Path| {
        let path = path.to_owned();
        move |error| TlsError::File { key, path, error }
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(failed("tls_cert", cert))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(failed("tls_key", key))?;
    Ok((chain, key))
}

/// Generates a self-signed certificate for every address of this machine (ECDSA P-256).
fn generate_certificate() -> Result<Identity, TlsError> {
    let loopback = [
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    let addresses = ip_addresses::local_ips()
        .into_iter()
        .chain(loopback)
        .map(|ip| ip.to_string());
    let names: Vec<_> = std::iter::once("localhost".to_owned())
        .chain(addresses)
        .collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Watersmeet (self-signed)");
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + VALIDITY).into();
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((vec![certificate.der().clone()], key.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn self_signed_certificate_can_be_generated() {
        let listener = ListenerConfig {
            tls_self_signed: true,
            ..ListenerConfig::default()
        };
        assert!(acceptor(&listener).unwrap().is_some());
        assert!(acceptor(&ListenerConfig::default()).unwrap().is_none());
    }

    #[test]
    fn error_names_the_file_that_cannot_be_read() {
        let none = Some(PathBuf::from("/none.pem"));
        let listener = ListenerConfig {
            tls_cert: none.clone(),
            tls_key: none,
            ..ListenerConfig::default()
        };
        let Err(error) = acceptor(&listener) else {
            panic!("a missing file was accepted")
        };
        let error = error.to_string();
        assert!(
            error.contains("tls_cert") && error.contains("/none.pem"),
            "{error}"
        );
    }
}
