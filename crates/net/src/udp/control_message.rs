//! Control messages (`cmsghdr`, cmsg(3)): those that the kernel attaches to received datagrams, and
//! those that accompany sent ones. Read and written as bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a `cmsghdr`: a length and two integers.
pub(super) const CONTROL_HEADER_LEN: usize = size_of::<libc::cmsghdr>();

/// Bytes for the control messages of one datagram: a run's length (24), a timestamp (32) and the local
/// address (at most 40).
pub(super) const CONTROL_LEN: usize = 96;

/// Nanoseconds in a second.
const NANOS: u64 = 1_000_000_000;

/// Bytes of an interface index in `in_pktinfo` and `in6_pktinfo`.
const INTERFACE_LEN: usize = size_of::<libc::c_int>();

/// A buffer of control messages, aligned as the kernel requires.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct ControlBuffer<const LEN: usize>(pub(super) [u8; LEN]);

/// One control message.
pub(super) struct ControlMessage<'a> {
    /// Protocol level, `SOL_…`.
    pub(super) level: libc::c_int,
    /// Type within the level.
    pub(super) kind: libc::c_int,
    /// Bytes behind the header.
    pub(super) value: &'a [u8],
}

/// Returns the messages in `bytes`, up to the first malformed one.
pub(super) fn control_messages(bytes: &[u8]) -> impl Iterator<Item = ControlMessage<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (len, header) = rest.split_first_chunk()?;
        let len = usize::from_ne_bytes(*len);
        let (level, header) = header.split_first_chunk()?;
        let kind = header.first_chunk()?;
        let message = ControlMessage {
            level: libc::c_int::from_ne_bytes(*level),
            kind: libc::c_int::from_ne_bytes(*kind),
            value: rest.get(CONTROL_HEADER_LEN..len)?,
        };
        rest = rest
            .get(len.next_multiple_of(size_of::<usize>())..)
            .unwrap_or_default();
        Some(message)
    })
}

/// Returns the length of a run's datagrams if `message` states it (UDP_GRO).
pub(super) fn segment_len(message: &ControlMessage<'_>) -> Option<usize> {
    if (message.level, message.kind) != (libc::SOL_UDP, libc::UDP_GRO) {
        return None;
    }
    let size = libc::c_int::from_ne_bytes(*message.value.first_chunk()?);
    usize::try_from(size).ok()
}

/// Returns when the kernel received a datagram, in nanoseconds since the Unix epoch, if `message` states it
/// (SO_TIMESTAMPNS).
pub(super) fn receive_time(message: &ControlMessage<'_>) -> Option<u64> {
    if (message.level, message.kind) != (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
        return None;
    }
    // A `timespec` of two 64-bit numbers.
    let (seconds, rest) = message.value.split_first_chunk()?;
    let seconds = u64::try_from(i64::from_ne_bytes(*seconds)).ok()?;
    let nanos = u64::try_from(i64::from_ne_bytes(*rest.first_chunk()?)).ok()?;
    seconds.checked_mul(NANOS)?.checked_add(nanos)
}

/// Returns the local address that a datagram was sent to if `message` states it (IP_PKTINFO,
/// IPV6_PKTINFO).
pub(super) fn local_address(message: &ControlMessage<'_>) -> Option<IpAddr> {
    match (message.level, message.kind) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            // `ipi_spec_dst`: unlike the header's destination it is never a broadcast address.
            let address: &[u8; 4] = message.value.get(INTERFACE_LEN..)?.first_chunk()?;
            Some(Ipv4Addr::from(*address).into())
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            let address: &[u8; 16] = message.value.first_chunk()?;
            Some(Ipv6Addr::from(*address).into())
        }
        _ => None,
    }
}

/// Writes control messages into a buffer, one after the other.
pub(super) struct ControlWriter<'a> {
    /// The buffer.
    bytes: &'a mut [u8],
    /// Bytes in use.
    len: usize,
}

impl<'a> ControlWriter<'a> {
    /// Returns a writer at the start of `buffer`.
    pub(super) const fn new<const LEN: usize>(buffer: &'a mut ControlBuffer<LEN>) -> Self {
        Self {
            bytes: &mut buffer.0,
            len: 0,
        }
    }

    /// Appends the message that sends a payload as datagrams of `size` bytes (UDP_SEGMENT).
    pub(super) fn push_segment_size(&mut self, size: u16) {
        self.push(libc::SOL_UDP, libc::UDP_SEGMENT, &[&size.to_ne_bytes()]);
    }

    /// Appends the message that sends from `source` (IP_PKTINFO, IPV6_PKTINFO). The interface is
    /// left to the routing table.
    pub(super) fn push_source(&mut self, source: IpAddr) {
        const ANY_INTERFACE: [u8; INTERFACE_LEN] = [0; INTERFACE_LEN];
        match source {
            IpAddr::V4(address) => {
                let parts: [&[u8]; 3] = [&ANY_INTERFACE, &address.octets(), &[0; 4]];
                self.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &parts);
            }
            IpAddr::V6(address) => {
                let parts: [&[u8]; 2] = [&address.octets(), &ANY_INTERFACE];
                self.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &parts);
            }
        }
    }

    /// Returns the bytes in use, padded as `CMSG_SPACE` does.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Appends a message whose value consists of `parts`.
    fn push(&mut self, level: libc::c_int, kind: libc::c_int, parts: &[&[u8]]) {
        let value_len: usize = parts.iter().map(|part| part.len()).sum();
        let len = CONTROL_HEADER_LEN + value_len;
        let header: [&[u8]; 3] = [
            &len.to_ne_bytes(),
            &level.to_ne_bytes(),
            &kind.to_ne_bytes(),
        ];
        let space = len.next_multiple_of(size_of::<usize>());
        let Some(out) = self.bytes.get_mut(self.len..self.len + space) else {
            return;
        };
        let bytes = header.iter().chain(parts).copied().flatten();
        out.iter_mut()
            .zip(bytes)
            .for_each(|(out, byte)| *out = *byte);
        self.len += space;
    }
}
