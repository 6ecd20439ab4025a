//! Address of the client: that of the connection's peer, or the one that a trusted proxy reports.
//! `X-Forwarded-For` and `Forwarded` of anybody else are ignored: a client that could choose its
//! address would escape every limit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::HeaderMap;

use super::forwarded::{self, Entry};
use crate::config::Network;

/// Address of clients that a trusted proxy does not name. They share one limit, also behind a proxy
/// on this machine, whose own programs are not limited.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Address of the connection's other end.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// Whether the connection uses TLS.
#[derive(Debug, Clone, Copy)]
pub struct IsTls(pub bool);

/// Address of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// A report of a trusted proxy that does not name a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// The text of the report.
    Entry(String),
    /// `X-Forwarded-For` and `Forwarded` name different clients. The proxy writes one of them, and
    /// the other may be the client's own.
    Conflict,
}

impl ClientAddress {
    /// Returns the peer's address, or, if the peer is one of `proxies`, the last forwarded address
    /// that is not one of them. Clients whose address cannot be read share an address.
    pub fn resolve(
        peer: PeerAddress,
        headers: &HeaderMap,
        proxies: &[Network],
    ) -> (Self, Option<Unreadable>) {
        let peer = peer.0.to_canonical();
        let reports = [
            forwarded::x_forwarded_for(headers),
            forwarded::forwarded(headers),
        ];
        let mut clients = reports
            .iter()
            .filter(|entries| !entries.is_empty())
            .map(|entries| follow(peer, entries, proxies));
        let outcome = match (clients.next(), clients.next()) {
            (None, _) => Ok(peer),
            (Some(client), None) => client,
            (Some(client), Some(other)) if client == other => client,
            (Some(_), Some(_)) => Err(Unreadable::Conflict),
        };
        match outcome {
            Ok(client) => (Self(client), None),
            Err(unreadable) => (Self(UNKNOWN), Some(unreadable)),
        }
    }
}

/// Follows reports from the peer on, as long as they come from a proxy.
fn follow(peer: IpAddr, entries: &[Entry<'_>], proxies: &[Network]) -> Result<IpAddr, Unreadable> {
    let mut client = peer;
    for entry in entries {
        if !proxies.iter().any(|proxy| proxy.contains(client)) {
            break;
        }
        client = entry
            .ip
            .ok_or_else(|| Unreadable::Entry(entry.text.to_owned()))?;
    }
    Ok(client)
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

    fn resolve(
        peer: &str,
        name: &'static str,
        values: &[&str],
        proxies: &[&str],
    ) -> (String, Option<Unreadable>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        let proxies: Vec<Network> = proxies.iter().map(|ip| ip.parse().unwrap()).collect();
        let peer = PeerAddress(peer.parse().unwrap());
        let (ClientAddress(ip), unreadable) = ClientAddress::resolve(peer, &headers, &proxies);
        (ip.to_string(), unreadable)
    }

    fn client(peer: &str, values: &[&str], proxies: &[&str]) -> String {
        resolve(peer, "x-forwarded-for", values, proxies).0
    }

    #[test]
    fn forwarded_address_is_ignored_when_the_peer_is_not_a_trusted_proxy() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &["x"], &["192.0.2.9"]), "192.0.2.1");
        let element = &["for=198.51.100.7"];
        let (ip, _) = resolve("192.0.2.1", "forwarded", element, &["192.0.2.9"]);
        assert_eq!(ip, "192.0.2.1");
    }

    #[test]
    fn trusted_proxy_reports_its_client_and_earlier_entries_are_ignored() {
        let proxy = &["127.0.0.1"];
        for values in [
            &["198.51.100.7"][..],
            &["198.51.100.7:50000"],
            &["\"198.51.100.7\""],
            &["10.0.0.1, 198.51.100.7"],
            &["nonsense", "198.51.100.7"],
            &["198.51.100.7, "],
        ] {
            assert_eq!(
                client("127.0.0.1", values, proxy),
                "198.51.100.7",
                "{values:?}"
            );
            assert_eq!(client("::ffff:127.0.0.1", values, proxy), "198.51.100.7");
        }
        let values = &["198.51.100.7, 192.0.2.9"];
        let proxies = &["127.0.0.1", "192.0.2.9"];
        assert_eq!(client("127.0.0.1", values, proxies), "198.51.100.7");
        let element = &["for=10.0.0.1, for=\"[2001:db8::7]:4711\";proto=https"];
        let (ip, _) = resolve("127.0.0.1", "forwarded", element, proxy);
        assert_eq!(ip, "2001:db8::7");
    }

    #[test]
    fn clients_that_a_proxy_does_not_name_share_an_address_that_is_limited() {
        for text in ["unknown", "a, ", "_hidden", "198.51.100"] {
            let (ip, unreadable) = resolve("127.0.0.1", "x-forwarded-for", &[text], &["127.0.0.1"]);
            assert_eq!(ip, "0.0.0.0", "{text}");
            assert!(matches!(unreadable, Some(Unreadable::Entry(_))), "{text}");
        }
        assert_eq!(client("127.0.0.1", &[], &["127.0.0.1"]), "127.0.0.1");
        assert_eq!(client("127.0.0.1", &[""], &["127.0.0.1"]), "127.0.0.1");
    }

    #[test]
    fn client_cannot_choose_its_address_by_the_header_that_the_proxy_does_not_write() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
        headers.insert("forwarded", "for=203.0.113.1".parse().unwrap());
        let proxies = ["127.0.0.1".parse().unwrap()];
        let peer = PeerAddress(IpAddr::from([127, 0, 0, 1]));
        let resolved = ClientAddress::resolve(peer, &headers, &proxies);
        assert_eq!(
            resolved,
            (ClientAddress(UNKNOWN), Some(Unreadable::Conflict))
        );
        headers.insert("forwarded", "for=\"198.51.100.7:1\"".parse().unwrap());
        let (ClientAddress(ip), _) = ClientAddress::resolve(peer, &headers, &proxies);
        assert_eq!(ip, IpAddr::from([198, 51, 100, 7]));
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let ip = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        assert_eq!(network(ip(1)), network(ip(2)));
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201]);
        assert_eq!(network(mapped), IpAddr::from([192, 0, 2, 1]));
    }
}
