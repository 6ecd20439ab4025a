//! Control packets of RTP: reports, feedback and farewells (RFC 3550 §6, RFC 4585 §6, RFC 5104
//! §4.3.1, RFC 3611, draft-holmer-rmcat-transport-wide-cc-extensions-01, draft-alvestrand-rmcat-
//! remb-03).
//!
//! A datagram holds several packets in a row. They are read in place, one after the other; one
//! that makes no sense does not take the others with it. Reduced-size datagrams (RFC 5506), which
//! lack a leading report, are accepted. Nothing here judges whether the peer may say what it says.

pub mod extended_report;
pub mod feedback;
mod reader;
pub mod report;
pub mod sdes;
#[cfg(test)]
mod tests;
pub mod twcc;
pub mod write;

use std::iter::FusedIterator;

use thiserror::Error;

use extended_report::ExtendedReport;
use feedback::{Fir, Nack, Pli, Remb};
use report::{ReceiverReport, SenderReport};
use sdes::{Bye, SourceDescription};
use twcc::TransportFeedback;

/// Longest datagram of control packets that is written: what fits every path with SRTCP around it.
pub const COMPOUND_LEN_MAX: usize = 1_200;

/// Length of the header every control packet starts with.
const HEADER_LEN: usize = 4;

/// Most entries the five-bit count of a header can announce.
const COUNT_MAX: usize = 31;

const VERSION: u8 = 2;

/// Packet types (RFC 3550 §12.1, RFC 4585 §6.1, RFC 3611 §2).
mod kind {
    pub const SENDER_REPORT: u8 = 200;
    pub const RECEIVER_REPORT: u8 = 201;
    pub const SOURCE_DESCRIPTION: u8 = 202;
    pub const BYE: u8 = 203;
    pub const TRANSPORT_FEEDBACK: u8 = 205;
    pub const PAYLOAD_FEEDBACK: u8 = 206;
    pub const EXTENDED_REPORT: u8 = 207;
}

/// Message types of the two kinds of feedback (RFC 4585 §6.2, §6.3, RFC 5104 §4.3).
mod format {
    pub const NACK: u8 = 1;
    pub const TRANSPORT_WIDE: u8 = 15;
    pub const PLI: u8 = 1;
    pub const FIR: u8 = 4;
    pub const APPLICATION: u8 = 15;
}

/// Why control packets cannot be read.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum RtcpError {
    /// The datagram ends inside a packet; nothing after it can be read.
    #[error("datagram ends inside a packet")]
    Truncated,
    /// The version is not 2; nothing after it can be read.
    #[error("not RTP version 2")]
    Version,
    /// The padding bit is set and the last byte is no possible padding length.
    #[error("padding length is impossible")]
    Padding,
    /// A packet of this type is too short for what it says it holds, or says something impossible.
    #[error("malformed packet of type {0}")]
    Malformed(u8),
}

/// One control packet.
#[derive(Debug, Clone)]
pub enum Packet<'a> {
    /// What a sender sent, and how it receives.
    SenderReport(SenderReport<'a>),
    /// How a receiver receives.
    ReceiverReport(ReceiverReport<'a>),
    /// Names of sources.
    SourceDescription(SourceDescription<'a>),
    /// Sources that end.
    Bye(Bye<'a>),
    /// Packets to send again.
    Nack(Nack<'a>),
    /// When the packets of a transport arrived.
    TransportFeedback(TransportFeedback<'a>),
    /// A decoder is stuck and wants a keyframe.
    Pli(Pli),
    /// Somebody new wants a keyframe.
    Fir(Fir<'a>),
    /// What a receiver believes it can receive.
    Remb(Remb<'a>),
    /// Reports beyond those of RFC 3550.
    ExtendedReport(ExtendedReport<'a>),
}

/// Whether a datagram that starts like RTP (RFC 7983 §7) is RTCP, by its second byte
/// (RFC 5761 §4).
pub const fn is_rtcp(second: u8) -> bool {
    second >= 192 && second <= 223
}

/// The packets of a decrypted datagram.
pub const fn packets(datagram: &[u8]) -> Packets<'_> {
    Packets {
        rest: datagram,
        skipped: 0,
    }
}

/// Walk over the packets of a datagram. Packets of unknown type are passed over and counted.
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    /// What is not read yet.
    rest: &'a [u8],
    /// How many packets of unknown type were passed over.
    skipped: u32,
}

impl Packets<'_> {
    /// How many packets of unknown type were passed over so far.
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
            let Some(body) = without_padding(body, b0 & 0x20 != 0) else {
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

/// What the type of a packet made of its body.
enum Parsed<'a> {
    /// The type is not one of ours.
    Unknown,
    /// It is, and the body is valid or not.
    Known(Option<Packet<'a>>),
}

/// Reads the body of a packet; `count` is the five bits after the padding bit.
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
        (kind::PAYLOAD_FEEDBACK, format::PLI) => Pli::parse(body).map(Packet::Pli),
        (kind::PAYLOAD_FEEDBACK, format::FIR) => Fir::parse(body).map(Packet::Fir),
        // Other applications share this number; only REMB has its name in the body.
        (kind::PAYLOAD_FEEDBACK, format::APPLICATION) if Remb::is_named(body) => {
            Remb::parse(body).map(Packet::Remb)
        }
        (kind::EXTENDED_REPORT, _) => ExtendedReport::parse(body).map(Packet::ExtendedReport),
        _ => return Parsed::Unknown,
    })
}

/// The body without its padding, whose length is in its last byte (RFC 3550 §6.4.1).
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
