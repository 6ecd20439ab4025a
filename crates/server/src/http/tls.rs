//! The certificate of the page: from files, or made at start. Browsers give cameras to a page on
//! another machine only over TLS.

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

/// How long a certificate made at start is valid. Safari refuses more than 825 days.
const VALIDITY: Duration = Duration::from_hours(397 * 24);

/// How far back its validity begins, for clocks that run late.
const BACKDATED: Duration = Duration::from_hours(24);

/// Why the page cannot be served by TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("`{key}` {}: {error}", path.display())]
    File {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: pem::Error,
    },
    /// Certificate and key do not go together, or their kind is not supported.
    #[error("`tls_cert` and `tls_key`: {0}")]
    Unusable(#[from] rustls::Error),
    /// No certificate could be made.
    #[error("`tls_self_signed`: {0}")]
    Making(#[from] rcgen::Error),
}

/// What accepts TLS connections; none when the door is to speak plain HTTP.
pub fn acceptor(door: &ListenerConfig) -> Result<Option<TlsAcceptor>, TlsError> {
    let (chain, key) = match (&door.tls_cert, &door.tls_key) {
        (Some(cert), Some(key)) => read(cert, key)?,
        _ if door.tls_self_signed => make()?,
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

fn read(cert: &Path, key: &Path) -> Result<Identity, TlsError> {
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

/// A certificate for every name and address of this machine (ECDSA P-256).
fn make() -> Result<Identity, TlsError> {
    let loopback = [
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    let addresses = ip_addresses::own()
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
        .push(DnType::CommonName, "Watersmeet (made at start)");
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
    fn a_certificate_can_be_made_for_this_machine() {
        let door = ListenerConfig {
            tls_self_signed: true,
            ..ListenerConfig::default()
        };
        assert!(acceptor(&door).unwrap().is_some());
        assert!(acceptor(&ListenerConfig::default()).unwrap().is_none());
    }

    #[test]
    fn a_file_that_is_no_certificate_is_named() {
        let none = Some(PathBuf::from("/none.pem"));
        let door = ListenerConfig {
            tls_cert: none.clone(),
            tls_key: none,
            ..ListenerConfig::default()
        };
        let Err(error) = acceptor(&door) else {
            panic!("a missing file was accepted")
        };
        let error = error.to_string();
        assert!(
            error.contains("tls_cert") && error.contains("/none.pem"),
            "{error}"
        );
    }
}
