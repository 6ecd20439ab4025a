//! Results and events of transports of any kind.

use watersmeet_wire::rtp::RtpHeader;

use super::discard::DiscardReason;
use crate::path::Path;
use crate::transport_state::{CloseReason, DtlsState, IceState};

/// Outcome of a received datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Handled inside the transport; the worker has nothing to route.
    Nothing,
    /// A decrypted RTP packet in the first `len` bytes.
    Rtp {
        /// Parsed header.
        header: RtpHeader,
        /// Length of the packet in bytes.
        len: usize,
    },
    /// A decrypted compound RTCP packet in the first `len` bytes.
    Rtcp {
        /// Length of the packet in bytes.
        len: usize,
    },
    /// Dropped, and already counted.
    Discarded(DiscardReason),
}

/// State change that a transport reports to its worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportEvent {
    /// The ICE state changed.
    IceStateChanged(IceState),
    /// The DTLS state changed.
    DtlsStateChanged(DtlsState),
    /// Packets on this path belong to this transport from now on, and to no other.
    PathAdded(Path),
    /// Packets on this path no longer belong to this transport.
    PathRemoved(Path),
    /// The local user fragment no longer names this transport.
    UfragRetired(String),
    /// Handshake datagrams wait for [`super::Transport::advance`].
    HandshakePending,
    /// The transport has ended and must be removed.
    Closed(CloseReason),
}
