//! Command line. Each flag overrides the key of the same name. Secrets have no flags, since every
//! user of a machine can see the arguments of a process.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use serde::Serialize;

use super::announced::AnnouncedAddress;
use super::values::{DtlsChoice, LogFormat, VideoCodec};

/// Version and commit, for `--version`.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("WATERSMEET_COMMIT"),
    ")"
);

/// Video conference server: rooms, signalling, web page and media engine in one program
#[derive(Debug, Default, Parser, Serialize)]
#[command(name = "watersmeet", version = LONG_VERSION, about)]
pub struct Flags {
    /// Task to run instead of the server.
    #[command(subcommand)]
    #[serde(skip)]
    pub task: Option<Task>,
    /// Configuration file [default: watersmeet.toml, if it exists]
    #[arg(long, value_name = "FILE", global = true)]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Development mode: random secret; pages on loopback only unless --listen-ip is given
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "is_off")]
    pub dev: bool,
    /// Domain of the page: serve it by HTTPS with a certificate obtained by ACME (Let's Encrypt); may be
    /// repeated
    #[arg(long = "domain", value_name = "NAME", global = true)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// TCP port of the page and of signalling; 0 takes a free port [default: 3000, with --domain 443]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// TCP port of the operators' page [default: off]
    #[arg(long, value_name = "PORT", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operators_port: Option<u16>,
    /// Address to listen on, for the page and for media [default: all]
    #[arg(long, value_name = "IP", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen_ip: Option<IpAddr>,
    /// Address to listen on for media [default: --listen-ip]
    #[arg(long, value_name = "IP", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_listen_ip: Option<IpAddr>,
    /// Address or host name under which browsers reach media; may be repeated [default: the
    /// machine's own]
    #[arg(long = "announced-ip", value_name = "ADDRESS", global = true)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub announced_ips: Vec<AnnouncedAddress>,
    /// First media port, UDP and TCP; each shard uses one port [default: 10000]
    #[arg(long, value_name = "PORT", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtc_port: Option<u16>,
    /// Last media port
    #[arg(long, value_name = "PORT", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtc_port_max: Option<u16>,
    /// Disable media over UDP
    #[arg(long, global = true)]
    #[serde(rename = "udp", serialize_with = "off", skip_serializing_if = "is_off")]
    pub no_udp: bool,
    /// Disable media over TCP
    #[arg(long, global = true)]
    #[serde(rename = "tcp", serialize_with = "off", skip_serializing_if = "is_off")]
    pub no_tcp: bool,
    /// Carry media over TCP on the port of the page [default: with --domain]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "is_off")]
    pub one_port: bool,
    /// Number of shards (media threads) [default: one per core]
    #[arg(long, value_name = "N", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u8>,
    /// File with the secret that signs tokens; only its owner may read it
    #[arg(long, value_name = "FILE", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_secret_file: Option<PathBuf>,
    /// Only video codec that rooms offer
    #[arg(long, value_name = "CODEC", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_codec: Option<VideoCodec>,
    /// Send and receive no redundant audio (RED)
    #[arg(long, global = true)]
    #[serde(
        rename = "redundant_audio",
        serialize_with = "off",
        skip_serializing_if = "is_off"
    )]
    pub no_redundant_audio: bool,
    /// Assumed bitrate of a path before it is measured, in bits per second [default: 1000000]
    #[arg(long, value_name = "BPS", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_outgoing_bitrate: Option<u64>,
    /// Send every viewer the layers it asks for, whatever its line carries
    #[arg(long, global = true)]
    #[serde(
        rename = "bandwidth_adaptation",
        serialize_with = "off",
        skip_serializing_if = "is_off"
    )]
    pub no_bandwidth_adaptation: bool,
    /// Upper bound of the video bitrate requested from each browser, in bits per second
    #[arg(long, value_name = "BPS", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_incoming_bitrate: Option<u64>,
    /// DTLS version [default: auto]
    #[arg(long, value_name = "VERSION", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtls: Option<DtlsChoice>,
    /// Folder to serve as the site instead of the web client
    #[arg(long, value_name = "DIR", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<PathBuf>,
    /// Certificate chain (PEM) to serve the page by HTTPS
    #[arg(long, value_name = "FILE", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Serve the page by HTTPS with a generated certificate, so that cameras work on other machines
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "is_off")]
    pub tls_self_signed: bool,
    /// Directory for certificates of --domain and the generated secret [default: /var/lib/watersmeet]
    #[arg(long, value_name = "DIR", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// Log level or filter [default: info]
    #[arg(long, value_name = "FILTER", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Format of log lines [default: text]
    #[arg(long, value_name = "FORMAT", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
}

/// Task to run instead of the server.
#[derive(Debug, Clone, Subcommand)]
pub enum Task {
    /// Check the configuration and this machine, and print how to fix problems
    Doctor {
        /// Print one JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Ask the server with this configuration whether it is alive; exit with status 0 or 1
    Health,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_off(flag: &bool) -> bool {
    !*flag
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn off<S: serde::Serializer>(_: &bool, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bool(false)
}
