//! Sender and receiver reports (RFC 3550 §6.4).

use super::reader::Reader;
use crate::units::Ssrc;

/// Length of a report block, in bytes.
pub const REPORT_BLOCK_LEN: usize = 24;

/// Sender information of a sender report (RFC 3550 §6.4.1).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Reported stream.
    pub ssrc: Ssrc,
    /// NTP time of the report: seconds since 1900 in 32.32 fixed point.
    pub ntp: u64,
    /// The same moment in the RTP clock of the stream.
    pub rtp_timestamp: u32,
    /// Number of packets sent so far.
    pub packet_count: u32,
    /// Payload bytes sent so far.
    pub octet_count: u32,
}

/// Reception statistics of one stream (RFC 3550 §6.4.1).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// Reported stream.
    pub ssrc: Ssrc,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost so far; negative when there are more duplicates than losses. Sent in 24 bits.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with the count of wraps in the upper 16 bits.
    pub highest_seq: u32,
    /// Interarrival jitter, in ticks of the RTP clock.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report; 0 without one.
    pub last_sr: u32,
    /// Time since that report arrived, in 1/65,536 s.
    pub delay_since_last_sr: u32,
}

/// Sender report packet.
#[derive(Debug, Clone, Copy)]
pub struct SenderReport<'a> {
    /// Sender information.
    pub info: SenderInfo,
    /// Complete report blocks.
    blocks: &'a [u8],
}

/// Receiver report packet.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverReport<'a> {
    /// Sender of the report.
    pub ssrc: Ssrc,
    /// Complete report blocks.
    blocks: &'a [u8],
}

/// Returns the middle 32 bits of an NTP time, the form used in `last_sr`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "truncation keeps the middle 32 bits"
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

    /// Returns reception statistics of the streams that the sender receives.
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

    /// Returns reception statistics of the received streams.
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
