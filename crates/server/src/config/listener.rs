//! A table `[[listeners]]`: a port with its own address, certificate and mounts.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// What a listener can serve. Every listener serves `/health`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mount {
    /// The web client.
    Page,
    /// The native dialect, `/ws`.
    Native,
    /// The Socket.IO dialects, `/socket.io/`.
    SocketIo,
    /// The protoo dialect.
    Protoo,
    /// Publishers that use WHIP, `/whip/`.
    Whip,
    /// The REST interface, `/api/`.
    Api,
    /// Metrics for operators, `/metrics`. From other machines only with the API key.
    Metrics,
    /// The operators' page and its interface, `/api/operators/`. Only with the API key, and only on a listener
    /// that serves nothing else but metrics.
    Operators,
}

impl Mount {
    /// All mounts of a listener that people and their clients use: everything but the operators' page.
    pub const ALL: [Self; 7] = [
        Self::Page,
        Self::Native,
        Self::SocketIo,
        Self::Protoo,
        Self::Whip,
        Self::Api,
        Self::Metrics,
    ];

    /// Name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Native => "native",
            Self::SocketIo => "socketio",
            Self::Protoo => "protoo",
            Self::Whip => "whip",
            Self::Api => "api",
            Self::Metrics => "metrics",
            Self::Operators => "operators",
        }
    }
}

/// Settings of one HTTP listener.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerConfig {
    /// TCP port. 0 takes a free port.
    /// `port = 3443`
    pub port: u16,
    /// Address to listen on. Default: the top-level key `listen_ip`.
    /// `listen_ip = "0.0.0.0"`
    #[serde(default)]
    pub listen_ip: Option<IpAddr>,
    /// What the listener serves: these, or `operators`, the operators' page, alone or with `metrics`. Default:
    /// everything but the operators' page.
    /// `mounts = ["page", "native", "socketio", "protoo", "whip", "api", "metrics"]`
    #[serde(default = "all_mounts")]
    pub mounts: Vec<Mount>,
    /// PEM file with the certificate chain.
    /// `tls_cert = "/etc/watersmeet/cert.pem"`
    #[serde(default)]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the private key that belongs to `tls_cert`.
    /// `tls_key = "/etc/watersmeet/key.pem"`
    #[serde(default)]
    pub tls_key: Option<PathBuf>,
    /// Whether to use HTTPS with a certificate generated at start. Default false.
    /// `tls_self_signed = false`
    #[serde(default)]
    pub tls_self_signed: bool,
    /// Whether to use HTTPS with the certificate of the top-level key `domains`. Default false.
    /// `tls_acme = false`
    #[serde(default)]
    pub tls_acme: bool,
    /// Whether clients of this listener need a token. Default false.
    /// `token_required = true`
    #[serde(default)]
    pub token_required: bool,
}

impl ListenerConfig {
    /// Whether the listener uses HTTPS.
    pub const fn uses_tls(&self) -> bool {
        self.tls_self_signed || self.tls_acme || self.tls_cert.is_some()
    }

    /// Whether the listener serves `mount`.
    pub fn serves(&self, mount: Mount) -> bool {
        self.mounts.contains(&mount)
    }
}

fn all_mounts() -> Vec<Mount> {
    Mount::ALL.to_vec()
}
