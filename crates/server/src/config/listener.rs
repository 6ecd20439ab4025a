//! One door of several: a port with its own address, its own certificate and its own choice of
//! what is behind it.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// What can be behind a door. `/health` is behind every one.
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
    /// The REST interface, `/api/`.
    Api,
    /// Figures for operators: `/metrics`. From other machines only with the API key.
    Metrics,
}

impl Mount {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Page,
        Self::Native,
        Self::SocketIo,
        Self::Protoo,
        Self::Api,
        Self::Metrics,
    ];

    /// As the file has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Native => "native",
            Self::SocketIo => "socketio",
            Self::Protoo => "protoo",
            Self::Api => "api",
            Self::Metrics => "metrics",
        }
    }
}

/// One door.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerConfig {
    /// TCP port. 0 takes a free one.
    /// `port = 3443`
    pub port: u16,
    /// Address to listen on. Default: that of the key `listen_ip` above.
    /// `listen_ip = "0.0.0.0"`
    #[serde(default)]
    pub listen_ip: Option<IpAddr>,
    /// What is behind it. Default: everything.
    /// `mounts = ["page", "native", "socketio", "protoo", "api", "metrics"]`
    #[serde(default = "all_mounts")]
    pub mounts: Vec<Mount>,
    /// PEM file with its certificate chain.
    /// `tls_cert = "/etc/watersmeet/cert.pem"`
    #[serde(default)]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the private key that belongs to `tls_cert`.
    /// `tls_key = "/etc/watersmeet/key.pem"`
    #[serde(default)]
    pub tls_key: Option<PathBuf>,
    /// Serve by TLS with a certificate made at start. Default false.
    /// `tls_self_signed = false`
    #[serde(default)]
    pub tls_self_signed: bool,
    /// Whether whoever connects here needs a token. Default false.
    /// `token_required = true`
    #[serde(default)]
    pub token_required: bool,
}

impl ListenerConfig {
    /// Whether it speaks TLS.
    pub const fn tls(&self) -> bool {
        self.tls_self_signed || self.tls_cert.is_some()
    }

    /// Whether something is behind it.
    pub fn serves(&self, mount: Mount) -> bool {
        self.mounts.contains(&mount)
    }
}

fn all_mounts() -> Vec<Mount> {
    Mount::ALL.to_vec()
}
