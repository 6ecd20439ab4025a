//! Why no certificate was obtained, as the rest of a sentence for the operator.

use std::error::Error as _;

use instant_acme::{Error, Problem};
use thiserror::Error;
use tokio_rustls::rustls;

use crate::https_client::HttpsClientError;
use crate::state_directory::StateError;

/// Reason why no certificate was obtained.
#[derive(Debug, Error)]
pub enum AcmeError {
    /// No connection, or no usable answer.
    #[error("the certificate authority cannot be reached: {0}")]
    Unreachable(String),
    /// The authority refused a request.
    #[error("the certificate authority refused: {0}")]
    Refused(String),
    /// The authority could not validate a domain.
    #[error("the certificate authority could not validate {0}")]
    NotValidated(String),
    /// The authority offers no challenge that can be answered.
    #[error(
        "the certificate authority offers neither TLS-ALPN-01 nor, on a port that is bound, HTTP-01"
    )]
    NoChallenge,
    /// The authority demands more validations than there can be domains.
    #[error("the certificate authority demands too many validations")]
    TooManyChallenges,
    /// The attempt took too long.
    #[error("the certificate authority did not finish in time")]
    TooSlow,
    /// The certificate of the authority is not the one that was ordered.
    #[error("the certificate cannot be used: {0}")]
    Unusable(String),
    /// A key or certificate cannot be made.
    #[error("a key or certificate cannot be made: {0}")]
    Generate(#[from] rcgen::Error),
    /// TLS cannot use a key or certificate.
    #[error("TLS cannot use it: {0}")]
    Tls(#[from] rustls::Error),
    /// The root certificates of the authority cannot be used.
    #[error("`acme_ca_file` {0}")]
    Roots(String),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

impl AcmeError {
    /// Whether the authority was not reached, so that its limits do not count the attempt.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

impl From<HttpsClientError> for AcmeError {
    fn from(error: HttpsClientError) -> Self {
        match error {
            HttpsClientError::Roots(text) => Self::Roots(text),
            HttpsClientError::Tls(error) => Self::Tls(error),
        }
    }
}

impl From<Error> for AcmeError {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => Self::Refused(description(&problem)),
            Error::Timeout(_) => Self::TooSlow,
            other => {
                let mut text = other.to_string();
                let mut source = match &other {
                    Error::Other(inner) => inner.source(),
                    _ => other.source(),
                };
                while let Some(error) = source {
                    text.push_str(": ");
                    text.push_str(&error.to_string());
                    source = error.source();
                }
                Self::Unreachable(text)
            }
        }
    }
}

/// Returns what a problem document says (RFC 7807).
pub fn description(problem: &Problem) -> String {
    let text = problem.detail.as_ref().or(problem.r#type.as_ref());
    text.cloned()
        .unwrap_or_else(|| "no reason given".to_owned())
}
