//! Datagrams as frames: a second way out for what a [`UdpSocket`](crate::udp::UdpSocket) sends. The
//! program writes Ethernet, IP and UDP headers itself and hands frames to the network device's
//! driver through a ring of shared memory, past the kernel's UDP and IP stack and its queues. It
//! costs the same for any mix of destinations, where the stack is cheap only for runs to one.
//!
//! Only what is plain goes this way: a route of one machine to the next over Ethernet whose address
//! the kernel knows. All else takes the stack as before, counted by [`FallbackReason`]: nothing is ever
//! lost because this way is not there. Packets that go past the stack go past its packet filter
//! and its IPsec too; whoever relies on those for UDP that leaves must not use this.
//!
//! Linux only; elsewhere [`probe`] says so.

#[cfg(target_os = "linux")]
mod frame;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod next_hops;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(target_os = "linux")]
mod sender;

use std::io;

#[cfg(target_os = "linux")]
pub(crate) use sender::{Egress, Stack};

/// How packets are sent past the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketEgressOptions {
    /// A destination whose runs have at least so many datagrams in the mean is left to the stack,
    /// which takes a run in one trip. Measured (`benches/egress.rs`): a run of 2 costs the stack
    /// more than two frames, by a third; one of 3 costs it no more than three.
    pub run_min: u16,
}

impl Default for PacketEgressOptions {
    fn default() -> Self {
        Self { run_min: 3 }
    }
}

/// Why datagrams took the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackReason {
    /// The kernel does not know the Ethernet address of the next machine. The stack asks for it.
    Neighbour,
    /// There is no plain route: the destination is this machine, a group, or inside a tunnel.
    Route,
    /// The device is no Ethernet, is down, or has no ring now.
    Device,
    /// A datagram is longer than a packet may be.
    Length,
    /// Runs are long: the stack is cheaper.
    LongRun,
    /// The next machine was not heard of for long: the stack asks whether it is still there.
    StaleNeighbour,
    /// More new destinations at a time than may be asked for.
    LookupLimit,
}

impl FallbackReason {
    /// Every reason, in the order of [`PacketEgressStats::fallbacks`].
    pub const ALL: [Self; 7] = [
        Self::Neighbour,
        Self::Route,
        Self::Device,
        Self::Length,
        Self::LongRun,
        Self::StaleNeighbour,
        Self::LookupLimit,
    ];

    /// Its name in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Neighbour => "neighbour",
            Self::Route => "route",
            Self::Device => "device",
            Self::Length => "length",
            Self::LongRun => "run",
            Self::StaleNeighbour => "check",
            Self::LookupLimit => "crowd",
        }
    }
}

/// What went past the stack, and what did not.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PacketEgressStats {
    /// Frames put into rings.
    pub frames: u64,
    /// Datagrams for which a ring had no room; they are dropped.
    pub dropped: u64,
    /// Rings that could not be opened, or failed and were closed. They are tried again later.
    pub ring_failures: u64,
    /// Datagrams that were left to the stack, by reason; one that the stack had no room for is
    /// counted again when it is offered again.
    pub fallbacks: [u64; FallbackReason::ALL.len()],
}

impl PacketEgressStats {
    /// Adds what another socket did.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.dropped += other.dropped;
        self.ring_failures += other.ring_failures;
        for (ours, theirs) in self.fallbacks.iter_mut().zip(other.fallbacks) {
            *ours += theirs;
        }
    }

    #[cfg(target_os = "linux")]
    fn fall_back(&mut self, reason: FallbackReason, datagrams: u64) {
        if let Some(count) = self.fallbacks.get_mut(reason as usize) {
            *count += datagrams;
        }
    }
}

/// Whether this program may send packets past the stack here.
///
/// # Errors
/// `Unsupported` unless this is Linux, `PermissionDenied` without the privilege `CAP_NET_RAW`,
/// others of the system.
pub fn probe() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        ring::open_socket().map(drop)
    }
    #[cfg(not(target_os = "linux"))]
    {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "packets can be sent past the network stack on Linux only",
        ))
    }
}
