//! RTCP packets: reports, source descriptions, BYE and feedback (RFC 3550 §6, RFC 4585 §6, RFC 5104
//! §4.3.1, RFC 3611, RFC 8888, draft-holmer-rmcat-transport-wide-cc-extensions-01,
//! draft-alvestrand-rmcat-remb-03).
//!
//! A datagram holds one or more packets. They are parsed in place, one after the other; a malformed
//! packet does not prevent the following ones from being read. Reduced-size datagrams (RFC 5506),
//! which lack a leading report, are accepted. Whether the peer may send a packet is for the caller
//! to check.

mod bye;
pub mod congestion_feedback;
pub mod extended_report;
pub mod feedback;
mod header;
mod reader;
pub mod report;
pub mod sdes;
#[cfg(test)]
mod tests;
pub mod twcc;
pub mod write;

use std::iter::FusedIterator;

use thiserror::Error;

pub use bye::Bye;
pub use write::COMPOUND_LEN_MAX;

use congestion_feedback::CongestionFeedback;
use extended_report::ExtendedReport;
use feedback::{Fir, Nack, Pli, Remb};
use header::{HEADER_LEN, PADDING, VERSION, format, kind};
use report::{ReceiverReport, SenderReport};
use sdes::SourceDescription;
use twcc::TransportFeedback;

/// Reason why a control packet cannot be read.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcpError {
    /// The datagram ends inside a packet; the rest of it is not read.
    #[error("datagram ends inside a packet")]
    Truncated,
    /// The version is not 2; the rest of the datagram is not read.
    #[error("not RTP version 2")]
    Version,
    /// The padding bit is set and the last byte is not a possible padding length.
    #[error("padding length is impossible")]
    Padding,
    /// A packet of this type is shorter than its contents require, or holds an impossible value.
    #[error("malformed packet of type {0}")]
    Malformed(u8),
}

/// Control packet.
#[derive(Debug, Clone)]
pub enum Packet<'a> {
    /// Sender report: what a sender sent, and how it receives other streams.
    SenderReport(SenderReport<'a>),
    /// Receiver report: how streams arrive.
    ReceiverReport(ReceiverReport<'a>),
    /// Source description: canonical names of streams.
    SourceDescription(SourceDescription<'a>),
    /// BYE: streams that end.
    Bye(Bye<'a>),
    /// Request for retransmissions.
    Nack(Nack<'a>),
    /// Arrival times of the packets of a transport.
    TransportFeedback(TransportFeedback<'a>),
    /// Arrival times and ECN marks of the packets of several streams.
    CongestionFeedback(CongestionFeedback<'a>),
    /// Picture loss indication: request for a keyframe after a loss.
    Pli(Pli),
    /// Full intra request: request for a keyframe.
    Fir(Fir<'a>),
    /// Estimate of the bandwidth that a receiver has available.
    Remb(Remb<'a>),
    /// Extended report (RFC 3611).
    ExtendedReport(ExtendedReport<'a>),
}

/// Returns whether a datagram that starts like RTP (RFC 7983 §7) is RTCP, judging by its second
/// byte (RFC 5761 §4).
pub const fn is_rtcp(second: u8) -> bool {
    second >= 192 && second <= 223
}

/// Returns an iterator over the packets of a decrypted datagram.
pub const fn packets(datagram: &[u8]) -> Packets<'_> {
    Packets {
        rest: datagram,
        skipped: 0,
    }
}

/// Iterator over the packets of a datagram. Packets of unknown type are skipped and counted.
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    /// Bytes not parsed yet.
    rest: &'a [u8],
    /// Packets of unknown type skipped so far.
    skipped: u32,
}

impl Packets<'_> {
    /// Returns how many packets of unknown type were skipped so far.
    pub const fn skipped(&self) -> u32 {
        self.skipped
    }

    fn stop<T>(&mut self, error: RtcpError) -> Option<Result<T, RtcpError>> {
        self.rest = &[];
        Some(Err(error))
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let Some((&[b0, kind, l0, l1], after)) = self.rest.split_first_chunk::<HEADER_LEN>()
            else {
                return self.stop(RtcpError::Truncated);
            };
            if b0 >> 6 != VERSION {
                return self.stop(RtcpError::Version);
            }
            let len = usize::from(u16::from_be_bytes([l0, l1])) * 4;
            let Some((body, rest)) = after.split_at_checked(len) else {
                return self.stop(RtcpError::Truncated);
            };
            self.rest = rest;
            let Some(body) = without_padding(body, b0 & PADDING != 0) else {
                return Some(Err(RtcpError::Padding));
            };
            match parse_packet(kind, b0 & 0x1f, body) {
                Parsed::Unknown => self.skipped = self.skipped.saturating_add(1),
                Parsed::Known(None) => return Some(Err(RtcpError::Malformed(kind))),
                Parsed::Known(Some(packet)) => return Some(Ok(packet)),
            }
        }
        None
    }
}

impl FusedIterator for Packets<'_> {}

/// Result of parsing the body of a packet.
enum Parsed<'a> {
    /// The packet type is not supported.
    Unknown,
    /// The type is supported; `None` when the body is malformed.
    Known(Option<Packet<'a>>),
}

/// Parses the body of a packet; `count` is the five-bit field after the padding bit.
fn parse_packet(kind: u8, count: u8, body: &[u8]) -> Parsed<'_> {
    let entries = usize::from(count);
    Parsed::Known(match (kind, count) {
        (kind::SENDER_REPORT, _) => SenderReport::parse(body, entries).map(Packet::SenderReport),
        (kind::RECEIVER_REPORT, _) => {
            ReceiverReport::parse(body, entries).map(Packet::ReceiverReport)
        }
        (kind::SOURCE_DESCRIPTION, _) => {
            SourceDescription::parse(body, entries).map(Packet::SourceDescription)
        }
        (kind::BYE, _) => Bye::parse(body, entries).map(Packet::Bye),
        (kind::TRANSPORT_FEEDBACK, format::NACK) => Nack::parse(body).map(Packet::Nack),
        (kind::TRANSPORT_FEEDBACK, format::TRANSPORT_WIDE) => {
            TransportFeedback::parse(body).map(Packet::TransportFeedback)
        }
        (kind::TRANSPORT_FEEDBACK, format::CONGESTION_CONTROL) => {
            CongestionFeedback::parse(body).map(Packet::CongestionFeedback)
        }
        (kind::PAYLOAD_FEEDBACK, format::PLI) => Pli::parse(body).map(Packet::Pli),
        (kind::PAYLOAD_FEEDBACK, format::FIR) => Fir::parse(body).map(Packet::Fir),
        // Other applications use the same format; REMB is recognised by its name in the body.
        (kind::PAYLOAD_FEEDBACK, format::APPLICATION) if Remb::is_named(body) => {
            Remb::parse(body).map(Packet::Remb)
        }
        (kind::EXTENDED_REPORT, _) => ExtendedReport::parse(body).map(Packet::ExtendedReport),
        _ => return Parsed::Unknown,
    })
}

/// Strips the padding, whose length is in the last byte of the body (RFC 3550 §6.4.1).
fn without_padding(body: &[u8], padded: bool) -> Option<&[u8]> {
    if !padded {
        return Some(body);
    }
    let padding = usize::from(*body.last()?);
    if padding == 0 {
        return None;
    }
    body.get(..body.len().checked_sub(padding)?)
}
