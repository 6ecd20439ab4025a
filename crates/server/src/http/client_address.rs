//! Who is on the other side: the address a request comes from, or the one a trusted proxy says it
//! comes from. It must never believe anybody else's `X-Forwarded-For`: whoever writes his own
//! address escapes every limit.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;

use crate::config::Network;

/// Where proxies say for whom they ask, the nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The most proxies in a row that are looked at.
const PROXIES_MAX: usize = 8;

/// The address of the other end of the connection, as the kernel says.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// Whether the connection speaks TLS.
#[derive(Debug, Clone, Copy)]
pub struct IsTls(pub bool);

/// The address of the one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Who asks: the peer, unless it is one of `proxies`; then the last address in its header that
    /// is none of them.
    pub fn of(peer: PeerAddress, headers: &HeaderMap, proxies: &[Network]) -> Self {
        let mut client = peer.0.to_canonical();
        let said = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .rev()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.rsplit(','));
        for address in said.take(PROXIES_MAX) {
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

/// Whom limits count together: an IPv4 address, or the /64 that one IPv6 household has.
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
            ClientAddress::of(PeerAddress(peer.parse().unwrap()), &headers, &proxies);
        ip.to_string()
    }

    #[test]
    fn nobody_writes_his_own_address() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(
            client("192.0.2.1", &["198.51.100.7"], &["192.0.2.9"]),
            "192.0.2.1"
        );
    }

    #[test]
    fn a_trusted_proxy_names_its_client_and_what_the_client_claims_is_not_believed() {
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
    fn what_is_no_address_is_not_followed() {
        let proxy = &["127.0.0.1"];
        for nonsense in ["", "unknown", "a, ", "198.51.100.7:80"] {
            assert_eq!(client("127.0.0.1", &[nonsense], proxy), "127.0.0.1");
        }
        assert_eq!(client("127.0.0.1", &[], proxy), "127.0.0.1");
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_together() {
        let ip = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        assert_eq!(network(ip(1)), network(ip(2)));
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201]);
        assert_eq!(network(mapped), IpAddr::from([192, 0, 2, 1]));
    }
}
