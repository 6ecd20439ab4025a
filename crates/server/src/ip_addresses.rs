//! Where this machine can be reached: for ICE candidates, for certificates and for the lines that
//! are printed at start.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::config::Config;

/// The most addresses that are announced: each costs every browser two candidates to try.
const ANNOUNCED_MAX: usize = 8;

/// The addresses that browsers are told for media, best first: as configured, else the address
/// that media listens on, else the machine's own with loopback last.
pub fn announced(config: &Config) -> Vec<IpAddr> {
    if !config.announced_ips.is_empty() {
        return config.announced_ips.clone();
    }
    let listen = config.media_listen_ips();
    if listen.iter().all(|ip| !ip.is_unspecified()) {
        return listen;
    }
    let mut found = own();
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

/// The machine's own addresses that other machines may reach, the one with the default route
/// first. Link-local addresses are left out: they need a zone, which no candidate can carry.
pub fn own() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the machine's addresses cannot be listed");
        Vec::new()
    });
    let mut found: Vec<IpAddr> = interfaces
        .iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(if_addrs::Interface::ip)
        .collect();
    let first = default_route();
    found.sort_by_key(|&ip| (Some(ip) != first, ip.is_ipv6(), ip));
    found.dedup();
    found
}

/// The address that packets to the world would leave from. Connecting a UDP socket sends nothing;
/// the destination is one reserved for documentation (RFC 5737).
fn default_route() -> Option<IpAddr> {
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
    fn what_is_configured_is_announced_and_nothing_else() {
        let ip = IpAddr::from([192, 0, 2, 7]);
        let config = Config {
            announced_ips: vec![ip],
            ..Config::default()
        };
        assert_eq!(announced(&config), [ip]);
        let config = Config {
            media_listen_ip: Some(ip),
            ..Config::default()
        };
        assert_eq!(announced(&config), [ip]);
    }

    #[test]
    fn without_a_word_loopback_is_announced_last() {
        let found = announced(&Config::default());
        assert_eq!(found.last(), Some(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(found.len() <= ANNOUNCED_MAX);
    }
}
