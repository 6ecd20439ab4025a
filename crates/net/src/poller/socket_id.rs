//! Identifiers of polled sockets, and what the poller reports about them.

/// Identifies a socket in the poller. The owner of the socket chooses its number, below 2¹⁰.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketId {
    /// A UDP socket.
    Udp(usize),
    /// A listener for TCP connections.
    TcpListener(usize),
    /// A TCP connection.
    TcpConnection {
        /// Number of the listener that accepted it.
        listener: usize,
        /// Index among the listener's connections, below 2¹⁶.
        slot: usize,
    },
}

/// Bits of a connection's slot in a key.
const SLOT_BITS: u32 = 16;

/// Bits of a socket's number in a key, above the slot; the kind is stored above them.
const NUMBER_BITS: u32 = 10;

/// Greatest number of a socket.
const NUMBER_MAX: usize = (1 << NUMBER_BITS) - 1;

/// Greatest slot of a connection.
const SLOT_MAX: usize = (1 << SLOT_BITS) - 1;

impl SocketId {
    /// Returns the integer that the operating system's poller stores for this socket.
    pub(super) const fn key(self) -> usize {
        let (kind, number, slot) = match self {
            Self::Udp(number) => (0, number, 0),
            Self::TcpListener(number) => (1, number, 0),
            Self::TcpConnection { listener, slot } => (2, listener, slot),
        };
        (kind << (NUMBER_BITS + SLOT_BITS))
            | ((number & NUMBER_MAX) << SLOT_BITS)
            | (slot & SLOT_MAX)
    }

    /// Returns the socket whose key is `key`.
    pub(super) const fn from_key(key: usize) -> Self {
        let number = (key >> SLOT_BITS) & NUMBER_MAX;
        match key >> (NUMBER_BITS + SLOT_BITS) {
            0 => Self::Udp(number),
            1 => Self::TcpListener(number),
            _ => Self::TcpConnection {
                listener: number,
                slot: key & SLOT_MAX,
            },
        }
    }
}

/// A socket that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Socket that is ready.
    pub socket: SocketId,
    /// Whether a read returns data, the end of the stream or an error.
    pub readable: bool,
    /// Whether a write takes bytes or returns an error.
    pub writable: bool,
}

/// Readiness that a socket is polled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Readable.
    Read,
    /// Readable or writable.
    ReadWrite,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_maps_back_to_its_socket() {
        let connection = SocketId::TcpConnection {
            listener: NUMBER_MAX,
            slot: SLOT_MAX,
        };
        for socket in [
            SocketId::Udp(0),
            SocketId::Udp(1),
            SocketId::TcpListener(7),
            connection,
        ] {
            assert_eq!(SocketId::from_key(socket.key()), socket);
        }
    }
}
