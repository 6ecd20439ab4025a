//! What stands before a datagram on an Ethernet: the frame's header, that of IPv4 (RFC 791) or
//! IPv6 (RFC 8200), and that of UDP (RFC 768), with their checksums (RFC 1071). Bytes only: who is
//! where is known by [`paths`](super::next_hops).
//!
//! Everything that packets to one destination share is written once, into a [`Template`]; a packet
//! costs a copy of it, a pass over its payload for the checksum, and a copy of its payload.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

/// Bytes of an Ethernet header.
pub(super) const ETHERNET_LEN: usize = 14;

/// Bytes of an IPv4 header without options.
const V4_LEN: usize = 20;

/// Bytes of an IPv6 header.
const V6_LEN: usize = 40;

/// Bytes of a UDP header.
const UDP_LEN: usize = 8;

/// Bytes of the longest headers together.
const HEADERS_LEN_MAX: usize = ETHERNET_LEN + V6_LEN + UDP_LEN;

/// Routers that a packet may pass; Linux' own default.
const HOPS_MAX: u8 = 64;

/// UDP, where a packet names what it carries.
const PROTOCOL_UDP: u8 = 17;

/// "Do not fragment", as Linux sets it on UDP (RFC 791 §3.1). Packets that nobody fragments need
/// no number (RFC 6864 §4.1), so theirs is zero.
const DO_NOT_FRAGMENT: u16 = 0x4000;

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// Bytes that IP and UDP put before the payload.
pub(super) const fn overhead(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => V4_LEN + UDP_LEN,
        IpAddr::V6(_) => V6_LEN + UDP_LEN,
    }
}

/// The headers of every packet from one port to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// The headers, with zeros where packets differ.
    headers: [u8; HEADERS_LEN_MAX],
    /// How many of their bytes count.
    headers_len: usize,
    /// Where the UDP header begins.
    udp_at: usize,
    /// Sum over the IPv4 header; of no use to IPv6.
    ip_sum: Sum,
    /// Sum over what the UDP checksum covers and packets share: addresses, protocol, our port.
    udp_sum: Sum,
}

impl Template {
    /// The headers from `source_port` of `source` to `destination`, behind the Ethernet addresses
    /// of this machine and the next. None when the addresses are of two families.
    pub(super) fn new(
        macs: (Mac, Mac),
        source: IpAddr,
        source_port: u16,
        destination: IpAddr,
    ) -> Option<Self> {
        let (ours, next) = macs;
        let mut headers = Headers {
            bytes: [0; HEADERS_LEN_MAX],
            len: 0,
        };
        headers.put(&next);
        headers.put(&ours);
        let mut udp_sum = Sum::default();
        let mut ip_sum = Sum::default();
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                headers.put(&[0x08, 0x00]);
                // Version 4, five words of header, no class; then length, number, fragment.
                headers.put(&[0x45, 0, 0, 0, 0, 0]);
                headers.put(&DO_NOT_FRAGMENT.to_be_bytes());
                headers.put(&[HOPS_MAX, PROTOCOL_UDP, 0, 0]);
                headers.put(&source.octets());
                headers.put(&destination.octets());
                ip_sum.add(headers.since(ETHERNET_LEN));
                udp_sum.add(&source.octets());
                udp_sum.add(&destination.octets());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                headers.put(&[0x86, 0xdd]);
                // Version 6, no class, no flow; then length.
                headers.put(&[0x60, 0, 0, 0, 0, 0]);
                headers.put(&[PROTOCOL_UDP, HOPS_MAX]);
                headers.put(&source.octets());
                headers.put(&destination.octets());
                udp_sum.add(&source.octets());
                udp_sum.add(&destination.octets());
            }
            _ => return None,
        }
        udp_sum.add(&[0, PROTOCOL_UDP]);
        let udp_at = headers.len;
        headers.put(&source_port.to_be_bytes());
        headers.put(&[0; UDP_LEN - 2]);
        udp_sum.add(&source_port.to_be_bytes());
        Some(Self {
            headers: headers.bytes,
            headers_len: headers.len,
            udp_at,
            ip_sum,
            udp_sum,
        })
    }

    /// Writes the packet that carries `payload` to `port` into `frame`; its length. None when
    /// `frame` is too short, or the payload longer than a packet can be.
    pub(super) fn write(&self, frame: &mut [u8], port: u16, payload: &[u8]) -> Option<usize> {
        let udp_len = u16::try_from(UDP_LEN + payload.len()).ok()?;
        let (headers, rest) = frame.split_at_mut_checked(self.headers_len)?;
        headers.copy_from_slice(self.headers.get(..self.headers_len)?);
        rest.get_mut(..payload.len())?.copy_from_slice(payload);

        let (ip, udp) = headers.split_at_mut_checked(self.udp_at)?;
        let ip = ip.get_mut(ETHERNET_LEN..)?;
        if ip.len() == V4_LEN {
            let ip_len = u16::try_from(V4_LEN + UDP_LEN + payload.len()).ok()?;
            let ip_len = ip_len.to_be_bytes();
            let mut sum = self.ip_sum;
            sum.add(&ip_len);
            ip.get_mut(2..4)?.copy_from_slice(&ip_len);
            ip.get_mut(10..12)?.copy_from_slice(&sum.checksum());
        } else {
            ip.get_mut(4..6)?.copy_from_slice(&udp_len.to_be_bytes());
        }

        let (udp_len, port) = (udp_len.to_be_bytes(), port.to_be_bytes());
        let mut sum = self.udp_sum;
        // Once as a part of the header, once as a part of what stands for the IP header.
        sum.add(&udp_len);
        sum.add(&udp_len);
        sum.add(&port);
        sum.add(payload);
        // Zero would say that there is none (RFC 768).
        let checksum = match sum.checksum() {
            [0, 0] => [0xff, 0xff],
            checksum => checksum,
        };
        udp.get_mut(2..4)?.copy_from_slice(&port);
        udp.get_mut(4..6)?.copy_from_slice(&udp_len);
        udp.get_mut(6..8)?.copy_from_slice(&checksum);
        Some(self.headers_len + payload.len())
    }
}

/// Headers in the making.
struct Headers {
    /// Room for the longest.
    bytes: [u8; HEADERS_LEN_MAX],
    /// Bytes written.
    len: usize,
}

impl Headers {
    /// Writes `part` behind what is there.
    fn put(&mut self, part: &[u8]) {
        let room = self.bytes.iter_mut().skip(self.len);
        self.len += room.zip(part).map(|(byte, part)| *byte = *part).count();
    }

    /// What is written from `at` on.
    fn since(&self, at: usize) -> &[u8] {
        self.bytes.get(at..self.len).unwrap_or_default()
    }
}

/// The Internet checksum in the making: a sum of 16-bit words, which does not care in which order
/// a machine reads their bytes (RFC 1071 §2), nor whether two are added at a time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum(u64);

impl Sum {
    /// Adds `bytes`; an odd last one as if a zero followed. Only what is added last may be odd.
    fn add(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<4>();
        // A packet has at most 2¹⁴ words of 32 bits: 64 bits never overflow.
        self.0 += words
            .iter()
            .map(|word| u64::from(u32::from_ne_bytes(*word)))
            .sum::<u64>();
        let mut last = [0; 4];
        last.iter_mut()
            .zip(rest)
            .for_each(|(byte, rest)| *byte = *rest);
        self.0 += u64::from(u32::from_ne_bytes(last));
    }

    /// The checksum, as it stands in a header.
    fn checksum(self) -> [u8; 2] {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let [low, high, ..] = (!sum).to_le_bytes();
        u16::from_le_bytes([low, high]).to_ne_bytes()
    }
}
