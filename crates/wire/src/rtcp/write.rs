//! Writing control packets into one datagram that never outgrows its limit.
//!
//! Every method writes one whole packet or nothing at all and says which; those that take a list
//! of any length say how much of it they took.

use super::extended_report::{DELAYS, DlrrEntry, REFERENCE_TIME};
use super::feedback::{FirEntry, Remb, nack_entries};
use super::report::{ReportBlock, SenderInfo};
use super::sdes::CNAME;
use super::{COMPOUND_LEN_MAX, COUNT_MAX, HEADER_LEN, VERSION, format, kind};
use crate::units::{Bitrate, Ssrc};

/// Length of the two stream names a feedback packet starts with.
pub(super) const FEEDBACK_HEADER_LEN: usize = 8;

/// A datagram in the making, appended to the caller's bytes.
#[derive(Debug)]
pub struct CompoundWriter<'a> {
    /// Where it is written, behind what was there already.
    out: &'a mut Vec<u8>,
    /// Where it starts.
    start: usize,
    /// How long it may become.
    len_max: usize,
}

impl<'a> CompoundWriter<'a> {
    /// Starts a datagram of at most `COMPOUND_LEN_MAX` bytes.
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

    /// Bytes written so far.
    pub const fn len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Whether nothing is written yet.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that may still be written.
    pub const fn remaining(&self) -> usize {
        self.len_max.saturating_sub(self.len())
    }

    /// Writes a sender report. Refused with more than 31 blocks.
    #[must_use]
    pub fn write_sender_report(&mut self, info: &SenderInfo, blocks: &[ReportBlock]) -> bool {
        self.counted(kind::SENDER_REPORT, blocks.len(), |out| {
            out.extend(info.ssrc.0.to_be_bytes());
            out.extend(info.ntp.to_be_bytes());
            let words = [info.rtp_timestamp, info.packet_count, info.octet_count];
            out.extend(words.into_iter().flat_map(u32::to_be_bytes));
            blocks.iter().for_each(|block| block.write(out));
        })
    }

    /// Writes a receiver report. Refused with more than 31 blocks.
    #[must_use]
    pub fn write_receiver_report(&mut self, ssrc: Ssrc, blocks: &[ReportBlock]) -> bool {
        self.counted(kind::RECEIVER_REPORT, blocks.len(), |out| {
            out.extend(ssrc.0.to_be_bytes());
            blocks.iter().for_each(|block| block.write(out));
        })
    }

    /// Writes the canonical name of one source. Refused when it is longer than 255 bytes.
    #[must_use]
    pub fn write_cname(&mut self, ssrc: Ssrc, cname: &str) -> bool {
        let Ok(len) = u8::try_from(cname.len()) else {
            return false;
        };
        self.counted(kind::SOURCE_DESCRIPTION, 1, |out| {
            let chunk = out.len();
            out.extend(ssrc.0.to_be_bytes());
            out.extend([CNAME, len]);
            out.extend(cname.as_bytes());
            // At least one zero ends the items.
            let chunk_len = (out.len() - chunk + 1).next_multiple_of(4);
            out.resize(chunk + chunk_len, 0);
        })
    }

    /// Writes that these sources end. Refused with more than 31 of them.
    #[must_use]
    pub fn write_bye(&mut self, ssrcs: &[Ssrc]) -> bool {
        self.counted(kind::BYE, ssrcs.len(), |out| extend_ssrcs(out, ssrcs))
    }

    /// Asks for packets again, by sequence numbers that rise. Returns how many of them it took;
    /// the others need another datagram.
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
        let written = self.feedback(
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

    /// Asks for a keyframe because a picture was lost.
    #[must_use]
    pub fn write_pli(&mut self, sender: Ssrc, media: Ssrc) -> bool {
        self.feedback(kind::PAYLOAD_FEEDBACK, format::PLI, sender, media, |_| {})
    }

    /// Commands streams to send keyframes. Refused without any.
    #[must_use]
    pub fn write_fir(&mut self, sender: Ssrc, entries: &[FirEntry]) -> bool {
        !entries.is_empty()
            && self.feedback(
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

    /// Says what can be received over these streams. Refused with more than 255 of them.
    #[must_use]
    pub fn write_remb(&mut self, sender: Ssrc, bitrate: Bitrate, ssrcs: &[Ssrc]) -> bool {
        let Ok(count) = u8::try_from(ssrcs.len()) else {
            return false;
        };
        self.feedback(
            kind::PAYLOAD_FEEDBACK,
            format::APPLICATION,
            sender,
            Ssrc(0),
            |out| {
                out.extend(Remb::write_head(count, bitrate));
                extend_ssrcs(out, ssrcs);
            },
        )
    }

    /// Says what time it is here, so that the other side can answer with `delays`.
    #[must_use]
    pub fn write_receiver_reference_time(&mut self, ssrc: Ssrc, ntp: u64) -> bool {
        self.packet(kind::EXTENDED_REPORT, 0, |out| {
            out.extend(ssrc.0.to_be_bytes());
            out.extend([REFERENCE_TIME, 0, 0, 2]);
            out.extend(ntp.to_be_bytes());
        })
    }

    /// Says how long ago reference times arrived.
    #[must_use]
    pub fn write_dlrr(&mut self, ssrc: Ssrc, delays: &[DlrrEntry]) -> bool {
        let Ok(words) = u16::try_from(delays.len().saturating_mul(3)) else {
            return false;
        };
        self.packet(kind::EXTENDED_REPORT, 0, |out| {
            out.extend(ssrc.0.to_be_bytes());
            out.extend([DELAYS, 0]);
            out.extend(words.to_be_bytes());
            for delay in delays {
                extend_ssrcs(out, &[delay.ssrc]);
                out.extend(delay.last_rr.to_be_bytes());
                out.extend(delay.delay_since_last_rr.to_be_bytes());
            }
        })
    }

    /// Writes a packet whose header counts its entries.
    fn counted(&mut self, kind: u8, count: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        match u8::try_from(count) {
            Ok(bits) if count <= COUNT_MAX => self.packet(kind, bits, write),
            _ => false,
        }
    }

    /// Writes a feedback packet, which names its sender and a stream first.
    pub(super) fn feedback(
        &mut self,
        kind: u8,
        format: u8,
        sender: Ssrc,
        media: Ssrc,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        self.packet(kind, format, |out| {
            extend_ssrcs(out, &[sender, media]);
            write(out);
        })
    }

    /// Writes a packet; takes it back when it does not fit. `count` is the five bits after the
    /// padding bit. A body whose length is no multiple of four is padded.
    fn packet(&mut self, kind: u8, count: u8, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let at = self.out.len();
        self.out.extend([VERSION << 6 | count, kind, 0, 0]);
        write(self.out);
        let body_len = self.out.len() - at - HEADER_LEN;
        let padding = body_len.next_multiple_of(4) - body_len;
        self.out.resize(self.out.len() + padding, 0);
        let fits = self.len() <= self.len_max;
        if !fits || seal(self.out.get_mut(at..).unwrap_or_default(), padding).is_none() {
            self.out.truncate(at);
            return false;
        }
        true
    }
}

/// Puts the length into the header of a packet, and its padding, if any, where it belongs. `None`
/// when the length does not fit its field.
fn seal(packet: &mut [u8], padding: usize) -> Option<()> {
    let words = u16::try_from(packet.len() / 4 - HEADER_LEN / 4).ok()?;
    if padding > 0 {
        *packet.last_mut()? = u8::try_from(padding).ok()?;
        *packet.first_mut()? |= 0x20;
    }
    packet
        .get_mut(2..HEADER_LEN)?
        .copy_from_slice(&words.to_be_bytes());
    Some(())
}

fn extend_ssrcs(out: &mut Vec<u8>, ssrcs: &[Ssrc]) {
    out.extend(ssrcs.iter().flat_map(|ssrc| ssrc.0.to_be_bytes()));
}
