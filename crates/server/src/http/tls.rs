//! TLS certificates of listeners: from files, obtained by ACME, or generated at start. Browsers allow cameras on pages
//! of other machines only over TLS. Certificates from files are loaded again when the files change.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::server::ResolvesServerCert;
use tokio_rustls::rustls::sign::CertifiedKey;
use url::Url;

use super::port_sharing::TURN_ALPN;
use crate::acme::{ACME_TLS_ALPN, AcmeCertificate};
use crate::config::ListenerConfig;
use crate::ip_addresses;
use certificate_files::CertificateFiles;
use current_certificate::CurrentCertificate;
pub use error::TlsError;
pub use reloading::{ReloadingCertificate, watch_files};

mod browser_check;
mod certificate_files;
pub mod current_certificate;
mod error;
mod reloading;

/// ALPN protocol of HTTP/1.1 (RFC 7301 §6).
const HTTP_ALPN: &[u8] = b"http/1.1";

/// Validity of a generated certificate. Safari refuses more than 825 days.
const VALIDITY: Duration = Duration::from_hours(397 * 24);

/// Time by which the validity starts in the past, for clients whose clock is late.
const BACKDATED: Duration = Duration::from_hours(24);

/// TLS of a listener.
pub struct ListenerTls {
    /// Accepts connections.
    pub acceptor: TlsAcceptor,
    /// Certificate that new connections get.
    pub current: Arc<CurrentCertificate>,
    /// Certificate that can be loaded again; `None` for one of ACME and a generated one.
    pub certificate: Option<ReloadingCertificate>,
}

/// Loads the certificate of a listener; returns `None` for plain HTTP. `base_url` has the host by which
/// browsers know the server, `acme` the certificate of `domains`.
///
/// # Errors
/// The certificate or key cannot be read, does not match, or cannot be generated.
pub fn load(
    listener: &ListenerConfig,
    base_url: Option<&str>,
    acme: Option<&AcmeCertificate>,
) -> Result<Option<ListenerTls>, TlsError> {
    if let Some(acme) = acme.filter(|_| listener.tls_acme) {
        let acceptor = acceptor(
            Arc::new(acme.resolver()),
            &[HTTP_ALPN, TURN_ALPN, ACME_TLS_ALPN],
        )?;
        return Ok(Some(ListenerTls {
            acceptor,
            current: acme.current(),
            certificate: None,
        }));
    }
    let (current, certificate) = match (&listener.tls_cert, &listener.tls_key) {
        (Some(cert), Some(key)) => {
            let files = CertificateFiles::new(cert.clone(), key.clone());
            let certificate = ReloadingCertificate::load(files, host_of(base_url))?;
            (certificate.current(), Some(certificate))
        }
        _ if listener.tls_self_signed => {
            let generated = generate_certificate()?;
            (Arc::new(CurrentCertificate::new(generated)), None)
        }
        _ => return Ok(None),
    };
    Ok(Some(ListenerTls {
        acceptor: acceptor(Arc::clone(&current) as _, &[HTTP_ALPN, TURN_ALPN])?,
        current,
        certificate,
    }))
}

/// Returns an acceptor that presents the certificates of `resolver` and offers these protocols (ALPN).
fn acceptor(
    resolver: Arc<dyn ResolvesServerCert>,
    protocols: &[&[u8]],
) -> Result<TlsAcceptor, TlsError> {
    let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    server.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// Returns the host of a base URL with HTTPS.
fn host_of(base_url: Option<&str>) -> Option<ServerName<'static>> {
    let url = Url::parse(base_url?)
        .ok()
        .filter(|url| url.scheme() == "https")?;
    let host = url
        .host_str()?
        .trim_start_matches('[')
        .trim_end_matches(']');
    ServerName::try_from(host.to_owned()).ok()
}

/// Generates a self-signed certificate for every address of this machine (ECDSA P-256).
fn generate_certificate() -> Result<CertifiedKey, TlsError> {
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
    let chain = vec![certificate.der().clone()];
    let provider = aws_lc_rs::default_provider();
    Ok(CertifiedKey::from_der(chain, key.into(), &provider)?)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn self_signed_certificate_can_be_generated() {
        let listener = ListenerConfig {
            tls_self_signed: true,
            ..ListenerConfig::default()
        };
        assert!(load(&listener, None, None).unwrap().is_some());
        assert!(
            load(&ListenerConfig::default(), None, None)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn error_names_the_file_that_cannot_be_read() {
        let none = Some(PathBuf::from("/none.pem"));
        let listener = ListenerConfig {
            tls_cert: none.clone(),
            tls_key: none,
            ..ListenerConfig::default()
        };
        let Err(error) = load(&listener, None, None) else {
            panic!("a missing file was accepted")
        };
        let error = error.to_string();
        assert!(
            error.contains("tls_cert") && error.contains("/none.pem"),
            "{error}"
        );
    }
}
