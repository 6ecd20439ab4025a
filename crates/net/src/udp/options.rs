//! Options of a UDP socket.

/// Options of a UDP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpOptions {
    /// Requested size of the kernel's receive buffer in bytes.
    pub receive_buffer: usize,
    /// Requested size of the kernel's send buffer in bytes.
    pub send_buffer: usize,
    /// Receive runs of datagrams (UDP_GRO), where the kernel supports it.
    pub gro: bool,
    /// Send runs of datagrams (UDP_SEGMENT), where the kernel supports it.
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
