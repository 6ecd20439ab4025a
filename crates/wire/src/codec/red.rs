//! Redundant audio (RFC 2198, `audio/red`): a packet repeats the payloads of earlier packets before its
//! own, so that a receiver can replace lost ones without waiting for a retransmission.
//!
//! Each earlier payload has a block header of four bytes, the packet's own (primary) payload one of a
//! single byte.

use arrayvec::ArrayVec;

use crate::units::Pt;

/// Most earlier payloads that are read from one packet. libwebrtc sends up to nine.
pub const REDUNDANT_READ_MAX: usize = 9;

/// Most earlier payloads that are written into one packet: bursts of losses are rarely longer, and
/// each costs as much as the primary payload.
pub const REDUNDANT_WRITTEN_MAX: usize = 3;

/// Largest distance of an earlier payload, in ticks of the RTP clock: the field has 14 bits.
pub const TIMESTAMP_OFFSET_MAX: u16 = 0x3fff;

/// Longest earlier payload, in bytes: the field has ten bits.
pub const REDUNDANT_LEN_MAX: usize = 0x3ff;

/// F bit: another block header follows.
const ANOTHER_BLOCK: u8 = 0x80;
/// Length of the header of an earlier payload.
pub const REDUNDANT_HEADER_LEN: usize = 4;
/// Length of the header of the primary payload.
pub const PRIMARY_HEADER_LEN: usize = 1;

/// Parsed payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedPayload<'a> {
    /// Payload type of the primary payload.
    pub primary_pt: Pt,
    /// Payload of the packet itself.
    pub primary: &'a [u8],
    /// Earlier payloads in the order of the packet: oldest first.
    pub redundant: ArrayVec<RedundantBlock<'a>, REDUNDANT_READ_MAX>,
}

/// Earlier payload in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedundantBlock<'a> {
    /// Payload type.
    pub pt: Pt,
    /// How much older it is than the packet, in ticks of the RTP clock.
    pub timestamp_offset: u16,
    /// Payload; empty when its encoder had nothing to send.
    pub payload: &'a [u8],
}

impl RedundantBlock<'_> {
    /// Returns the RTP timestamp that the payload was first sent with, in a packet with the timestamp
    /// `packet`.
    pub fn timestamp(&self, packet: u32) -> u32 {
        packet.wrapping_sub(u32::from(self.timestamp_offset))
    }
}

impl<'a> RedPayload<'a> {
    /// Reads `payload`. Returns `None` when it is truncated, has no primary payload or more earlier
    /// ones than [`REDUNDANT_READ_MAX`].
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut headers = ArrayVec::<(u8, u16, usize), REDUNDANT_READ_MAX>::new();
        let mut rest = payload;
        let primary_pt = loop {
            let (&first, after) = rest.split_first()?;
            if first & ANOTHER_BLOCK == 0 {
                rest = after;
                break Pt(first);
            }
            let (&[pt, a, b, c], after) = rest.split_first_chunk::<REDUNDANT_HEADER_LEN>()?;
            let timestamp_offset = u16::from_be_bytes([a, b]) >> 2;
            let len = usize::from(u16::from_be_bytes([b & 0x03, c]));
            headers
                .try_push((pt & !ANOTHER_BLOCK, timestamp_offset, len))
                .ok()?;
            rest = after;
        };
        let mut redundant = ArrayVec::new();
        for (pt, timestamp_offset, len) in headers {
            let (payload, after) = rest.split_at_checked(len)?;
            rest = after;
            redundant.push(RedundantBlock {
                pt: Pt(pt),
                timestamp_offset,
                payload,
            });
        }
        (!rest.is_empty()).then_some(Self {
            primary_pt,
            primary: rest,
            redundant,
        })
    }
}

/// Returns payload type and payload of the packet itself, for a receiver that did not negotiate
/// redundancy. Returns `None` as [`RedPayload::parse`] does.
pub fn strip(payload: &[u8]) -> Option<(Pt, &[u8])> {
    RedPayload::parse(payload).map(|red| (red.primary_pt, red.primary))
}

/// Gives all blocks of a well-formed payload the payload type `pt`, as the receiver of another
/// negotiation expects it. A block of another codec than the primary payload gets it too.
pub fn set_payload_type(payload: &mut [u8], pt: Pt) {
    let mut rest = payload;
    while let Some((first, after)) = rest.split_first_mut() {
        let is_last = *first & ANOTHER_BLOCK == 0;
        *first = *first & ANOTHER_BLOCK | pt.0 & !ANOTHER_BLOCK;
        let fields = after.split_at_mut_checked(REDUNDANT_HEADER_LEN - 1);
        match fields {
            Some((_, after)) if !is_last => rest = after,
            _ => return,
        }
    }
}

/// Payload that was sent earlier, to be repeated.
#[derive(Debug, Clone, Copy)]
pub struct EarlierPayload<'a> {
    /// RTP timestamp that it was sent with.
    pub timestamp: u32,
    /// Payload.
    pub payload: &'a [u8],
}

/// Writes `primary` and as many of the `earlier` payloads, newest first, as fit `len_max` bytes and
/// [`REDUNDANT_WRITTEN_MAX`], and returns the length. All have the payload type `pt`, and `timestamp`
/// is that of the packet.
///
/// An earlier payload that is empty, too long or too old for its header, or newer than the packet is
/// left out. Returns `None` when `primary` is empty, or does not fit `out` and `len_max` alone.
pub fn write(
    out: &mut [u8],
    len_max: usize,
    pt: Pt,
    timestamp: u32,
    primary: &[u8],
    earlier: &[EarlierPayload<'_>],
) -> Option<usize> {
    let available = len_max.min(out.len());
    let mut len = PRIMARY_HEADER_LEN + primary.len();
    if primary.is_empty() || len > available {
        return None;
    }
    let mut blocks = ArrayVec::<(u16, &[u8]), REDUNDANT_WRITTEN_MAX>::new();
    for block in earlier {
        let offset = u16::try_from(timestamp.wrapping_sub(block.timestamp));
        let offset = offset
            .ok()
            .filter(|it| (1..=TIMESTAMP_OFFSET_MAX).contains(it));
        let block_len = REDUNDANT_HEADER_LEN + block.payload.len();
        let (Some(offset), 1..=REDUNDANT_LEN_MAX) = (offset, block.payload.len()) else {
            continue;
        };
        if len + block_len > available || blocks.try_push((offset, block.payload)).is_err() {
            break;
        }
        len += block_len;
    }
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        out.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
        at += bytes.len();
        Some(())
    };
    for (offset, payload) in blocks.iter().rev() {
        let fields = u32::from(*offset) << 10 | u32::try_from(payload.len()).ok()?;
        let [_, a, b, c] = fields.to_be_bytes();
        put(&[ANOTHER_BLOCK | pt.0, a, b, c])?;
    }
    put(&[pt.0 & !ANOTHER_BLOCK])?;
    blocks
        .iter()
        .rev()
        .try_for_each(|(_, payload)| put(payload))?;
    put(primary)?;
    Some(len)
}

#[cfg(test)]
mod tests;
