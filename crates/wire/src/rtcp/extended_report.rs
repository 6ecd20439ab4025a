//! Extended reports, with which a receiver that sends nothing measures the round trip (RFC 3611
//! §4.4, §4.5).

use super::reader::Reader;
use crate::units::Ssrc;

/// Type of the block that says what time it is at a receiver.
pub(super) const REFERENCE_TIME: u8 = 4;

/// Type of the block that answers it.
pub(super) const DELAYS: u8 = 5;

/// An extended report: blocks of several types.
#[derive(Debug, Clone, Copy)]
pub struct ExtendedReport<'a> {
    /// Who reports.
    pub ssrc: Ssrc,
    /// Whole blocks.
    blocks: &'a [u8],
}

/// One block of an extended report.
#[derive(Debug, Clone, Copy)]
pub enum ExtendedReportBlock<'a> {
    /// The receiver's NTP time when it made the report (RRTR).
    ReceiverReferenceTime(u64),
    /// How long ago the reference times of receivers arrived (DLRR).
    Dlrr(Dlrr<'a>),
    /// A block that this server does not speak, as it came.
    Other {
        /// Type of the block.
        kind: u8,
        /// The byte whose meaning depends on the type.
        detail: u8,
        /// What follows.
        content: &'a [u8],
    },
}

/// The entries of a block of delays.
#[derive(Debug, Clone, Copy)]
pub struct Dlrr<'a> {
    /// Whole entries of twelve bytes.
    entries: &'a [u8],
}

/// How long ago one receiver's reference time arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DlrrEntry {
    /// The receiver.
    pub ssrc: Ssrc,
    /// Middle 32 bits of its reference time.
    pub last_rr: u32,
    /// Time since it arrived, in 65,536ths of a second.
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

    /// The blocks.
    pub fn blocks(&self) -> impl Iterator<Item = ExtendedReportBlock<'a>> + use<'a> {
        let mut reader = Reader(self.blocks);
        std::iter::from_fn(move || take_block(&mut reader))
    }
}

fn take_block<'a>(reader: &mut Reader<'a>) -> Option<ExtendedReportBlock<'a>> {
    let [kind, detail] = reader.array()?;
    let len = usize::from(reader.u16()?) * 4;
    let content = reader.take(len)?;
    Some(match kind {
        REFERENCE_TIME => ExtendedReportBlock::ReceiverReferenceTime(Reader(content).u64()?),
        DELAYS if !len.is_multiple_of(12) => return None,
        DELAYS => ExtendedReportBlock::Dlrr(Dlrr { entries: content }),
        _ => ExtendedReportBlock::Other {
            kind,
            detail,
            content,
        },
    })
}

impl<'a> Dlrr<'a> {
    /// The entries.
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
