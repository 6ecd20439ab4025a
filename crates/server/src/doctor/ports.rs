//! Whether the ports can be had: of every door, and of every shard, UDP and TCP. They are bound as
//! the program binds them, and let go of at once.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::Finding;
use crate::config::Config;
use crate::listeners;

/// What is found about the ports.
pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for door in config.doors() {
        let what = format!("TCP port {} of the page", door.port);
        let addresses = config.door_addresses(&door);
        findings.push(found(&what, "port", "--port", &addresses, tcp));
    }
    let media: Vec<_> = (0..config.shard_count())
        .flat_map(|index| shard(config, index))
        .collect();
    let last = config.media_port(config.shard_count().saturating_sub(1));
    match (media.iter().all(Finding::is_fine), config.media_port(0)) {
        (true, 0) => findings.push(Finding::fine("media", "free ports are taken at start")),
        // With a core for each, there would be more lines than anybody reads.
        (true, first) => {
            let text = format!("ports {first} to {last} of media are free");
            findings.push(Finding::fine("media", text));
        }
        (false, _) => findings.extend(media.into_iter().filter(|it| !it.is_fine())),
    }
    findings
}

/// What is found about the ports of one shard.
fn shard(config: &Config, index: u8) -> Vec<Finding> {
    let port = config.media_port(index);
    let ips = config.media_listen_ips().into_iter();
    let addresses: Vec<_> = ips.map(|ip| SocketAddr::new(ip, port)).collect();
    let mut findings = Vec::new();
    if config.udp {
        let what = format!("UDP port {port} of media");
        findings.push(found(&what, "media", "--rtc-port", &addresses, udp));
    }
    if config.tcp {
        let what = format!("TCP port {port} of media");
        findings.push(found(&what, "media", "--rtc-port", &addresses, tcp));
    }
    findings
}

fn tcp(address: SocketAddr) -> io::Result<()> {
    // Only a socket that listens shows that another one does.
    listeners::socket(address)?.listen(1)
}

fn udp(address: SocketAddr) -> io::Result<()> {
    UdpSocket::bind(address).map(drop)
}

/// Tries a port on all its addresses. Those after the first may be missing, as on a machine
/// without IPv6, but not taken.
fn found(
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
                format!("{what} is taken on {ip}"),
                format!(
                    "See who has it: ss -lntup 'sport = :{port}'. If it is Watersmeet, all is \
                     well;\notherwise end that program or choose another port: {flag}"
                ),
            ),
            io::ErrorKind::PermissionDenied => Finding::wrong(
                about,
                format!("{what} is not for this user"),
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
                "Set `listen_ip` or `media_listen_ip` to one of `ip -brief address`, or leave it \
                 away;\nthe public address behind NAT belongs to `announced_ips`",
            ),
            _ => Finding::wrong(
                about,
                format!("{what} on {ip}: {error}"),
                format!("Choose another address or another port: --listen-ip, {flag}"),
            ),
        };
    }
    match addresses.first().map(SocketAddr::port) {
        Some(0) => Finding::fine(about, format!("{what}: a free one is taken at start")),
        _ => Finding::fine(about, format!("{what} is free")),
    }
}
