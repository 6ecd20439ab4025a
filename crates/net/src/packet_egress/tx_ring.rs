//! Transmit ring of one network device: a packet socket with a ring of slots in memory shared with
//! the kernel (packet(7): PACKET_TX_RING, TPACKET_V2, PACKET_QDISC_BYPASS). The program owns a slot
//! until it marks it as filled, and again once the kernel has marked it as available. One system
//! call makes the kernel take all filled slots.
//!
//! A ring never waits; the caller drops frames for which it is full.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use socket2::{Domain, Socket, Type};

use super::frame_ring::FrameRing;
use crate::socket_option;

/// Slots of a ring: 5 ms of full packets at 1 Gbit/s, 1 MiB.
const SLOTS: usize = 512;

/// Bytes of a slot.
const SLOT_LEN: usize = 2_048;

/// Bytes of a memory block of the ring: a multiple of every page size in use.
const BLOCK_LEN: usize = 65_536;

/// Offset of the frame in its slot: behind the TPACKET_V2 header, as the kernel computes it for
/// sending (the address behind the header exists in received frames only).
const FRAME_OFFSET: usize = size_of::<libc::tpacket2_hdr>();

/// Offset of the frame's length in the slot's header: behind the status.
const LEN_OFFSET: usize = 4;

/// Bytes of the longest frame.
pub(super) const FRAME_LEN_MAX: usize = SLOT_LEN - FRAME_OFFSET;

/// Requested size in bytes of the kernel's buffer for frames that the device has not yet sent.
const SEND_BUFFER: libc::c_int = 4 << 20;

/// Bytes of a `sockaddr_ll`.
const NAME_LEN: usize = size_of::<libc::sockaddr_ll>();

/// A `sockaddr_ll` in the kernel's layout.
#[repr(C, align(8))]
struct Name([u8; NAME_LEN]);

/// A transmit ring of one device.
pub(crate) struct TxRing {
    /// The packet socket. Dropped before the mapping; the kernel allows either order.
    socket: Socket,
    /// Mapping of the slots.
    memory: MmapRaw,
    /// Index of the slot that is filled next.
    next: usize,
    /// Whether filled slots wait for the kernel.
    has_pending: bool,
}

/// Opens a packet socket that receives nothing.
///
/// # Errors
/// `PermissionDenied` without the capability `CAP_NET_RAW`.
pub(super) fn open_socket() -> io::Result<Socket> {
    // Without a protocol no received packet is copied to the socket.
    Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)
}

impl TxRing {
    /// Returns the status word at the start of slot `index`.
    fn status(&self, index: usize) -> &AtomicU32 {
        let start = self.slot(index);
        #[expect(unsafe_code, reason = "the kernel shares memory only as a pointer")]
        // SAFETY: `slot` stays inside the mapping, which lives as long as `self`, and is aligned to
        // 2,048 bytes from its start, a page. Status words are only ever accessed as atomics.
        unsafe {
            AtomicU32::from_ptr(start.cast())
        }
    }

    /// Returns a pointer to slot `index`.
    fn slot(&self, index: usize) -> *mut u8 {
        self.memory
            .as_mut_ptr()
            .wrapping_add((index % SLOTS) * SLOT_LEN)
    }

    /// Returns the bytes of slot `index` behind its status, if the program owns the slot.
    fn contents(&mut self, index: usize) -> Option<&mut [u8]> {
        if self.status(index).load(Ordering::Acquire) != libc::TP_STATUS_AVAILABLE {
            return None;
        }
        let start = self.slot(index).wrapping_add(LEN_OFFSET);
        #[expect(unsafe_code, reason = "the kernel shares memory only as a pointer")]
        // SAFETY: the range is the slot without its first word, inside the mapping. The kernel
        // neither reads nor writes a slot that is available, only this program changes that state,
        // and `&mut self` makes this the only reference. The kernel gave the memory zeroed.
        unsafe {
            Some(std::slice::from_raw_parts_mut(start, SLOT_LEN - LEN_OFFSET))
        }
    }
}

impl FrameRing for TxRing {
    fn open(device: u32) -> io::Result<Self> {
        let socket = open_socket()?;
        let set = |name, value| socket_option::set_number(&socket, libc::SOL_PACKET, name, value);
        set(
            libc::PACKET_VERSION,
            libc::tpacket_versions::TPACKET_V2 as libc::c_int,
        )?;
        set(libc::PACKET_QDISC_BYPASS, 1)?;
        // Drop a frame that the device refuses, instead of stopping at it.
        set(libc::PACKET_LOSS, 1)?;
        let forced =
            socket_option::set_number(&socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, SEND_BUFFER);
        if forced.is_err() {
            // With a smaller buffer the ring is full sooner.
            let _ =
                socket_option::set_number(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, SEND_BUFFER);
        }
        let memory_len = SLOTS * SLOT_LEN;
        let request = [BLOCK_LEN, memory_len / BLOCK_LEN, SLOT_LEN, SLOTS];
        let mut bytes = [0; 16];
        for (bytes, number) in bytes.chunks_exact_mut(4).zip(request) {
            let number = u32::try_from(number).map_err(io::Error::other)?;
            bytes.copy_from_slice(&number.to_ne_bytes());
        }
        socket_option::set(&socket, libc::SOL_PACKET, libc::PACKET_TX_RING, &bytes)?;
        let memory = MmapOptions::new().len(memory_len).map_raw(&socket)?;
        bind(&socket, device)?;
        Ok(Self {
            socket,
            memory,
            next: 0,
            has_pending: false,
        })
    }

    fn push(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let index = self.next;
        let Some(contents) = self.contents(index) else {
            return false;
        };
        let Some((header, frame)) = contents.split_at_mut_checked(FRAME_OFFSET - LEN_OFFSET) else {
            return false;
        };
        let Some(len) = write(frame).and_then(|len| u32::try_from(len).ok()) else {
            return false;
        };
        if let Some(field) = header.first_chunk_mut() {
            *field = len.to_ne_bytes();
        }
        let status = self.status(index);
        status.store(libc::TP_STATUS_SEND_REQUEST, Ordering::Release);
        self.next = (index + 1) % SLOTS;
        self.has_pending = true;
        true
    }

    fn flush(&mut self) -> io::Result<bool> {
        if !self.has_pending {
            return Ok(false);
        }
        match self.socket.send_with_flags(&[], libc::MSG_DONTWAIT) {
            Ok(_) => {
                // If the kernel had no room for all, the last slot is still pending.
                let last = self.status((self.next + SLOTS - 1) % SLOTS);
                let status = last.load(Ordering::Acquire);
                self.has_pending = status == libc::TP_STATUS_SEND_REQUEST;
                Ok(true)
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::ENOBUFS | libc::EINTR) => Ok(false),
                _ => Err(error),
            },
        }
    }
}

/// Binds `socket` to the device with this interface index.
fn bind(socket: &Socket, device: u32) -> io::Result<()> {
    let device = i32::try_from(device).map_err(io::Error::other)?;
    let family = libc::sa_family_t::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    let mut name = Name([0; NAME_LEN]);
    let [head, index, ..] = name.0.as_chunks_mut::<4>().0 else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // Family, no protocol, then the interface index.
    *head = [family.to_ne_bytes()[0], family.to_ne_bytes()[1], 0, 0];
    *index = device.to_ne_bytes();
    let len = libc::socklen_t::try_from(NAME_LEN).map_err(io::Error::other)?;
    #[expect(unsafe_code, reason = "no safe library binds a packet socket")]
    // SAFETY: the pointer and length are those of `name`, which is as long and as aligned as a
    // `sockaddr_ll` and outlives the call.
    let result = unsafe { libc::bind(socket.as_raw_fd(), name.0.as_ptr().cast(), len) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
