//! Errors that keep the program from starting or end it, and their exit status.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use watersmeet_engine::ortc::NegotiationError;
use watersmeet_engine::transport::dtls::CertificateError;

use crate::config::Sources;
use crate::http::tls::TlsError;
use crate::ip_addresses::AnnounceError;
use crate::listen_hint::listen_hint;
use crate::media_sockets::MediaSocketError;
use crate::state_directory::StateError;
use crate::webhooks::WebhookError;

/// Exit status for a configuration that cannot be used (`EX_CONFIG` of sysexits).
pub const EXIT_CONFIG: u8 = 78;

/// Reason why the program cannot start or had to end.
#[derive(Debug, Error)]
pub enum AppError {
    /// The HTTPS certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An HTTP port cannot be bound.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Setting of the port; `None` for the key `port`.
        port_setting: Option<String>,
        /// Address and port that were requested.
        address: SocketAddr,
        /// Error of `bind` or `listen`.
        error: io::Error,
    },
    /// The port on which plain HTTP is redirected cannot be bound.
    #[error("`redirect_port`: cannot listen on {address}: {error}")]
    Redirect {
        /// Address and port that were requested.
        address: SocketAddr,
        /// Error of `bind` or `listen`.
        error: io::Error,
    },
    /// A port of the TURN server cannot be bound.
    #[error("TURN cannot listen on {address}: {error}")]
    TurnListen {
        /// Address and port that were requested.
        address: SocketAddr,
        /// Error of `bind` or `listen`.
        error: io::Error,
    },
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
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
    /// A webhook cannot be used.
    #[error("`webhooks`, number {number}: {error}")]
    Webhook {
        /// Number of the entry of `webhooks`, from 1 on.
        number: usize,
        /// Why it cannot be used.
        error: WebhookError,
    },
    /// A system call failed.
    #[error("system error: {0}")]
    System(#[from] io::Error),
    /// The hub task ended while the program was running.
    #[error("the conference task ended unexpectedly")]
    HubEnded,
}

impl AppError {
    /// Returns the error with the settings that are to be changed, as the operator wrote them.
    pub fn message(&self, sources: &Sources) -> String {
        let hint = match self {
            Self::Listen {
                error,
                port_setting,
                ..
            } => {
                let port = port_setting
                    .clone()
                    .unwrap_or_else(|| sources.setting("port", "--port"));
                listen_hint(error, &port, &sources.setting("listen_ip", "--listen-ip"))
            }
            Self::TurnListen { error, .. } => {
                let port = "`turn_port` or `turn_tls_port`";
                listen_hint(error, port, "`turn_listen_ip`")
            }
            Self::MediaSockets(MediaSocketError::Bind { error, .. }) => {
                let ip = ["media_listen_ip", "listen_ip"];
                let ip = sources.setting_of_first(ip, "--media-listen-ip");
                listen_hint(error, &sources.setting("rtc_port", "--rtc-port"), &ip)
            }
            _ => return sources.annotate(self.to_string()),
        };
        format!("{self}{hint}")
    }

    /// Returns the exit status: 78 when the configuration must change, else 1.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Tls(_) | Self::Keys(_) | Self::State(_) | Self::Webhook { .. } => EXIT_CONFIG,
            _ => 1,
        }
    }
}
