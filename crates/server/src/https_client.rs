//! HTTP client for requests of the program itself: to certificate authorities and to webhooks. Resolves names
//! without the C library, connects only where its rule allows, and follows no redirect.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use thiserror::Error;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tower_service::Service;

use crate::host_names;
use crate::private_networks::TargetRule;

/// Time limit of a connection to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to a host by TCP and TLS.
pub type Connector = HttpsConnector<HttpConnector<NameResolver>>;

/// Why there is no client.
#[derive(Debug, Error)]
pub enum HttpsClientError {
    /// The file with root certificates cannot be used. Begins with its path.
    #[error("{0}")]
    Roots(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Resolves names as the program resolves all others, to the addresses that a rule allows. A connection goes to
/// one of these addresses: a name server cannot exchange it in between.
#[derive(Debug, Clone)]
pub struct NameResolver(TargetRule);

impl Service<Name> for NameResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let rule = self.0;
        Box::pin(async move {
            let ips = host_names::resolve(name.as_str()).await?;
            let allowed = ips.into_iter().filter(|ip| rule.allows(*ip));
            // The connector sets the port.
            let addresses: Vec<_> = allowed.map(|ip| SocketAddr::new(ip, 0)).collect();
            match addresses.is_empty() {
                true => Err(io::Error::other(
                    "the name has only addresses that are not allowed",
                )),
                false => Ok(addresses.into_iter()),
            }
        })
    }
}

/// Returns a connector that trusts the root certificates in a PEM file, or the public ones. Addresses that stand
/// in a URL do not pass the resolver: the caller checks them by the same rule.
///
/// # Errors
/// The file cannot be read or has no certificate.
pub fn connector(ca_file: Option<&Path>, rule: TargetRule) -> Result<Connector, HttpsClientError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca_file)?)
        .with_no_client_auth();
    let mut connector = HttpConnector::new_with_resolver(NameResolver(rule));
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let builder = HttpsConnectorBuilder::new().with_tls_config(config);
    let builder = match rule {
        TargetRule::Private => builder.https_or_http(),
        TargetRule::Public | TargetRule::Any => builder.https_only(),
    };
    Ok(builder.enable_http1().wrap_connector(connector))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, HttpsClientError> {
    let Some(path) = ca_file else {
        let public = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        return Ok(public.collect());
    };
    let shown = path.display();
    let bad = |problem: String| HttpsClientError::Roots(format!("{shown}: {problem}"));
    let certificates = CertificateDer::pem_file_iter(path).map_err(|it| bad(it.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|it| bad(it.to_string()))?;
        roots.add(certificate).map_err(|it| bad(it.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(bad("has no certificate".to_owned())),
        false => Ok(roots),
    }
}
