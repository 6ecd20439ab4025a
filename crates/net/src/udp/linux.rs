//! Backend for Linux: `recvmmsg` with UDP_GRO and `sendmmsg` with UDP_SEGMENT (udp(7)), both with the
//! local address in IP_PKTINFO (ip(7)) or IPV6_PKTINFO (RFC 3542 §6). Addresses and control messages
//! are written and read as bytes, so that only the system calls are unsafe.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrayvec::ArrayVec;
use socket2::Socket;

use super::control_message::{
    CONTROL_LEN, ControlBuffer, ControlWriter, control_messages, local_address, receive_time,
    segment_len,
};
use super::io_error::{is_bad_descriptor, is_transient, is_would_block};
use super::options::UdpOptions;
use super::receive_batch::{FilledSlot, RECEIVE_SLOTS, ReceiveBatch};
use super::send_singly::{SendDatagram, send_singly};
use crate::socket_option::set_number;
use crate::transmit::Transmit;
use crate::udp_stats::UdpStats;

/// Messages in one system call.
pub const SEND_MESSAGES_MAX: usize = 64;

/// Datagrams in one run, the limit of older kernels.
pub const RUN_SEGMENTS_MAX: usize = 64;

/// Bytes in one run: the longest UDP payload over IPv4.
pub const RUN_LEN_MAX: usize = 65_507;

/// Consecutive refused runs after which the socket stops sending runs. A single refusal may be due
/// to one path whose MTU is below the segment, and one peer must not slow the others.
pub const RUN_REFUSALS_MAX: u32 = 64;

/// Bytes of the longest address, a `sockaddr_in6`.
const NAME_LEN: usize = 28;

/// [`NAME_LEN`] in the type of the kernel's interface.
const NAME_LEN_IN6: libc::socklen_t = 28;

/// Bytes of a `sockaddr_in`.
const NAME_LEN_IN: libc::socklen_t = 16;

/// Longest time that a datagram waits in the kernel. A longer one means that the wall clock was set.
const WAITED_MAX: Duration = Duration::from_secs(1);

/// A socket address in the kernel's layout.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Name([u8; NAME_LEN]);

/// Sends batches, and records whether the kernel takes runs.
pub(super) struct BatchSender {
    /// Whether runs are sent as runs.
    pub(super) gso: bool,
    /// Runs refused since the last one that was taken.
    refusals: u32,
}

/// A position in a list of transmits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    /// Index of the transmit.
    transmit: usize,
    /// Bytes of it that were sent.
    offset: usize,
}

/// One message of a `sendmmsg` call: a transmit, or the part of it that the kernel takes at once.
struct SendMessage<'a> {
    /// The transmit.
    transmit: &'a Transmit,
    /// The payload.
    run: &'a [u8],
    /// The position behind it.
    next: Cursor,
}

/// Sends several messages in one call. Implemented by sockets and, in tests, by a scripted kernel.
trait SendMessages: SendDatagram {
    /// Sends up to [`SEND_MESSAGES_MAX`] messages and returns how many were taken.
    fn send_messages(&self, messages: &[SendMessage<'_>]) -> io::Result<usize>;
}

impl SendMessages for UdpSocket {
    fn send_messages(&self, messages: &[SendMessage<'_>]) -> io::Result<usize> {
        send_messages(self, messages)
    }
}

impl SendMessage<'_> {
    /// Returns the number of datagrams. An empty payload is one empty datagram.
    fn segments(&self) -> u64 {
        self.run.len().div_ceil(self.transmit.segment_len()).max(1) as u64
    }

    /// Returns whether the message holds more than one datagram.
    fn is_run(&self) -> bool {
        self.run.len() > self.transmit.segment_len()
    }
}

impl BatchSender {
    /// Creates a sender that sends runs if `options` allow it and the kernel supports it.
    pub(super) fn new(socket: &UdpSocket, options: UdpOptions) -> Self {
        // Setting the option to zero changes nothing, and fails where it is not supported.
        let gso = options.gso && set_number(socket, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok();
        Self { gso, refusals: 0 }
    }

    /// Sends transmits and returns how many were taken.
    #[expect(private_bounds, reason = "implemented only in this file and its tests")]
    pub(super) fn send(
        &mut self,
        socket: &impl SendMessages,
        arena: &[u8],
        transmits: &[Transmit],
        stats: &mut UdpStats,
    ) -> io::Result<usize> {
        let mut cursor = Cursor::default();
        while cursor.transmit < transmits.len() {
            let messages = self.next_messages(arena, transmits, &mut cursor, stats);
            let Some(first) = messages.first() else { break };
            match socket.send_messages(&messages) {
                Ok(count) => {
                    for message in messages.iter().take(count) {
                        stats.sent += message.segments();
                        stats.sent_runs += 1;
                        if message.is_run() {
                            self.refusals = 0;
                        }
                        cursor = message.next;
                    }
                }
                Err(error) if is_would_block(&error) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_bad_descriptor(&error) => return Err(error),
                Err(error) if first.is_run() && is_run_refusal(&error) => {
                    self.record_refusal(&error, first.transmit, stats);
                    if !send_singly(socket, first.run, first.transmit, stats)? {
                        break;
                    }
                    cursor = first.next;
                }
                Err(error) => {
                    tracing::trace!(%error, "datagram refused by the kernel");
                    stats.send_errors += first.segments();
                    cursor = first.next;
                }
            }
        }
        Ok(cursor.transmit)
    }

    /// Returns the messages of the next call. Moves `cursor` over leading transmits that lie outside
    /// the arena.
    fn next_messages<'a>(
        &self,
        arena: &'a [u8],
        transmits: &'a [Transmit],
        cursor: &mut Cursor,
        stats: &mut UdpStats,
    ) -> SendMessageVec<'a> {
        let mut messages = SendMessageVec::new();
        let mut at = *cursor;
        while let Some(transmit) = transmits.get(at.transmit) {
            if messages.is_full() {
                break;
            }
            let Some(run) = arena.get(transmit.range.clone()) else {
                if !messages.is_empty() {
                    // Counted once: in the later call in which it comes first.
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
            let end = (at.offset + self.message_len_max(transmit)).min(run.len());
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
            messages.push(SendMessage {
                transmit,
                run,
                next,
            });
            at = next;
        }
        messages
    }

    /// Returns how many bytes of `transmit` the kernel takes in one message.
    fn message_len_max(&self, transmit: &Transmit) -> usize {
        let segment = transmit.segment_len();
        let segments = if self.gso {
            RUN_SEGMENTS_MAX.min(RUN_LEN_MAX / segment).max(1)
        } else {
            1
        };
        segment * segments
    }

    /// Counts a refused run, and stops sending runs when the kernel or device does not support them.
    /// A source address that was removed from this machine causes EINVAL too, and says nothing about
    /// runs.
    fn record_refusal(&mut self, error: &io::Error, transmit: &Transmit, stats: &mut UdpStats) {
        stats.run_refusals += 1;
        let is_unsupported = error.raw_os_error() != Some(libc::EINVAL);
        self.refusals += u32::from(is_unsupported || transmit.source.is_none());
        if is_unsupported || self.refusals >= RUN_REFUSALS_MAX {
            tracing::info!(
                %error,
                "UDP segmentation refused by the kernel: sending datagrams one by one"
            );
            self.gso = false;
        }
    }
}

/// The messages of one call.
type SendMessageVec<'a> = ArrayVec<SendMessage<'a>, SEND_MESSAGES_MAX>;

/// Returns whether the kernel refused the run rather than its datagrams: EINVAL for a path whose MTU
/// is below the segment, the others for a device or kernel without segmentation.
fn is_run_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::EIO | libc::ENOPROTOOPT | libc::EOPNOTSUPP)
    )
}

/// Lets the kernel join received datagrams to runs. Returns whether it will.
pub(super) fn enable_gro(socket: &UdpSocket) -> bool {
    set_number(socket, libc::SOL_UDP, libc::UDP_GRO, 1).is_ok()
}

/// Lets the kernel state when each datagram arrived.
pub(super) fn enable_receive_time(socket: &UdpSocket) {
    // Where it is not supported, datagrams count as arrived when they are received.
    let _ = set_number(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1);
}

/// Lets the kernel state the local address that each datagram was sent to. Returns whether it will.
pub(super) fn enable_local_address(socket: &UdpSocket, is_ipv6: bool) -> bool {
    let (level, option) = if is_ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
    } else {
        (libc::IPPROTO_IP, libc::IP_PKTINFO)
    };
    set_number(socket, level, option, 1).is_ok()
}

/// Structures of one `sendmmsg` or `recvmmsg` call.
struct MessageHeaders<const COUNT: usize, const CONTROL: usize> {
    /// Socket addresses.
    names: [Name; COUNT],
    /// Control messages.
    controls: [ControlBuffer<CONTROL>; COUNT],
    /// Pointers to the payloads.
    vectors: [libc::iovec; COUNT],
    /// Pointers to the other three.
    messages: [libc::mmsghdr; COUNT],
}

/// The structures of one message.
struct MessageHeader<'a, const CONTROL: usize> {
    /// Socket address.
    name: &'a mut Name,
    /// Control messages.
    control: &'a mut ControlBuffer<CONTROL>,
    /// Pointer to the payload.
    vector: &'a mut libc::iovec,
    /// Pointers to the other three.
    header: &'a mut libc::msghdr,
}

impl<const COUNT: usize, const CONTROL: usize> MessageHeaders<COUNT, CONTROL> {
    /// Creates structures without any pointers.
    fn new() -> Self {
        Self {
            names: [Name([0; NAME_LEN]); COUNT],
            controls: [ControlBuffer([0; CONTROL]); COUNT],
            vectors: [libc::iovec {
                iov_base: std::ptr::null_mut(),
                iov_len: 0,
            }; COUNT],
            messages: [empty_message(); COUNT],
        }
    }

    /// Returns the structures message by message.
    fn iter_mut(&mut self) -> impl Iterator<Item = MessageHeader<'_, CONTROL>> {
        let addresses = self.names.iter_mut().zip(&mut self.controls);
        let pointers = self.vectors.iter_mut().zip(&mut self.messages);
        addresses
            .zip(pointers)
            .map(|((name, control), (vector, message))| MessageHeader {
                name,
                control,
                vector,
                header: &mut message.msg_hdr,
            })
    }
}

impl<const CONTROL: usize> MessageHeader<'_, CONTROL> {
    /// Points the message at its payload, and at `name_len` bytes of its address.
    fn set_pointers(&mut self, payload: *mut u8, len: usize, name_len: libc::socklen_t) {
        self.vector.iov_base = payload.cast();
        self.vector.iov_len = len;
        self.header.msg_iov = &raw mut *self.vector;
        self.header.msg_iovlen = 1;
        self.header.msg_name = self.name.0.as_mut_ptr().cast();
        self.header.msg_namelen = name_len;
    }

    /// Points the message at the first `len` bytes of its control messages.
    fn set_control(&mut self, len: usize) {
        debug_assert!(len <= CONTROL);
        self.header.msg_control = self.control.0.as_mut_ptr().cast();
        self.header.msg_controllen = len.min(CONTROL) as _;
    }
}

/// Returns a message without any pointers.
pub(super) fn empty_message() -> libc::mmsghdr {
    #[expect(unsafe_code, reason = "some C libraries have private fields in it")]
    // SAFETY: zeros are valid for a structure of numbers and raw pointers.
    unsafe {
        std::mem::zeroed()
    }
}

/// Sends all `messages` in one `sendmmsg` call and returns how many were taken.
fn send_messages(socket: &UdpSocket, messages: &[SendMessage<'_>]) -> io::Result<usize> {
    let mut headers = MessageHeaders::<SEND_MESSAGES_MAX, CONTROL_LEN>::new();
    let mut count: libc::c_uint = 0;
    for (message, mut header) in messages.iter().zip(headers.iter_mut()) {
        let name_len = write_name(header.name, message.transmit.destination);
        header.set_pointers(message.run.as_ptr().cast_mut(), message.run.len(), name_len);
        let mut control = ControlWriter::new(header.control);
        if message.is_run() {
            control.push_segment_size(message.transmit.segment_size.unwrap_or(0));
        }
        if let Some(source) = message.transmit.source {
            control.push_source(source);
        }
        let control_len = control.len();
        if control_len > 0 {
            header.set_control(control_len);
        }
        count += 1;
    }
    #[expect(unsafe_code, reason = "the standard library has no sendmmsg")]
    // SAFETY: the first `count` of `headers.messages` are filled in above; each points at one name,
    // one vector and at most one control buffer of `headers` with its length, which live until the
    // call returns, and each vector at a borrowed slice. The kernel writes `msg_len` only.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.messages.as_mut_ptr(),
            count,
            libc::MSG_NOSIGNAL as _,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Sends one datagram of `transmit` from the transmit's source address.
pub(super) fn send_datagram(
    socket: &UdpSocket,
    datagram: &[u8],
    transmit: &Transmit,
) -> io::Result<()> {
    let message = SendMessage {
        transmit,
        run: datagram,
        next: Cursor::default(),
    };
    send_messages(socket, &[message]).map(drop)
}

/// Receives up to a batch in one `recvmmsg` call.
pub(super) fn receive(
    socket: &UdpSocket,
    batch: &mut ReceiveBatch,
    stats: &mut UdpStats,
) -> io::Result<()> {
    let mut headers = MessageHeaders::<RECEIVE_SLOTS, CONTROL_LEN>::new();
    let slots = batch.arena.chunks_exact_mut(batch.slot_len);
    let mut count: libc::c_uint = 0;
    for (slot, mut header) in slots.zip(headers.iter_mut()) {
        header.set_pointers(slot.as_mut_ptr(), slot.len(), NAME_LEN_IN6);
        header.set_control(CONTROL_LEN);
        count += 1;
    }
    #[expect(unsafe_code, reason = "the standard library has no recvmmsg")]
    // SAFETY: the first `count` of `headers.messages` are filled in above; each points at one name,
    // one vector and one control buffer of `headers` with its length, and each vector at a slot of
    // the arena. All are borrowed mutably, are distinct, and live until the call returns.
    let received = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.messages.as_mut_ptr(),
            count,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    };
    let Ok(received) = usize::try_from(received) else {
        let error = io::Error::last_os_error();
        return if is_would_block(&error) || is_transient(&error) {
            Ok(())
        } else {
            Err(error)
        };
    };
    let now = SystemTime::now();
    let filled = headers.messages.iter().zip(&headers.names);
    for ((message, name), control) in filled.zip(&headers.controls).take(received) {
        let header = &message.msg_hdr;
        let len = message.msg_len as usize;
        let is_truncated = header.msg_flags & libc::MSG_TRUNC != 0;
        stats.received_truncated += u64::from(is_truncated);
        let source = read_name(name).filter(|_| !is_truncated);
        let metadata = Metadata::read(control, header.msg_controllen as _);
        batch.filled.push(source.map(|source| FilledSlot {
            source,
            local: metadata.local,
            waited: metadata.waited(now),
            len,
            segment_len: metadata.segment_len.unwrap_or(len).max(1),
        }));
    }
    Ok(())
}

/// Sets both buffer sizes beyond the system's limits, which requires `CAP_NET_ADMIN`. Returns false
/// when refused.
pub(super) fn force_buffer_sizes(socket: &Socket, receive: usize, send: usize) -> bool {
    let force = |option, size| {
        let size = libc::c_int::try_from(size).unwrap_or(libc::c_int::MAX);
        set_number(socket, libc::SOL_SOCKET, option, size).is_ok()
    };
    force(libc::SO_RCVBUFFORCE, receive) && force(libc::SO_SNDBUFFORCE, send)
}

/// Writes `address` as a `sockaddr_in` or `sockaddr_in6` and returns its length in bytes.
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
            // The flow label is not part of a peer's address: two must not differ by it alone.
            Some(SocketAddrV6::new(Ipv6Addr::from(*address), port, 0, scope).into())
        }
        _ => None,
    }
}

/// Contents of the control messages of a received datagram.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Metadata {
    /// Local address that it was sent to.
    local: Option<IpAddr>,
    /// Length of each datagram of a run.
    segment_len: Option<usize>,
    /// Time of arrival in nanoseconds since the Unix epoch.
    at_ns: Option<u64>,
}

impl Metadata {
    /// Reads the first `len` bytes of control messages.
    fn read(control: &ControlBuffer<CONTROL_LEN>, len: usize) -> Self {
        let mut metadata = Self::default();
        for message in control_messages(control.0.get(..len).unwrap_or_default()) {
            if let Some(len) = segment_len(&message) {
                metadata.segment_len = Some(len);
            } else if let Some(local) = local_address(&message) {
                metadata.local = Some(local);
            } else if let Some(at_ns) = receive_time(&message) {
                metadata.at_ns = Some(at_ns);
            }
        }
        metadata
    }

    /// Returns the time since the arrival; zero where it is not known, or where the wall clock was set.
    fn waited(&self, now: SystemTime) -> Duration {
        let arrived = self.at_ns.map(Duration::from_nanos);
        let arrived = arrived.and_then(|it| UNIX_EPOCH.checked_add(it));
        let waited = arrived.and_then(|arrived| now.duration_since(arrived).ok());
        waited.filter(|it| *it < WAITED_MAX).unwrap_or_default()
    }
}
