//! HTTPS client for the certificate authority, with limits of time and length. Knows nothing of ACME.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::Request;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tower_service::Service;

use super::error::AcmeError;
use crate::host_names;

/// Time limit of a request with its response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest response, in bytes: a certificate chain has a few thousand.
const RESPONSE_LEN_MAX: usize = 1 << 18;

/// HTTPS client of a certificate authority.
pub struct AuthorityClient(Client<HttpsConnector<HttpConnector<NameResolver>>, BodyWrapper<Bytes>>);

/// Resolves the authority's name as the program resolves all others: without the resolver of the C library.
#[derive(Clone)]
struct NameResolver;

impl Service<Name> for NameResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let ips = host_names::resolve(name.as_str()).await?;
            // The connector sets the port.
            let addresses: Vec<_> = ips.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(addresses.into_iter())
        })
    }
}

impl AuthorityClient {
    /// Creates a client that trusts the root certificates in a PEM file, or the public ones.
    ///
    /// # Errors
    /// The file cannot be read or has no certificate.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, AcmeError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        let mut connector = HttpConnector::new_with_resolver(NameResolver);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, AcmeError> {
    let Some(path) = ca_file else {
        let public = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        return Ok(public.collect());
    };
    let shown = path.display();
    let bad = |problem: String| AcmeError::Roots(format!("{shown}: {problem}"));
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

impl HttpClient for AuthorityClient {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let response = self.0.request(request);
        let exchange = async move {
            let (parts, body) = response.await.map_err(other)?.into_parts();
            let body = Limited::new(body, RESPONSE_LEN_MAX).collect().await;
            let body = Box::new(body.map_err(Error::Other)?.to_bytes());
            Ok(BytesResponse { parts, body })
        };
        Box::pin(async move { timeout(REQUEST_TIMEOUT, exchange).await.map_err(other)? })
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}
