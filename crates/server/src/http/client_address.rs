//! Address of the client: that of the connection's peer, or the one that a trusted proxy reports.
//! `X-Forwarded-For` and `Forwarded` of anybody else are ignored: a client that could choose its
//! address would escape every limit.
//!
//! Programs on this machine are not limited. What came through a proxy on this machine is not theirs,
//! whatever the proxy reports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, header};

use super::forwarded::{self, Entry};
use crate::config::Network;
use crate::origin::{Authority, is_loopback};
use crate::private_networks::is_private;

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

/// Reason why the client of a proxy is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownClient {
    /// A trusted proxy reports this text.
    Unreadable(String),
    /// `X-Forwarded-For` and `Forwarded` of a trusted proxy name different clients. The proxy writes
    /// one of them, and the other may be the client's own.
    Conflict,
    /// A trusted proxy on this machine reports no address, or one of this machine.
    Unnamed,
    /// A proxy reports a client that is not trusted. It is on this machine or in a private network.
    UntrustedProxy,
}

impl ClientAddress {
    /// Returns the peer's address, or, if the peer is one of `proxies`, the last forwarded address
    /// that is not one of them. Clients of proxies on this machine whose address is not known share
    /// one.
    pub fn resolve(
        peer: PeerAddress,
        headers: &HeaderMap,
        proxies: &[Network],
    ) -> (Self, Option<UnknownClient>) {
        let peer = peer.0.to_canonical();
        if !is_proxy(peer, proxies) {
            return Self::of_untrusted(peer, headers);
        }
        match reported_client(peer, headers, proxies) {
            Ok(client) if client.is_loopback() && comes_from_elsewhere(headers) => {
                (Self(UNKNOWN), Some(UnknownClient::Unnamed))
            }
            Ok(client) => (Self(client), None),
            Err(reason) => (Self(UNKNOWN), Some(reason)),
        }
    }

    /// Returns the address that counts for a peer whose reports are not trusted.
    fn of_untrusted(peer: IpAddr, headers: &HeaderMap) -> (Self, Option<UnknownClient>) {
        if !forwarded::has_report(headers) {
            return (Self(peer), None);
        }
        let reason =
            (peer.is_loopback() || is_private(peer)).then_some(UnknownClient::UntrustedProxy);
        (
            Self(if peer.is_loopback() { UNKNOWN } else { peer }),
            reason,
        )
    }
}

fn is_proxy(ip: IpAddr, proxies: &[Network]) -> bool {
    proxies.iter().any(|proxy| proxy.contains(ip))
}

/// Returns whether a request from this machine was not made by a program on it: a proxy left its mark,
/// or it names another host.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let names_another = host
        .and_then(Authority::parse)
        .is_some_and(|authority| !is_loopback(&authority.host));
    forwarded::is_forwarded(headers) || names_another
}

/// Returns the client that the reports of a proxy name.
fn reported_client(
    peer: IpAddr,
    headers: &HeaderMap,
    proxies: &[Network],
) -> Result<IpAddr, UnknownClient> {
    let reports = [
        forwarded::x_forwarded_for(headers),
        forwarded::forwarded(headers),
    ];
    let mut clients = reports
        .iter()
        .filter(|entries| !entries.is_empty())
        .map(|entries| follow(peer, entries, proxies));
    match (clients.next(), clients.next()) {
        (None, _) => Ok(peer),
        (Some(client), None) => client,
        (Some(client), Some(other)) if client == other => client,
        (Some(_), Some(_)) => Err(UnknownClient::Conflict),
    }
}

/// Follows reports from the peer on, as long as they come from a proxy.
fn follow(
    peer: IpAddr,
    entries: &[Entry<'_>],
    proxies: &[Network],
) -> Result<IpAddr, UnknownClient> {
    let mut client = peer;
    for entry in entries {
        if !is_proxy(client, proxies) {
            break;
        }
        client = entry
            .ip
            .ok_or_else(|| UnknownClient::Unreadable(entry.text.to_owned()))?;
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
    ) -> (String, Option<UnknownClient>) {
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
            assert!(
                matches!(unreadable, Some(UnknownClient::Unreadable(_))),
                "{text}"
            );
        }
        for text in ["", ", ,", "127.0.0.1", "[::1]:80"] {
            let (ip, unknown) = resolve("127.0.0.1", "x-forwarded-for", &[text], &["127.0.0.1"]);
            assert_eq!(
                (ip.as_str(), unknown),
                ("0.0.0.0", Some(UnknownClient::Unnamed)),
                "{text}"
            );
        }
        for (name, value) in [
            ("x-forwarded-proto", "https"),
            ("via", "1.1 proxy"),
            ("x-real-ip", "198.51.100.7"),
            ("host", "meet.example.org"),
        ] {
            let (ip, _) = resolve("::1", name, &[value], &["::1"]);
            assert_eq!(ip, "0.0.0.0", "{name}");
        }
        // Another machine is limited by its own address.
        assert_eq!(client("192.0.2.9", &[""], &["192.0.2.9"]), "192.0.2.9");
    }

    #[test]
    fn programs_on_this_machine_count_as_such() {
        for proxies in [&[][..], &["127.0.0.1", "::1"]] {
            for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
                assert!(["127.0.0.1", "::1"].contains(&&*client(peer, &[], proxies)));
            }
            for host in ["localhost:3000", "127.0.0.1", "[::1]:3000", "nonsense host"] {
                let resolved = resolve("127.0.0.1", "host", &[host], proxies);
                assert_eq!(resolved, ("127.0.0.1".to_owned(), None), "{host}");
            }
        }
    }

    #[test]
    fn proxy_that_is_not_trusted_is_noticed_near_this_machine() {
        for (peer, header, ip, is_noticed) in [
            ("127.0.0.1", "x-forwarded-for", "0.0.0.0", true),
            ("::1", "forwarded", "0.0.0.0", true),
            ("127.0.0.1", "x-real-ip", "0.0.0.0", true),
            ("10.0.0.9", "x-forwarded-for", "10.0.0.9", true),
            ("192.0.2.9", "x-forwarded-for", "192.0.2.9", false),
        ] {
            let (found, unknown) = resolve(peer, header, &["198.51.100.7"], &["10.9.9.9"]);
            assert_eq!(found, ip, "{peer}");
            let expected = is_noticed.then_some(UnknownClient::UntrustedProxy);
            assert_eq!(unknown, expected, "{peer}");
        }
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
            (ClientAddress(UNKNOWN), Some(UnknownClient::Conflict))
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
