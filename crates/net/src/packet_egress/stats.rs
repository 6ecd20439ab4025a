//! Counters of packet egress.

/// Reason why datagrams were sent through the network stack instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackReason {
    /// The kernel does not know the Ethernet address of the next hop. The stack resolves it.
    Neighbour,
    /// The route is not a unicast route over a device: a local or multicast address, or a tunnel.
    Route,
    /// The device is not Ethernet, is down, or has no ring at the moment.
    Device,
    /// The datagram is longer than the MTU allows.
    Length,
    /// The destination's runs are long, so the stack is cheaper.
    LongRun,
    /// The neighbour entry is stale. The stack verifies that the next hop is reachable.
    StaleNeighbour,
    /// More new destinations at a time than may be looked up.
    LookupLimit,
    /// It is to be sent from another local address than the route's.
    Source,
}

impl FallbackReason {
    /// All reasons, in the order of [`PacketEgressStats::fallbacks`].
    pub const ALL: [Self; 8] = [
        Self::Neighbour,
        Self::Route,
        Self::Device,
        Self::Length,
        Self::LongRun,
        Self::StaleNeighbour,
        Self::LookupLimit,
        Self::Source,
    ];

    /// Returns the reason's label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Neighbour => "neighbour",
            Self::Route => "route",
            Self::Device => "device",
            Self::Length => "length",
            Self::LongRun => "run",
            Self::StaleNeighbour => "check",
            Self::LookupLimit => "crowd",
            Self::Source => "source",
        }
    }
}

/// Counters of packet egress since it was enabled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PacketEgressStats {
    /// Frames put into rings.
    pub frames: u64,
    /// Datagrams dropped because a ring was full.
    pub dropped: u64,
    /// Rings that could not be opened, or failed and were closed. They are opened again later.
    pub ring_failures: u64,
    /// Datagrams left to the stack, by reason. A datagram that the stack had no room for is counted
    /// again when it is offered again.
    pub fallbacks: [u64; FallbackReason::ALL.len()],
}

impl PacketEgressStats {
    /// Adds the counters of another socket.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.dropped += other.dropped;
        self.ring_failures += other.ring_failures;
        for (ours, theirs) in self.fallbacks.iter_mut().zip(other.fallbacks) {
            *ours += theirs;
        }
    }

    /// Counts datagrams that were left to the stack.
    #[cfg(all(target_os = "linux", feature = "packet-egress"))]
    pub(super) fn record_fallback(&mut self, reason: FallbackReason, datagrams: u64) {
        if let Some(count) = self.fallbacks.get_mut(reason as usize) {
            *count += datagrams;
        }
    }
}
