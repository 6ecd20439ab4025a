//! Replay protection: a table of SSRCs, each with a window of received packets. State changes
//! only after a packet was authenticated. When a quiet SSRC loses its window, its greatest index is
//! kept, and everything up to it stays refused.
//!
//! RFC 3711 §3.3.1 (index estimate), §3.3.2 (replay list).

use watersmeet_wire::units::{Map, Ssrc};

use super::error::SrtpError;
use crate::replay_window::ReplayWindow;

/// Upper bound of SSRCs with a replay window. A simulcast camera with retransmission uses six.
pub const STREAMS_MAX: usize = 64;

/// Upper bound of quiet SSRCs of which only the greatest index is kept. Further ones are refused:
/// no browser uses that many.
pub const RETIRED_STREAMS_MAX: usize = 1_024;

/// A packet that passed the replay check. [`ReplayTable::mark`] consumes it once the packet is
/// authenticated.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckedPacket {
    /// SSRC of the packet.
    ssrc: Ssrc,
    /// Position of the SSRC in the table; absent when it has no window yet.
    position: Option<usize>,
    /// Packet index with which the packet must authenticate.
    pub(super) index: u64,
}

/// An SSRC with a replay window.
#[derive(Debug)]
struct StreamWindow {
    /// Received packets.
    window: ReplayWindow,
    /// Value of the table's packet count when the last packet was received.
    last_packet: u64,
}

/// All SSRCs of one direction of one transport.
#[derive(Debug, Default)]
pub(super) struct ReplayTable {
    /// SSRC of each entry of `streams`. 64 of them are four cache lines, and scanning these is
    /// cheaper than a search tree.
    ssrcs: Vec<Ssrc>,
    /// Windows in the order of `ssrcs`.
    streams: Vec<StreamWindow>,
    /// Greatest index of each SSRC that lost its window.
    retired: Map<Ssrc, u64>,
    /// Number of authenticated packets; serves as the clock of this table.
    packet_count: u64,
}

impl ReplayTable {
    /// Checks an RTP packet, whose 48-bit index is estimated from its 16-bit sequence number.
    ///
    /// # Errors
    /// Refuses a replayed packet, and an SSRC for which the table has no room.
    pub(super) fn check_rtp(&self, ssrc: Ssrc, seq: u16) -> Result<CheckedPacket, SrtpError> {
        let position = self.position_of(ssrc);
        let highest = self.highest(position, ssrc);
        let index = match highest {
            None => u64::from(seq),
            Some(highest) => nearest_index(highest, seq).ok_or(SrtpError::Replayed)?,
        };
        self.check_index(ssrc, position, index)
    }

    /// Checks an RTCP packet, which carries its index.
    ///
    /// # Errors
    /// Refuses a replayed packet, and an SSRC for which the table has no room.
    pub(super) fn check_rtcp(&self, ssrc: Ssrc, index: u32) -> Result<CheckedPacket, SrtpError> {
        self.check_index(ssrc, self.position_of(ssrc), u64::from(index))
    }

    /// Records a packet that was authenticated.
    pub(super) fn mark(&mut self, packet: CheckedPacket) {
        self.packet_count += 1;
        let last_packet = self.packet_count;
        if let Some(stream) = packet
            .position
            .and_then(|position| self.streams.get_mut(position))
        {
            stream.window.mark(packet.index);
            stream.last_packet = last_packet;
            return;
        }
        let window = match self.retired.remove(&packet.ssrc) {
            None => ReplayWindow::starting_at(packet.index),
            Some(highest) => {
                let mut window = ReplayWindow::stale_up_to(highest);
                window.mark(packet.index);
                window
            }
        };
        if self.streams.len() >= STREAMS_MAX {
            self.retire_quietest();
        }
        self.ssrcs.push(packet.ssrc);
        self.streams.push(StreamWindow {
            window,
            last_packet,
        });
    }

    /// Returns whether a packet of this SSRC was received.
    pub(super) fn knows(&self, ssrc: Ssrc) -> bool {
        self.position_of(ssrc).is_some() || self.retired.contains_key(&ssrc)
    }

    /// Returns the number of SSRCs with a window.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    fn position_of(&self, ssrc: Ssrc) -> Option<usize> {
        self.ssrcs.iter().position(|known| *known == ssrc)
    }

    fn highest(&self, position: Option<usize>, ssrc: Ssrc) -> Option<u64> {
        match position {
            Some(position) => self
                .streams
                .get(position)
                .map(|stream| stream.window.highest()),
            None => self.retired.get(&ssrc).copied(),
        }
    }

    fn check_index(
        &self,
        ssrc: Ssrc,
        position: Option<usize>,
        index: u64,
    ) -> Result<CheckedPacket, SrtpError> {
        let fresh = match position.and_then(|position| self.streams.get(position)) {
            Some(stream) => stream.window.is_fresh(index),
            None => match self.retired.get(&ssrc) {
                Some(highest) => index > *highest,
                None if self.is_full() => return Err(SrtpError::TooManySsrcs),
                None => true,
            },
        };
        if fresh {
            Ok(CheckedPacket {
                ssrc,
                position,
                index,
            })
        } else {
            Err(SrtpError::Replayed)
        }
    }

    /// Returns whether there is no room for a new SSRC.
    fn is_full(&self) -> bool {
        self.streams.len() >= STREAMS_MAX && self.retired.len() >= RETIRED_STREAMS_MAX
    }

    /// Removes the window of the SSRC that was silent longest, and keeps its greatest index.
    fn retire_quietest(&mut self) {
        let quietest = self
            .streams
            .iter()
            .enumerate()
            .min_by_key(|(_, stream)| stream.last_packet);
        let Some((position, _)) = quietest else {
            return;
        };
        let stream = self.streams.swap_remove(position);
        let ssrc = self.ssrcs.swap_remove(position);
        self.retired.insert(ssrc, stream.window.highest());
    }
}

/// Returns the index nearest to `highest` whose low 16 bits are `seq` (RFC 3711 §3.3.1). Where that
/// would be negative, the rollover counter is zero: a sender may jump within its first wrap.
fn nearest_index(highest: u64, seq: u16) -> Option<u64> {
    let low = highest & 0xffff;
    let forward = u64::from(seq).wrapping_sub(low) & 0xffff;
    if forward < 0x8000 {
        highest.checked_add(forward)
    } else {
        let behind = highest.checked_sub(0x1_0000 - forward);
        behind.or_else(|| highest.checked_add(forward))
    }
}
