//! Options of packet egress.

/// Options for sending datagrams past the network stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketEgressOptions {
    /// Mean run length, in datagrams, from which on a destination is left to the stack, which takes
    /// a run in one pass. Measured (`benches/egress.rs`): a run of 2 costs the stack a third more
    /// than two frames; a run of 3 costs it no more than three frames.
    pub run_min: u16,
}

impl PacketEgressOptions {
    /// Whether packet egress is compiled in: on Linux, with the feature `packet-egress`.
    pub const AVAILABLE: bool = cfg!(all(target_os = "linux", feature = "packet-egress"));
}

impl Default for PacketEgressOptions {
    fn default() -> Self {
        Self { run_min: 3 }
    }
}
