//! Counters of a UDP socket.

/// Counters of a UDP socket since it was opened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct UdpStats {
    /// Datagrams received.
    pub received: u64,
    /// Passes through the kernel's network stack that delivered them.
    pub received_runs: u64,
    /// Datagrams dropped because they were longer than a receive slot.
    pub received_truncated: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Passes through the kernel's network stack that took them; `sent / sent_runs` is the mean run
    /// length.
    pub sent_runs: u64,
    /// Datagrams that the kernel refused, or whose range lay outside the arena.
    pub send_errors: u64,
    /// Runs that the kernel refused; their datagrams were then sent one by one.
    pub run_refusals: u64,
}
