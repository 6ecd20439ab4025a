//! Checks that the ports of all listeners and shards are free, by binding them like the server does
//! and closing them at once.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::finding::Finding;
use crate::config::Config;
use crate::listeners;

/// Checks the ports of listeners and shards.
pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for listener in config.effective_listeners() {
        let what = format!("TCP port {} of the page", listener.port);
        let addresses = config.listener_addresses(&listener);
        findings.push(check_port(&what, "port", "--port", &addresses, tcp));
    }
    let media: Vec<_> = (0..config.shard_count())
        .flat_map(|index| check_shard(config, index))
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
    findings
}

/// Checks the ports of one shard.
fn check_shard(config: &Config, index: u8) -> Vec<Finding> {
    let port = config.media_port(index);
    let ips = config.media_listen_ips().into_iter();
    let addresses: Vec<_> = ips.map(|ip| SocketAddr::new(ip, port)).collect();
    let mut findings = Vec::new();
    if config.udp {
        let what = format!("UDP port {port} of media");
        findings.push(check_port(&what, "media", "--rtc-port", &addresses, udp));
    }
    if config.tcp {
        let what = format!("TCP port {port} of media");
        findings.push(check_port(&what, "media", "--rtc-port", &addresses, tcp));
    }
    findings
}

fn tcp(address: SocketAddr) -> io::Result<()> {
    // Only listening detects that another socket listens on the port.
    listeners::bind(address)?.listen(1)
}

fn udp(address: SocketAddr) -> io::Result<()> {
    UdpSocket::bind(address).map(drop)
}

/// Tries to bind a port on all its addresses. Those after the first may be unavailable, as on a
/// machine without IPv6, but not in use.
fn check_port(
    what: &str,
    about: &'static str,
    flag: &str,
    addresses: &[SocketAddr],
    bind: fn(SocketAddr) -> io::Result<()>,
) -> Finding {
    for (number, &address) in addresses.iter().enumerate() {
        let Err(error) = bind(address) else {
            continue;
        };
        let ip = address.ip();
        let port = address.port();
        return match error.kind() {
            io::ErrorKind::AddrInUse => Finding::wrong(
                about,
                format!("{what} is in use on {ip}"),
                format!(
                    "See which process uses it: ss -lntup 'sport = :{port}'. If it is Watersmeet, \
                     this is fine;\notherwise stop that program or choose another port: {flag}"
                ),
            ),
            io::ErrorKind::PermissionDenied => Finding::wrong(
                about,
                format!("{what} is not permitted for this user"),
                format!(
                    "Ports below 1024 need a privilege: setcap cap_net_bind_service=+ep on the \
                     program,\nAmbientCapabilities=CAP_NET_BIND_SERVICE in its unit, or a higher \
                     {flag}"
                ),
            ),
            _ if number > 0 => continue,
            io::ErrorKind::AddrNotAvailable => Finding::wrong(
                about,
                format!("{what}: this machine has no address {ip}"),
                "Set `listen_ip` or `media_listen_ip` to one of `ip -brief address`, or remove \
                 it;\nthe public address behind NAT belongs in `announced_ips`",
            ),
            _ => Finding::wrong(
                about,
                format!("{what} on {ip}: {error}"),
                format!("Choose another address or another port: --listen-ip, {flag}"),
            ),
        };
    }
    match addresses.first().map(SocketAddr::port) {
        Some(0) => Finding::fine(about, format!("{what}: a free port is chosen at start")),
        _ => Finding::fine(about, format!("{what} is free")),
    }
}
