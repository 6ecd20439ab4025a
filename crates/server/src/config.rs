//! What an operator can decide, and where it may be written down: a file, `.env`, the environment
//! and flags, the later over the earlier. A key that nobody knows is refused, so that a slip of the
//! pen never goes unnoticed.
//!
//! This room reads; it opens no socket and starts nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Parser;
use figment::Figment;
use figment::providers::{Data, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};
use thiserror::Error;

mod environment;
mod flags;
#[cfg(test)]
mod tests;

use environment::Environment;
use flags::Flags;

/// The file that is read when no other is named and it exists.
const FILE: &str = "watersmeet.toml";

/// The most shards that can be told apart: an ICE user name fragment has one byte for them.
const SHARDS_MAX: u8 = 64;

/// Everything an operator can decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// TCP port of the page and its WebSocket. 0 takes a free one. Default 3000.
    pub port: u16,
    /// Address that the page, and media unless `media_listen_ip` says otherwise, listen on.
    /// Default: every IPv4 and IPv6 address of the machine.
    pub listen_ip: Option<IpAddr>,
    /// Address that media listens on. Default: `listen_ip`.
    pub media_listen_ip: Option<IpAddr>,
    /// Addresses at which browsers can reach media, best first. Default: the machine's own
    /// addresses and loopback.
    pub announced_ips: Vec<IpAddr>,
    /// First media port, UDP and TCP alike; shard n listens on `rtc_port + n`. 0 takes free ones.
    /// Default 10000.
    pub rtc_port: u16,
    /// Last media port that may be used: fewer shards are started when it leaves too few. Default:
    /// no bound.
    pub rtc_port_max: Option<u16>,
    /// Whether media may travel over UDP. Default true.
    pub udp: bool,
    /// Whether media may travel over TCP. Default true.
    pub tcp: bool,
    /// Number of media threads, 1 to 64. Default: one per core.
    pub shards: Option<u8>,
    /// The one video codec that rooms offer. Default: all of them.
    pub video_codec: Option<VideoCodec>,
    /// What a path to a browser is believed to carry before it was measured, in bits per second.
    /// Default 1,000,000.
    pub initial_outgoing_bitrate: u64,
    /// DTLS version offered to browsers. Default 1.2.
    pub dtls: DtlsChoice,
    /// PEM file with the certificate chain of the page. With `tls_key` the page is served by TLS.
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the private key that belongs to `tls_cert`.
    pub tls_key: Option<PathBuf>,
    /// Serve the page by TLS with a certificate made at start. Browsers warn once, then allow
    /// cameras on other machines. Default false.
    pub tls_self_signed: bool,
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`) or a filter such as
    /// `info,watersmeet_engine=debug`. Default info.
    pub log: String,
    /// How log lines look. Default text.
    pub log_format: LogFormat,
}

/// A video codec that rooms can be held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// VP8 (RFC 6386, RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// H.264 (RFC 6184).
    H264,
}

impl VideoCodec {
    /// The media type that names it in RTP parameters.
    pub const fn mime_type(self) -> &'static str {
        match self {
            Self::Vp8 => "video/VP8",
            Self::Vp9 => "video/VP9",
            Self::H264 => "video/H264",
        }
    }
}

/// Which DTLS a browser is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum DtlsChoice {
    /// DTLS 1.2 (RFC 6347): the server picks the SRTP profile, the cheapest first.
    #[serde(rename = "1.2")]
    #[value(name = "1.2")]
    V12,
    /// DTLS 1.3 (RFC 9147): the browser's first SRTP profile is taken.
    #[serde(rename = "1.3")]
    #[value(name = "1.3")]
    V13,
    /// Whatever the browser's first message asks for.
    #[serde(rename = "auto")]
    #[value(name = "auto")]
    Auto,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why a configuration cannot be used. The text names the key and where it was found.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Something in a file, the environment or a flag cannot be read.
    #[error("{0}")]
    Unreadable(Box<figment::Error>),
    /// The file named by `--config` is not there.
    #[error("there is no configuration file {}", .0.display())]
    NoFile(PathBuf),
    /// `.env` cannot be read.
    #[error(".env: {0}")]
    DotEnv(dotenvy::Error),
    /// Values that do not go together.
    #[error("{0}")]
    Contradiction(String),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 3000,
            listen_ip: None,
            media_listen_ip: None,
            announced_ips: Vec::new(),
            rtc_port: 10_000,
            rtc_port_max: None,
            udp: true,
            tcp: true,
            shards: None,
            video_codec: None,
            initial_outgoing_bitrate: 1_000_000,
            dtls: DtlsChoice::V12,
            tls_cert: None,
            tls_key: None,
            tls_self_signed: false,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

impl Config {
    /// Reads every source. Flags that cannot be read, and `--help`, end the process as `clap` does.
    pub fn load() -> Result<Self, ConfigError> {
        let environment = Environment::of_process()?;
        Self::gather(Flags::parse(), environment)
    }

    fn gather(flags: Flags, environment: Environment) -> Result<Self, ConfigError> {
        let mut sources = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file(flags.config.clone())? {
            sources = sources.merge(file);
        }
        let sources = sources
            .merge(environment)
            .merge(Serialized::defaults(flags));
        let config: Self = sources
            .extract()
            .map_err(|error| ConfigError::Unreadable(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let contradiction = |text: &str| Err(ConfigError::Contradiction(text.to_owned()));
        if !self.udp && !self.tcp {
            return contradiction("`udp` and `tcp` are both off: no media could travel");
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return contradiction("`tls_cert` and `tls_key` are needed together");
        }
        if self.tls_self_signed && self.tls_cert.is_some() {
            return contradiction("`tls_self_signed` and `tls_cert` exclude each other");
        }
        if self
            .shards
            .is_some_and(|shards| shards == 0 || shards > SHARDS_MAX)
        {
            return contradiction("`shards` must be 1 to 64");
        }
        if self.rtc_port_max.is_some_and(|last| last < self.rtc_port) {
            return contradiction("`rtc_port_max` is below `rtc_port`");
        }
        if self.rtc_port != 0
            && self
                .rtc_port
                .checked_add(u16::from(self.shard_count()))
                .is_none()
        {
            return contradiction("`rtc_port` is too high: the last shard's port would pass 65535");
        }
        Ok(())
    }

    /// How many shards to start: as asked, else one per core, and never more than there are ports.
    pub fn shard_count(&self) -> u8 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = u8::try_from(cores).unwrap_or(SHARDS_MAX).min(SHARDS_MAX);
        let wished = self.shards.unwrap_or(cores);
        let Some(last) = self.rtc_port_max.filter(|_| self.rtc_port != 0) else {
            return wished;
        };
        let ports = last.saturating_sub(self.rtc_port).saturating_add(1);
        wished.min(u8::try_from(ports).unwrap_or(SHARDS_MAX))
    }

    /// The port that shard `index` listens on; 0 is a free one.
    pub fn media_port(&self, index: u8) -> u16 {
        match self.rtc_port {
            0 => 0,
            first => first.saturating_add(u16::from(index)),
        }
    }

    /// The addresses that media listens on; those after the first may fail.
    pub fn media_listen_ips(&self) -> Vec<IpAddr> {
        self.media_listen_ip
            .or(self.listen_ip)
            .map_or_else(everywhere, |ip| vec![ip])
    }

    /// The addresses that the page listens on; those after the first may fail.
    pub fn http_addresses(&self) -> Vec<SocketAddr> {
        let ips = self.listen_ip.map_or_else(everywhere, |ip| vec![ip]);
        ips.into_iter()
            .map(|ip| SocketAddr::new(ip, self.port))
            .collect()
    }

    /// Whether the page is served by TLS.
    pub fn tls(&self) -> bool {
        self.tls_self_signed || self.tls_cert.is_some()
    }
}

/// Every address of the machine. IPv6 comes second: some machines have none.
fn everywhere() -> Vec<IpAddr> {
    vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
}

fn file(named: Option<PathBuf>) -> Result<Option<Data<Toml>>, ConfigError> {
    let path = match named {
        Some(path) if !path.is_file() => return Err(ConfigError::NoFile(path)),
        Some(path) => Some(path),
        None => Some(PathBuf::from(FILE)).filter(|path| path.is_file()),
    };
    Ok(path.map(Toml::file_exact))
}
