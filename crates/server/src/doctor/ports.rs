//! Checks that the ports of all listeners and shards are free, by binding them like the server does
//! and closing them at once.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::finding::{Finding, Outcome};
use crate::config::{Config, Sources};
use crate::listeners;

/// A port that the server uses.
struct UsedPort {
    /// Description of the port.
    what: String,
    /// Subject of the finding.
    about: &'static str,
    /// Setting of the port, as the operator wrote it.
    port_setting: String,
    /// Setting of the address.
    ip_setting: String,
    /// Addresses with the port.
    addresses: Vec<SocketAddr>,
}

/// Checks the ports of listeners and shards.
pub fn check(config: &Config, sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, listener) in config.effective_listeners().iter().enumerate() {
        let (of, port) = match (index, config.listeners.len()) {
            (0, 0) => ("the page".to_owned(), sources.setting("port", "--port")),
            (index, count) if index >= count => {
                let of = "the operators' page".to_owned();
                (of, sources.setting("operators_port", "--operators-port"))
            }
            (index, _) => {
                let of = format!("listener {}", index + 1);
                let port = format!("`port` of {of} in `listeners`");
                (of, port)
            }
        };
        let used = UsedPort {
            what: format!("TCP port {} of {of}", listener.port),
            about: "port",
            port_setting: port,
            ip_setting: sources.setting("listen_ip", "--listen-ip"),
            addresses: config.listener_addresses(listener),
        };
        findings.push(used.check(tcp));
    }
    findings.extend(redirect(config, sources));
    findings.extend(check_turn(config, sources));
    let media: Vec<_> = (0..config.shard_count())
        .flat_map(|index| check_shard(config, sources, index))
        .collect();
    let last = config.media_port(config.shard_count().saturating_sub(1));
    match (media.iter().all(Finding::is_fine), config.media_port(0)) {
        (true, 0) => findings.push(Finding::fine("media", "free ports are chosen at start")),
        // One line for all shards: a line for each would be too long on machines with many cores.
        (true, first) => {
            let text = format!("media ports {first} to {last} are free");
            findings.push(Finding::fine("media", text));
        }
        (false, _) => findings.extend(media.into_iter().filter(|it| !it.is_fine())),
    }
    let mut known = BTreeSet::new();
    findings.retain(|finding| known.insert(finding.text.clone()));
    findings
}

/// Checks the ports of the embedded TURN server.
fn check_turn(config: &Config, sources: &Sources) -> Vec<Finding> {
    let used = |key: &str, protocol: &str, port: u16| UsedPort {
        what: format!("{protocol} port {port} of TURN"),
        about: "turn",
        port_setting: sources.setting(key, &format!("`{key}`")),
        ip_setting: sources.setting("turn_listen_ip", "`turn_listen_ip`"),
        addresses: config
            .turn_listen_ips()
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect(),
    };
    let mut findings = Vec::new();
    if let Some(port) = config.turn_port {
        findings.push(used("turn_port", "UDP", port).check(udp));
        findings.push(used("turn_port", "TCP", port).check(tcp));
    }
    if let Some(port) = config.turn_tls_port {
        findings.push(used("turn_tls_port", "TCP", port).check(tcp));
    }
    findings
}

/// Checks the ports of one shard.
fn check_shard(config: &Config, sources: &Sources, index: u8) -> Vec<Finding> {
    let port = config.media_port(index);
    let ip_keys = ["media_listen_ip", "listen_ip"];
    let used = |protocol: &str| UsedPort {
        what: format!("{protocol} port {port} of media"),
        about: "media",
        port_setting: sources.setting("rtc_port", "--rtc-port"),
        ip_setting: sources.setting_of_first(ip_keys, "--media-listen-ip"),
        addresses: config
            .media_listen_ips()
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect(),
    };
    let mut findings = Vec::new();
    if config.udp {
        findings.push(used("UDP").check(udp));
    }
    if config.tcp && !config.shares_page_port() {
        findings.push(used("TCP").check(tcp));
    }
    findings
}

/// Checks the port on which plain HTTP is redirected. The server does without its default one.
fn redirect(config: &Config, sources: &Sources) -> Option<Finding> {
    let port = config.effective_redirect_port()?;
    let used = UsedPort {
        what: format!("TCP port {port} of plain HTTP"),
        about: "port",
        port_setting: sources.setting("redirect_port", "`redirect_port`"),
        ip_setting: sources.setting("listen_ip", "--listen-ip"),
        addresses: config.redirect_addresses(port),
    };
    let finding = used.check(tcp);
    match (finding.outcome, config.redirect_port) {
        (Outcome::Wrong, None) => Some(Finding {
            outcome: Outcome::Doubtful,
            ..finding
        }),
        _ => Some(finding),
    }
}

/// Listens on a TCP port and closes it again.
///
/// # Errors
/// The address cannot be bound, or another socket listens on it.
pub fn tcp(address: SocketAddr) -> io::Result<()> {
    // Only listening detects that another socket listens on the port.
    listeners::bind(address)?.listen(1)
}

/// Binds a UDP port and closes it again.
///
/// # Errors
/// The address cannot be bound.
pub fn udp(address: SocketAddr) -> io::Result<()> {
    UdpSocket::bind(address).map(drop)
}

impl UsedPort {
    /// Tries to bind the port on all its addresses. Those after the first may be unavailable, as on a
    /// machine without IPv6, but not in use.
    fn check(&self, bind: fn(SocketAddr) -> io::Result<()>) -> Finding {
        for (number, &address) in self.addresses.iter().enumerate() {
            let Err(error) = bind(address) else {
                continue;
            };
            let is_optional = number > 0 && error.kind() != io::ErrorKind::AddrInUse;
            if !is_optional || error.kind() == io::ErrorKind::PermissionDenied {
                return self.failure(address, &error);
            }
        }
        let (about, what) = (self.about, &self.what);
        match self.addresses.first().map(SocketAddr::port) {
            Some(0) => Finding::fine(about, format!("{what}: a free port is chosen at start")),
            _ => Finding::fine(about, format!("{what} is free")),
        }
    }

    /// Returns the finding for an address that cannot be bound.
    fn failure(&self, address: SocketAddr, error: &io::Error) -> Finding {
        let Self {
            what,
            about,
            port_setting,
            ip_setting,
            ..
        } = self;
        let (ip, port) = (address.ip(), address.port());
        match error.kind() {
            io::ErrorKind::AddrInUse => Finding::wrong(
                about,
                format!("{what} is in use on {ip}"),
                format!(
                    "See which process uses it: ss -lntup 'sport = :{port}'. If it is Watersmeet, \
                     this is fine;\notherwise stop that program or choose another port: \
                     {port_setting}"
                ),
            ),
            io::ErrorKind::PermissionDenied => Finding::wrong(
                about,
                format!("{what} is not permitted for this user"),
                format!(
                    "Ports below 1024 need a privilege: setcap cap_net_bind_service=+ep on the \
                     program,\nAmbientCapabilities=CAP_NET_BIND_SERVICE in its unit, or a higher \
                     {port_setting}"
                ),
            ),
            // Without the port: one address is wrong for all ports.
            io::ErrorKind::AddrNotAvailable => Finding::wrong(
                "address",
                format!("this machine has no address {ip} to listen on"),
                format!(
                    "Set {ip_setting} to one of `ip -brief address`, or remove it;\nthe public \
                     address behind NAT belongs in `announced_ips`"
                ),
            ),
            _ => Finding::wrong(
                about,
                format!("{what} on {ip}: {error}"),
                format!("Choose another address or another port: {ip_setting}, {port_setting}"),
            ),
        }
    }
}
