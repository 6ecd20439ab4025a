//! UDP sockets that send and receive in batches. On Linux a batch is one system call, and a run of
//! equal datagrams to one destination is one pass through the kernel's network stack. Elsewhere, or
//! on request, each datagram is a call of the standard library.
//!
//! The kernel's cost is per pass, not per byte or call: on a 2-core x86-64 machine 1,200 B cost
//! 2.4 to 3.0 µs sent alone, batched or not, and 0.7 µs in runs of 8 (UDP_SEGMENT). Received they
//! cost 0.95 µs alone, 0.69 µs in batches and 0.27 µs in runs of 4 (UDP_GRO).
//!
//! A failure that concerns one datagram (a vanished peer, a closed path) is counted and never
//! returned. A returned error concerns the socket.

#[cfg(target_os = "linux")]
pub mod connected;
#[cfg(target_os = "linux")]
mod control_message;
mod io_error;
#[cfg(target_os = "linux")]
mod linux;
mod options;
mod portable;
mod receive_batch;
mod send_singly;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

#[cfg(all(target_os = "linux", feature = "packet-egress"))]
use crate::packet_egress::{FallbackSender, PacketSender};
use crate::packet_egress::{PacketEgressOptions, PacketEgressStats};
use crate::poller::{Interest, Poller, Registrar, SocketId};

pub use self::options::UdpOptions;
pub use self::receive_batch::{
    Datagram, RECEIVE_RUN_LEN, RECEIVE_SLOT_LEN, RECEIVE_SLOTS, ReceiveBatch,
};
pub use crate::transmit::Transmit;
pub use crate::udp_stats::UdpStats;

/// System calls that a socket uses.
enum Backend {
    /// Batches and runs.
    #[cfg(target_os = "linux")]
    Batched {
        /// Sends, and knows whether the kernel takes runs.
        sender: linux::BatchSender,
        /// Whether the kernel joins received datagrams to runs.
        gro: bool,
        /// Whether the kernel states to which local address a datagram was sent.
        states_local: bool,
    },
    /// One call for each datagram.
    Portable,
}

impl Backend {
    /// Returns the best backend that `options` allow and the kernel supports.
    #[cfg(target_os = "linux")]
    fn choose(socket: &std::net::UdpSocket, address: IpAddr, options: UdpOptions) -> Self {
        if options.portable {
            Self::Portable
        } else {
            linux::enable_receive_time(socket);
            Self::Batched {
                sender: linux::BatchSender::new(socket, options),
                gro: options.gro && linux::enable_gro(socket),
                states_local: address.is_unspecified()
                    && linux::enable_local_address(socket, address.is_ipv6()),
            }
        }
    }

    /// Returns the only backend.
    #[cfg(not(target_os = "linux"))]
    const fn choose(_: &std::net::UdpSocket, _: IpAddr, _: UdpOptions) -> Self {
        Self::Portable
    }

    /// Returns whether runs are sent as runs.
    const fn sends_runs(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Batched { sender, .. } => sender.gso,
            Self::Portable => false,
        }
    }
}

/// A non-blocking UDP socket.
pub struct UdpSocket {
    /// The socket.
    socket: std::net::UdpSocket,
    /// System calls that it uses.
    backend: Backend,
    /// Counters since it was opened.
    stats: UdpStats,
    /// The poller in which it is registered.
    registrar: Option<Registrar>,
    /// Sends past the network stack, when enabled.
    #[cfg(all(target_os = "linux", feature = "packet-egress"))]
    packet_sender: Option<PacketSender>,
}

impl UdpSocket {
    /// Opens a socket bound to `address`. An IPv6 socket does not take IPv4. Buffers smaller than
    /// requested are accepted with a warning, since only a privileged process may exceed the
    /// system's limits.
    ///
    /// # Errors
    /// Errors of the operating system, for example when the address is in use or not local.
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
        set_buffer_sizes(&socket, options);
        socket.bind(&address.into())?;
        let socket = std::net::UdpSocket::from(socket);
        let backend = Backend::choose(&socket, address.ip(), options);
        Ok(Self {
            socket,
            backend,
            stats: UdpStats::default(),
            registrar: None,
            #[cfg(all(target_os = "linux", feature = "packet-egress"))]
            packet_sender: None,
        })
    }

    /// Sends datagrams past the network stack from now on, where
    /// [`packet_egress`](crate::packet_egress) can.
    ///
    /// # Errors
    /// Errors of [`packet_egress::probe`](crate::packet_egress::probe), and others of the operating
    /// system. The socket then continues to send through the stack.
    pub fn enable_packet_egress(&mut self, options: PacketEgressOptions) -> io::Result<()> {
        #[cfg(all(target_os = "linux", feature = "packet-egress"))]
        {
            let local = self.local_addr()?;
            self.packet_sender = Some(PacketSender::open(local, options)?);
            Ok(())
        }
        #[cfg(not(all(target_os = "linux", feature = "packet-egress")))]
        {
            let _ = options;
            crate::packet_egress::probe()
        }
    }

    /// Returns the counters of packet egress; `None` unless it is enabled.
    pub fn packet_egress_stats(&self) -> Option<PacketEgressStats> {
        #[cfg(all(target_os = "linux", feature = "packet-egress"))]
        {
            self.packet_sender.as_ref().map(PacketSender::stats)
        }
        #[cfg(not(all(target_os = "linux", feature = "packet-egress")))]
        {
            None
        }
    }

    /// Returns the address it is bound to.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Registers the socket in `poller` as `SocketId::Udp(number)`, for reading.
    ///
    /// # Errors
    /// Errors of the operating system, and when the socket is registered already.
    pub fn register(&mut self, poller: &Poller, number: usize) -> io::Result<()> {
        let registrar = poller.registrar();
        registrar.add(&self.socket, SocketId::Udp(number), Interest::Read)?;
        self.registrar = Some(registrar);
        Ok(())
    }

    /// Starts or stops polling for room to write, for use after a
    /// [`send_batch`](Self::send_batch) that did not take all transmits.
    ///
    /// # Errors
    /// Errors of the operating system.
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

    /// Returns the sizes of the kernel's receive and send buffers in bytes. Linux includes its own
    /// bookkeeping: about twice what was requested.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn buffer_sizes(&self) -> io::Result<(usize, usize)> {
        let socket = socket2::SockRef::from(&self.socket);
        Ok((socket.recv_buffer_size()?, socket.send_buffer_size()?))
    }

    /// Returns the counters since the socket was opened.
    pub const fn stats(&self) -> UdpStats {
        self.stats
    }

    /// Returns whether the kernel joins received datagrams to runs.
    pub const fn receives_runs(&self) -> bool {
        match &self.backend {
            #[cfg(target_os = "linux")]
            Backend::Batched { gro, .. } => *gro,
            Backend::Portable => false,
        }
    }

    /// Returns whether received datagrams state the local address that they were sent to, and
    /// datagrams can be sent from it: on Linux, for a socket bound to the unspecified address. Bound
    /// to one address, a socket sends from that.
    pub const fn states_local(&self) -> bool {
        match &self.backend {
            #[cfg(target_os = "linux")]
            Backend::Batched { states_local, .. } => *states_local,
            Backend::Portable => false,
        }
    }

    /// Returns whether runs are sent as runs.
    pub const fn sends_runs(&self) -> bool {
        self.backend.sends_runs()
    }

    /// Fills `batch` with datagrams that have arrived and returns their number, zero when there are
    /// none. More may be waiting.
    ///
    /// # Errors
    /// Fails when the socket itself is broken.
    pub fn receive_batch(&mut self, batch: &mut ReceiveBatch) -> io::Result<usize> {
        batch.filled.clear();
        match &self.backend {
            #[cfg(target_os = "linux")]
            Backend::Batched { .. } => linux::receive(&self.socket, batch, &mut self.stats)?,
            Backend::Portable => portable::receive(&self.socket, batch, &mut self.stats)?,
        }
        let count = batch.len();
        self.stats.received += count as u64;
        self.stats.received_runs += batch.filled.iter().flatten().count() as u64;
        Ok(count)
    }

    /// Sends `transmits`, whose bytes are in `arena`, in order, and returns how many were taken.
    /// Fewer than all means that the kernel has no room now: offer the rest again later. A run that
    /// was being sent one by one is then offered whole. Its first datagrams are sent twice, which
    /// their receiver discards as replays.
    ///
    /// # Errors
    /// Fails when the socket itself is broken.
    pub fn send_batch(&mut self, arena: &[u8], transmits: &[Transmit]) -> io::Result<usize> {
        let mut stack = StackSender {
            socket: &self.socket,
            backend: &mut self.backend,
        };
        #[cfg(all(target_os = "linux", feature = "packet-egress"))]
        if let Some(packet_sender) = &mut self.packet_sender {
            let now = std::time::Instant::now();
            return packet_sender.send(now, &mut stack, arena, transmits, &mut self.stats);
        }
        stack.send(arena, transmits, &mut self.stats)
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for UdpSocket {
    /// Returns the descriptor, to wait for datagrams with a poller of another library.
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl ReceiveBatch {
    /// Allocates the slots for `socket`: 2 MiB when it receives runs, 128 KiB otherwise.
    pub fn new(socket: &UdpSocket) -> Self {
        Self::with_slot_len(if socket.receives_runs() {
            RECEIVE_RUN_LEN
        } else {
            RECEIVE_SLOT_LEN
        })
    }
}

/// Sends through the kernel's network stack.
struct StackSender<'a> {
    /// The socket.
    socket: &'a std::net::UdpSocket,
    /// System calls that it uses.
    backend: &'a mut Backend,
}

impl StackSender<'_> {
    fn send(
        &mut self,
        arena: &[u8],
        transmits: &[Transmit],
        stats: &mut UdpStats,
    ) -> io::Result<usize> {
        match self.backend {
            #[cfg(target_os = "linux")]
            Backend::Batched { sender, .. } => sender.send(self.socket, arena, transmits, stats),
            Backend::Portable => portable::send(self.socket, arena, transmits, stats),
        }
    }
}

#[cfg(all(target_os = "linux", feature = "packet-egress"))]
impl FallbackSender for StackSender<'_> {
    fn sends_runs(&self) -> bool {
        self.backend.sends_runs()
    }

    fn send(
        &mut self,
        arena: &[u8],
        transmits: &[Transmit],
        stats: &mut UdpStats,
    ) -> io::Result<usize> {
        StackSender::send(self, arena, transmits, stats)
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        if let Some(registrar) = &self.registrar {
            registrar.remove(&self.socket);
        }
    }
}

/// Requests the buffer sizes of `options`, and logs the sizes that the kernel set.
fn set_buffer_sizes(socket: &Socket, options: UdpOptions) {
    let (wanted_receive, wanted_send) = (options.receive_buffer, options.send_buffer);
    #[cfg(target_os = "linux")]
    let forced = linux::force_buffer_sizes(socket, wanted_receive, wanted_send);
    #[cfg(not(target_os = "linux"))]
    let forced = false;
    if !forced {
        // A refusal shows in the sizes read below.
        let _ = socket.set_recv_buffer_size(wanted_receive);
        let _ = socket.set_send_buffer_size(wanted_send);
    }
    let receive = socket.recv_buffer_size().unwrap_or(0);
    let send = socket.send_buffer_size().unwrap_or(0);
    if receive < wanted_receive || send < wanted_send {
        tracing::warn!(
            receive,
            send,
            wanted_receive,
            wanted_send,
            "UDP buffers are smaller than configured: raise net.core.rmem_max and wmem_max"
        );
    } else {
        tracing::debug!(receive, send, "UDP buffer sizes");
    }
}
