//! One entry of a batch to send.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// One datagram, or a run of datagrams of equal length, to send: a range of the batch's arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Address the datagrams are sent to.
    pub destination: SocketAddr,
    /// Local address to send from; `None` leaves the choice to the kernel. Only Linux honours it.
    pub source: Option<IpAddr>,
    /// Position of the payload in the arena, in bytes.
    pub range: Range<usize>,
    /// Bytes of each datagram of a run; only the last may be shorter. `None` for one datagram.
    pub segment_size: Option<u16>,
}

impl Transmit {
    /// Returns the length of each datagram in bytes, at least one.
    pub(crate) fn segment_len(&self) -> usize {
        self.segment_size
            .map_or(self.range.len(), usize::from)
            .max(1)
    }

    /// Returns the number of datagrams. An empty range is one empty datagram.
    #[cfg(all(target_os = "linux", feature = "packet-egress"))]
    pub(crate) fn segments(&self) -> usize {
        self.range.len().div_ceil(self.segment_len()).max(1)
    }
}
