//! Storage for the datagrams of one receive call.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Slots of a receive batch. With UDP_GRO each may hold dozens of datagrams.
pub const RECEIVE_SLOTS: usize = 32;

/// Bytes of a slot when each datagram arrives alone. Longer datagrams are dropped; media seldom
/// exceeds 1,500 B.
pub const RECEIVE_SLOT_LEN: usize = 4_096;

/// Bytes of a slot when the kernel joins datagrams to runs: the longest run.
pub const RECEIVE_RUN_LEN: usize = 65_536;

/// A received datagram.
#[derive(Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Source address.
    pub source: SocketAddr,
    /// Local address that it was sent to, see [`UdpSocket::states_local`](super::UdpSocket).
    pub local: Option<IpAddr>,
    /// Time from its arrival in the kernel until it was received; zero where the kernel does not state it.
    pub waited: Duration,
    /// Payload. May be modified in place; the next receive overwrites it.
    pub contents: &'a mut [u8],
}

/// Contents of one slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct FilledSlot {
    /// Source address of the run.
    pub(super) source: SocketAddr,
    /// Local address that it was sent to, if the kernel states it.
    pub(super) local: Option<IpAddr>,
    /// Time since the run arrived in the kernel.
    pub(super) waited: Duration,
    /// Bytes of the run.
    pub(super) len: usize,
    /// Bytes of each datagram but the last; never zero.
    pub(super) segment_len: usize,
}

/// Arena for one receive call, divided into slots and reused.
pub struct ReceiveBatch {
    /// All slots, one after the other.
    pub(super) arena: Box<[u8]>,
    /// Bytes of a slot.
    pub(super) slot_len: usize,
    /// Contents of the slots after the last receive; `None` where a datagram was dropped.
    pub(super) filled: Vec<Option<FilledSlot>>,
}

impl ReceiveBatch {
    /// Allocates [`RECEIVE_SLOTS`] slots of `slot_len` bytes.
    pub(super) fn with_slot_len(slot_len: usize) -> Self {
        Self {
            arena: vec![0; slot_len * RECEIVE_SLOTS].into_boxed_slice(),
            slot_len,
            filled: Vec::with_capacity(RECEIVE_SLOTS),
        }
    }

    /// Returns the datagrams of the last receive, in the order of arrival.
    pub fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let slots = self.arena.chunks_exact_mut(self.slot_len);
        slots
            .zip(&self.filled)
            .filter_map(|(slot, filled)| Some((slot, (*filled)?)))
            .flat_map(|(slot, filled)| {
                let len = filled.len.min(slot.len());
                let (run, _) = slot.split_at_mut(len);
                run.chunks_mut(filled.segment_len.max(1))
                    .map(move |contents| Datagram {
                        source: filled.source,
                        local: filled.local,
                        waited: filled.waited,
                        contents,
                    })
            })
    }

    /// Returns whether the last receive filled all slots, so that more datagrams may be waiting.
    pub fn is_full(&self) -> bool {
        self.filled.len() >= RECEIVE_SLOTS
    }

    /// Returns the number of datagrams of the last receive.
    pub(super) fn len(&self) -> usize {
        self.filled
            .iter()
            .flatten()
            .map(|filled| filled.len.div_ceil(filled.segment_len))
            .sum()
    }
}
