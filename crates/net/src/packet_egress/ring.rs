//! Frames to the driver of one network device, past the stack and its queues: a packet socket with
//! a ring of slots that the kernel and this program share (packet(7): PACKET_TX_RING, TPACKET_V2,
//! PACKET_QDISC_BYPASS). A slot is ours until it is marked as filled, and again when the kernel
//! has marked it as free; one system call makes the kernel take all that are filled.
//!
//! A ring never waits: what it has no room for is the caller's to drop.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use socket2::{Domain, Socket, Type};

use super::sender::Line;
use crate::socket_option;

/// Frames that a ring holds: 5 ms of a gigabit of full packets, 1 MiB.
const SLOTS: usize = 512;

/// Bytes of a slot.
const SLOT_LEN: usize = 2_048;

/// Bytes that are allocated at once: a multiple of every page size there is.
const BLOCK_LEN: usize = 65_536;

/// Where a frame begins in its slot: behind the header, as the kernel computes it from TPACKET_V2
/// (the room for an address behind it is for received frames alone).
const FRAME_AT: usize = size_of::<libc::tpacket2_hdr>();

/// Where a slot's header holds the length of its frame: behind the status.
const LEN_AT: usize = 4;

/// Bytes of the longest frame.
pub(super) const FRAME_LEN_MAX: usize = SLOT_LEN - FRAME_AT;

/// Wanted bytes of what the kernel holds for frames that the device has not yet sent.
const SEND_BUFFER: libc::c_int = 4 << 20;

/// Bytes of a `sockaddr_ll`.
const NAME_LEN: usize = size_of::<libc::sockaddr_ll>();

/// A `sockaddr_ll`, as the kernel reads it.
#[repr(C, align(8))]
struct Name([u8; NAME_LEN]);

/// A ring of frames to one device.
pub(crate) struct Ring {
    /// The socket; closed before the memory is given back, which the kernel allows in any order.
    socket: Socket,
    /// The slots.
    memory: MmapRaw,
    /// The slot that is filled next.
    next: usize,
    /// Whether slots were filled since the kernel last took all.
    waiting: bool,
}

/// Makes a packet socket that receives nothing, which takes the privilege `CAP_NET_RAW`.
pub(super) fn open_socket() -> io::Result<Socket> {
    // No protocol: nothing that arrives is copied to it.
    Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)
}

impl Ring {
    /// The header of slot `index`: its status.
    fn status(&self, index: usize) -> &AtomicU32 {
        let at = self.slot(index);
        #[expect(unsafe_code, reason = "the kernel shares memory only as a pointer")]
        // SAFETY: `slot` stays inside the mapping, which lives as long as `self`, and is aligned to
        // 2,048 bytes from its start, a page. Status words are only ever accessed as atomics.
        unsafe {
            AtomicU32::from_ptr(at.cast())
        }
    }

    /// Where slot `index` begins.
    fn slot(&self, index: usize) -> *mut u8 {
        self.memory
            .as_mut_ptr()
            .wrapping_add((index % SLOTS) * SLOT_LEN)
    }

    /// The bytes of slot `index` behind its status, while the slot is ours.
    fn contents(&mut self, index: usize) -> Option<&mut [u8]> {
        if self.status(index).load(Ordering::Acquire) != libc::TP_STATUS_AVAILABLE {
            return None;
        }
        let at = self.slot(index).wrapping_add(LEN_AT);
        #[expect(unsafe_code, reason = "the kernel shares memory only as a pointer")]
        // SAFETY: the range is the slot without its first word, inside the mapping. The kernel
        // neither reads nor writes a slot that is available, only this program changes that state,
        // and `&mut self` makes this the only reference. The kernel gave the memory zeroed.
        unsafe {
            Some(std::slice::from_raw_parts_mut(at, SLOT_LEN - LEN_AT))
        }
    }
}

impl Line for Ring {
    fn open(device: u32) -> io::Result<Self> {
        let socket = open_socket()?;
        let set = |name, value| socket_option::set_number(&socket, libc::SOL_PACKET, name, value);
        set(
            libc::PACKET_VERSION,
            libc::tpacket_versions::TPACKET_V2 as libc::c_int,
        )?;
        set(libc::PACKET_QDISC_BYPASS, 1)?;
        // A frame that the device cannot carry is dropped; it must not stop those behind it.
        set(libc::PACKET_LOSS, 1)?;
        let forced =
            socket_option::set_number(&socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, SEND_BUFFER);
        if forced.is_err() {
            // A smaller one only makes the ring full sooner.
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
            waiting: false,
        })
    }

    fn fill(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let index = self.next;
        let Some(contents) = self.contents(index) else {
            return false;
        };
        let Some((header, frame)) = contents.split_at_mut_checked(FRAME_AT - LEN_AT) else {
            return false;
        };
        let Some(len) = write(frame).and_then(|len| u32::try_from(len).ok()) else {
            return false;
        };
        if let Some(place) = header.first_chunk_mut() {
            *place = len.to_ne_bytes();
        }
        let status = self.status(index);
        status.store(libc::TP_STATUS_SEND_REQUEST, Ordering::Release);
        self.next = (index + 1) % SLOTS;
        self.waiting = true;
        true
    }

    fn kick(&mut self) -> io::Result<bool> {
        if !self.waiting {
            return Ok(false);
        }
        match self.socket.send_with_flags(&[], libc::MSG_DONTWAIT) {
            Ok(_) => {
                // The kernel may have had no room for all: then the last one is still waiting.
                let last = self.status((self.next + SLOTS - 1) % SLOTS);
                let status = last.load(Ordering::Acquire);
                self.waiting = status == libc::TP_STATUS_SEND_REQUEST;
                Ok(true)
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::ENOBUFS | libc::EINTR) => Ok(false),
                _ => Err(error),
            },
        }
    }
}

/// Lets `socket` send to the device of this number.
fn bind(socket: &Socket, device: u32) -> io::Result<()> {
    let device = i32::try_from(device).map_err(io::Error::other)?;
    let family = libc::sa_family_t::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    let mut name = Name([0; NAME_LEN]);
    let [head, index, ..] = name.0.as_chunks_mut::<4>().0 else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // Family and no protocol, then the device.
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
