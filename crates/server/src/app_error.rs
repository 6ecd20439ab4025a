//! Errors that keep the program from starting or end it, and their exit status.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use watersmeet_engine::ortc::NegotiationError;
use watersmeet_engine::transport::dtls::CertificateError;

use crate::http::tls::TlsError;
use crate::ip_addresses::AnnounceError;
use crate::listen_hint::listen_hint;
use crate::media_sockets::MediaSocketError;

/// Exit status for a configuration that cannot be used (`EX_CONFIG` of sysexits).
pub const EXIT_CONFIG: u8 = 78;

/// Reason why the program cannot start or had to end.
#[derive(Debug, Error)]
pub enum AppError {
    /// The HTTPS certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An HTTP port cannot be bound.
    #[error(
        "cannot listen on {address}: {error}{}",
        listen_hint(error, "--port", "--listen-ip")
    )]
    Listen {
        /// Address and port that were requested.
        address: SocketAddr,
        /// Error of `bind` or `listen`.
        error: io::Error,
    },
    /// An announced host name cannot be used.
    #[error(transparent)]
    Announced(#[from] AnnounceError),
    /// The media sockets cannot be opened.
    #[error(transparent)]
    MediaSockets(#[from] MediaSocketError),
    /// The DTLS certificate cannot be generated.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The configured codecs cannot be offered.
    #[error(transparent)]
    Codecs(#[from] NegotiationError),
    /// The signing secret is missing or weak.
    #[error("`jwt_secret` {0}")]
    Keys(String),
    /// A system call failed.
    #[error("system error: {0}")]
    System(#[from] io::Error),
    /// The hub task ended while the program was running.
    #[error("the conference task ended unexpectedly")]
    HubEnded,
}

impl AppError {
    /// Returns the exit status: 78 when the configuration must change, else 1.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Tls(_) | Self::Keys(_) => EXIT_CONFIG,
            _ => 1,
        }
    }
}
