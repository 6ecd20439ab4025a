//! The keys of the configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use watersmeet_conference::ConferenceLimits;
use watersmeet_engine::egress::window::EgressOptions;
use watersmeet_net::udp::UdpOptions;

use super::announced::AnnouncedAddress;
use super::limits::LimitsTable;
use super::listener::{ListenerConfig, Mount};
use super::secret::Secret;
use super::values::{
    CodecChoice, DtlsChoice, Egress, ExpiredTokens, IceServer, LogFormat, Network, RoomCreation,
    RoomPolicy, VideoCodec, WindowChoice,
};
use super::webhook::WebhookConfig;

/// Upper bound of shards: an ICE username fragment has one byte for the shard.
pub const SHARDS_MAX: u8 = 64;

/// Default of `state_dir`.
const STATE_DIR: &str = "/var/lib/watersmeet";

/// File of the history of calls in `state_dir`.
const HISTORY_FILE: &str = "history.sqlite";

/// Default of `acme_directory_url`.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The configuration, with a field for each key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Development mode: a missing `jwt_secret` is replaced by a random one for this start, and pages
    /// are served on loopback only unless `listen_ip` is set. Default false.
    /// `dev = true`
    pub dev: bool,
    /// Domains under which browsers open the page. It is then served by HTTPS on port 443, with a
    /// certificate that is obtained and renewed by ACME (RFC 8555), and port 80 redirects to it. Default:
    /// none.
    /// `domains = ["meet.example.org"]`
    pub domains: Vec<String>,
    /// TCP port of the web page and of signalling. 0 takes a free port. Default 3000, with `domains` 443.
    /// `port = 3000`
    pub port: Option<u16>,
    /// TCP port on which plain HTTP is redirected to HTTPS, and certificate authorities may validate
    /// `domains`. Default: 80 with `domains`, if it can be bound, else none.
    /// `redirect_port = 80`
    pub redirect_port: Option<u16>,
    /// Whether media over TCP shares the port of the page, instead of ports of its own, and so does TURN over
    /// TLS, where the page has HTTPS and `turn_urls` is empty. Then firewalls that allow only that port let
    /// media pass. Default: true with `domains`, else false.
    /// `one_port = true`
    pub one_port: Option<bool>,
    /// Address to listen on for the page, and for media unless `media_listen_ip` is set: `0.0.0.0` is
    /// all IPv4 addresses, `::` all IPv4 and IPv6 addresses. Default: all IPv4 and IPv6 addresses.
    /// `listen_ip = "0.0.0.0"`
    pub listen_ip: Option<IpAddr>,
    /// Address to listen on for media. Default: `listen_ip`.
    /// `media_listen_ip = "0.0.0.0"`
    pub media_listen_ip: Option<IpAddr>,
    /// Addresses or host names under which browsers reach media, best first. Behind NAT: the public
    /// address. Names are resolved at start, and again every minute. Default: those of the first of
    /// `domains`, and the machine's own and loopback.
    /// `announced_ips = ["203.0.113.7"]`
    pub announced_ips: Vec<AnnouncedAddress>,
    /// First media port, for UDP and TCP; shard n listens on `rtc_port + n`. 0 takes free ports.
    /// Default 10000.
    /// `rtc_port = 10000`
    pub rtc_port: u16,
    /// Last media port. A range with fewer ports than shards is refused. Default: no bound.
    /// `rtc_port_max = 10063`
    pub rtc_port_max: Option<u16>,
    /// Whether media may use UDP. Default true.
    /// `udp = true`
    pub udp: bool,
    /// Whether media may use TCP. Default true.
    /// `tcp = true`
    pub tcp: bool,
    /// How media is sent over UDP: `udp` by the network stack; `packet` past it where that is possible
    /// and cheaper. `packet` requires Linux, the capability `CAP_NET_RAW` and a program built with the
    /// feature `packet-egress`. Default udp.
    /// `egress = "udp"`
    pub egress: Egress,
    /// Number of shards (media threads), 1 to 64. Default: one for each core.
    /// `shards = 2`
    pub shards: Option<u8>,
    /// CPU load of a shard, in percent of a core, above which participants who join its rooms are placed
    /// on another shard. At 0 every room is spread over all shards. Nobody moves during a call.
    /// Default 60.
    /// `spread_above_percent = 60`
    pub spread_above_percent: u8,
    /// How long media is collected before it is sent, so that packets to the same browser pass through
    /// the kernel together: `auto` by load (0 below about 19,000 packets a second and core, 1.2 ms at
    /// 70,000, at most 2 ms), `off`, or microseconds as `1000us`, at most `2000us`. Default auto.
    /// `egress_window = "auto"`
    pub egress_window: WindowChoice,
    /// Upper bound of padding, in bytes, that makes packets equally long under load, 0 to 255. A packet
    /// grows by at most an eighth. Default 32.
    /// `egress_padding = 32`
    pub egress_padding: u8,
    /// Time for which a shard polls for packets before it sleeps, in microseconds, at most 10,000. Costs
    /// CPU time and saves wake-ups. Default 0.
    /// `busy_poll_us = 0`
    pub busy_poll_us: u32,
    /// Whether each shard is pinned to a core (Linux only). Default false.
    /// `pin_cores = false`
    pub pin_cores: bool,
    /// Receive buffer of each media socket, in bytes; the kernel may grant less
    /// (`net.core.rmem_max`). Default 8,388,608.
    /// `media_receive_buffer = 8388608`
    pub media_receive_buffer: usize,
    /// Send buffer of each media socket, in bytes; the kernel may grant less
    /// (`net.core.wmem_max`). Default 8,388,608.
    /// `media_send_buffer = 8388608`
    pub media_send_buffer: usize,

    /// Secret that signs and verifies the tokens of invitations, users and hosts: at least 32 random
    /// bytes, not one from an example. Make one with `openssl rand -hex 32`. Required unless `dev` or
    /// `domains` is set: then one is generated, with `domains` once for all starts. No default.
    /// `jwt_secret = ""`
    pub jwt_secret: Option<Secret>,
    /// Previous secret. Its tokens stay valid, so that the secret can be replaced without breaking links
    /// that were handed out. No default.
    /// `jwt_secret_previous = ""`
    pub jwt_secret_previous: Option<Secret>,
    /// File that contains the secret, instead of `jwt_secret`; only its owner may read it. No default.
    /// `jwt_secret_file = "/etc/watersmeet/jwt.key"`
    pub jwt_secret_file: Option<PathBuf>,
    /// Required issuer of tokens, their claim `iss`. Default: any issuer that has the secret.
    /// `jwt_issuer = "https://accounts.example.org"`
    pub jwt_issuer: Option<String>,
    /// Required audience of tokens, their claim `aud`. Default: only tokens without an audience.
    /// `jwt_audience = "watersmeet"`
    pub jwt_audience: Option<String>,
    /// Key with which programs manage rooms and read metrics, sent as `Authorization: Bearer`: at least
    /// 32 random bytes. Default: no key, so nobody can.
    /// `api_key = ""`
    pub api_key: Option<Secret>,
    /// TCP port of the operators' page and its interface, which no other port serves. They need `api_key`; with
    /// `dev` a missing one is generated for this start and printed. 0 takes a free port. Default: off.
    /// `operators_port = 3001`
    pub operators_port: Option<u16>,
    /// Address to listen on for the operators' page. Other addresses than loopback use the certificate of the
    /// page. Default 127.0.0.1.
    /// `operators_listen_ip = "127.0.0.1"`
    pub operators_listen_ip: Option<IpAddr>,
    /// Origins of other sites whose pages may use this server: `https://host`, `https://host:port`,
    /// `https://*.example.org` for subdomains, or that of an app, as `capacitor://localhost`. `*` is
    /// refused. Default: only our own pages, those on loopback, and with `dev` those on private
    /// networks.
    /// `cors_origins = ["https://app.example.org"]`
    pub cors_origins: Vec<String>,
    /// Origins of other sites whose pages may show our page in a frame, and command it (`docs/embedding.md`):
    /// `https://host`, `https://host:port`, or `https://*.example.org` for subdomains. Default: none.
    /// `embed_origins = ["https://app.example.org"]`
    pub embed_origins: Vec<String>,
    /// Names under which this server is reached without a trusted proxy and without TLS, as
    /// `meet.example.org` or `*.example.org`. Requests under other names are refused, since a page of
    /// another site could let its name point here. Default: that of `base_url` and of this machine;
    /// addresses, names without a dot, and names of private networks need not be listed.
    /// `host_names = ["meet.example.org"]`
    pub host_names: Vec<String>,
    /// Folder that is served as the site instead of the web client, with its `index.html`. Default:
    /// the web client.
    /// `site = "/srv/meet"`
    pub site: Option<PathBuf>,
    /// Reverse proxies whose `X-Forwarded-For` or `Forwarded` is trusted: addresses or networks.
    /// Default: none.
    /// `trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]`
    pub trusted_proxies: Vec<Network>,
    /// Whether clients need a token to connect. Entries of `listeners` have a setting of their own.
    /// Default false.
    /// `token_required = false`
    pub token_required: bool,
    /// Who may enter a room: `open` everybody, `invite-only` with a token, `approval` after a host
    /// admits, `locked` only hosts. Default open.
    /// `room_policy = "open"`
    pub room_policy: RoomPolicy,
    /// Who may create rooms: `anyone`, or holders of a `token`. Default anyone.
    /// `room_creation = "anyone"`
    pub room_creation: RoomCreation,
    /// What happens to a connection when the token expires with which it joined: `keep` lets it stay,
    /// `disconnect` closes it (code 1008). Default keep.
    /// `expired_tokens = "keep"`
    pub expired_tokens: ExpiredTokens,
    /// Room of clients that name none. Default lobby.
    /// `default_room = "lobby"`
    pub default_room: String,
    /// URL of this server in invitation links, with a path where a proxy serves it below one. Default:
    /// the address to which the request for the invitation was sent.
    /// `base_url = "https://meet.example.org"`
    pub base_url: Option<String>,

    /// STUN and TURN servers announced to browsers, with fixed credentials. Default: none, since this
    /// server is reachable itself.
    /// `ice_servers = [{ urls = ["stun:stun.example.org:3478"] }]`
    pub ice_servers: Vec<IceServer>,
    /// UDP and TCP port of the embedded TURN server, for browsers that do not reach the media ports. It
    /// relays to this server only. Default: off.
    /// `turn_port = 3478`
    pub turn_port: Option<u16>,
    /// TCP port of the embedded TURN server for TLS, with the certificate of the page. Default: off.
    /// `turn_tls_port = 5349`
    pub turn_tls_port: Option<u16>,
    /// Address to listen on for the embedded TURN server. Default: that of media.
    /// `turn_listen_ip = "0.0.0.0"`
    pub turn_listen_ip: Option<IpAddr>,
    /// Host name or address of the embedded TURN server in browsers. Default: the first announced
    /// address, and for TLS the host of `base_url`.
    /// `turn_host = "turn.example.org"`
    pub turn_host: Option<String>,
    /// Upper bound of allocations of the embedded TURN server, 1 to 60,000; each needs an open file.
    /// Default 2,000.
    /// `turn_allocations_max = 2000`
    pub turn_allocations_max: u32,
    /// Other TURN servers for which temporary credentials are generated from `turn_secret`. Default: none.
    /// `turn_urls = ["turn:turn.example.org:3478?transport=udp"]`
    pub turn_urls: Vec<String>,
    /// Shared secret of the TURN servers, `static-auth-secret` of coturn. Default: none, and for the
    /// embedded server alone a random one at each start.
    /// `turn_secret = ""`
    pub turn_secret: Option<Secret>,
    /// Validity of credentials generated from `turn_secret`, 60 to 604,800 seconds. Default 86,400, a
    /// day.
    /// `turn_ttl_s = 86400`
    pub turn_ttl_s: u32,

    /// Codecs that rooms offer, best first: `opus`, `pcmu`, `pcma`, `vp8`, `vp9`, `h264`, `av1`, or a
    /// table with `name` and `parameters`. Default: Opus, then VP8, VP9 and two profiles of H.264.
    /// `codecs = ["opus", "vp8", "vp9", { name = "h264", parameters = { "packetization-mode" = 1, "profile-level-id" = "42e01f" } }]`
    pub codecs: Vec<CodecChoice>,
    /// The only video codec that rooms offer, one of `codecs`. Default: all of them.
    /// `video_codec = "vp8"`
    pub video_codec: Option<VideoCodec>,
    /// Whether rooms with Opus offer redundant audio (RED, RFC 2198): packets then repeat earlier ones for
    /// browsers that lose some. Default true.
    /// `redundant_audio = true`
    pub redundant_audio: bool,
    /// Assumed bitrate of the path to a browser before it is measured, in bits per second.
    /// Default 1,000,000.
    /// `initial_outgoing_bitrate = 1000000`
    pub initial_outgoing_bitrate: u64,
    /// Whether what a browser is sent follows what its line carries. Off, every viewer is sent the layers
    /// that it asks for; that is for measurements on lines without limits. Default true.
    /// `bandwidth_adaptation = true`
    pub bandwidth_adaptation: bool,
    /// Upper bound of the video bitrate requested from each browser, in bits per second. Default: no
    /// bound.
    /// `max_incoming_bitrate = 3000000`
    pub max_incoming_bitrate: Option<u64>,
    /// Cameras that each participant of a room is sent: those of the latest speakers, then those of who came
    /// first. Shared screens do not count. Programs may set another number for a room that they create.
    /// Default 0: all of them.
    /// `last_n_video = 0`
    pub last_n_video: u16,
    /// Voices that each participant of a room is sent: the loudest ones, at most 64. Programs may set another
    /// number for a room that they create. Default 0: all of them.
    /// `top_n_audio = 0`
    pub top_n_audio: u8,
    /// DTLS version: `1.2`, `1.3`, or `auto`, which is 1.3 for clients that list an AES-GCM profile of SRTP
    /// first and 1.2 for the others. Default auto.
    /// `dtls = "auto"`
    pub dtls: DtlsChoice,

    /// PEM file with the certificate chain of the page. With `tls_key` the page is served by HTTPS.
    /// `tls_cert = "/etc/watersmeet/cert.pem"`
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the private key that belongs to `tls_cert`.
    /// `tls_key = "/etc/watersmeet/key.pem"`
    pub tls_key: Option<PathBuf>,
    /// Whether the page is served by HTTPS with a certificate generated at start. Browsers warn once,
    /// then allow cameras on other machines. Default false.
    /// `tls_self_signed = false`
    pub tls_self_signed: bool,
    /// Directory for the account and certificates of ACME, the generated secret of tokens, and the history. Only
    /// its owner can read them. It is used with `domains` and `history` only. Default /var/lib/watersmeet.
    /// `state_dir = "/var/lib/watersmeet"`
    pub state_dir: PathBuf,
    /// Directory URL of the certificate authority for `domains` (RFC 8555 §7.1.1). Default: that of
    /// Let's Encrypt, whose terms of service you then accept.
    /// `acme_directory_url = "https://acme-v02.api.letsencrypt.org/directory"`
    pub acme_directory_url: String,
    /// Mail address that the certificate authority may write to. Default: none.
    /// `acme_contact = "admin@example.org"`
    pub acme_contact: Option<String>,
    /// PEM file with the root certificates by which the certificate authority itself is trusted, for one
    /// of your own. Default: the public ones.
    /// `acme_ca_file = "/etc/watersmeet/ca.pem"`
    pub acme_ca_file: Option<PathBuf>,

    /// Seconds between SIGTERM and the end of the meetings that are still running: people are told, and
    /// no new rooms are opened. At most 3,600. Without meetings the program ends at once. Default 2.
    /// `shutdown_notice_s = 2`
    pub shutdown_notice_s: u32,

    /// Whether a history of calls is kept: who was there, the quality of each minute, and the likely cause of what was
    /// bad. Operators read it over the REST interface. Default false.
    /// `history = false`
    pub history: bool,
    /// Days for which a call stays in the history, 1 to 3,650. Default 30.
    /// `history_days = 30`
    pub history_days: u16,
    /// Size that the history may have, in MiB, 1 to 1,048,576: the oldest calls are deleted first. Default 512.
    /// `history_size_max_mb = 512`
    pub history_size_max_mb: u32,
    /// File of the history (SQLite). Default: `history.sqlite` in `state_dir`.
    /// `history_file = "/var/lib/watersmeet/history.sqlite"`
    pub history_file: Option<PathBuf>,
    /// Whether the history has the names and public ids of participants. Names of rooms are always in it.
    /// Default false.
    /// `history_names = false`
    pub history_names: bool,
    /// Seconds between two observations of all calls for the history, 1 to 20. Default 10.
    /// `history_interval_s = 10`
    pub history_interval_s: u16,

    /// Log level (`off`, `error`, `warn`, `info`, `debug`, `trace`) or filter, such as
    /// `info,watersmeet_engine=debug`. Default info.
    /// `log = "info"`
    pub log: String,
    /// Format of log lines: `text` or `json`. Default text.
    /// `log_format = "text"`
    pub log_format: LogFormat,

    /// Limits on how much one client, room or server may have.
    pub caps: ConferenceLimits,
    /// Rate limits, counted for each IPv4 address or IPv6 /64.
    pub limits: LimitsTable,
    /// Several HTTP listeners, instead of the one set by `port`, `listen_ip` and `tls_*`.
    pub listeners: Vec<ListenerConfig>,
    /// URLs that are told of rooms, participants and tracks, in the form of LiveKit's webhooks. At most 8.
    pub webhooks: Vec<WebhookConfig>,

    /// File that the configuration was read from; no key.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dev: false,
            domains: Vec::new(),
            port: None,
            redirect_port: None,
            one_port: None,
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
            operators_port: None,
            operators_listen_ip: None,
            cors_origins: Vec::new(),
            embed_origins: Vec::new(),
            host_names: Vec::new(),
            site: None,
            trusted_proxies: Vec::new(),
            token_required: false,
            room_policy: RoomPolicy::Open,
            room_creation: RoomCreation::Anyone,
            expired_tokens: ExpiredTokens::Keep,
            default_room: "lobby".to_owned(),
            base_url: None,
            ice_servers: Vec::new(),
            turn_port: None,
            turn_tls_port: None,
            turn_listen_ip: None,
            turn_host: None,
            turn_allocations_max: 2_000,
            turn_urls: Vec::new(),
            turn_secret: None,
            turn_ttl_s: 86_400,
            codecs: CodecChoice::defaults(),
            video_codec: None,
            redundant_audio: true,
            initial_outgoing_bitrate: 1_000_000,
            bandwidth_adaptation: true,
            max_incoming_bitrate: None,
            last_n_video: 0,
            top_n_audio: 0,
            dtls: DtlsChoice::Auto,
            tls_cert: None,
            tls_key: None,
            tls_self_signed: false,
            state_dir: STATE_DIR.into(),
            acme_directory_url: LETS_ENCRYPT.to_owned(),
            acme_contact: None,
            acme_ca_file: None,
            shutdown_notice_s: 2,
            history: false,
            history_days: 30,
            history_size_max_mb: 512,
            history_file: None,
            history_names: false,
            history_interval_s: 10,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            caps: ConferenceLimits::default(),
            limits: LimitsTable::default(),
            listeners: Vec::new(),
            webhooks: Vec::new(),
            file: None,
        }
    }
}

impl Config {
    /// Returns the number of shards to start: as configured, else one for each core.
    pub fn shard_count(&self) -> u8 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = u8::try_from(cores).unwrap_or(SHARDS_MAX).min(SHARDS_MAX);
        self.shards.unwrap_or(cores)
    }

    /// Returns the file of the history of calls.
    pub fn history_path(&self) -> PathBuf {
        let in_state_dir = || self.state_directory().path(HISTORY_FILE);
        self.history_file.clone().unwrap_or_else(in_state_dir)
    }

    /// Returns the options of the engine's egress.
    pub fn egress_options(&self) -> EgressOptions {
        EgressOptions {
            window: self.egress_window.into(),
            padding_max: self.egress_padding,
        }
    }

    /// Returns the media port of shard `index`; 0 for a free one.
    pub fn media_port(&self, index: u8) -> u16 {
        match self.rtc_port {
            0 => 0,
            first => first.saturating_add(u16::from(index)),
        }
    }

    /// Returns the addresses that media listens on. Those after the first are optional.
    pub fn media_listen_ips(&self) -> Vec<IpAddr> {
        let ip = self.media_listen_ip.or(self.listen_ip);
        ip.map_or_else(all_addresses, listen_ips)
    }

    /// Returns whether the embedded TURN server is on.
    pub fn has_turn_server(&self) -> bool {
        let own = self.turn_port.or(self.turn_tls_port);
        own.or_else(|| self.shared_turn_port()).is_some()
    }

    /// Returns the addresses that the embedded TURN server listens on. Those after the first are optional.
    pub fn turn_listen_ips(&self) -> Vec<IpAddr> {
        match self.turn_listen_ip {
            Some(ip) => listen_ips(ip),
            None => self.media_listen_ips(),
        }
    }

    /// Returns the listeners to open: those of `listeners`, else the one set by top-level keys.
    pub fn effective_listeners(&self) -> Vec<ListenerConfig> {
        let mut listeners = self.listeners.clone();
        if listeners.is_empty() {
            listeners.push(ListenerConfig {
                port: self.page_port(),
                listen_ip: self.listen_ip,
                mounts: Mount::ALL.to_vec(),
                tls_cert: self.tls_cert.clone(),
                tls_key: self.tls_key.clone(),
                tls_self_signed: self.tls_self_signed,
                tls_acme: !self.domains.is_empty(),
                token_required: self.token_required,
            });
        }
        listeners.extend(self.operators_listener());
        listeners
    }

    /// Returns the URL for which the certificates of listeners must be made: the base URL, unless a proxy
    /// with a certificate of its own is in front.
    pub fn certified_url(&self) -> Option<&str> {
        let url = self.base_url.as_deref();
        url.filter(|_| self.trusted_proxies.is_empty())
    }

    /// Returns the setting that has the port of a listener, with its key in backticks; `None` for the key `port`.
    pub fn listener_setting(&self, index: usize) -> Option<String> {
        match (index, self.listeners.len()) {
            (0, 0) => None,
            (index, count) if index >= count => Some("`operators_port`".to_owned()),
            (index, _) => Some(format!("`port` of listener {} in `listeners`", index + 1)),
        }
    }

    /// Returns the addresses that a listener binds. Those after the first are optional.
    pub fn listener_addresses(&self, listener: &ListenerConfig) -> Vec<SocketAddr> {
        let ips = match listener.listen_ip.or(self.listen_ip) {
            Some(ip) => listen_ips(ip),
            None if self.dev => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            None => all_addresses(),
        };
        ips.into_iter()
            .map(|ip| SocketAddr::new(ip, listener.port))
            .collect()
    }
}

/// Returns the addresses to bind for a configured one: `::` means both families, as in Node.
fn listen_ips(ip: IpAddr) -> Vec<IpAddr> {
    match ip {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => all_addresses(),
        ip => vec![ip],
    }
}

/// Returns the wildcard addresses. IPv6 comes second, since some machines have none.
fn all_addresses() -> Vec<IpAddr> {
    vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
}
