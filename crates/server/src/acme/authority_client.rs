//! HTTPS client for the certificate authority, with limits of time and length. Knows nothing of ACME.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tokio::time::timeout;

use super::error::AcmeError;
use crate::https_client::{self, Connector};
use crate::private_networks::TargetRule;

/// Time limit of a request with its response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest response, in bytes: a certificate chain has a few thousand.
const RESPONSE_LEN_MAX: usize = 1 << 18;

/// HTTPS client of a certificate authority.
pub struct AuthorityClient(Client<Connector, BodyWrapper<Bytes>>);

impl AuthorityClient {
    /// Creates a client that trusts the root certificates in a PEM file, or the public ones.
    ///
    /// # Errors
    /// The file cannot be read or has no certificate.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, AcmeError> {
        let connector = https_client::connector(ca_file, TargetRule::Any)?;
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
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
