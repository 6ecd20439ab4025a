//! Datagrams in batches. On Linux a batch is one system call, and a run of equal datagrams to one
//! destination is one trip through the kernel's network stack; elsewhere, or when asked, each
//! datagram is a call of the standard library.
//!
//! The kernel's cost is per trip, not per byte or call: on a 2-core x86-64 machine 1,200 B cost
//! 2.4 to 3.0 µs sent alone, batched or not, and 0.7 µs in runs of 8 (UDP_SEGMENT). Received they
//! cost 0.95 µs alone, 0.69 µs in batches and 0.27 µs in runs of 4 (UDP_GRO).
//!
//! One datagram's failure (a vanished peer, a closed path) is a count, never an error: an error
//! is said of the socket only.

#[cfg(target_os = "linux")]
pub mod connected;
#[cfg(target_os = "linux")]
mod linux;
mod portable;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use socket2::{Domain, Protocol, Socket, Type};

use crate::packet_egress::{PacketEgressOptions, PacketEgressStats};
use crate::poller::{Interest, Poller, Registrar, SocketId};

/// Buffers of a receive batch; with runs, each may hold dozens of datagrams.
pub const RECEIVE_SLOTS: usize = 32;

/// Bytes of a slot when every datagram comes alone. Longer datagrams are dropped: media keeps to
/// 1,500 B.
pub const RECEIVE_SLOT_LEN: usize = 2_048;

/// Bytes of a slot when the kernel joins datagrams to runs: the longest run.
pub const RECEIVE_RUN_LEN: usize = 65_536;

/// Messages in one system call.
pub const SEND_MESSAGES_MAX: usize = 64;

/// Datagrams in one run, the limit of older kernels.
pub const RUN_SEGMENTS_MAX: usize = 64;

/// Bytes in one run: the longest UDP payload over IPv4.
pub const RUN_LEN_MAX: usize = 65_507;

/// Runs refused in a row after which the socket stops sending runs. One refusal may be one
/// path's fault (its MTU is below the segment), and a peer must not be able to slow the others.
pub const RUN_REFUSALS_MAX: u32 = 64;

/// How a socket is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpOptions {
    /// Wanted bytes of the kernel's receive buffer.
    pub receive_buffer: usize,
    /// Wanted bytes of the kernel's send buffer.
    pub send_buffer: usize,
    /// Receive runs of datagrams, where the kernel can.
    pub gro: bool,
    /// Send runs of datagrams, where the kernel can.
    pub gso: bool,
    /// Use the standard library only, also on Linux.
    pub portable: bool,
}

impl Default for UdpOptions {
    fn default() -> Self {
        Self {
            receive_buffer: 8 << 20,
            send_buffer: 8 << 20,
            gro: true,
            gso: true,
            portable: false,
        }
    }
}

/// What a socket has done since it was opened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct UdpStats {
    /// Datagrams received.
    pub received: u64,
    /// Trips through the kernel's stack that brought them.
    pub received_runs: u64,
    /// Datagrams dropped because they did not fit a slot.
    pub received_truncated: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Trips through the kernel's stack that took them; `sent / sent_runs` is the run length.
    pub sent_runs: u64,
    /// Datagrams that the kernel refused, or that were not in the arena.
    pub send_errors: u64,
    /// Runs that the kernel refused; their datagrams were sent one by one.
    pub run_refusals: u64,
}

/// One datagram, or a run of equal datagrams, to send: a range of bytes in the batch's arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub destination: SocketAddr,
    /// The bytes in the arena.
    pub range: Range<usize>,
    /// Length of each datagram of a run; only the last may be shorter. `None` for one datagram.
    pub segment_size: Option<u16>,
}

impl Transmit {
    /// Length of each datagram, never zero.
    pub(crate) fn segment_len(&self) -> usize {
        self.segment_size
            .map_or(self.range.len(), usize::from)
            .max(1)
    }

    /// How many datagrams it holds; an empty one is a datagram too.
    #[cfg(target_os = "linux")]
    pub(crate) fn segments(&self) -> usize {
        self.range.len().div_ceil(self.segment_len()).max(1)
    }
}

/// One datagram received.
#[derive(Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Where from.
    pub source: SocketAddr,
    /// What. It may be changed in place: the batch is overwritten by the next receive.
    pub contents: &'a mut [u8],
}

/// What one slot of a receive batch holds.
#[derive(Debug, Clone, Copy)]
struct Filled {
    /// Where the run came from.
    source: SocketAddr,
    /// Bytes of the run.
    len: usize,
    /// Bytes of each datagram but the last; never zero.
    segment_len: usize,
}

/// Room for one receive: an arena in slots, reused for ever.
pub struct ReceiveBatch {
    /// All slots, one behind the other.
    arena: Box<[u8]>,
    /// Bytes of a slot.
    slot_len: usize,
    /// What the last receive put into the slots; none where a datagram was dropped.
    filled: Vec<Option<Filled>>,
}

impl ReceiveBatch {
    /// Room for what `socket` receives: 2 MiB when it receives runs, 64 KiB otherwise.
    pub fn new(socket: &UdpSocket) -> Self {
        let slot_len = if socket.receives_runs() {
            RECEIVE_RUN_LEN
        } else {
            RECEIVE_SLOT_LEN
        };
        Self {
            arena: vec![0; slot_len * RECEIVE_SLOTS].into_boxed_slice(),
            slot_len,
            filled: Vec::with_capacity(RECEIVE_SLOTS),
        }
    }

    /// The datagrams of the last receive, in the order of arrival.
    pub fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let slots = self.arena.chunks_exact_mut(self.slot_len);
        slots
            .zip(&self.filled)
            .filter_map(|(slot, filled)| Some((slot, (*filled)?)))
            .flat_map(
                |(
                    slot,
                    Filled {
                        source,
                        len,
                        segment_len,
                    },
                )| {
                    let len = len.min(slot.len());
                    let (run, _) = slot.split_at_mut(len);
                    run.chunks_mut(segment_len.max(1))
                        .map(move |contents| Datagram { source, contents })
                },
            )
    }

    /// How many datagrams the last receive brought.
    fn len(&self) -> usize {
        self.filled
            .iter()
            .flatten()
            .map(|filled| filled.len.div_ceil(filled.segment_len))
            .sum()
    }
}

/// How a socket talks to the system.
enum Path {
    /// Batches and runs.
    #[cfg(target_os = "linux")]
    Batched(linux::Batcher),
    /// One call for each datagram.
    Portable,
}

impl Path {
    /// Whether runs are sent as runs.
    const fn sends_runs(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Batched(batcher) => batcher.gso,
            Self::Portable => false,
        }
    }
}

/// A UDP socket that never blocks.
pub struct UdpSocket {
    /// The socket.
    socket: std::net::UdpSocket,
    /// How it talks to the system.
    path: Path,
    /// What it has done.
    stats: UdpStats,
    /// The poller that waits for it.
    registrar: Option<Registrar>,
    /// The way past the network stack, when it is wanted.
    #[cfg(target_os = "linux")]
    packets: Option<crate::packet_egress::Egress>,
}

impl UdpSocket {
    /// Opens a socket on `address`. An IPv6 socket takes no IPv4. Buffers smaller than wanted are
    /// accepted with a warning, since only a privileged process may exceed the system's limits.
    ///
    /// # Errors
    /// Those of the system: the address is taken or not ours.
    pub fn bind(address: SocketAddr, options: UdpOptions) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        set_buffers(&socket, options);
        socket.bind(&address.into())?;
        let socket = std::net::UdpSocket::from(socket);
        let path = choose_path(&socket, options);
        Ok(Self {
            socket,
            path,
            stats: UdpStats::default(),
            registrar: None,
            #[cfg(target_os = "linux")]
            packets: None,
        })
    }

    /// Sends past the network stack from now on what can be sent so (see [`packet_egress`](crate::packet_egress)).
    ///
    /// # Errors
    /// Those of [`packet_egress::probe`](crate::packet_egress::probe), and others of the system. The socket then
    /// sends as before.
    pub fn enable_packet_egress(&mut self, options: PacketEgressOptions) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            let local = self.local_addr()?;
            self.packets = Some(crate::packet_egress::Egress::open(local, options)?);
            Ok(())
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = options;
            crate::packet_egress::probe()
        }
    }

    /// What went past the network stack; none unless that was asked for.
    pub fn packet_egress_stats(&self) -> Option<PacketEgressStats> {
        #[cfg(target_os = "linux")]
        {
            self.packets
                .as_ref()
                .map(crate::packet_egress::Egress::stats)
        }
        #[cfg(not(target_os = "linux"))]
        {
            None
        }
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Lets `poller` wait for something to read, under the name `SocketId::Udp(number)`.
    ///
    /// # Errors
    /// Those of the system, and when a poller waits for it already.
    pub fn register(&mut self, poller: &Poller, number: usize) -> io::Result<()> {
        let registrar = poller.registrar();
        registrar.add(&self.socket, SocketId::Udp(number), Interest::Read)?;
        self.registrar = Some(registrar);
        Ok(())
    }

    /// Lets the poller report also when there is room to write, or no longer: of use after a
    /// [`send_batch`](Self::send_batch) that sent less than all.
    ///
    /// # Errors
    /// Those of the system.
    pub fn watch_writable(&self, number: usize, watch: bool) -> io::Result<()> {
        let interest = if watch {
            Interest::ReadWrite
        } else {
            Interest::Read
        };
        match &self.registrar {
            Some(registrar) => registrar.modify(&self.socket, SocketId::Udp(number), interest),
            None => Ok(()),
        }
    }

    /// Bytes that the kernel holds for what was received and not yet read, and for what was sent.
    /// Linux counts its own bookkeeping in: about twice what was asked for.
    ///
    /// # Errors
    /// Those of the system.
    pub fn buffer_sizes(&self) -> io::Result<(usize, usize)> {
        let socket = socket2::SockRef::from(&self.socket);
        Ok((socket.recv_buffer_size()?, socket.send_buffer_size()?))
    }

    /// What it has done since it was opened.
    pub const fn stats(&self) -> UdpStats {
        self.stats
    }

    /// Whether the kernel joins received datagrams to runs.
    pub const fn receives_runs(&self) -> bool {
        match &self.path {
            #[cfg(target_os = "linux")]
            Path::Batched(batcher) => batcher.gro,
            Path::Portable => false,
        }
    }

    /// Whether runs are sent as runs.
    pub const fn sends_runs(&self) -> bool {
        self.path.sends_runs()
    }

    /// Fills `batch` with what has arrived; how many datagrams, zero when nothing has. More may be
    /// waiting.
    ///
    /// # Errors
    /// When the socket itself is broken.
    pub fn receive_batch(&mut self, batch: &mut ReceiveBatch) -> io::Result<usize> {
        batch.filled.clear();
        match &self.path {
            #[cfg(target_os = "linux")]
            Path::Batched(_) => linux::receive(&self.socket, batch, &mut self.stats)?,
            Path::Portable => portable::receive(&self.socket, batch, &mut self.stats)?,
        }
        let count = batch.len();
        self.stats.received += count as u64;
        self.stats.received_runs += batch.filled.iter().flatten().count() as u64;
        Ok(count)
    }

    /// Sends `transmits`, whose bytes lie in `arena`, in order; how many of them were taken. Fewer
    /// than all means that the kernel has no room now: offer the rest again later. A run that was
    /// being sent one by one is then offered whole, and its first datagrams repeated, which their
    /// receiver discards as replays.
    ///
    /// # Errors
    /// When the socket itself is broken.
    pub fn send_batch(&mut self, arena: &[u8], transmits: &[Transmit]) -> io::Result<usize> {
        let mut stack = Stack {
            socket: &self.socket,
            path: &mut self.path,
        };
        #[cfg(target_os = "linux")]
        if let Some(packets) = &mut self.packets {
            let now = std::time::Instant::now();
            return packets.send(now, &mut stack, arena, transmits, &mut self.stats);
        }
        stack.send(arena, transmits, &mut self.stats)
    }
}

/// The network stack, as a socket reaches it.
struct Stack<'a> {
    /// The socket.
    socket: &'a std::net::UdpSocket,
    /// How it talks to the system.
    path: &'a mut Path,
}

impl Stack<'_> {
    fn send(
        &mut self,
        arena: &[u8],
        transmits: &[Transmit],
        stats: &mut UdpStats,
    ) -> io::Result<usize> {
        match self.path {
            #[cfg(target_os = "linux")]
            Path::Batched(batcher) => batcher.send(self.socket, arena, transmits, stats),
            Path::Portable => portable::send(self.socket, arena, transmits, stats),
        }
    }
}

#[cfg(target_os = "linux")]
impl crate::packet_egress::Stack for Stack<'_> {
    fn sends_runs(&self) -> bool {
        self.path.sends_runs()
    }

    fn send(
        &mut self,
        arena: &[u8],
        transmits: &[Transmit],
        stats: &mut UdpStats,
    ) -> io::Result<usize> {
        Stack::send(self, arena, transmits, stats)
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        if let Some(registrar) = &self.registrar {
            registrar.remove(&self.socket);
        }
    }
}

/// The best path that `options` allow and the kernel has.
#[cfg(target_os = "linux")]
fn choose_path(socket: &std::net::UdpSocket, options: UdpOptions) -> Path {
    if options.portable {
        Path::Portable
    } else {
        Path::Batched(linux::Batcher::new(socket, options))
    }
}

/// The only path there is.
#[cfg(not(target_os = "linux"))]
const fn choose_path(_: &std::net::UdpSocket, _: UdpOptions) -> Path {
    Path::Portable
}

/// Asks for the buffers of `options`, and says what came of it.
fn set_buffers(socket: &Socket, options: UdpOptions) {
    #[cfg(target_os = "linux")]
    let forced = linux::force_buffers(socket, options);
    #[cfg(not(target_os = "linux"))]
    let forced = false;
    if !forced {
        // A refusal shows below, in what the sizes are.
        let _ = socket.set_recv_buffer_size(options.receive_buffer);
        let _ = socket.set_send_buffer_size(options.send_buffer);
    }
    let receive = socket.recv_buffer_size().unwrap_or(0);
    let send = socket.send_buffer_size().unwrap_or(0);
    if receive < options.receive_buffer || send < options.send_buffer {
        tracing::warn!(
            receive,
            send,
            "the system's limits keep the UDP buffers small"
        );
    } else {
        tracing::debug!(receive, send, "UDP buffers");
    }
}

/// Whether `error` says only that the kernel has nothing to give or no room now.
fn is_would_block(error: &io::Error) -> bool {
    // ENOBUFS: the device's queue is full, which passes as a full socket does.
    #[cfg(target_os = "linux")]
    let no_buffers = error.raw_os_error() == Some(libc::ENOBUFS);
    #[cfg(not(target_os = "linux"))]
    let no_buffers = false;
    no_buffers || error.kind() == io::ErrorKind::WouldBlock
}
