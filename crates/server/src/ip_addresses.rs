//! IP addresses under which this machine can be reached, for ICE candidates, certificates and the
//! startup banner.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::config::Config;

/// Upper bound of announced addresses: each costs every browser two candidates to check.
const ANNOUNCED_MAX: usize = 8;

/// Returns the addresses announced to browsers for media, best first: the configured ones, else
/// the address that media listens on, else the machine's own with loopback last.
pub fn announced_ips(config: &Config) -> Vec<IpAddr> {
    if !config.announced_ips.is_empty() {
        return config.announced_ips.clone();
    }
    let listen = config.media_listen_ips();
    if listen.iter().all(|ip| !ip.is_unspecified()) {
        return listen;
    }
    let mut found = local_ips();
    found.retain(|ip| listen.iter().any(|listen| listen.is_ipv4() == ip.is_ipv4()));
    found.truncate(ANNOUNCED_MAX - 1);
    let v4 = listen.iter().any(IpAddr::is_ipv4);
    found.push(if v4 {
        Ipv4Addr::LOCALHOST.into()
    } else {
        Ipv6Addr::LOCALHOST.into()
    });
    found
}

/// Returns the machine's own addresses that others may reach, the one of the default route first.
/// Link-local addresses are left out: they need a zone, which candidates cannot carry.
pub fn local_ips() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the addresses of this machine");
        Vec::new()
    });
    let mut found: Vec<IpAddr> = interfaces
        .iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(if_addrs::Interface::ip)
        .collect();
    let first = default_route_ip();
    found.sort_by_key(|&ip| (Some(ip) != first, ip.is_ipv6(), ip));
    found.dedup();
    found
}

/// Returns the source address of the default route. Connecting a UDP socket sends nothing; the
/// destination is reserved for documentation (RFC 5737).
fn default_route_ip() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket
        .local_addr()
        .ok()
        .map(|address: SocketAddr| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_configured_addresses_are_announced() {
        let ip = IpAddr::from([192, 0, 2, 7]);
        let config = Config {
            announced_ips: vec![ip],
            ..Config::default()
        };
        assert_eq!(announced_ips(&config), [ip]);
        let config = Config {
            media_listen_ip: Some(ip),
            ..Config::default()
        };
        assert_eq!(announced_ips(&config), [ip]);
    }

    #[test]
    fn loopback_is_announced_last_by_default() {
        let found = announced_ips(&Config::default());
        assert_eq!(found.last(), Some(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(found.len() <= ANNOUNCED_MAX);
    }
}
