//! Network paths between a worker and its peers.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

/// Protocol that carries a path's datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// One datagram per packet.
    Udp,
    /// Packets framed by RFC 4571 in a connection that the peer opened.
    Tcp,
}

/// Index of a local address among the addresses a worker listens on. An index and not the address
/// itself, so that a path stays at 40 bytes: it is compared and copied for every packet.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalAddress(pub u8);

/// A pair of local and remote address (mediasoup: tuple). Two paths are equal only when both ends
/// are, so that a response leaves from the address that the request was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// UDP or TCP.
    pub protocol: Protocol,
    /// Address of the peer, as the socket reported it.
    pub remote: SocketAddr,
    /// Number of the TCP connection; zero for UDP.
    pub connection: u32,
    /// Local end, which a UDP datagram leaves from.
    pub local: LocalAddress,
}

impl Path {
    /// Returns the UDP path to `remote` from the first local address.
    pub const fn udp(remote: SocketAddr) -> Self {
        Self {
            protocol: Protocol::Udp,
            remote,
            connection: 0,
            local: LocalAddress(0),
        }
    }

    /// Returns the path of the TCP connection from `remote` to the first local address.
    pub const fn tcp(remote: SocketAddr, connection: u32) -> Self {
        Self {
            protocol: Protocol::Tcp,
            remote,
            connection,
            local: LocalAddress(0),
        }
    }
}

const _: () = assert!(size_of::<Path>() == 40, "paths are copied per packet");

/// Address at which peers can reach a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    /// UDP or TCP.
    pub protocol: Protocol,
    /// Address announced to peers.
    pub ip: IpAddr,
    /// Port announced to peers.
    pub port: u16,
}
