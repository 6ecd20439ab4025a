//! Headers of a UDP datagram on Ethernet: the Ethernet header, IPv4 (RFC 791) or IPv6 (RFC 8200), and
//! UDP (RFC 768), with their checksums (RFC 1071). Addresses come from
//! [`next_hops`](super::next_hops).
//!
//! The bytes that all packets to one destination share are written once, into a [`FrameTemplate`].
//! A packet then costs a copy of the template, a pass over the payload for the checksum, and a copy
//! of the payload.

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

/// Bytes of all headers, with the longer IPv6.
const HEADERS_LEN_MAX: usize = ETHERNET_LEN + V6_LEN + UDP_LEN;

/// Hop limit, the default of Linux.
const HOPS_MAX: u8 = 64;

/// IP protocol number of UDP.
const PROTOCOL_UDP: u8 = 17;

/// "Do not fragment", as Linux sets it on UDP (RFC 791 §3.1). The identification of such packets is
/// not used (RFC 6864 §4.1), so it is zero.
const DO_NOT_FRAGMENT: u16 = 0x4000;

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// Returns the bytes of the IP and UDP headers.
pub(super) const fn overhead(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => V4_LEN + UDP_LEN,
        IpAddr::V6(_) => V6_LEN + UDP_LEN,
    }
}

/// Headers of the packets from one local port to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrameTemplate {
    /// The headers, with zeros in fields that differ by packet.
    headers: [u8; HEADERS_LEN_MAX],
    /// Bytes of `headers` in use.
    headers_len: usize,
    /// Offset of the UDP header.
    udp_offset: usize,
    /// Checksum of the IPv4 header; unused for IPv6.
    ip_sum: ChecksumSum,
    /// Checksum of the shared part of the UDP pseudo-header: addresses, protocol, source port.
    udp_sum: ChecksumSum,
}

impl FrameTemplate {
    /// Builds the headers from `source_port` of `source` to `destination`. `macs` are the Ethernet
    /// addresses of this host and the next hop. Returns `None` when the IP versions differ.
    pub(super) fn new(
        macs: (Mac, Mac),
        source: IpAddr,
        source_port: u16,
        destination: IpAddr,
    ) -> Option<Self> {
        let (source_mac, next_hop_mac) = macs;
        let mut headers = HeaderBuffer {
            bytes: [0; HEADERS_LEN_MAX],
            len: 0,
        };
        headers.put(&next_hop_mac);
        headers.put(&source_mac);
        let mut udp_sum = ChecksumSum::default();
        let mut ip_sum = ChecksumSum::default();
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                headers.put(&[0x08, 0x00]);
                // Version 4, five words of header, no traffic class; then length, identification.
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
                // Version 6, no traffic class, no flow label; then length.
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
        let udp_offset = headers.len;
        headers.put(&source_port.to_be_bytes());
        headers.put(&[0; UDP_LEN - 2]);
        udp_sum.add(&source_port.to_be_bytes());
        Some(Self {
            headers: headers.bytes,
            headers_len: headers.len,
            udp_offset,
            ip_sum,
            udp_sum,
        })
    }

    /// Writes the packet that carries `payload` to `port` into `frame` and returns its length.
    /// Returns `None` when `frame` is too short or the payload exceeds a packet.
    pub(super) fn write(&self, frame: &mut [u8], port: u16, payload: &[u8]) -> Option<usize> {
        let udp_len = u16::try_from(UDP_LEN + payload.len()).ok()?;
        let (headers, rest) = frame.split_at_mut_checked(self.headers_len)?;
        headers.copy_from_slice(self.headers.get(..self.headers_len)?);
        rest.get_mut(..payload.len())?.copy_from_slice(payload);

        let (ip, udp) = headers.split_at_mut_checked(self.udp_offset)?;
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
        // The length is covered twice: in the UDP header and in the pseudo-header.
        sum.add(&udp_len);
        sum.add(&udp_len);
        sum.add(&port);
        sum.add(payload);
        // Zero would mean that there is no checksum (RFC 768).
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

/// Headers being written.
struct HeaderBuffer {
    /// Space for the longest headers.
    bytes: [u8; HEADERS_LEN_MAX],
    /// Bytes written.
    len: usize,
}

impl HeaderBuffer {
    /// Appends `part`.
    fn put(&mut self, part: &[u8]) {
        let room = self.bytes.iter_mut().skip(self.len);
        self.len += room.zip(part).map(|(byte, part)| *byte = *part).count();
    }

    /// Returns the bytes written from `at` on.
    fn since(&self, at: usize) -> &[u8] {
        self.bytes.get(at..self.len).unwrap_or_default()
    }
}

/// Accumulates an Internet checksum. The sum of 16-bit words depends neither on byte order
/// (RFC 1071 §2) nor on whether two words are added at a time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct ChecksumSum(u64);

impl ChecksumSum {
    /// Adds `bytes`. An odd last byte is padded with zero, so only the last addition may be odd.
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

    /// Returns the checksum as the two bytes of a header field.
    fn checksum(self) -> [u8; 2] {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let [low, high, ..] = (!sum).to_le_bytes();
        u16::from_le_bytes([low, high]).to_ne_bytes()
    }
}
