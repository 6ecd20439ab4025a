//! Feedback from receivers: NACK, PLI, FIR and REMB (RFC 4585 §6.2.1, §6.3.1; RFC 5104 §4.3.1;
//! draft-alvestrand-rmcat-remb-03 §2.2).

use super::reader::{Reader, ssrcs};
use crate::units::{Bitrate, Ssrc};

/// Sequence numbers that one entry of a NACK covers: its own and the sixteen after it.
pub const NACK_SPAN: u16 = 17;

const REMB_NAME: [u8; 4] = *b"REMB";
const REMB_MANTISSA_BITS: u32 = 18;

/// Request to retransmit packets of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Nack<'a> {
    /// Sender of the request.
    pub sender: Ssrc,
    /// Stream that the request is about.
    pub media: Ssrc,
    /// Complete entries of four bytes.
    entries: &'a [u8],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let (sender, media) = (reader.ssrc()?, reader.ssrc()?);
        let entries = reader.0;
        (!entries.is_empty() && entries.len().is_multiple_of(4)).then_some(Self {
            sender,
            media,
            entries,
        })
    }

    /// Returns the requested sequence numbers, in the order of the packet. A datagram of 1,500 B
    /// can hold 6,300 of them, repeated at will, so the caller must limit its retransmissions.
    pub fn seqs(&self) -> impl Iterator<Item = u16> + Clone + use<'a> {
        let (entries, _) = self.entries.as_chunks::<4>();
        entries.iter().flat_map(|&[p0, p1, b0, b1]| {
            let first = u16::from_be_bytes([p0, p1]);
            let mask = u16::from_be_bytes([b0, b1]);
            let following = (0..16_u16).filter(move |bit| mask >> bit & 1 == 1);
            std::iter::once(first).chain(following.map(move |bit| first.wrapping_add(bit + 1)))
        })
    }
}

/// Groups ascending sequence numbers into NACK entries: a number and a mask of the sixteen after
/// it. Yields each entry with the count of numbers it covers.
pub(super) fn nack_entries(seqs: &[u16]) -> impl Iterator<Item = ([u8; 4], usize)> + '_ {
    let mut rest = seqs;
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        let mut mask = 0_u16;
        let mut taken = 1;
        for seq in after {
            match seq.wrapping_sub(first) {
                0 => {}
                distance @ 1..NACK_SPAN => mask |= 1 << (distance - 1),
                _ => break,
            }
            taken += 1;
        }
        rest = rest.get(taken..).unwrap_or_default();
        let [p0, p1] = first.to_be_bytes();
        let [b0, b1] = mask.to_be_bytes();
        Some(([p0, p1, b0, b1], taken))
    })
}

/// Picture loss indication: request for a keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pli {
    /// Sender of the request.
    pub sender: Ssrc,
    /// Stream that the request is about.
    pub media: Ssrc,
}

impl Pli {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        Some(Self {
            sender: reader.ssrc()?,
            media: reader.ssrc()?,
        })
    }
}

/// Full intra request: commands to send keyframes.
#[derive(Debug, Clone, Copy)]
pub struct Fir<'a> {
    /// Sender of the request.
    pub sender: Ssrc,
    /// Complete entries of eight bytes.
    entries: &'a [u8],
}

/// Keyframe command to one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirEntry {
    /// Stream that the request is about.
    pub ssrc: Ssrc,
    /// Number of the command; a repetition of the command keeps its number.
    pub seq: u8,
}

impl<'a> Fir<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let sender = reader.ssrc()?;
        // The streams are in the entries; the media SSRC before them is unused (RFC 5104 §4.3.1.2).
        reader.ssrc()?;
        let entries = reader.0;
        (!entries.is_empty() && entries.len().is_multiple_of(8)).then_some(Self { sender, entries })
    }

    /// Returns the commands.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = FirEntry> + Clone + use<'a> {
        let (entries, _) = self.entries.as_chunks::<8>();
        entries.iter().map(|&[a, b, c, d, seq, ..]| FirEntry {
            ssrc: Ssrc(u32::from_be_bytes([a, b, c, d])),
            seq,
        })
    }
}

/// Receiver estimated maximum bitrate: an upper bound for the listed streams together.
#[derive(Debug, Clone, Copy)]
pub struct Remb<'a> {
    /// Sender of the estimate.
    pub sender: Ssrc,
    /// Estimated bitrate.
    pub bitrate: Bitrate,
    /// SSRCs, four bytes each.
    ssrcs: &'a [u8],
}

impl<'a> Remb<'a> {
    pub(super) fn is_named(body: &[u8]) -> bool {
        body.get(8..12).is_some_and(|name| name == REMB_NAME)
    }

    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let sender = reader.ssrc()?;
        reader.ssrc()?;
        if reader.array()? != REMB_NAME {
            return None;
        }
        let count = usize::from(reader.u8()?);
        let rate = reader.u24()?;
        let mantissa = u64::from(rate & ((1 << REMB_MANTISSA_BITS) - 1));
        let exponent = rate >> REMB_MANTISSA_BITS;
        if mantissa.leading_zeros() < exponent {
            return None;
        }
        let bitrate = Bitrate::from_bps(mantissa << exponent);
        Some(Self {
            sender,
            bitrate,
            ssrcs: reader.take(count * 4)?,
        })
    }

    /// Returns the streams that the bitrate applies to.
    pub fn ssrcs(&self) -> impl ExactSizeIterator<Item = Ssrc> + Clone + use<'a> {
        ssrcs(self.ssrcs)
    }

    /// Returns name, stream count and bitrate in wire format; the bitrate is rounded down to 18
    /// significant bits.
    pub(super) fn write_header(count: u8, bitrate: Bitrate) -> [u8; 8] {
        let bits = u64::BITS - bitrate.as_bps().leading_zeros();
        let exponent = bits.saturating_sub(REMB_MANTISSA_BITS);
        let mantissa = bitrate.as_bps() >> exponent;
        let [.., a, b, c] = (u64::from(exponent) << REMB_MANTISSA_BITS | mantissa).to_be_bytes();
        let [r, e, m, d] = REMB_NAME;
        [r, e, m, d, count, a, b, c]
    }
}
