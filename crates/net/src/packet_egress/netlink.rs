//! Reads the kernel's routes, devices and neighbours over rtnetlink(7). One socket sends requests,
//! whose responses are available as soon as the request was sent; the other receives change
//! notifications. Neither blocks, and neither requires privileges.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::kernel_tables::{Device, KernelTables, Neighbour, Route, TableChange};

/// Bytes of the longest datagram that the kernel sends.
const RESPONSE_LEN_MAX: usize = 32_768;

/// Datagrams of one response: 64 of some 300 neighbours each.
const RESPONSES_MAX: usize = 64;

/// Requested size in bytes of the kernel's buffer for notifications.
const NOTIFICATION_BUFFER: usize = 1 << 20;

/// Multicast groups of the notifications (`RTNLGRP_…` in linux/rtnetlink.h).
const NOTIFICATION_GROUPS: [u32; 8] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_NEIGH,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV6_RULE,
];

/// Access to the kernel's tables over netlink.
pub(crate) struct Netlink {
    /// Socket for requests and responses.
    requests: Socket,
    /// Socket for notifications.
    notifications: Socket,
    /// Source address of the UDP socket, if it is bound to one.
    source: Option<IpAddr>,
    /// Sequence number of the last request.
    sequence_number: u32,
    /// Receive buffer.
    buffer: Vec<u8>,
    /// Changes of the last notification that were not returned yet.
    changes: VecDeque<TableChange>,
}

impl Netlink {
    /// Opens both sockets, for routes of packets from `source`, which may be unspecified.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub(super) fn open(source: IpAddr) -> io::Result<Self> {
        let kernel = SocketAddr::new(0, 0);
        let mut requests = Socket::new(NETLINK_ROUTE)?;
        requests.bind_auto()?;
        requests.connect(&kernel)?;
        let mut notifications = Socket::new(NETLINK_ROUTE)?;
        notifications.bind_auto()?;
        // A smaller buffer is no failure: losses are reported, and all tables are then read again.
        let _ = notifications.set_rx_buf_sz(i32::try_from(NOTIFICATION_BUFFER).unwrap_or(i32::MAX));
        for group in NOTIFICATION_GROUPS {
            notifications.add_membership(group)?;
        }
        Ok(Self {
            requests,
            notifications,
            source: Some(source).filter(|source| !source.is_unspecified()),
            sequence_number: 0,
            buffer: Vec::with_capacity(RESPONSE_LEN_MAX),
            changes: VecDeque::new(),
        })
    }

    /// Sends a request and passes each message of the response to `visit`.
    ///
    /// # Errors
    /// Errors of the sockets, and the error code that the kernel responds with.
    fn request(
        &mut self,
        request: RouteNetlinkMessage,
        flags: u16,
        mut visit: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        self.sequence_number = self.sequence_number.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence_number;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(request));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.requests.send(&bytes, libc::MSG_DONTWAIT)?;
        for _ in 0..RESPONSES_MAX {
            self.buffer.clear();
            self.requests.recv(&mut self.buffer, libc::MSG_DONTWAIT)?;
            for message in messages(&self.buffer) {
                let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message)
                else {
                    continue;
                };
                if message.header.sequence_number != self.sequence_number {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::InnerMessage(response) => visit(response),
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Err(error.to_io());
                    }
                    _ => return Ok(()),
                }
            }
            if flags & NLM_F_DUMP == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads the next notification. Returns false when there is none.
    fn read_notification(&mut self) -> bool {
        self.buffer.clear();
        match self
            .notifications
            .recv(&mut self.buffer, libc::MSG_DONTWAIT)
        {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                self.changes.push_back(TableChange::Lost);
                return true;
            }
            Err(_) => return false,
        }
        for message in messages(&self.buffer) {
            match NetlinkMessage::deserialize(message).map(|message| message.payload) {
                Ok(NetlinkPayload::InnerMessage(message)) => {
                    self.changes.extend(change_of(&message))
                }
                Ok(_) => {}
                // A format of a later kernel: read all tables again.
                Err(_) => self.changes.push_back(TableChange::Lost),
            }
        }
        true
    }
}

impl KernelTables for Netlink {
    fn route(&mut self, destination: IpAddr) -> Option<Route> {
        let source = self.source;
        let mut request = RouteMessage::default();
        let (family, bits) = match destination {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        request.header.address_family = family;
        request.header.destination_prefix_length = bits;
        let attributes = &mut request.attributes;
        attributes.push(RouteAttribute::Destination(destination.into()));
        if let Some(source) = source {
            request.header.source_prefix_length = bits;
            attributes.push(RouteAttribute::Source(source.into()));
        }
        let mut route = None;
        let result = self.request(RouteNetlinkMessage::GetRoute(request), 0, |response| {
            if let RouteNetlinkMessage::NewRoute(response) = response {
                route = parse_route(&response, destination, source);
            }
        });
        if let Err(error) = result {
            tracing::debug!(%error, "route lookup failed");
        }
        route
    }

    fn device(&mut self, index: u32) -> Option<Device> {
        let mut request = LinkMessage::default();
        request.header.index = index;
        let mut found = None;
        let result = self.request(RouteNetlinkMessage::GetLink(request), 0, |response| {
            if let RouteNetlinkMessage::NewLink(response) = response {
                found = Some(parse_device(&response));
            }
        });
        if let Err(error) = result {
            tracing::debug!(%error, index, "device lookup failed");
        }
        found
    }

    fn neighbours(&mut self) -> Vec<(u32, IpAddr, Neighbour)> {
        let request = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let mut found = Vec::new();
        let result = self.request(request, NLM_F_DUMP, |response| {
            if let RouteNetlinkMessage::NewNeighbour(response) = response
                && let Some((device, ip, Some(neighbour))) = parse_neighbour(&response)
            {
                found.push((device, ip, neighbour));
            }
        });
        if let Err(error) = result {
            tracing::warn!(%error, "reading the neighbour table failed: media takes the network stack");
        }
        found
    }

    fn poll_change(&mut self) -> Option<TableChange> {
        while self.changes.is_empty() {
            if !self.read_notification() {
                return None;
            }
        }
        self.changes.pop_front()
    }
}

/// Returns the messages of a datagram.
fn messages(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let len = NetlinkBuffer::new_checked(rest).ok()?.length();
        let len = usize::try_from(len).ok().filter(|len| *len > 0)?;
        let (message, _) = rest.split_at_checked(len)?;
        // Messages are aligned to four bytes.
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// Converts a notification; `None` if it concerns nothing that is cached.
fn change_of(message: &RouteNetlinkMessage) -> Option<TableChange> {
    match message {
        RouteNetlinkMessage::NewNeighbour(message) => {
            let (device, ip, neighbour) = parse_neighbour(message)?;
            Some(TableChange::Neighbour(device, ip, neighbour))
        }
        RouteNetlinkMessage::DelNeighbour(message) => {
            let (device, ip, _) = parse_neighbour(message)?;
            Some(TableChange::Neighbour(device, ip, None))
        }
        RouteNetlinkMessage::NewLink(message) => Some(TableChange::Device(
            message.header.index,
            Some(parse_device(message)),
        )),
        RouteNetlinkMessage::DelLink(message) => {
            Some(TableChange::Device(message.header.index, None))
        }
        RouteNetlinkMessage::NewRoute(_)
        | RouteNetlinkMessage::DelRoute(_)
        | RouteNetlinkMessage::NewRule(_)
        | RouteNetlinkMessage::DelRule(_)
        | RouteNetlinkMessage::NewAddress(_)
        | RouteNetlinkMessage::DelAddress(_) => Some(TableChange::Routes),
        _ => None,
    }
}

/// Converts a route; `None` unless it is unicast and without encapsulation. `source` overrides the
/// route's preferred source address.
fn parse_route(
    message: &RouteMessage,
    destination: IpAddr,
    source: Option<IpAddr>,
) -> Option<Route> {
    if message.header.kind != RouteType::Unicast {
        return None;
    }
    let (mut device, mut preferred, mut gateway, mut mtu) = (None, None, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(number) => device = Some(*number),
            RouteAttribute::PrefSource(address) => preferred = parse_address(address),
            RouteAttribute::Gateway(address) => gateway = parse_address(address),
            RouteAttribute::Via(RouteVia::Inet(ip)) => gateway = Some((*ip).into()),
            RouteAttribute::Via(RouteVia::Inet6(ip)) => gateway = Some((*ip).into()),
            RouteAttribute::Metrics(metrics) => {
                mtu = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                });
            }
            // The stack encapsulates such packets.
            RouteAttribute::Encap(_)
            | RouteAttribute::EncapType(_)
            | RouteAttribute::NewDestination(_) => return None,
            _ => {}
        }
    }
    Some(Route {
        device: device?,
        source: source.or(preferred)?,
        next_hop: gateway.unwrap_or(destination),
        mtu: mtu.filter(|mtu| *mtu > 0),
    })
}

const fn parse_address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

fn parse_device(message: &LinkMessage) -> Device {
    let (mut mac, mut mtu) = (None, 0);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Address(bytes) => mac = bytes.as_slice().try_into().ok(),
            LinkAttribute::Mtu(bytes) => mtu = *bytes,
            _ => {}
        }
    }
    let flags = message.header.flags;
    let is_ethernet = message.header.link_layer_type == LinkLayerType::Ether
        && !flags.contains(LinkFlags::Loopback);
    let is_up = flags.contains(LinkFlags::Up | LinkFlags::Running);
    Device {
        mac: mac.filter(|_| is_ethernet && is_up),
        mtu,
    }
}

/// Returns interface index and address, and the neighbour while its Ethernet address is usable.
fn parse_neighbour(message: &NeighbourMessage) -> Option<(u32, IpAddr, Option<Neighbour>)> {
    if message.header.flags.contains(NeighbourFlags::Proxy) {
        return None;
    }
    let (mut ip, mut mac) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(it)) => {
                ip = Some(IpAddr::V4(*it));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(it)) => {
                ip = Some(IpAddr::V6(*it));
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.as_slice().try_into().ok(),
            _ => {}
        }
    }
    let is_stale = match message.header.state {
        NeighbourState::Reachable
        | NeighbourState::Permanent
        | NeighbourState::Noarp
        // The kernel is verifying it already.
        | NeighbourState::Delay
        | NeighbourState::Probe => Some(false),
        NeighbourState::Stale => Some(true),
        _ => None,
    };
    let neighbour = is_stale.and_then(|is_stale| {
        Some(Neighbour {
            mac: mac?,
            is_stale,
        })
    });
    Some((message.header.ifindex, ip?, neighbour))
}
