//! Writer of control packets into one datagram of limited length.
//!
//! Every method writes one complete packet or nothing, and returns which; methods for lists of any
//! length return how many elements they wrote.

use super::congestion_feedback::{CongestionFeedback, StreamArrivals};
use super::extended_report::{DLRR, DlrrEntry, RRTR};
use super::feedback::{FirEntry, Remb, nack_entries};
use super::header::{COUNT_MAX, HEADER_LEN, PADDING, VERSION, format, kind};
use super::report::{ReportBlock, SenderInfo};
use super::sdes::CNAME;
use crate::units::{Bitrate, Ssrc};

/// Longest datagram of control packets, in bytes; fits every path with SRTCP around it.
pub const COMPOUND_LEN_MAX: usize = 1_200;

/// Length of the two SSRCs at the start of a feedback packet.
pub(super) const FEEDBACK_HEADER_LEN: usize = 8;

/// Writer of one datagram, appended to a buffer.
#[derive(Debug)]
pub struct CompoundWriter<'a> {
    /// Buffer; earlier contents are left alone.
    out: &'a mut Vec<u8>,
    /// Offset of the datagram in the buffer.
    start: usize,
    /// Maximum length of the datagram, in bytes.
    len_max: usize,
}

impl<'a> CompoundWriter<'a> {
    /// Starts a datagram of at most [`COMPOUND_LEN_MAX`] bytes.
    pub const fn new(out: &'a mut Vec<u8>) -> Self {
        Self::with_len_max(out, COMPOUND_LEN_MAX)
    }

    /// Starts a datagram of at most `len_max` bytes.
    pub const fn with_len_max(out: &'a mut Vec<u8>, len_max: usize) -> Self {
        let start = out.len();
        Self {
            out,
            start,
            len_max,
        }
    }

    /// Returns the number of bytes written so far.
    pub const fn len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Returns whether nothing is written yet.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many bytes may still be written.
    pub const fn remaining(&self) -> usize {
        self.len_max.saturating_sub(self.len())
    }

    /// Writes a sender report. Returns false when it does not fit, or with more than 31 blocks.
    #[must_use]
    pub fn write_sender_report(&mut self, info: &SenderInfo, blocks: &[ReportBlock]) -> bool {
        self.write_counted(kind::SENDER_REPORT, blocks.len(), |out| {
            out.extend(info.ssrc.0.to_be_bytes());
            out.extend(info.ntp.to_be_bytes());
            let words = [info.rtp_timestamp, info.packet_count, info.octet_count];
            out.extend(words.into_iter().flat_map(u32::to_be_bytes));
            blocks.iter().for_each(|block| block.write(out));
        })
    }

    /// Writes a receiver report. Returns false when it does not fit, or with more than 31 blocks.
    #[must_use]
    pub fn write_receiver_report(&mut self, ssrc: Ssrc, blocks: &[ReportBlock]) -> bool {
        self.write_counted(kind::RECEIVER_REPORT, blocks.len(), |out| {
            out.extend(ssrc.0.to_be_bytes());
            blocks.iter().for_each(|block| block.write(out));
        })
    }

    /// Writes the canonical name of one stream. Returns false when it does not fit, or when the
    /// name is longer than 255 bytes.
    #[must_use]
    pub fn write_cname(&mut self, ssrc: Ssrc, cname: &str) -> bool {
        let Ok(len) = u8::try_from(cname.len()) else {
            return false;
        };
        self.write_counted(kind::SOURCE_DESCRIPTION, 1, |out| {
            let chunk = out.len();
            out.extend(ssrc.0.to_be_bytes());
            out.extend([CNAME, len]);
            out.extend(cname.as_bytes());
            // At least one zero byte ends the items.
            let chunk_len = (out.len() - chunk + 1).next_multiple_of(4);
            out.resize(chunk + chunk_len, 0);
        })
    }

    /// Writes a BYE for these streams. Returns false when it does not fit, or with more than 31
    /// streams.
    #[must_use]
    pub fn write_bye(&mut self, ssrcs: &[Ssrc]) -> bool {
        self.write_counted(kind::BYE, ssrcs.len(), |out| extend_ssrcs(out, ssrcs))
    }

    /// Writes a request to retransmit packets, given by ascending sequence numbers. Returns how
    /// many it wrote; the others need another datagram.
    #[must_use]
    pub fn write_nack(&mut self, sender: Ssrc, media: Ssrc, seqs: &[u16]) -> usize {
        let entries_max = self
            .remaining()
            .saturating_sub(HEADER_LEN + FEEDBACK_HEADER_LEN)
            / 4;
        if entries_max == 0 || seqs.is_empty() {
            return 0;
        }
        let mut taken = 0;
        let written = self.write_feedback(
            kind::TRANSPORT_FEEDBACK,
            format::NACK,
            sender,
            media,
            |out| {
                for (entry, entry_taken) in nack_entries(seqs).take(entries_max) {
                    out.extend(entry);
                    taken += entry_taken;
                }
            },
        );
        if written { taken } else { 0 }
    }

    /// Writes a picture loss indication. Returns false when it does not fit.
    #[must_use]
    pub fn write_pli(&mut self, sender: Ssrc, media: Ssrc) -> bool {
        self.write_feedback(kind::PAYLOAD_FEEDBACK, format::PLI, sender, media, |_| {})
    }

    /// Writes a full intra request. Returns false when it does not fit, or without entries.
    #[must_use]
    pub fn write_fir(&mut self, sender: Ssrc, entries: &[FirEntry]) -> bool {
        !entries.is_empty()
            && self.write_feedback(
                kind::PAYLOAD_FEEDBACK,
                format::FIR,
                sender,
                Ssrc(0),
                |out| {
                    for entry in entries {
                        out.extend(entry.ssrc.0.to_be_bytes());
                        out.extend([entry.seq, 0, 0, 0]);
                    }
                },
            )
    }

    /// Writes a bandwidth estimate for these streams. Returns false when it does not fit, or with
    /// more than 255 streams.
    #[must_use]
    pub fn write_remb(&mut self, sender: Ssrc, bitrate: Bitrate, ssrcs: &[Ssrc]) -> bool {
        let Ok(count) = u8::try_from(ssrcs.len()) else {
            return false;
        };
        self.write_feedback(
            kind::PAYLOAD_FEEDBACK,
            format::APPLICATION,
            sender,
            Ssrc(0),
            |out| {
                out.extend(Remb::write_header(count, bitrate));
                extend_ssrcs(out, ssrcs);
            },
        )
    }

    /// Writes congestion control feedback about these streams. Returns false when it does not fit, or
    /// with more than [`REPORTS_MAX`](super::congestion_feedback::REPORTS_MAX) packets of a stream.
    #[must_use]
    pub fn write_congestion_feedback(
        &mut self,
        sender: Ssrc,
        report_timestamp: u32,
        streams: &[StreamArrivals<'_>],
    ) -> bool {
        let at = self.out.len();
        let mut is_valid = false;
        let fits = self.write_packet(
            kind::TRANSPORT_FEEDBACK,
            format::CONGESTION_CONTROL,
            |out| {
                is_valid =
                    CongestionFeedback::write(out, sender, report_timestamp, streams).is_some();
            },
        );
        if !is_valid {
            self.out.truncate(at);
        }
        fits && is_valid
    }

    /// Writes the current NTP time, which the other side answers with a DLRR block. Returns false
    /// when it does not fit.
    #[must_use]
    pub fn write_receiver_reference_time(&mut self, ssrc: Ssrc, ntp: u64) -> bool {
        self.write_packet(kind::EXTENDED_REPORT, 0, |out| {
            out.extend(ssrc.0.to_be_bytes());
            out.extend([RRTR, 0, 0, 2]);
            out.extend(ntp.to_be_bytes());
        })
    }

    /// Writes the delays since reference times arrived. Returns false when it does not fit.
    #[must_use]
    pub fn write_dlrr(&mut self, ssrc: Ssrc, delays: &[DlrrEntry]) -> bool {
        let Ok(words) = u16::try_from(delays.len().saturating_mul(3)) else {
            return false;
        };
        self.write_packet(kind::EXTENDED_REPORT, 0, |out| {
            out.extend(ssrc.0.to_be_bytes());
            out.extend([DLRR, 0]);
            out.extend(words.to_be_bytes());
            for delay in delays {
                extend_ssrcs(out, &[delay.ssrc]);
                out.extend(delay.last_rr.to_be_bytes());
                out.extend(delay.delay_since_last_rr.to_be_bytes());
            }
        })
    }

    /// Writes a packet whose header holds the number of its entries.
    fn write_counted(&mut self, kind: u8, count: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        match u8::try_from(count) {
            Ok(bits) if count <= COUNT_MAX => self.write_packet(kind, bits, write),
            _ => false,
        }
    }

    /// Writes a feedback packet, which starts with the SSRCs of its sender and of a stream.
    pub(super) fn write_feedback(
        &mut self,
        kind: u8,
        format: u8,
        sender: Ssrc,
        media: Ssrc,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        self.write_packet(kind, format, |out| {
            extend_ssrcs(out, &[sender, media]);
            write(out);
        })
    }

    /// Writes a packet, and removes it again when it does not fit. `count` is the five-bit field
    /// after the padding bit. The body is padded to a multiple of four bytes.
    fn write_packet(&mut self, kind: u8, count: u8, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let at = self.out.len();
        self.out.extend([VERSION << 6 | count, kind, 0, 0]);
        write(self.out);
        let body_len = self.out.len() - at - HEADER_LEN;
        let padding = body_len.next_multiple_of(4) - body_len;
        self.out.resize(self.out.len() + padding, 0);
        let fits = self.len() <= self.len_max;
        if !fits || finish_header(self.out.get_mut(at..).unwrap_or_default(), padding).is_none() {
            self.out.truncate(at);
            return false;
        }
        true
    }
}

/// Writes length and padding into the header of a packet. Returns `None` when the length does not
/// fit its field.
fn finish_header(packet: &mut [u8], padding: usize) -> Option<()> {
    let words = u16::try_from(packet.len() / 4 - HEADER_LEN / 4).ok()?;
    if padding > 0 {
        *packet.last_mut()? = u8::try_from(padding).ok()?;
        *packet.first_mut()? |= PADDING;
    }
    packet
        .get_mut(2..HEADER_LEN)?
        .copy_from_slice(&words.to_be_bytes());
    Some(())
}

fn extend_ssrcs(out: &mut Vec<u8>, ssrcs: &[Ssrc]) {
    out.extend(ssrcs.iter().flat_map(|ssrc| ssrc.0.to_be_bytes()));
}
