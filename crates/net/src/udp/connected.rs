//! Sockets of a crowd: a load generator opens one for each transport it plays, thousands in a
//! process, and each speaks to one remote address only. One inbox serves them all.
//!
//! Datagrams come with the moment the kernel got them, so that what is measured with it does not
//! grow when the process is late to read.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::linux::force_buffers;
use super::portable::is_passing;
use super::{RECEIVE_RUN_LEN, RECEIVE_SLOT_LEN, UdpOptions, is_would_block};
use crate::socket_option::set_number;

/// Datagrams, or runs of them, that one call brings. A frame has up to a dozen packets.
const SLOTS: usize = 32;

/// The same, as the kernel takes it.
const CALL_LEN: libc::c_uint = 32;

/// Room for the control messages of one datagram: a time and a run's length.
const CONTROL_LEN: usize = 64;

/// Bytes of a `cmsghdr`, which is a size and two numbers.
const CONTROL_HEADER_LEN: usize = size_of::<libc::cmsghdr>();

/// Nanoseconds of a second.
const NANOS: u64 = 1_000_000_000;

/// How sockets of a crowd are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectedOptions {
    /// Let the kernel join received datagrams to runs, which real clients do not do.
    pub gro: bool,
    /// Ask the kernel when each datagram came.
    pub timestamps: bool,
    /// Wanted bytes of the kernel's receive buffer.
    pub receive_buffer: usize,
}

/// One of many sockets; it never blocks.
pub struct ConnectedSocket {
    socket: UdpSocket,
}

/// One datagram that came.
#[derive(Debug, PartialEq, Eq)]
pub struct TimedDatagram<'a> {
    /// When the kernel got it, in nanoseconds of the machine's wall clock, if it was asked.
    pub at_ns: Option<u64>,
    /// What; it may be changed in place.
    pub contents: &'a mut [u8],
}

/// Control messages as the kernel writes them.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

/// Room for what one call brings, shared by all sockets of a thread.
pub struct SharedReceiveBatch {
    /// All slots, one behind the other.
    arena: Vec<u8>,
    /// Bytes of a slot.
    slot_len: usize,
    /// Control messages, one for each slot.
    controls: Vec<Control>,
    /// Points at the slots.
    vectors: Vec<libc::iovec>,
    /// Points at vectors and controls.
    messages: Vec<libc::mmsghdr>,
    /// How many of the messages the last call filled.
    filled: usize,
}

#[expect(unsafe_code, reason = "pointers are not sent to threads by themselves")]
// SAFETY: every pointer in an inbox points into the heap of its own vectors, which go with it and
// are reached through it alone.
unsafe impl Send for SharedReceiveBatch {}

impl ConnectedSocket {
    /// Opens a socket on `local`.
    ///
    /// # Errors
    /// Those of the system, first of all too many open files.
    pub fn open(local: SocketAddr, options: ConnectedOptions) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        let sizes = UdpOptions {
            receive_buffer: options.receive_buffer,
            send_buffer: 1 << 20,
            ..UdpOptions::default()
        };
        if !force_buffers(&socket, sizes) {
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

    /// Speaks to `remote` alone from now on.
    ///
    /// # Errors
    /// Those of the system: there is no way to that address.
    pub fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(remote)
    }

    /// Sends a datagram; false when the kernel had no room or the remote is not there.
    ///
    /// # Errors
    /// When the socket itself is broken.
    pub fn send(&self, datagram: &[u8]) -> io::Result<bool> {
        match self.socket.send(datagram) {
            Ok(_) => Ok(true),
            Err(error) if is_would_block(&error) || is_passing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Fills `inbox` with what has come; whether it was filled to the brim, so that more may be
    /// waiting.
    ///
    /// # Errors
    /// When the socket itself is broken.
    pub fn receive(&self, inbox: &mut SharedReceiveBatch) -> io::Result<bool> {
        inbox.prepare();
        #[expect(unsafe_code, reason = "the standard library has no recvmmsg")]
        // SAFETY: there are `CALL_LEN` messages, and each points at one vector and one control buffer of the
        // inbox with its length, and each vector at a slot of its arena. All live on the heap in
        // vectors that are never resized, are borrowed mutably here and are distinct.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                inbox.messages.as_mut_ptr(),
                CALL_LEN,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        match usize::try_from(received) {
            Ok(received) => {
                inbox.filled = received;
                Ok(received == SLOTS)
            }
            Err(_) => {
                let error = io::Error::last_os_error();
                if is_would_block(&error) {
                    Ok(false)
                } else if is_passing(&error) {
                    // A refusal of something sent earlier; what waits behind it is still there.
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
    /// An inbox for sockets that were opened with these options.
    pub fn new(options: ConnectedOptions) -> Self {
        let slot_len = if options.gro {
            RECEIVE_RUN_LEN
        } else {
            RECEIVE_SLOT_LEN
        };
        let mut arena = vec![0; slot_len * SLOTS];
        let mut controls = vec![Control([0; CONTROL_LEN]); SLOTS];
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
                #[expect(unsafe_code, reason = "some C libraries have private fields in it")]
                // SAFETY: zeros are valid for a structure of numbers and raw pointers.
                let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
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

    /// What the last call brought, in the order of arrival.
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
                let notes = read_control(control, message.msg_hdr.msg_controllen as _);
                let (run, _) = slot.split_at_mut(len);
                run.chunks_mut(notes.segment_len.unwrap_or(len).max(1))
                    .map(move |contents| TimedDatagram {
                        at_ns: notes.at_ns,
                        contents,
                    })
            })
    }

    /// Makes the messages that the last call filled fit for the next.
    fn prepare(&mut self) {
        for message in self.messages.iter_mut().take(self.filled) {
            message.msg_hdr.msg_controllen = CONTROL_LEN as _;
            message.msg_hdr.msg_flags = 0;
        }
        self.filled = 0;
    }
}

/// What the control messages of a datagram say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Notes {
    /// When it came.
    at_ns: Option<u64>,
    /// Length of a run's datagrams.
    segment_len: Option<usize>,
}

/// Reads the first `len` bytes of control messages.
fn read_control(control: &Control, len: usize) -> Notes {
    let mut notes = Notes::default();
    let mut rest = control.0.get(..len).unwrap_or_default();
    while let Some((message_len, header)) = rest.split_first_chunk() {
        let message_len = usize::from_ne_bytes(*message_len);
        let Some((level, kind)) = read_kind(header) else {
            break;
        };
        let Some(value) = rest.get(CONTROL_HEADER_LEN..message_len) else {
            break;
        };
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => notes.at_ns = read_time(value),
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let size = value.first_chunk().map(|size| i32::from_ne_bytes(*size));
                notes.segment_len = size.and_then(|size| usize::try_from(size).ok());
            }
            _ => {}
        }
        let next = message_len.max(1).next_multiple_of(size_of::<usize>());
        rest = rest.get(next..).unwrap_or_default();
    }
    notes
}

/// The level and the kind behind a control message's length.
fn read_kind(header: &[u8]) -> Option<(libc::c_int, libc::c_int)> {
    let (level, header) = header.split_first_chunk()?;
    let kind = header.first_chunk()?;
    Some((
        libc::c_int::from_ne_bytes(*level),
        libc::c_int::from_ne_bytes(*kind),
    ))
}

/// A `timespec` of two 64-bit numbers, in nanoseconds.
fn read_time(value: &[u8]) -> Option<u64> {
    let (seconds, rest) = value.split_first_chunk()?;
    let seconds = u64::try_from(i64::from_ne_bytes(*seconds)).ok()?;
    let nanos = u64::try_from(i64::from_ne_bytes(*rest.first_chunk()?)).ok()?;
    seconds.checked_mul(NANOS)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn pair(options: ConnectedOptions) -> (ConnectedSocket, ConnectedSocket, SharedReceiveBatch) {
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

    #[test]
    fn datagrams_come_in_order_with_the_time_the_kernel_got_them() {
        let options = ConnectedOptions {
            gro: false,
            timestamps: true,
            receive_buffer: 1 << 20,
        };
        let (one, two, mut inbox) = pair(options);
        for number in 0..40_u8 {
            assert!(one.send(&[number; 100]).unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
        let read_at = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let mut seen = Vec::new();
        let mut more = true;
        while more {
            more = two.receive(&mut inbox).unwrap();
            for arrival in inbox.datagrams() {
                let age = read_at - Duration::from_nanos(arrival.at_ns.unwrap());
                assert!(age >= Duration::from_millis(19), "{age:?}");
                assert!(age < Duration::from_secs(10), "{age:?}");
                assert_eq!(arrival.contents.len(), 100);
                seen.push(arrival.contents[0]);
            }
        }
        assert_eq!(seen, (0..40).collect::<Vec<_>>());
        assert!(!two.receive(&mut inbox).unwrap());
        assert_eq!(inbox.datagrams().count(), 0);
    }

    #[test]
    fn a_remote_that_is_gone_is_no_error() {
        let options = ConnectedOptions {
            gro: false,
            timestamps: false,
            receive_buffer: 1 << 20,
        };
        let (one, two, mut inbox) = pair(options);
        drop(two);
        for _ in 0..4 {
            one.send(&[1]).unwrap();
            one.receive(&mut inbox).unwrap();
        }
        assert_eq!(inbox.datagrams().count(), 0);
    }

    #[test]
    fn control_messages_are_read_one_after_the_other() {
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
        let control = Control(bytes.try_into().unwrap());
        let expected = Notes {
            at_ns: Some(3 * NANOS + 7),
            segment_len: Some(1_100),
        };
        assert_eq!(read_control(&control, len), expected);
        assert_eq!(read_control(&control, len - 8).segment_len, Some(1_100));
        assert_eq!(read_control(&control, 0), Notes::default());
    }
}
