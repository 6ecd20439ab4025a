//! Sender and receiver reports (RFC 3550 §6.4).

use super::reader::Reader;
use crate::units::Ssrc;

/// Length of one report block.
pub const REPORT_BLOCK_LEN: usize = 24;

/// What a sender says of its stream (RFC 3550 §6.4.1).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// The stream.
    pub ssrc: Ssrc,
    /// When the report was made: seconds since 1900 in 32.32 fixed point.
    pub ntp: u64,
    /// The same moment in the stream's media clock.
    pub rtp_timestamp: u32,
    /// Packets sent so far.
    pub packet_count: u32,
    /// Bytes of payload sent so far.
    pub octet_count: u32,
}

/// How one stream arrives at a receiver (RFC 3550 §6.4.1).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: Ssrc,
    /// Share of packets lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost so far; negative when more came twice than were lost. 24 bits travel.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with the count of wraps above it.
    pub highest_seq: u32,
    /// Mean deviation of arrival spacing, in ticks of the media clock.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time; 0 when there was none.
    pub last_sr: u32,
    /// Time since that report arrived, in 65,536ths of a second.
    pub delay_since_last_sr: u32,
}

/// A sender report.
#[derive(Debug, Clone, Copy)]
pub struct SenderReport<'a> {
    /// What the sender says of its stream.
    pub info: SenderInfo,
    /// Whole report blocks.
    blocks: &'a [u8],
}

/// A receiver report.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverReport<'a> {
    /// Who receives.
    pub ssrc: Ssrc,
    /// Whole report blocks.
    blocks: &'a [u8],
}

/// The middle 32 bits of an NTP time, as `last_sr` repeats it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the middle bits are what is asked for"
)]
pub const fn ntp_middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        let mut reader = Reader(body);
        let info = SenderInfo {
            ssrc: reader.ssrc()?,
            ntp: reader.u64()?,
            rtp_timestamp: reader.u32()?,
            packet_count: reader.u32()?,
            octet_count: reader.u32()?,
        };
        Some(Self {
            info,
            blocks: reader.take(count * REPORT_BLOCK_LEN)?,
        })
    }

    /// How the sender receives other streams.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        blocks(self.blocks)
    }
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        let mut reader = Reader(body);
        let ssrc = reader.ssrc()?;
        Some(Self {
            ssrc,
            blocks: reader.take(count * REPORT_BLOCK_LEN)?,
        })
    }

    /// How streams arrive.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        blocks(self.blocks)
    }
}

fn blocks(bytes: &[u8]) -> impl Iterator<Item = ReportBlock> {
    let (blocks, _) = bytes.as_chunks::<REPORT_BLOCK_LEN>();
    blocks.iter().filter_map(ReportBlock::parse)
}

impl ReportBlock {
    fn parse(bytes: &[u8; REPORT_BLOCK_LEN]) -> Option<Self> {
        let mut reader = Reader(bytes);
        Some(Self {
            ssrc: reader.ssrc()?,
            fraction_lost: reader.u8()?,
            // Sign extension of 24 bits.
            cumulative_lost: (reader.u24()? << 8).cast_signed() >> 8,
            highest_seq: reader.u32()?,
            jitter: reader.u32()?,
            last_sr: reader.u32()?,
            delay_since_last_sr: reader.u32()?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let lost = self
            .cumulative_lost
            .clamp(-0x80_0000, 0x7f_ffff)
            .cast_unsigned()
            & 0x00ff_ffff;
        let words = [
            self.ssrc.0,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_seq,
            self.jitter,
            self.last_sr,
            self.delay_since_last_sr,
        ];
        out.extend(words.into_iter().flat_map(u32::to_be_bytes));
    }
}
