//! Received handshake datagrams that were not processed yet.

use std::collections::VecDeque;

/// Upper bound of datagrams queued for [`DtlsSession::handle_pending`](super::DtlsSession), including
/// ClientHellos that arrived before the fingerprints.
pub const PENDING_DATAGRAMS_MAX: usize = 16;

/// Upper bound of the bytes in these datagrams.
pub const PENDING_BYTES_MAX: usize = 64 * 1024;

/// Datagrams received from the peer and not processed yet, oldest first.
#[derive(Default)]
pub(super) struct PendingDatagrams {
    packets: VecDeque<Vec<u8>>,
    /// Total length in bytes.
    bytes: usize,
}

impl PendingDatagrams {
    /// Queues a datagram. When the queue is full the newest is refused (`None`), because later datagrams
    /// repeat earlier ones.
    #[must_use]
    pub(super) fn push(&mut self, packet: &[u8]) -> Option<()> {
        let has_room = self.packets.len() < PENDING_DATAGRAMS_MAX
            && self.bytes.saturating_add(packet.len()) <= PENDING_BYTES_MAX;
        if !has_room {
            return None;
        }
        self.bytes += packet.len();
        self.packets.push_back(packet.to_vec());
        Some(())
    }

    /// Removes and returns the oldest datagram.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let packet = self.packets.pop_front()?;
        self.bytes -= packet.len();
        Some(packet)
    }

    /// Returns whether no datagram waits.
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}
