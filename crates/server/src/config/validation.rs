//! Checks that cannot be expressed by types: whether values fit together, and whether addresses and
//! lists are valid for their keys.

use std::net::IpAddr;

use url::{Host, Url};
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::limits::LOUDEST_MAX;
use watersmeet_engine::ortc;

use super::announced::is_unreachable;
use super::error::ConfigError;
use super::limits::check_caps;
use super::listener::{ListenerConfig, Mount};
use super::log_filter;
use super::port_conflicts;
use super::private_files::PrivateFiles;
use super::secret::Secret;
use super::settings::{Config, SHARDS_MAX};
use super::values::{Codec, Egress, VideoCodec};
use super::webhook;
use crate::ice_url::IceUrl;
use crate::origin::{HostPattern, OriginPattern};

/// Upper bound of listeners: each uses one or two sockets and a task.
const LISTENERS_MAX: usize = 16;

/// Upper bound of entries in any other list.
const ENTRIES_MAX: usize = 64;

/// Range of `turn_ttl_s`: a shorter one breaks calls, a longer one makes a permanent password.
const TURN_TTL_S: std::ops::RangeInclusive<u32> = 60..=7 * 86_400;

/// Range of `turn_allocations_max`: each allocation has a port of its own.
const TURN_ALLOCATIONS: std::ops::RangeInclusive<u32> = 1..=60_000;

/// Lower bound of bitrates, in bits per second: less carries no voice.
const BITRATE_MIN: u64 = 30_000;

/// Upper bound of `busy_poll_us`.
const BUSY_POLL_US_MAX: u32 = 10_000;

/// Range of socket buffers, in bytes: from one run of datagrams to more than any kernel grants.
const BUFFER_RANGE: std::ops::RangeInclusive<usize> = 65_536..=1 << 30;

/// First segments of our own paths. A base path that begins with one of them would be ambiguous.
const OWN_SEGMENTS: [&str; 11] = [
    "api",
    "assets",
    "example",
    "health",
    "livez",
    "metrics",
    "readyz",
    "room",
    "socket.io",
    "stats",
    "ws",
];

/// Upper bound of `history_days`: ten years.
const HISTORY_DAYS_MAX: u16 = 3_650;

/// Upper bound of `history_size_max_mb`: a tebibyte.
const HISTORY_SIZE_MAX_MB: u32 = 1 << 20;

/// Upper bound of `history_interval_s`: a minute needs several observations.
const HISTORY_INTERVAL_S_MAX: u16 = 20;

/// Upper bound of `shutdown_notice_s`: longer than service managers wait.
const SHUTDOWN_NOTICE_S_MAX: u32 = 3_600;

fn contradiction<T>(text: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::contradiction(text))
}

impl Config {
    /// Checks that values are in range and fit together.
    ///
    /// # Errors
    /// Names the first value that is not.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_media()?;
        self.check_listeners()?;
        self.check_domains()?;
        port_conflicts::check(self)?;
        self.check_access()?;
        self.check_ice()?;
        if self.shutdown_notice_s > SHUTDOWN_NOTICE_S_MAX {
            return contradiction("`shutdown_notice_s` must be 0 to 3600");
        }
        self.check_history()?;
        check_caps(&self.caps)?;
        webhook::check(&self.webhooks)?;
        log_filter::check(&self.log).or_else(contradiction)?;
        self.limits.check()
    }

    fn check_history(&self) -> Result<(), ConfigError> {
        if !(1..=HISTORY_DAYS_MAX).contains(&self.history_days) {
            return contradiction("`history_days` must be 1 to 3650");
        }
        if !(1..=HISTORY_SIZE_MAX_MB).contains(&self.history_size_max_mb) {
            return contradiction("`history_size_max_mb` must be 1 to 1048576");
        }
        if !(1..=HISTORY_INTERVAL_S_MAX).contains(&self.history_interval_s) {
            return contradiction("`history_interval_s` must be 1 to 20");
        }
        match self.history {
            false if self.history_names => {
                contradiction("`history_names` has no effect: set `history`")
            }
            false if self.history_file.is_some() => {
                contradiction("`history_file` has no effect: set `history`")
            }
            _ => Ok(()),
        }
    }

    fn check_media(&self) -> Result<(), ConfigError> {
        if !self.udp && !self.tcp {
            return contradiction("`udp` and `tcp` are both off: media needs one of them");
        }
        if self.egress == Egress::Packet {
            if !self.udp {
                return contradiction("`egress` is about media over UDP, but `udp` is off");
            }
            if !cfg!(target_os = "linux") {
                return contradiction("`egress` cannot be `packet` on this system: it needs Linux");
            }
            if !cfg!(feature = "packet-egress") {
                return contradiction(
                    "`egress` cannot be `packet`: this program was built without the feature \
                     `packet-egress`",
                );
            }
        }
        let shards = self.shards;
        if shards.is_some_and(|shards| shards == 0 || shards > SHARDS_MAX) {
            return contradiction("`shards` must be 1 to 64");
        }
        if self.spread_above_percent > 100 {
            return contradiction("`spread_above_percent` must be 0 to 100");
        }
        if usize::from(self.top_n_audio) > LOUDEST_MAX {
            return contradiction(format!("`top_n_audio` must be at most {LOUDEST_MAX}"));
        }
        self.check_media_ports()?;
        if self.busy_poll_us > BUSY_POLL_US_MAX {
            return contradiction(format!("`busy_poll_us` must be at most {BUSY_POLL_US_MAX}"));
        }
        let buffers = [
            ("media_receive_buffer", self.media_receive_buffer),
            ("media_send_buffer", self.media_send_buffer),
        ];
        for (key, bytes) in buffers {
            if !BUFFER_RANGE.contains(&bytes) {
                return contradiction(format!("`{key}` must be 65536 to 1073741824 bytes"));
            }
        }
        let rates = [
            (
                "initial_outgoing_bitrate",
                Some(self.initial_outgoing_bitrate),
            ),
            ("max_incoming_bitrate", self.max_incoming_bitrate),
        ];
        for (key, rate) in rates {
            if rate.is_some_and(|rate| rate < BITRATE_MIN) {
                return contradiction(format!(
                    "`{key}` must be at least {BITRATE_MIN} bits per second"
                ));
            }
        }
        self.check_codecs()
    }

    fn check_codecs(&self) -> Result<(), ConfigError> {
        if self.codecs.is_empty() || self.codecs.len() > ENTRIES_MAX {
            return contradiction("`codecs` must name 1 to 64 codecs");
        }
        let only = self.video_codec.map(VideoCodec::mime_type);
        let has = |mime: &str| self.codecs.iter().any(|it| it.codec.mime_type() == mime);
        if only.is_some_and(|mime| !has(mime)) {
            return contradiction("`video_codec` is not among `codecs`");
        }
        let h264 = self.codecs.iter().filter(|it| it.codec == Codec::H264);
        for parameters in h264.filter_map(|it| it.parameters.as_ref()) {
            let values = parameters.iter();
            let values = values.map(|(name, value)| (name.clone(), value.into()));
            if !ortc::is_known_profile(&values.collect()) {
                return contradiction(
                    "`codecs`: the `profile-level-id` of `h264` must be six hex digits of a known \
                     profile and level, such as `42e01f`",
                );
            }
        }
        Ok(())
    }

    /// Checks that every shard has a media port.
    fn check_media_ports(&self) -> Result<(), ConfigError> {
        if self.rtc_port_max.is_some_and(|last| last < self.rtc_port) {
            return contradiction("`rtc_port_max` is below `rtc_port`");
        }
        if let Some(last) = self.rtc_port_max.filter(|_| self.rtc_port != 0) {
            let ports = u32::from(last - self.rtc_port) + 1;
            let shards = self.shard_count();
            if ports < u32::from(shards) {
                return contradiction(format!(
                    "`rtc_port_max` is too low: {shards} shards need a media port each, and there \
                     are {ports} from `rtc_port` on. Raise it to {}, or set `shards` to {ports}",
                    u32::from(self.rtc_port) + u32::from(shards) - 1
                ));
            }
        }
        let past_the_last = self.rtc_port.checked_add(u16::from(self.shard_count()));
        if self.rtc_port != 0 && past_the_last.is_none() {
            return contradiction("`rtc_port` is too high: the last shard's port would pass 65535");
        }
        Ok(())
    }

    /// Checks that browsers can reach an announced address. Host names are checked when they are
    /// resolved.
    ///
    /// # Errors
    /// An announced address is none of a machine, or media listens on the family of none.
    pub(super) fn check_announced(&self) -> Result<(), ConfigError> {
        let ips: Vec<_> = self.announced_ips.iter().filter_map(|it| it.ip()).collect();
        if let Some(ip) = ips.iter().find(|ip| is_unreachable(**ip)) {
            return Err(ConfigError::Announced(format!(
                "`announced_ips`: browsers cannot reach {ip}. Set the address under which they reach \
                 this machine, or remove it: then the machine's own addresses are announced"
            )));
        }
        let listen = self.media_listen_ips();
        let is_served = |ip: &IpAddr| listen.iter().any(|it| it.is_ipv4() == ip.is_ipv4());
        let has_names = ips.len() < self.announced_ips.len();
        if !ips.is_empty() && !has_names && !ips.iter().any(is_served) {
            let family = |is_ipv4| if is_ipv4 { "IPv4" } else { "IPv6" };
            let is_ipv4 = ips.iter().all(IpAddr::is_ipv4);
            return Err(ConfigError::Announced(format!(
                "`announced_ips` has only {} addresses, and media listens only on {}: set \
                 `media_listen_ip` to `::` for both, or announce an {} address",
                family(is_ipv4),
                family(!is_ipv4),
                family(!is_ipv4),
            )));
        }
        Ok(())
    }

    fn check_listeners(&self) -> Result<(), ConfigError> {
        if self.listeners.len() > LISTENERS_MAX {
            return contradiction(format!("there are more than {LISTENERS_MAX} `listeners`"));
        }
        if self.token_required && !self.listeners.is_empty() {
            return contradiction(
                "`token_required` has no effect with `[[listeners]]`: set it in each listener that \
                 requires a token",
            );
        }
        for (index, listener) in self.effective_listeners().iter().enumerate() {
            let number = index + 1;
            check_tls(listener).or_else(|text| match self.listeners.is_empty() {
                true => contradiction(text),
                false => contradiction(format!("listener {number}: {text}")),
            })?;
            if listener.mounts.is_empty() {
                return contradiction(format!("listener {number}: `mounts` is empty"));
            }
            let mut mounts = listener.mounts.iter();
            let is_public = |it: &Mount| !matches!(it, Mount::Operators | Mount::Metrics);
            if listener.serves(Mount::Operators) && mounts.any(is_public) {
                return contradiction(format!(
                    "listener {number}: `operators` needs a listener of its own, which may have `metrics` besides"
                ));
            }
            if listener.token_required && !listener.mounts.iter().any(|it| it.is_signalling()) {
                return contradiction(format!(
                    "listener {number}: `token_required` needs a mount for signalling"
                ));
            }
        }
        Ok(())
    }

    fn check_access(&self) -> Result<(), ConfigError> {
        if self.jwt_secret.is_some() && self.jwt_secret_file.is_some() {
            return contradiction("`jwt_secret` and `jwt_secret_file` exclude each other");
        }
        let others = [
            ("jwt_secret_previous", &self.jwt_secret_previous),
            ("api_key", &self.api_key),
        ];
        for (key, secret) in others {
            let secret = secret.as_ref().map(|secret| secret.expose().as_bytes());
            if let Some(Err(weak)) = secret.map(|secret| TokenKeys::new(secret, None)) {
                return Err(ConfigError::weak(key, weak));
            }
        }
        self.check_operators_page()?;
        if self.cors_origins.len() > ENTRIES_MAX || self.trusted_proxies.len() > ENTRIES_MAX {
            return contradiction("`cors_origins` and `trusted_proxies` have at most 64 entries");
        }
        for origin in &self.cors_origins {
            if origin == "*" {
                return contradiction(
                    "`cors_origins` cannot be `*`: any page on the web could then act for its \
                     visitors. List the origins, as `https://app.example.org`",
                );
            }
            if let Err(text) = origin.parse::<OriginPattern>() {
                return contradiction(format!("`cors_origins`: {text}"));
            }
        }
        if self.embed_origins.len() > ENTRIES_MAX {
            return contradiction("`embed_origins` has at most 64 entries");
        }
        for origin in &self.embed_origins {
            let source = origin.parse().and_then(|it: OriginPattern| it.csp_source());
            if let Err(text) = source {
                return contradiction(format!("`embed_origins`: {text}"));
            }
        }
        if self.host_names.len() > ENTRIES_MAX {
            return contradiction("`host_names` has at most 64 entries");
        }
        for name in &self.host_names {
            if let Err(text) = name.parse::<HostPattern>() {
                return contradiction(format!("`host_names`: {text}"));
            }
        }
        if let Some(url) = &self.base_url {
            check_base_url(url).or_else(contradiction)?;
        }
        self.check_site()?;
        if self.default_room.is_empty() || self.default_room.len() > self.caps.name_len_max {
            return contradiction("`default_room` is empty or too long");
        }
        Ok(())
    }

    /// Checks that the folder of the site can be served and has no secret.
    fn check_site(&self) -> Result<(), ConfigError> {
        let Some(folder) = &self.site else {
            return Ok(());
        };
        let shown = folder.display();
        let real = match folder.canonicalize() {
            Ok(real) if real.is_dir() => real,
            Ok(_) => return contradiction(format!("`site`: {shown} is no folder")),
            Err(error) => return contradiction(format!("`site`: {shown}: {error}")),
        };
        if !real.join("index.html").is_file() {
            return contradiction(format!("`site`: {shown} has no index.html"));
        }
        if let Some(secret) = PrivateFiles::of(self).within(&real) {
            return contradiction(format!(
                "`site`: {shown} contains {}, which everybody could then read",
                secret.display()
            ));
        }
        if real.join("watersmeet.toml").exists() {
            return contradiction(format!(
                "`site`: {shown} contains watersmeet.toml, which everybody could then read"
            ));
        }
        Ok(())
    }

    fn check_ice(&self) -> Result<(), ConfigError> {
        if self.ice_servers.len() > ENTRIES_MAX || self.turn_urls.len() > ENTRIES_MAX {
            return contradiction("`ice_servers` and `turn_urls` have at most 64 entries");
        }
        let urls = self.ice_servers.iter().flat_map(|server| &server.urls);
        let urls = urls.map(|url| ("ice_servers", url));
        let turn_urls = self.turn_urls.iter().map(|url| ("turn_urls", url));
        let is_bad = |(_, url): &(&str, &String)| IceUrl::parse(url).is_none();
        if let Some((key, url)) = urls.chain(turn_urls).find(is_bad) {
            return contradiction(format!(
                "`{key}`: `{url}` is no address such as `turn:turn.example.org:3478`"
            ));
        }
        if let Some(url) = self.turn_urls.iter().find(|url| !url.starts_with("turn")) {
            return contradiction(format!(
                "`turn_urls`: `{url}` is no TURN server; STUN servers belong to `ice_servers`"
            ));
        }
        let secret = self.turn_secret.as_ref().map_or("", Secret::expose);
        let is_alone = self.turn_urls.is_empty() && self.has_turn_server();
        if !is_alone && self.turn_urls.is_empty() != secret.is_empty() {
            return contradiction("`turn_urls` and `turn_secret` are needed together");
        }
        if !TURN_TTL_S.contains(&self.turn_ttl_s) {
            return contradiction("`turn_ttl_s` must be 60 to 604800");
        }
        self.check_turn_server()
    }

    fn check_turn_server(&self) -> Result<(), ConfigError> {
        if !TURN_ALLOCATIONS.contains(&self.turn_allocations_max) {
            return contradiction("`turn_allocations_max` must be 1 to 60000");
        }
        if let Some(host) = &self.turn_host
            && IceUrl::parse(&format!("turn:{host}:1")).is_none_or(|url| url.port != 1)
        {
            return contradiction(format!(
                "`turn_host`: `{host}` is no host name or address; IPv6 needs brackets"
            ));
        }
        if !self.has_turn_server() {
            return Ok(());
        }
        if self.turn_port == Some(0) || self.turn_tls_port == Some(0) {
            return contradiction("`turn_port` and `turn_tls_port` must be 1 to 65535");
        }
        if !self.udp {
            return contradiction("`turn_port` needs media over UDP, but `udp` is off");
        }
        let has_tls = self
            .effective_listeners()
            .iter()
            .any(ListenerConfig::uses_tls);
        if self.turn_tls_port.is_some() && !has_tls {
            return contradiction(
                "`turn_tls_port` needs the certificate of the page: `tls_cert` and `tls_key`",
            );
        }
        Ok(())
    }
}

impl Mount {
    /// Whether clients join rooms through it.
    const fn is_signalling(self) -> bool {
        matches!(self, Self::Native | Self::SocketIo | Self::Protoo)
    }
}

fn check_tls(listener: &ListenerConfig) -> Result<(), &'static str> {
    if listener.tls_cert.is_some() != listener.tls_key.is_some() {
        return Err("`tls_cert` and `tls_key` are needed together");
    }
    let has_files = listener.tls_cert.is_some();
    match (listener.tls_acme, listener.tls_self_signed, has_files) {
        (_, true, true) => Err("`tls_self_signed` and `tls_cert` exclude each other"),
        (true, _, true) => Err(
            "`domains` and `tls_cert` exclude each other: the certificate of `domains` is obtained by ACME",
        ),
        (true, true, _) => Err("`domains` and `tls_self_signed` exclude each other"),
        _ => Ok(()),
    }
}

/// Checks a base URL: HTTP or HTTPS, without query, fragment and user name, and with a path that is
/// none of our own.
fn check_base_url(text: &str) -> Result<(), String> {
    let help = "`base_url` must be such as `https://meet.example.org` or \
        `https://example.org/meet`";
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && text.contains("://")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    let url = url.ok_or_else(|| help.to_owned())?;
    let has_host = text
        .split_once("://")
        .is_some_and(|(_, rest)| !rest.starts_with('/'));
    let is_unspecified = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_unspecified(),
        Some(Host::Domain(_)) | None => false,
    };
    if !has_host || is_unspecified || text.contains(char::is_whitespace) {
        return Err(format!("{help}: its host is what browsers open"));
    }
    let segments = url.path_segments().map(Iterator::collect::<Vec<_>>);
    let segments = segments.unwrap_or_default();
    let first = segments.first().copied().unwrap_or_default();
    if OWN_SEGMENTS.contains(&first) {
        return Err(format!(
            "`base_url`: the path cannot begin with `/{first}`, which is one of the server's own"
        ));
    }
    let is_last_empty = |index| index + 1 == segments.len();
    let mut inner = segments.iter().enumerate();
    if inner.any(|(index, part)| part.is_empty() && !is_last_empty(index)) {
        return Err(help.to_owned());
    }
    Ok(())
}
