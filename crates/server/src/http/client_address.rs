//! Address of the client: that of the connection's peer, or the one that a trusted proxy reports.
//! `X-Forwarded-For` of anybody else is ignored: a client that could choose its address would
//! escape every limit.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;

use crate::config::Network;

/// Header in which proxies report the client and each other, the nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Upper bound of proxies in a row that are considered.
const PROXIES_MAX: usize = 8;

/// Address of the connection's other end.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// Whether the connection uses TLS.
#[derive(Debug, Clone, Copy)]
pub struct IsTls(pub bool);

/// Address of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Returns the peer's address, or, if the peer is one of `proxies`, the last forwarded address
    /// that is not one of them.
    pub fn resolve(peer: PeerAddress, headers: &HeaderMap, proxies: &[Network]) -> Self {
        let mut client = peer.0.to_canonical();
        let forwarded = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .rev()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.rsplit(','));
        for address in forwarded.take(PROXIES_MAX) {
            if !proxies.iter().any(|proxy| proxy.contains(client)) {
                break;
            }
            match address.trim().parse::<IpAddr>() {
                Ok(address) => client = address.to_canonical(),
                Err(_) => break,
            }
        }
        Self(client)
    }
}

/// Returns the network that limits apply to: the IPv4 address, or the /64 of an IPv6 address, which
/// usually is one household.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        ip @ IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let proxies: Vec<Network> = proxies.iter().map(|ip| ip.parse().unwrap()).collect();
        let ClientAddress(ip) =
            ClientAddress::resolve(PeerAddress(peer.parse().unwrap()), &headers, &proxies);
        ip.to_string()
    }

    #[test]
    fn forwarded_address_is_ignored_when_the_peer_is_not_a_trusted_proxy() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(
            client("192.0.2.1", &["198.51.100.7"], &["192.0.2.9"]),
            "192.0.2.1"
        );
    }

    #[test]
    fn trusted_proxy_reports_its_client_and_earlier_entries_are_ignored() {
        let proxy = &["127.0.0.1"];
        assert_eq!(
            client("127.0.0.1", &["198.51.100.7"], proxy),
            "198.51.100.7"
        );
        assert_eq!(
            client("::ffff:127.0.0.1", &["10.0.0.1, 198.51.100.7"], proxy),
            "198.51.100.7"
        );
        assert_eq!(
            client("127.0.0.1", &["10.0.0.1", "198.51.100.7"], proxy),
            "198.51.100.7"
        );
        assert_eq!(
            client(
                "127.0.0.1",
                &["198.51.100.7, 192.0.2.9"],
                &["127.0.0.1", "192.0.2.9"]
            ),
            "198.51.100.7"
        );
    }

    #[test]
    fn invalid_forwarded_addresses_are_ignored() {
        let proxy = &["127.0.0.1"];
        for nonsense in ["", "unknown", "a, ", "198.51.100.7:80"] {
            assert_eq!(client("127.0.0.1", &[nonsense], proxy), "127.0.0.1");
        }
        assert_eq!(client("127.0.0.1", &[], proxy), "127.0.0.1");
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let ip = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        assert_eq!(network(ip(1)), network(ip(2)));
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201]);
        assert_eq!(network(mapped), IpAddr::from([192, 0, 2, 1]));
    }
}
