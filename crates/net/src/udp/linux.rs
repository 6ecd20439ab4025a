//! The path of Linux: recvmmsg with UDP_GRO, sendmmsg with UDP_SEGMENT (udp(7)). Addresses and
//! control messages are written and read as bytes, so that unsafe code is the system calls alone.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

use arrayvec::ArrayVec;
use socket2::Socket;

pub(super) use crate::socket_option::set_number as set_option;

use super::portable::{SendOne, is_broken, is_passing, send_singly};
use super::{
    Filled, RECEIVE_SLOTS, RUN_LEN_MAX, RUN_REFUSALS_MAX, RUN_SEGMENTS_MAX, ReceiveBatch,
    SEND_MESSAGES_MAX, Transmit, UdpOptions, UdpStats, is_would_block,
};

/// Bytes of the longest address: a `sockaddr_in6`.
const NAME_LEN: usize = 28;

/// The same, as the kernel takes it.
const NAME_LEN_IN6: libc::socklen_t = 28;

/// Bytes of the shorter address: a `sockaddr_in`.
const NAME_LEN_IN: libc::socklen_t = 16;

/// Bytes of a `cmsghdr`, which is a size and two numbers.
const CONTROL_HEADER_LEN: usize = size_of::<libc::cmsghdr>();

/// Room for the control messages of one datagram. One is expected; the rest is slack.
const CONTROL_LEN: usize = 64;

/// Bytes to send a `UDP_SEGMENT` message, padded as `CMSG_SPACE` does.
const SEGMENT_CONTROL_LEN: usize = CONTROL_HEADER_LEN + size_of::<usize>();

/// An address as the kernel writes it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Name([u8; NAME_LEN]);

/// Control messages as the kernel writes them.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control<const LEN: usize>([u8; LEN]);

/// What a socket can do, as far as the kernel has shown.
pub(super) struct Batcher {
    /// Whether the kernel joins received datagrams to runs.
    pub(super) gro: bool,
    /// Whether runs are sent as runs.
    pub(super) gso: bool,
    /// Runs refused since the last that was taken.
    refusals: u32,
}

/// A place in a list of transmits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    /// Which transmit.
    transmit: usize,
    /// Bytes of it that are sent.
    offset: usize,
}

/// One message of a system call: a part of a transmit, as long as the kernel takes at once.
struct Piece<'a> {
    /// The transmit.
    transmit: &'a Transmit,
    /// The bytes.
    run: &'a [u8],
    /// The place behind it.
    next: Cursor,
}

/// What takes messages: the kernel, or a test in its place.
trait Carrier: SendOne {
    /// Sends up to [`SEND_MESSAGES_MAX`] pieces in one call; how many were taken.
    fn send_messages(&self, pieces: &[Piece<'_>]) -> io::Result<usize>;
}

impl Carrier for UdpSocket {
    fn send_messages(&self, pieces: &[Piece<'_>]) -> io::Result<usize> {
        send_messages(self, pieces)
    }
}

impl Piece<'_> {
    /// How many datagrams it holds; an empty one is a datagram too.
    fn segments(&self) -> u64 {
        self.run.len().div_ceil(self.transmit.segment_len()).max(1) as u64
    }

    /// Whether it holds more than one datagram.
    fn is_run(&self) -> bool {
        self.run.len() > self.transmit.segment_len()
    }
}

impl Batcher {
    /// Asks the kernel for what `options` want.
    pub(super) fn new(socket: &UdpSocket, options: UdpOptions) -> Self {
        let gro = options.gro && set_option(socket, libc::SOL_UDP, libc::UDP_GRO, 1).is_ok();
        // Setting the option to zero changes nothing, and fails where there are no runs.
        let gso = options.gso && set_option(socket, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok();
        Self {
            gro,
            gso,
            refusals: 0,
        }
    }

    /// Sends transmits; how many were taken.
    #[expect(private_bounds, reason = "only this file and its tests carry messages")]
    pub(super) fn send(
        &mut self,
        carrier: &impl Carrier,
        arena: &[u8],
        transmits: &[Transmit],
        stats: &mut UdpStats,
    ) -> io::Result<usize> {
        let mut cursor = Cursor::default();
        while cursor.transmit < transmits.len() {
            let pieces = self.pieces(arena, transmits, &mut cursor, stats);
            let Some(first) = pieces.first() else { break };
            match carrier.send_messages(&pieces) {
                Ok(count) => {
                    for piece in pieces.iter().take(count) {
                        stats.sent += piece.segments();
                        stats.sent_runs += 1;
                        if piece.is_run() {
                            self.refusals = 0;
                        }
                        cursor = piece.next;
                    }
                }
                Err(error) if is_would_block(&error) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_broken(&error) => return Err(error),
                Err(error) if first.is_run() && is_run_refusal(&error) => {
                    self.note_refusal(&error, stats);
                    if !send_singly(carrier, first.run, first.transmit, stats)? {
                        break;
                    }
                    cursor = first.next;
                }
                Err(error) => {
                    tracing::trace!(%error, "a datagram was refused");
                    stats.send_errors += first.segments();
                    cursor = first.next;
                }
            }
        }
        Ok(cursor.transmit)
    }

    /// The next pieces for one call. Moves `cursor` over transmits at the front that lie outside
    /// the arena.
    fn pieces<'a>(
        &self,
        arena: &'a [u8],
        transmits: &'a [Transmit],
        cursor: &mut Cursor,
        stats: &mut UdpStats,
    ) -> Pieces<'a> {
        let mut pieces = Pieces::new();
        let mut at = *cursor;
        while let Some(transmit) = transmits.get(at.transmit) {
            if pieces.is_full() {
                break;
            }
            let Some(run) = arena.get(transmit.range.clone()) else {
                if !pieces.is_empty() {
                    // It is counted when it is first in line, so that it is counted once.
                    break;
                }
                stats.send_errors += 1;
                at = Cursor {
                    transmit: at.transmit + 1,
                    offset: 0,
                };
                *cursor = at;
                continue;
            };
            let end = (at.offset + self.piece_len(transmit)).min(run.len());
            let next = if end == run.len() {
                Cursor {
                    transmit: at.transmit + 1,
                    offset: 0,
                }
            } else {
                Cursor {
                    transmit: at.transmit,
                    offset: end,
                }
            };
            let run = run.get(at.offset..end).unwrap_or_default();
            pieces.push(Piece {
                transmit,
                run,
                next,
            });
            at = next;
        }
        pieces
    }

    /// Bytes of `transmit` that the kernel takes at once.
    fn piece_len(&self, transmit: &Transmit) -> usize {
        let segment = transmit.segment_len();
        let segments = if self.gso {
            RUN_SEGMENTS_MAX.min(RUN_LEN_MAX / segment).max(1)
        } else {
            1
        };
        segment * segments
    }

    /// Counts a refused run; sends no more of them when the kernel or device cannot.
    fn note_refusal(&mut self, error: &io::Error, stats: &mut UdpStats) {
        stats.run_refusals += 1;
        self.refusals += 1;
        let never = error.raw_os_error() != Some(libc::EINVAL);
        if never || self.refusals >= RUN_REFUSALS_MAX {
            tracing::info!(%error, "UDP runs are refused: datagrams are sent one by one");
            self.gso = false;
        }
    }
}

/// The pieces of one call.
type Pieces<'a> = ArrayVec<Piece<'a>, SEND_MESSAGES_MAX>;

/// Whether the kernel refused the run rather than its datagrams: EINVAL for a path whose MTU is
/// below the segment, the others for a device or kernel without segmentation.
fn is_run_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::EIO | libc::ENOPROTOOPT | libc::EOPNOTSUPP)
    )
}

/// One sendmmsg of all `pieces`.
fn send_messages(socket: &UdpSocket, pieces: &[Piece<'_>]) -> io::Result<usize> {
    let mut names = [Name([0; NAME_LEN]); SEND_MESSAGES_MAX];
    let mut controls = [Control([0; SEGMENT_CONTROL_LEN]); SEND_MESSAGES_MAX];
    let mut vectors = [EMPTY_VECTOR; SEND_MESSAGES_MAX];
    let mut messages = [empty_message(); SEND_MESSAGES_MAX];
    let parts = names
        .iter_mut()
        .zip(&mut controls)
        .zip(&mut vectors)
        .zip(&mut messages);
    let mut count: libc::c_uint = 0;
    for (piece, (((name, control), vector), message)) in pieces.iter().zip(parts) {
        let header = &mut message.msg_hdr;
        header.msg_namelen = write_name(name, piece.transmit.destination);
        header.msg_name = name.0.as_mut_ptr().cast();
        vector.iov_base = piece.run.as_ptr().cast_mut().cast();
        vector.iov_len = piece.run.len();
        header.msg_iov = vector;
        header.msg_iovlen = 1;
        if piece.is_run() {
            write_segment_size(control, piece.transmit.segment_size.unwrap_or(0));
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = SEGMENT_CONTROL_LEN as _;
        }
        count += 1;
    }
    #[expect(unsafe_code, reason = "the standard library has no sendmmsg")]
    // SAFETY: the first `count` of `messages` are filled in above; each points at one name, one
    // vector and at most one control buffer of these arrays with its length, which live until the
    // call returns, and each vector at a borrowed slice. The kernel writes `msg_len` only.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr(),
            count,
            libc::MSG_NOSIGNAL as _,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Receives up to a batch in one call.
pub(super) fn receive(
    socket: &UdpSocket,
    batch: &mut ReceiveBatch,
    stats: &mut UdpStats,
) -> io::Result<()> {
    let mut names = [Name([0; NAME_LEN]); RECEIVE_SLOTS];
    let mut controls = [Control([0; CONTROL_LEN]); RECEIVE_SLOTS];
    let mut vectors = [EMPTY_VECTOR; RECEIVE_SLOTS];
    let mut messages = [empty_message(); RECEIVE_SLOTS];
    let slots = batch.arena.chunks_exact_mut(batch.slot_len);
    let parts = names
        .iter_mut()
        .zip(&mut controls)
        .zip(&mut vectors)
        .zip(&mut messages);
    let mut count: libc::c_uint = 0;
    for (slot, (((name, control), vector), message)) in slots.zip(parts) {
        vector.iov_base = slot.as_mut_ptr().cast();
        vector.iov_len = slot.len();
        let header = &mut message.msg_hdr;
        header.msg_name = name.0.as_mut_ptr().cast();
        header.msg_namelen = NAME_LEN_IN6;
        header.msg_iov = vector;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = CONTROL_LEN as _;
        count += 1;
    }
    #[expect(unsafe_code, reason = "the standard library has no recvmmsg")]
    // SAFETY: the first `count` of `messages` are filled in above; each points at one name, one
    // vector and one control buffer of these arrays with its length, and each vector at a slot of
    // the arena. All are borrowed mutably, are distinct, and live until the call returns.
    let received = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr(),
            count,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    };
    let Ok(received) = usize::try_from(received) else {
        let error = io::Error::last_os_error();
        return if is_would_block(&error) || is_passing(&error) {
            Ok(())
        } else {
            Err(error)
        };
    };
    for ((message, name), control) in messages.iter().zip(&names).zip(&controls).take(received) {
        let header = &message.msg_hdr;
        let len = message.msg_len as usize;
        let truncated = header.msg_flags & libc::MSG_TRUNC != 0;
        stats.received_truncated += u64::from(truncated);
        let source = read_name(name).filter(|_| !truncated);
        let segment_len = read_segment_size(control, header.msg_controllen as _).unwrap_or(len);
        batch.filled.push(source.map(|source| Filled {
            source,
            len,
            segment_len: segment_len.max(1),
        }));
    }
    Ok(())
}

/// Asks for buffers beyond the system's limits, which takes privilege. False when refused.
pub(super) fn force_buffers(socket: &Socket, options: UdpOptions) -> bool {
    let force = |option, size| {
        let size = libc::c_int::try_from(size).unwrap_or(libc::c_int::MAX);
        set_option(socket, libc::SOL_SOCKET, option, size).is_ok()
    };
    force(libc::SO_RCVBUFFORCE, options.receive_buffer)
        && force(libc::SO_SNDBUFFORCE, options.send_buffer)
}

/// A vector that points nowhere.
const EMPTY_VECTOR: libc::iovec = libc::iovec {
    iov_base: std::ptr::null_mut(),
    iov_len: 0,
};

/// A message that points nowhere.
fn empty_message() -> libc::mmsghdr {
    #[expect(unsafe_code, reason = "some C libraries have private fields in it")]
    // SAFETY: zeros are valid for a structure of numbers and raw pointers.
    unsafe {
        std::mem::zeroed()
    }
}

/// Writes `address` as a `sockaddr_in` or `sockaddr_in6`; its length.
fn write_name(name: &mut Name, address: SocketAddr) -> libc::socklen_t {
    let (family, len) = match address {
        SocketAddr::V4(_) => (libc::AF_INET, NAME_LEN_IN),
        SocketAddr::V6(_) => (libc::AF_INET6, NAME_LEN_IN6),
    };
    let family = libc::sa_family_t::try_from(family)
        .unwrap_or_default()
        .to_ne_bytes();
    let port = address.port().to_be_bytes();
    let mut bytes = [0; NAME_LEN];
    let mut put = |at: usize, part: &[u8]| {
        bytes
            .iter_mut()
            .skip(at)
            .zip(part)
            .for_each(|(byte, part)| *byte = *part);
    };
    put(0, &family);
    put(2, &port);
    match address {
        SocketAddr::V4(address) => put(4, &address.ip().octets()),
        SocketAddr::V6(address) => {
            put(4, &address.flowinfo().to_be_bytes());
            put(8, &address.ip().octets());
            put(24, &address.scope_id().to_ne_bytes());
        }
    }
    name.0 = bytes;
    len
}

/// Reads a `sockaddr_in` or `sockaddr_in6`.
fn read_name(name: &Name) -> Option<SocketAddr> {
    let (family, rest) = name.0.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    match libc::c_int::from(libc::sa_family_t::from_ne_bytes(*family)) {
        libc::AF_INET => {
            let address: &[u8; 4] = rest.first_chunk()?;
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(*address)), port))
        }
        libc::AF_INET6 => {
            let (_flow, rest) = rest.split_first_chunk::<4>()?;
            let (address, rest) = rest.split_first_chunk::<16>()?;
            let scope = u32::from_ne_bytes(*rest.first_chunk()?);
            // The flow label is no part of a peer's address: two must not differ by it.
            Some(SocketAddrV6::new(Ipv6Addr::from(*address), port, 0, scope).into())
        }
        _ => None,
    }
}

/// Writes the control message that makes a run of datagrams of `size` bytes.
fn write_segment_size(control: &mut Control<SEGMENT_CONTROL_LEN>, size: u16) {
    let len = CONTROL_HEADER_LEN + size_of::<u16>();
    let parts = [
        &len.to_ne_bytes()[..],
        &libc::SOL_UDP.to_ne_bytes(),
        &libc::UDP_SEGMENT.to_ne_bytes(),
        &size.to_ne_bytes(),
    ];
    let bytes = parts.into_iter().flatten();
    control
        .0
        .iter_mut()
        .zip(bytes)
        .for_each(|(out, byte)| *out = *byte);
}

/// Finds the length of a run's datagrams among the first `len` bytes of control messages.
fn read_segment_size(control: &Control<CONTROL_LEN>, len: usize) -> Option<usize> {
    let mut rest = control.0.get(..len)?;
    while rest.len() >= CONTROL_HEADER_LEN {
        let (message_len, header) = rest.split_first_chunk()?;
        let message_len = usize::from_ne_bytes(*message_len);
        let (level, header) = header.split_first_chunk()?;
        let (kind, _) = header.split_first_chunk()?;
        let is_run = libc::c_int::from_ne_bytes(*level) == libc::SOL_UDP
            && libc::c_int::from_ne_bytes(*kind) == libc::UDP_GRO;
        if is_run {
            let size = rest.get(CONTROL_HEADER_LEN..message_len)?.first_chunk()?;
            return usize::try_from(libc::c_int::from_ne_bytes(*size)).ok();
        }
        rest = rest.get(message_len.max(1).next_multiple_of(size_of::<usize>())..)?;
    }
    None
}
