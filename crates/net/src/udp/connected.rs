//! Sockets for a load generator: thousands in a process, each connected to one remote address, with
//! one receive batch for all sockets of a thread.
//!
//! Datagrams carry the kernel's receive timestamp, so that latencies do not include the time until
//! the process reads them.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::control_message::{
    CONTROL_LEN, ControlBuffer, control_messages, receive_time, segment_len,
};
use super::io_error::{is_transient, is_would_block};
use super::linux::{empty_message, force_buffer_sizes};
use super::receive_batch::{RECEIVE_RUN_LEN, RECEIVE_SLOT_LEN};
use crate::socket_option::set_number;

/// Datagrams, or runs of them, that one call receives. A video frame has up to a dozen packets.
const SLOTS: usize = 32;

/// [`SLOTS`] in the type of the kernel's interface.
const CALL_LEN: libc::c_uint = 32;

/// Requested size of the kernel's send buffer in bytes.
const SEND_BUFFER: usize = 1 << 20;

/// Options of a [`ConnectedSocket`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectedOptions {
    /// Let the kernel join received datagrams to runs (UDP_GRO), which real clients do not do.
    pub gro: bool,
    /// Request the kernel's receive timestamps (SO_TIMESTAMPNS).
    pub timestamps: bool,
    /// Requested size of the kernel's receive buffer in bytes.
    pub receive_buffer: usize,
}

/// A non-blocking UDP socket with one remote address.
pub struct ConnectedSocket {
    socket: UdpSocket,
}

/// A received datagram with its timestamp.
#[derive(Debug, PartialEq, Eq)]
pub struct TimedDatagram<'a> {
    /// Kernel receive time in nanoseconds since the Unix epoch; `None` without timestamps.
    pub at_ns: Option<u64>,
    /// Payload. May be modified in place.
    pub contents: &'a mut [u8],
}

/// Arena for one receive call, shared by all sockets of a thread.
pub struct SharedReceiveBatch {
    /// All slots, one after the other.
    arena: Vec<u8>,
    /// Bytes of a slot.
    slot_len: usize,
    /// Control messages, one buffer for each slot.
    controls: Vec<ControlBuffer<CONTROL_LEN>>,
    /// Pointers to the slots.
    vectors: Vec<libc::iovec>,
    /// Pointers to vectors and controls.
    messages: Vec<libc::mmsghdr>,
    /// Number of messages that the last call filled.
    filled: usize,
}

#[expect(unsafe_code, reason = "raw pointers are not Send")]
// SAFETY: every pointer points into the heap of this value's own vectors, which move to the other
// thread with it and are reached through it alone.
unsafe impl Send for SharedReceiveBatch {}

impl ConnectedSocket {
    /// Opens a socket bound to `local`.
    ///
    /// # Errors
    /// Errors of the operating system, most likely too many open files.
    pub fn open(local: SocketAddr, options: ConnectedOptions) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if !force_buffer_sizes(&socket, options.receive_buffer, SEND_BUFFER) {
            socket.set_recv_buffer_size(options.receive_buffer)?;
        }
        if options.timestamps {
            set_number(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        }
        if options.gro {
            set_number(&socket, libc::SOL_UDP, libc::UDP_GRO, 1)?;
        }
        socket.bind(&local.into())?;
        Ok(Self {
            socket: socket.into(),
        })
    }

    /// Connects the socket to `remote`: it then sends to and receives from that address alone.
    ///
    /// # Errors
    /// Errors of the operating system, for example when there is no route to the address.
    pub fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(remote)
    }

    /// Sends a datagram. Returns false when the kernel had no room or the remote is unreachable.
    ///
    /// # Errors
    /// Fails when the socket itself is broken.
    pub fn send(&self, datagram: &[u8]) -> io::Result<bool> {
        match self.socket.send(datagram) {
            Ok(_) => Ok(true),
            Err(error) if is_would_block(&error) || is_transient(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Fills `batch` with datagrams that have arrived. Returns true when more may be waiting.
    ///
    /// # Errors
    /// Fails when the socket itself is broken.
    pub fn receive(&self, batch: &mut SharedReceiveBatch) -> io::Result<bool> {
        batch.reset();
        #[expect(unsafe_code, reason = "the standard library has no recvmmsg")]
        // SAFETY: there are `CALL_LEN` messages. Each points at one vector and one control buffer of
        // the batch with its length, and each vector at a slot of its arena. All live on the heap in
        // vectors that are never resized, are borrowed mutably here and are distinct.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                batch.messages.as_mut_ptr(),
                CALL_LEN,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        match usize::try_from(received) {
            Ok(received) => {
                batch.filled = received;
                Ok(received == SLOTS)
            }
            Err(_) => {
                let error = io::Error::last_os_error();
                if is_would_block(&error) {
                    Ok(false)
                } else if is_transient(&error) {
                    // Reports an earlier send; datagrams may be waiting behind it.
                    Ok(true)
                } else {
                    Err(error)
                }
            }
        }
    }
}

impl AsFd for ConnectedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl SharedReceiveBatch {
    /// Allocates a batch for sockets that were opened with these options.
    pub fn new(options: ConnectedOptions) -> Self {
        let slot_len = if options.gro {
            RECEIVE_RUN_LEN
        } else {
            RECEIVE_SLOT_LEN
        };
        let mut arena = vec![0; slot_len * SLOTS];
        let mut controls = vec![ControlBuffer([0; CONTROL_LEN]); SLOTS];
        let mut vectors: Vec<_> = arena
            .chunks_exact_mut(slot_len)
            .map(|slot| libc::iovec {
                iov_base: slot.as_mut_ptr().cast(),
                iov_len: slot_len,
            })
            .collect();
        let messages = vectors
            .iter_mut()
            .zip(&mut controls)
            .map(|(vector, control)| {
                let mut message = empty_message();
                message.msg_hdr.msg_iov = vector;
                message.msg_hdr.msg_iovlen = 1;
                message.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
                message.msg_hdr.msg_controllen = CONTROL_LEN as _;
                message
            })
            .collect();
        Self {
            arena,
            slot_len,
            controls,
            vectors,
            messages,
            filled: 0,
        }
    }

    /// Returns the datagrams of the last call, in the order of arrival.
    pub fn datagrams(&mut self) -> impl Iterator<Item = TimedDatagram<'_>> {
        debug_assert_eq!(self.vectors.len(), self.messages.len());
        let slots = self.arena.chunks_exact_mut(self.slot_len);
        slots
            .zip(&self.messages)
            .zip(&self.controls)
            .take(self.filled)
            .filter(|((_, message), _)| message.msg_hdr.msg_flags & libc::MSG_TRUNC == 0)
            .flat_map(|((slot, message), control)| {
                let len = (message.msg_len as usize).min(slot.len());
                let metadata = Metadata::read(control, message.msg_hdr.msg_controllen as _);
                let (run, _) = slot.split_at_mut(len);
                run.chunks_mut(metadata.segment_len.unwrap_or(len).max(1))
                    .map(move |contents| TimedDatagram {
                        at_ns: metadata.at_ns,
                        contents,
                    })
            })
    }

    /// Resets the fields that the last call overwrote.
    fn reset(&mut self) {
        for message in self.messages.iter_mut().take(self.filled) {
            message.msg_hdr.msg_controllen = CONTROL_LEN as _;
            message.msg_hdr.msg_flags = 0;
        }
        self.filled = 0;
    }
}

/// Contents of the control messages of a datagram.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Metadata {
    /// Kernel receive time in nanoseconds since the Unix epoch.
    at_ns: Option<u64>,
    /// Bytes of each datagram of a run.
    segment_len: Option<usize>,
}

impl Metadata {
    /// Reads the first `len` bytes of control messages.
    fn read(control: &ControlBuffer<CONTROL_LEN>, len: usize) -> Self {
        let mut metadata = Self::default();
        for message in control_messages(control.0.get(..len).unwrap_or_default()) {
            if let Some(at_ns) = receive_time(&message) {
                metadata.at_ns = Some(at_ns);
            } else if let Some(len) = segment_len(&message) {
                metadata.segment_len = Some(len);
            }
        }
        metadata
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::*;
    use crate::udp::control_message::CONTROL_HEADER_LEN;

    fn connected_pair(
        options: ConnectedOptions,
    ) -> (ConnectedSocket, ConnectedSocket, SharedReceiveBatch) {
        let open = || {
            let socket = ConnectedSocket::open("127.0.0.1:0".parse().unwrap(), options).unwrap();
            let address = socket.socket.local_addr().unwrap();
            (socket, address)
        };
        let ((one, one_address), (two, two_address)) = (open(), open());
        one.connect(two_address).unwrap();
        two.connect(one_address).unwrap();
        (one, two, SharedReceiveBatch::new(options))
    }

    fn wall_clock() -> Duration {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
    }

    /// Waits until the kernel stamps datagrams on receipt. It enables this asynchronously
    /// (`netstamp_work` in net/core/dev.c) and stamps them when they are read until then.
    fn wait_for_receive_timestamps(
        from: &ConnectedSocket,
        to: &ConnectedSocket,
        batch: &mut SharedReceiveBatch,
    ) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            assert!(from.send(&[0xff]).unwrap());
            let before_read = wall_clock();
            to.receive(batch).unwrap();
            let stamps = batch.datagrams().map(|it| it.at_ns.unwrap());
            let stamp = stamps.last().map(Duration::from_nanos);
            if stamp.is_some_and(|stamp| stamp < before_read) {
                return;
            }
            assert!(Instant::now() < deadline, "no receive timestamps");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn datagrams_arrive_in_order_with_the_kernels_receive_time() {
        let options = ConnectedOptions {
            gro: false,
            timestamps: true,
            receive_buffer: 1 << 20,
        };
        let (one, two, mut batch) = connected_pair(options);
        wait_for_receive_timestamps(&one, &two, &mut batch);
        for number in 0..40_u8 {
            assert!(one.send(&[number; 100]).unwrap());
        }
        // The age of the datagrams is what is tested: they wait for 20 ms before they are read.
        std::thread::sleep(Duration::from_millis(20));
        let read_at = wall_clock();
        let mut seen = Vec::new();
        let mut more = true;
        while more {
            more = two.receive(&mut batch).unwrap();
            for datagram in batch.datagrams() {
                let age = read_at - Duration::from_nanos(datagram.at_ns.unwrap());
                assert!(age >= Duration::from_millis(19), "{age:?}");
                assert!(age < Duration::from_secs(10), "{age:?}");
                assert_eq!(datagram.contents.len(), 100);
                seen.push(datagram.contents[0]);
            }
        }
        assert_eq!(seen, (0..40).collect::<Vec<_>>());
        assert!(!two.receive(&mut batch).unwrap());
        assert_eq!(batch.datagrams().count(), 0);
    }

    #[test]
    fn closed_remote_is_not_an_error() {
        let options = ConnectedOptions {
            gro: false,
            timestamps: false,
            receive_buffer: 1 << 20,
        };
        let (one, two, mut batch) = connected_pair(options);
        drop(two);
        for _ in 0..4 {
            one.send(&[1]).unwrap();
            one.receive(&mut batch).unwrap();
        }
        assert_eq!(batch.datagrams().count(), 0);
    }

    #[test]
    fn all_control_messages_are_read() {
        let mut bytes = Vec::new();
        let mut put = |level: libc::c_int, kind: libc::c_int, value: &[u8]| {
            bytes.extend((CONTROL_HEADER_LEN + value.len()).to_ne_bytes());
            bytes.extend(level.to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        };
        let time = [3_i64.to_ne_bytes(), 7_i64.to_ne_bytes()].concat();
        put(libc::SOL_UDP, libc::UDP_GRO, &1_100_i32.to_ne_bytes());
        put(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &time);
        let len = bytes.len();
        bytes.resize(CONTROL_LEN, 0xff);
        let control = ControlBuffer(bytes.try_into().unwrap());
        let expected = Metadata {
            at_ns: Some(3_000_000_007),
            segment_len: Some(1_100),
        };
        assert_eq!(Metadata::read(&control, len), expected);
        assert_eq!(Metadata::read(&control, len - 8).segment_len, Some(1_100));
        assert_eq!(Metadata::read(&control, 0), Metadata::default());
    }
}
