//! The kernel's answers about routes, devices and neighbours (rtnetlink(7)). Two sockets: one to
//! ask, whose answers are there when the question has been put; one on which the kernel tells of
//! changes. Neither is ever waited for, and neither needs a privilege.

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

use super::next_hops::{Device, Kernel, Neighbour, News, Route};

/// Room for one datagram of answers: the kernel writes no longer ones.
const ANSWER_LEN_MAX: usize = 32_768;

/// Datagrams that the answer to one question may take: 64 of some 300 neighbours.
const ANSWERS_MAX: usize = 64;

/// Wanted bytes of news that wait for us.
const NEWS_BUFFER: usize = 1 << 20;

/// What changes are told of (`RTNLGRP_…` in linux/rtnetlink.h).
const GROUPS: [u32; 8] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_NEIGH,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV6_RULE,
];

/// The kernel.
pub(crate) struct Netlink {
    /// To ask.
    questions: Socket,
    /// To be told.
    changes: Socket,
    /// Our address, when the socket has one of its own.
    source: Option<IpAddr>,
    /// The last question's number.
    number: u32,
    /// Room for answers.
    buffer: Vec<u8>,
    /// News of the last datagram.
    news: VecDeque<News>,
}

impl Netlink {
    /// Asks about ways of packets from `source`, which may be unspecified.
    pub(super) fn open(source: IpAddr) -> io::Result<Self> {
        let kernel = SocketAddr::new(0, 0);
        let mut questions = Socket::new(NETLINK_ROUTE)?;
        questions.bind_auto()?;
        questions.connect(&kernel)?;
        let mut changes = Socket::new(NETLINK_ROUTE)?;
        changes.bind_auto()?;
        // As much as there may be; a message lost is told of, and everything is asked anew.
        let _ = changes.set_rx_buf_sz(i32::try_from(NEWS_BUFFER).unwrap_or(i32::MAX));
        for group in GROUPS {
            changes.add_membership(group)?;
        }
        Ok(Self {
            questions,
            changes,
            source: Some(source).filter(|source| !source.is_unspecified()),
            number: 0,
            buffer: Vec::with_capacity(ANSWER_LEN_MAX),
            news: VecDeque::new(),
        })
    }

    /// Puts a question; each message of the answer goes to `heed`.
    fn ask(
        &mut self,
        question: RouteNetlinkMessage,
        flags: u16,
        mut heed: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        self.number = self.number.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.number;
        let mut question = NetlinkMessage::new(header, NetlinkPayload::from(question));
        question.finalize();
        let mut bytes = vec![0; question.buffer_len()];
        question.serialize(&mut bytes);
        self.questions.send(&bytes, libc::MSG_DONTWAIT)?;
        for _ in 0..ANSWERS_MAX {
            self.buffer.clear();
            self.questions.recv(&mut self.buffer, libc::MSG_DONTWAIT)?;
            for message in messages(&self.buffer) {
                let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message)
                else {
                    continue;
                };
                if message.header.sequence_number != self.number {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::InnerMessage(answer) => heed(answer),
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

    /// Reads the next datagram of news. False when there is none.
    fn read_news(&mut self) -> bool {
        self.buffer.clear();
        match self.changes.recv(&mut self.buffer, libc::MSG_DONTWAIT) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                self.news.push_back(News::Lost);
                return true;
            }
            Err(_) => return false,
        }
        for message in messages(&self.buffer) {
            match NetlinkMessage::deserialize(message).map(|message| message.payload) {
                Ok(NetlinkPayload::InnerMessage(message)) => self.news.extend(news(&message)),
                Ok(_) => {}
                // A form of a later kernel: what it changed is asked.
                Err(_) => self.news.push_back(News::Lost),
            }
        }
        true
    }
}

impl Kernel for Netlink {
    fn route(&mut self, destination: IpAddr) -> Option<Route> {
        let source = self.source;
        let mut question = RouteMessage::default();
        let (family, bits) = match destination {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        question.header.address_family = family;
        question.header.destination_prefix_length = bits;
        let attributes = &mut question.attributes;
        attributes.push(RouteAttribute::Destination(destination.into()));
        if let Some(source) = source {
            question.header.source_prefix_length = bits;
            attributes.push(RouteAttribute::Source(source.into()));
        }
        let mut route = None;
        let asked = self.ask(RouteNetlinkMessage::GetRoute(question), 0, |answer| {
            if let RouteNetlinkMessage::NewRoute(answer) = answer {
                route = read_route(&answer, destination, source);
            }
        });
        if let Err(error) = asked {
            tracing::debug!(%error, "no route is known");
        }
        route
    }

    fn device(&mut self, device: u32) -> Option<Device> {
        let mut question = LinkMessage::default();
        question.header.index = device;
        let mut found = None;
        let asked = self.ask(RouteNetlinkMessage::GetLink(question), 0, |answer| {
            if let RouteNetlinkMessage::NewLink(answer) = answer {
                found = Some(read_device(&answer));
            }
        });
        if let Err(error) = asked {
            tracing::debug!(%error, "a device is not known");
        }
        found
    }

    fn neighbours(&mut self) -> Vec<(u32, IpAddr, Neighbour)> {
        let question = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let mut found = Vec::new();
        let asked = self.ask(question, NLM_F_DUMP, |answer| {
            if let RouteNetlinkMessage::NewNeighbour(answer) = answer
                && let Some((device, ip, Some(neighbour))) = read_neighbour(&answer)
            {
                found.push((device, ip, neighbour));
            }
        });
        if let Err(error) = asked {
            tracing::warn!(%error, "the kernel does not tell its neighbours");
        }
        found
    }

    fn poll_news(&mut self) -> Option<News> {
        while self.news.is_empty() {
            if !self.read_news() {
                return None;
            }
        }
        self.news.pop_front()
    }
}

/// The messages of a datagram.
fn messages(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let len = NetlinkBuffer::new_checked(rest).ok()?.length();
        let len = usize::try_from(len).ok().filter(|len| *len > 0)?;
        let (message, _) = rest.split_at_checked(len)?;
        // Each begins at a multiple of four bytes.
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// What a message means to us.
fn news(message: &RouteNetlinkMessage) -> Option<News> {
    match message {
        RouteNetlinkMessage::NewNeighbour(message) => {
            let (device, ip, neighbour) = read_neighbour(message)?;
            Some(News::Neighbour(device, ip, neighbour))
        }
        RouteNetlinkMessage::DelNeighbour(message) => {
            let (device, ip, _) = read_neighbour(message)?;
            Some(News::Neighbour(device, ip, None))
        }
        RouteNetlinkMessage::NewLink(message) => Some(News::Device(
            message.header.index,
            Some(read_device(message)),
        )),
        RouteNetlinkMessage::DelLink(message) => Some(News::Device(message.header.index, None)),
        RouteNetlinkMessage::NewRoute(_)
        | RouteNetlinkMessage::DelRoute(_)
        | RouteNetlinkMessage::NewRule(_)
        | RouteNetlinkMessage::DelRule(_)
        | RouteNetlinkMessage::NewAddress(_)
        | RouteNetlinkMessage::DelAddress(_) => Some(News::Routes),
        _ => None,
    }
}

/// A plain way to one machine, from `source` if that is given.
fn read_route(
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
            RouteAttribute::PrefSource(address) => preferred = read_address(address),
            RouteAttribute::Gateway(address) => gateway = read_address(address),
            RouteAttribute::Via(RouteVia::Inet(ip)) => gateway = Some((*ip).into()),
            RouteAttribute::Via(RouteVia::Inet6(ip)) => gateway = Some((*ip).into()),
            RouteAttribute::Metrics(metrics) => {
                mtu = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                });
            }
            // The stack puts something around such packets.
            RouteAttribute::Encap(_)
            | RouteAttribute::EncapType(_)
            | RouteAttribute::NewDestination(_) => return None,
            _ => {}
        }
    }
    Some(Route {
        device: device?,
        source: source.or(preferred)?,
        next: gateway.unwrap_or(destination),
        mtu: mtu.filter(|mtu| *mtu > 0),
    })
}

const fn read_address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

fn read_device(message: &LinkMessage) -> Device {
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

/// Device, address, and the neighbour itself while its Ethernet address can be used.
fn read_neighbour(message: &NeighbourMessage) -> Option<(u32, IpAddr, Option<Neighbour>)> {
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
        // The kernel is asking already.
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
