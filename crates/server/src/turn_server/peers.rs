//! Peers to which the TURN server relays: the announced addresses of this server with its media ports.
//! Everything else is refused, so that the relay cannot be used to reach other machines, other
//! programs of this one, or networks behind it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A peer's address, as browsers know it, and where its datagrams are sent.
#[derive(Debug, PartialEq, Eq)]
struct Peer {
    /// Announced address.
    announced: IpAddr,
    /// Address of this machine.
    target: IpAddr,
}

/// Media sockets of one address family.
#[derive(Debug, Default)]
struct Family {
    /// Address that relay sockets are bound to; `None` when media does not listen on the family.
    relay: Option<IpAddr>,
    /// Media ports.
    ports: Vec<u16>,
    /// Announced addresses, best first.
    peers: Vec<Peer>,
}

/// Peers to which is relayed.
#[derive(Debug, Default)]
pub struct PeerTable {
    v4: Family,
    v6: Family,
}

impl PeerTable {
    /// Creates the table for announced addresses, the UDP addresses that media is bound to, and the
    /// addresses of this machine.
    pub fn new(announced: &[IpAddr], media: &[SocketAddr], local: &[IpAddr]) -> Self {
        let family = |is_ipv4| {
            let of_family = |ip: &&IpAddr| ip.is_ipv4() == is_ipv4;
            let media: Vec<_> = media.iter().filter(|it| it.is_ipv4() == is_ipv4).collect();
            let Some(bound) = media.first() else {
                return Family::default();
            };
            let ports = media.iter().map(|it| it.port()).collect();
            let announced: Vec<_> = announced.iter().filter(of_family).copied().collect();
            let local: Vec<_> = local.iter().filter(of_family).copied().collect();
            Family::new(&announced, bound.ip(), ports, &local)
        };
        Self {
            v4: family(true),
            v6: family(false),
        }
    }

    /// Returns the address to bind relay sockets to; `None` when no peer of the family exists.
    pub fn relay_address(&self, is_ipv4: bool) -> Option<IpAddr> {
        let family = if is_ipv4 { &self.v4 } else { &self.v6 };
        family.relay.filter(|_| !family.peers.is_empty())
    }

    /// Returns whether a peer may have this address, with whatever port.
    pub fn has_address(&self, peer: IpAddr) -> bool {
        let mut peers = self.family(peer).peers.iter();
        peers.any(|it| it.announced == peer)
    }

    /// Returns where to send what is meant for a peer; `None` when that is no media socket of ours.
    pub fn target_of(&self, peer: SocketAddr) -> Option<SocketAddr> {
        let family = self.family(peer.ip());
        let found = family.peers.iter().find(|it| it.announced == peer.ip())?;
        let has_port = family.ports.contains(&peer.port());
        has_port.then(|| SocketAddr::new(found.target, peer.port()))
    }

    /// Returns the peer that sends from this address of the machine; `None` for other programs.
    pub fn peer_at(&self, source: SocketAddr) -> Option<SocketAddr> {
        let family = self.family(source.ip());
        let found = family.peers.iter().find(|it| it.target == source.ip())?;
        let has_port = family.ports.contains(&source.port());
        has_port.then(|| SocketAddr::new(found.announced, source.port()))
    }

    const fn family(&self, ip: IpAddr) -> &Family {
        match ip {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        }
    }
}

impl Family {
    /// Creates the family of sockets that are bound to `bound`, on a machine with the addresses `local`.
    fn new(announced: &[IpAddr], bound: IpAddr, ports: Vec<u16>, local: &[IpAddr]) -> Self {
        let loopback = match bound {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let mut peers: Vec<Peer> = Vec::new();
        for &announced in announced {
            let is_local = announced.is_loopback() || local.contains(&announced);
            let target = match (bound.is_unspecified(), is_local) {
                (false, _) => bound,
                (true, true) => announced,
                // The public address of a machine behind NAT is reached without leaving it.
                (true, false) => loopback,
            };
            // Answers of one socket cannot be told apart: it is reached by the best of its addresses.
            if peers.iter().all(|it| it.target != target) {
                peers.push(Peer { announced, target });
            }
        }
        Self {
            relay: Some(relay_address(announced, bound, local).unwrap_or(loopback)),
            ports,
            peers,
        }
    }
}

/// Returns the address of media sockets, or one of this machine where they are bound to all; `None`
/// where it has loopback only. Firefox takes no relayed address on loopback.
fn relay_address(announced: &[IpAddr], bound: IpAddr, local: &[IpAddr]) -> Option<IpAddr> {
    if !bound.is_unspecified() {
        return Some(bound);
    }
    let mut own = announced.iter().filter(|it| local.contains(it));
    own.next().or(local.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_media_ports_of_announced_addresses_are_peers() {
        let local = [ip("10.0.0.5"), ip("2001:db8::5")];
        let media = ["0.0.0.0:10000", "0.0.0.0:10001", "[::]:10000"].map(address);
        let announced = [ip("10.0.0.5"), ip("2001:db8::5"), ip("127.0.0.1")];
        let table = PeerTable::new(&announced, &media, &local);
        for peer in [
            "10.0.0.5:10000",
            "10.0.0.5:10001",
            "127.0.0.1:10000",
            "[2001:db8::5]:10000",
        ] {
            let peer = address(peer);
            assert_eq!(table.target_of(peer), Some(peer));
            assert_eq!(table.peer_at(peer), Some(peer));
        }
        for peer in [
            "10.0.0.5:22",
            "10.0.0.5:10002",
            "127.0.0.1:3000",
            "127.0.0.2:10000",
            "0.0.0.0:10000",
            "10.0.0.6:10000",
            "169.254.169.254:80",
            "192.168.1.1:10000",
            "203.0.113.9:10000",
            "[::1]:10000",
            "[2001:db8::5]:10001",
            "[::ffff:10.0.0.5]:10000",
        ] {
            let peer = address(peer);
            assert_eq!(table.target_of(peer), None, "{peer}");
            assert_eq!(table.peer_at(peer), None, "{peer}");
        }
        assert!(table.has_address(ip("10.0.0.5")) && !table.has_address(ip("10.0.0.6")));
        assert_eq!(table.relay_address(true), Some(ip("10.0.0.5")));
        assert_eq!(table.relay_address(false), Some(ip("2001:db8::5")));
    }

    #[test]
    fn public_address_behind_nat_is_reached_inside_the_machine() {
        let announced = [ip("203.0.113.7"), ip("203.0.113.8")];
        let table = PeerTable::new(&announced, &[address("0.0.0.0:10000")], &[ip("10.0.0.5")]);
        let peer = address("203.0.113.7:10000");
        assert_eq!(table.target_of(peer), Some(address("127.0.0.1:10000")));
        assert_eq!(table.peer_at(address("127.0.0.1:10000")), Some(peer));
        assert_eq!(table.target_of(address("203.0.113.8:10000")), None);
        assert_eq!(table.target_of(address("10.0.0.5:10000")), None);
        assert_eq!(table.relay_address(true), Some(ip("10.0.0.5")));
        assert_eq!(table.relay_address(false), None);
        let offline = PeerTable::new(&[ip("::1")], &[address("[::]:10000")], &[]);
        assert_eq!(offline.relay_address(false), Some(ip("::1")));

        let bound = PeerTable::new(&announced, &[address("10.0.0.5:10000")], &[ip("10.0.0.5")]);
        assert_eq!(bound.target_of(peer), Some(address("10.0.0.5:10000")));
        assert_eq!(bound.relay_address(true), Some(ip("10.0.0.5")));
    }
}
