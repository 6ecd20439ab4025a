//! What an operator can decide, and where it may be written down: a file, `.env`, the environment
//! and flags, the later over the earlier. A key that nobody knows is refused, so that a slip of the
//! pen never goes unnoticed.
//!
//! The last line of each key's description is a line as it may stand in the file; the sample files
//! are made from them (`config/sample_files.rs`). This room reads; it opens no socket and starts
//! nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use watersmeet_conference::ConferenceLimits;
use watersmeet_engine::egress::window::EgressOptions;
use watersmeet_net::udp::UdpOptions;

mod aliases;
mod environment;
mod error;
mod flags;
mod limits;
mod listener;
mod load;
mod log_filter;
#[cfg(test)]
mod sample_files;
mod secret;
#[cfg(test)]
mod tests;
mod toml_file;
mod validation;
mod values;

pub use error::ConfigError;
pub use flags::{Flags, Task};
pub use limits::LimitsTable;
pub use listener::{ListenerConfig, Mount};
pub use load::Loaded;
pub use secret::Secret;
pub use values::{
    CodecChoice, CodecParameter, DtlsChoice, Egress, IceServer, LogFormat, Network, RoomCreation,
    RoomPolicy, VideoCodec, WindowChoice,
};

/// The most shards that can be told apart: an ICE user name fragment has one byte for them.
const SHARDS_MAX: u8 = 64;

/// Everything an operator can decide.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Development: a missing `jwt_secret` is replaced by a random one that dies with the program,
    /// and pages are served to this machine alone unless `listen_ip` says otherwise. Default false.
    /// `dev = true`
    pub dev: bool,
    /// TCP port of the page and its signalling. 0 takes a free one. Default 3000.
    /// `port = 3000`
    pub port: u16,
    /// Address that the page, and media unless `media_listen_ip` says otherwise, listen on.
    /// Default: every IPv4 and IPv6 address of the machine.
    /// `listen_ip = "0.0.0.0"`
    pub listen_ip: Option<IpAddr>,
    /// Address that media listens on. Default: `listen_ip`.
    /// `media_listen_ip = "0.0.0.0"`
    pub media_listen_ip: Option<IpAddr>,
    /// Addresses at which browsers can reach media, best first. Behind NAT: the public one.
    /// Default: the machine's own addresses and loopback.
    /// `announced_ips = ["203.0.113.7"]`
    pub announced_ips: Vec<IpAddr>,
    /// First media port, UDP and TCP alike; shard n listens on `rtc_port + n`. 0 takes free ones.
    /// Default 10000.
    /// `rtc_port = 10000`
    pub rtc_port: u16,
    /// Last media port that may be used: fewer shards are started when it leaves too few. Default:
    /// no bound.
    /// `rtc_port_max = 10063`
    pub rtc_port_max: Option<u16>,
    /// Whether media may travel over UDP. Default true.
    /// `udp = true`
    pub udp: bool,
    /// Whether media may travel over TCP. Default true.
    /// `tcp = true`
    pub tcp: bool,
    /// How media leaves over UDP: `udp` by the system's network stack; `packet` past it wherever
    /// that can be done and is cheaper, on Linux with the privilege `CAP_NET_RAW`. Default udp.
    /// `egress = "udp"`
    pub egress: Egress,
    /// Number of media threads, 1 to 64. Default: one per core.
    /// `shards = 2`
    pub shards: Option<u8>,
    /// How busy a media thread may be, in percent of a core, before whoever comes to a room there is
    /// served by another. At 0 every room is spread over all threads; nobody moves during a call.
    /// Default 60.
    /// `spread_above_percent = 60`
    pub spread_above_percent: u8,
    /// How long media is gathered before it leaves, so that packets to the same browser cost one trip
    /// through the kernel: `auto` as the load asks for (not at all below about 19,000 packets a second
    /// and core, 1.2 ms at 70,000, 2 ms at most), `off`, or microseconds as `1000us`, at most `2000us`.
    /// Default auto.
    /// `egress_window = "auto"`
    pub egress_window: WindowChoice,
    /// The most bytes of padding that make a packet as long as others, under load, 0 to 255. It grows
    /// by an eighth at most. Default 32.
    /// `egress_padding = 32`
    pub egress_padding: u8,
    /// Microseconds that a media thread looks for packets before it sleeps, at most 10,000. It costs
    /// processor time and spares waking. Default 0.
    /// `busy_poll_us = 0`
    pub busy_poll_us: u32,
    /// Whether each media thread keeps to a core of its own (Linux). Default false.
    /// `pin_cores = false`
    pub pin_cores: bool,
    /// Bytes that the kernel keeps of media that arrives while a media thread is busy; it may grant
    /// less (`net.core.rmem_max`). Default 8,388,608.
    /// `media_receive_buffer = 8388608`
    pub media_receive_buffer: usize,
    /// Bytes that the kernel keeps of media that leaves (`net.core.wmem_max`). Default 8,388,608.
    /// `media_send_buffer = 8388608`
    pub media_send_buffer: usize,

    /// What signs and checks the tokens of invitations, users and hosts: at least 32 random bytes,
    /// never one from an example. Make one with `openssl rand -hex 32`. Without `dev` the program
    /// does not start without it. No default.
    /// `jwt_secret = ""`
    pub jwt_secret: Option<Secret>,
    /// The secret before this one. Its tokens still hold, so that a secret can be replaced without
    /// breaking links that were handed out. No default.
    /// `jwt_secret_previous = ""`
    pub jwt_secret_previous: Option<Secret>,
    /// File with the secret instead of `jwt_secret`, readable by its owner alone. No default.
    /// `jwt_secret_file = "/etc/watersmeet/jwt.key"`
    pub jwt_secret_file: Option<PathBuf>,
    /// Who must have issued a token, as its claim `iss` says. Default: anybody who has the secret.
    /// `jwt_issuer = "https://accounts.example.org"`
    pub jwt_issuer: Option<String>,
    /// For whom a token must be, as its claim `aud` says. Default: tokens that name nobody.
    /// `jwt_audience = "watersmeet"`
    pub jwt_audience: Option<String>,
    /// What programs show as `Authorization: Bearer` to manage rooms and to read metrics: at least
    /// 32 random bytes. Default: nobody can.
    /// `api_key = ""`
    pub api_key: Option<Secret>,
    /// Pages of other hosts that may use this server, as `https://host` or `https://host:port`.
    /// `*` is refused. Default: only our own pages and those of this machine.
    /// `cors_origins = ["https://app.example.org"]`
    pub cors_origins: Vec<String>,
    /// Reverse proxies whose `X-Forwarded-For` is believed: addresses or networks. Default: none.
    /// `trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]`
    pub trusted_proxies: Vec<Network>,
    /// Whether everybody needs a token to connect. A listener of its own may say otherwise.
    /// Default false.
    /// `token_required = false`
    pub token_required: bool,
    /// Who enters a room: `open` everybody, `invite-only` with a token, `approval` when a host
    /// says yes, `locked` nobody but hosts. Default open.
    /// `room_policy = "open"`
    pub room_policy: RoomPolicy,
    /// Who makes a room: `anyone`, or whoever has a `token`. Default anyone.
    /// `room_creation = "anyone"`
    pub room_creation: RoomCreation,
    /// The room of a client that names none. Default lobby.
    /// `default_room = "lobby"`
    pub default_room: String,
    /// Where people find this server, for the links in invitations. Default: the address that the
    /// request for the invitation was sent to.
    /// `base_url = "https://meet.example.org"`
    pub base_url: Option<String>,

    /// STUN and TURN servers told to browsers as they stand here. Default: none, since this server
    /// can be reached itself.
    /// `ice_servers = [{ urls = ["stun:stun.example.org:3478"] }]`
    pub ice_servers: Vec<IceServer>,
    /// TURN servers for which credentials are made from `turn_secret`. Default: none.
    /// `turn_urls = ["turn:turn.example.org:3478?transport=udp"]`
    pub turn_urls: Vec<String>,
    /// The secret that coturn has as `static-auth-secret`. No default.
    /// `turn_secret = ""`
    pub turn_secret: Option<Secret>,
    /// How long credentials of `turn_secret` hold, 60 to 604,800 seconds. Default 86,400, a day.
    /// `turn_ttl_s = 86400`
    pub turn_ttl_s: u32,

    /// The codecs that rooms offer, best first: `opus`, `pcmu`, `pcma`, `vp8`, `vp9`, `h264`, or a
    /// table with `name` and `parameters`. Default: Opus, then VP8, VP9 and two profiles of H.264.
    /// `codecs = ["opus", "vp8", "vp9", { name = "h264", parameters = { "packetization-mode" = 1, "profile-level-id" = "42e01f" } }]`
    pub codecs: Vec<CodecChoice>,
    /// The one video codec of `codecs` that rooms are held to. Default: all of them.
    /// `video_codec = "vp8"`
    pub video_codec: Option<VideoCodec>,
    /// What a path to a browser is believed to carry before it was measured, in bits per second.
    /// Default 1,000,000.
    /// `initial_outgoing_bitrate = 1000000`
    pub initial_outgoing_bitrate: u64,
    /// The most video that each browser is asked to send, in bits per second. Default: no bound.
    /// `max_incoming_bitrate = 3000000`
    pub max_incoming_bitrate: Option<u64>,
    /// DTLS version offered to browsers: `1.2`, `1.3` or `auto`. Default 1.2.
    /// `dtls = "1.2"`
    pub dtls: DtlsChoice,

    /// PEM file with the certificate chain of the page. With `tls_key` the page is served by TLS.
    /// `tls_cert = "/etc/watersmeet/cert.pem"`
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the private key that belongs to `tls_cert`.
    /// `tls_key = "/etc/watersmeet/key.pem"`
    pub tls_key: Option<PathBuf>,
    /// Serve the page by TLS with a certificate made at start. Browsers warn once, then allow
    /// cameras on other machines. Default false.
    /// `tls_self_signed = false`
    pub tls_self_signed: bool,

    /// What is logged: a level (`off`, `error`, `warn`, `info`, `debug`, `trace`) or a filter such
    /// as `info,watersmeet_engine=debug`. Default info.
    /// `log = "info"`
    pub log: String,
    /// How log lines look: `text` or `json`. Default text.
    /// `log_format = "text"`
    pub log_format: LogFormat,

    /// How much anybody may have.
    pub caps: ConferenceLimits,
    /// How often anybody may do what, counted for each IPv4 address or IPv6 /64.
    pub limits: LimitsTable,
    /// Several doors instead of the one that `port`, `listen_ip` and `tls_*` describe.
    pub listeners: Vec<ListenerConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dev: false,
            port: 3000,
            listen_ip: None,
            media_listen_ip: None,
            announced_ips: Vec::new(),
            rtc_port: 10_000,
            rtc_port_max: None,
            udp: true,
            tcp: true,
            egress: Egress::Udp,
            shards: None,
            spread_above_percent: 60,
            egress_window: WindowChoice::Auto,
            egress_padding: EgressOptions::default().padding_max,
            busy_poll_us: 0,
            pin_cores: false,
            media_receive_buffer: UdpOptions::default().receive_buffer,
            media_send_buffer: UdpOptions::default().send_buffer,
            jwt_secret: None,
            jwt_secret_previous: None,
            jwt_secret_file: None,
            jwt_issuer: None,
            jwt_audience: None,
            api_key: None,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            token_required: false,
            room_policy: RoomPolicy::Open,
            room_creation: RoomCreation::Anyone,
            default_room: "lobby".to_owned(),
            base_url: None,
            ice_servers: Vec::new(),
            turn_urls: Vec::new(),
            turn_secret: None,
            turn_ttl_s: 86_400,
            codecs: CodecChoice::defaults(),
            video_codec: None,
            initial_outgoing_bitrate: 1_000_000,
            max_incoming_bitrate: None,
            dtls: DtlsChoice::V12,
            tls_cert: None,
            tls_key: None,
            tls_self_signed: false,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            caps: ConferenceLimits::default(),
            limits: LimitsTable::default(),
            listeners: Vec::new(),
        }
    }
}

impl Config {
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

    /// How media is gathered before it leaves.
    pub fn egress_options(&self) -> EgressOptions {
        EgressOptions {
            window: self.egress_window.into(),
            padding_max: self.egress_padding,
        }
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

    /// The doors to open: those of `listeners`, else the one of the keys without a table.
    pub fn doors(&self) -> Vec<ListenerConfig> {
        if !self.listeners.is_empty() {
            return self.listeners.clone();
        }
        vec![ListenerConfig {
            port: self.port,
            listen_ip: self.listen_ip,
            mounts: Mount::ALL.to_vec(),
            tls_cert: self.tls_cert.clone(),
            tls_key: self.tls_key.clone(),
            tls_self_signed: self.tls_self_signed,
            token_required: self.token_required,
        }]
    }

    /// The addresses that a door listens on; those after the first may fail.
    pub fn door_addresses(&self, door: &ListenerConfig) -> Vec<SocketAddr> {
        let ips = match door.listen_ip.or(self.listen_ip) {
            Some(ip) => vec![ip],
            None if self.dev => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            None => everywhere(),
        };
        ips.into_iter()
            .map(|ip| SocketAddr::new(ip, door.port))
            .collect()
    }
}

/// Every address of the machine. IPv6 comes second: some machines have none.
fn everywhere() -> Vec<IpAddr> {
    vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
}
