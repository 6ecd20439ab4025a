//! The command line. Each flag overrides the key of the same name; a flag that is not given says
//! nothing. Secrets have none: every user of a machine sees the flags of every program.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use serde::Serialize;

use super::{DtlsChoice, LogFormat, VideoCodec};

/// Video meetings in one program: rooms, signalling, the web page and the media engine.
#[derive(Debug, Default, Parser, Serialize)]
#[command(name = "watersmeet", version, about)]
pub struct Flags {
    /// What to do instead of serving.
    #[command(subcommand)]
    #[serde(skip)]
    pub task: Option<Task>,
    /// Configuration file [default: watersmeet.toml, if there is one]
    #[arg(long, value_name = "FILE", global = true)]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Development: a random secret, and pages for this machine alone unless --listen-ip is given
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "is_off")]
    pub dev: bool,
    /// TCP port of the page; 0 takes a free one [default: 3000]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Address to listen on, for the page and for media [default: all]
    #[arg(long, value_name = "IP", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen_ip: Option<IpAddr>,
    /// Address to listen on for media alone
    #[arg(long, value_name = "IP", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_listen_ip: Option<IpAddr>,
    /// Address at which browsers reach media; may be repeated [default: the machine's own]
    #[arg(long = "announced-ip", value_name = "IP", global = true)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub announced_ips: Vec<IpAddr>,
    /// First media port, UDP and TCP; one more per core [default: 10000]
    #[arg(long, value_name = "PORT", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtc_port: Option<u16>,
    /// Last media port that may be used
    #[arg(long, value_name = "PORT", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtc_port_max: Option<u16>,
    /// Send no media over UDP
    #[arg(long, global = true)]
    #[serde(rename = "udp", serialize_with = "off", skip_serializing_if = "is_off")]
    pub no_udp: bool,
    /// Send no media over TCP
    #[arg(long, global = true)]
    #[serde(rename = "tcp", serialize_with = "off", skip_serializing_if = "is_off")]
    pub no_tcp: bool,
    /// Number of media threads [default: one per core]
    #[arg(long, value_name = "N", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u8>,
    /// File with the secret of tokens, readable by its owner alone
    #[arg(long, value_name = "FILE", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_secret_file: Option<PathBuf>,
    /// Hold every room to one video codec
    #[arg(long, value_name = "CODEC", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_codec: Option<VideoCodec>,
    /// Bits per second that a path is believed to carry at first [default: 1000000]
    #[arg(long, value_name = "BPS", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_outgoing_bitrate: Option<u64>,
    /// Bits per second of video that each browser is asked to send at most
    #[arg(long, value_name = "BPS", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_incoming_bitrate: Option<u64>,
    /// DTLS version [default: 1.2]
    #[arg(long, value_name = "VERSION", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtls: Option<DtlsChoice>,
    /// Certificate chain (PEM): serve the page by TLS
    #[arg(long, value_name = "FILE", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Serve the page by TLS with a certificate made now, so that cameras work on other machines
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "is_off")]
    pub tls_self_signed: bool,
    /// Log level or filter [default: info]
    #[arg(long, value_name = "FILTER", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// How log lines look [default: text]
    #[arg(long, value_name = "FORMAT", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
}

/// What the program can do instead of serving.
#[derive(Debug, Clone, Subcommand)]
pub enum Task {
    /// Check the configuration and this machine, and say how to mend what is wrong
    Doctor {
        /// Print one JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
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
