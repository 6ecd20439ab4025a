//! The command line. Each flag overrides the key of the same name; a flag that is not given says
//! nothing.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;
use serde::Serialize;

use super::{DtlsChoice, LogFormat, VideoCodec};

/// Video meetings in one program: rooms, signalling, the web page and the media engine.
#[derive(Debug, Default, Parser, Serialize)]
#[command(name = "watersmeet", version, about)]
pub struct Flags {
    /// Configuration file [default: watersmeet.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// TCP port of the page; 0 takes a free one [default: 3000]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Address to listen on, for the page and for media [default: all]
    #[arg(long, value_name = "IP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen_ip: Option<IpAddr>,
    /// Address to listen on for media alone
    #[arg(long, value_name = "IP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_listen_ip: Option<IpAddr>,
    /// Address at which browsers reach media; may be repeated [default: the machine's own]
    #[arg(long = "announced-ip", value_name = "IP")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub announced_ips: Vec<IpAddr>,
    /// First media port, UDP and TCP; one more per core [default: 10000]
    #[arg(long, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtc_port: Option<u16>,
    /// Last media port that may be used
    #[arg(long, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtc_port_max: Option<u16>,
    /// Send no media over UDP
    #[arg(long = "no-udp", action = clap::ArgAction::SetFalse)]
    #[serde(skip_serializing_if = "is_on")]
    pub udp: bool,
    /// Send no media over TCP
    #[arg(long = "no-tcp", action = clap::ArgAction::SetFalse)]
    #[serde(skip_serializing_if = "is_on")]
    pub tcp: bool,
    /// Number of media threads [default: one per core]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u8>,
    /// Hold every room to one video codec
    #[arg(long, value_name = "CODEC")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_codec: Option<VideoCodec>,
    /// Bits per second that a path is believed to carry at first [default: 1000000]
    #[arg(long, value_name = "BPS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_outgoing_bitrate: Option<u64>,
    /// DTLS version [default: 1.2]
    #[arg(long, value_name = "VERSION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtls: Option<DtlsChoice>,
    /// Certificate chain (PEM): serve the page by TLS
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Serve the page by TLS with a certificate made now, so that cameras work on other machines
    #[arg(long)]
    #[serde(skip_serializing_if = "is_off")]
    pub tls_self_signed: bool,
    /// Log level or filter [default: info]
    #[arg(long, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// How log lines look [default: text]
    #[arg(long, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_on(flag: &bool) -> bool {
    *flag
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_off(flag: &bool) -> bool {
    !*flag
}
