//! Extended reports, with which a receiver that sends no media measures the round-trip time (RFC
//! 3611 §4.4, §4.5).

use super::reader::Reader;
use crate::units::Ssrc;

/// Type of the receiver reference time block (RRTR).
pub(super) const RRTR: u8 = 4;

/// Type of the block that answers it (DLRR).
pub(super) const DLRR: u8 = 5;

/// Extended report packet.
#[derive(Debug, Clone, Copy)]
pub struct ExtendedReport<'a> {
    /// Sender of the report.
    pub ssrc: Ssrc,
    /// Complete blocks.
    blocks: &'a [u8],
}

/// Block of an extended report.
#[derive(Debug, Clone, Copy)]
pub enum ExtendedReportBlock<'a> {
    /// NTP time of the receiver when it sent the report (RRTR).
    ReceiverReferenceTime(u64),
    /// Delays since the reference times of receivers arrived (DLRR).
    Dlrr(Dlrr<'a>),
    /// A block of an unsupported type.
    Other {
        /// Block type.
        kind: u8,
        /// Byte whose meaning depends on the type.
        type_specific: u8,
        /// Contents after the block header.
        content: &'a [u8],
    },
}

/// DLRR block.
#[derive(Debug, Clone, Copy)]
pub struct Dlrr<'a> {
    /// Complete entries of twelve bytes.
    entries: &'a [u8],
}

/// Entry of a DLRR block: delay since the reference time of one receiver arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DlrrEntry {
    /// Receiver whose reference time is answered.
    pub ssrc: Ssrc,
    /// Middle 32 bits of that reference time.
    pub last_rr: u32,
    /// Time since the reference time arrived, in 1/65,536 s.
    pub delay_since_last_rr: u32,
}

impl<'a> ExtendedReport<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let ssrc = reader.ssrc()?;
        let blocks = reader.0;
        while !reader.0.is_empty() {
            take_block(&mut reader)?;
        }
        Some(Self { ssrc, blocks })
    }

    /// Returns the blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = ExtendedReportBlock<'a>> + use<'a> {
        let mut reader = Reader(self.blocks);
        std::iter::from_fn(move || take_block(&mut reader))
    }
}

fn take_block<'a>(reader: &mut Reader<'a>) -> Option<ExtendedReportBlock<'a>> {
    let [kind, type_specific] = reader.array()?;
    let len = usize::from(reader.u16()?) * 4;
    let content = reader.take(len)?;
    Some(match kind {
        RRTR => ExtendedReportBlock::ReceiverReferenceTime(Reader(content).u64()?),
        DLRR if !len.is_multiple_of(12) => return None,
        DLRR => ExtendedReportBlock::Dlrr(Dlrr { entries: content }),
        _ => ExtendedReportBlock::Other {
            kind,
            type_specific,
            content,
        },
    })
}

impl<'a> Dlrr<'a> {
    /// Returns the entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = DlrrEntry> + Clone + use<'a> {
        let (entries, _) = self.entries.as_chunks::<12>();
        entries.iter().filter_map(|entry| {
            let mut reader = Reader(entry);
            Some(DlrrEntry {
                ssrc: reader.ssrc()?,
                last_rr: reader.u32()?,
                delay_since_last_rr: reader.u32()?,
            })
        })
    }
}
