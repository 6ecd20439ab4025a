//! RTP packets: fixed header, header extensions and payload (RFC 3550 §5.1, RFC 8285 §4,
//! RFC 4588 §4).
//!
//! The header is not encrypted, so it is parsed before decryption. Functions that look into the
//! payload (padding, original sequence number of a retransmission) need the decrypted packet.
//! Parsing and writing a header never allocate: both happen for every packet and every receiver of
//! it.

pub mod dependency_descriptor;
pub mod edit;
pub mod extension;
#[cfg(test)]
mod tests;

use std::iter::FusedIterator;
use std::ops::Range;

use thiserror::Error;

use crate::units::{Pt, Ssrc};

/// Length of the header without contributing sources and extensions, in bytes.
pub const FIXED_HEADER_LEN: usize = 12;

/// Profile of a block of one-byte extension elements (RFC 8285 §4.2).
pub const ONE_BYTE_PROFILE: u16 = 0xbede;

/// Profile of a block of two-byte extension elements; the low four bits are application bits (RFC
/// 8285 §4.3).
pub const TWO_BYTE_PROFILE: u16 = 0x1000;

/// Largest id of a one-byte element; 15 is reserved (RFC 8285 §4.2).
pub const ONE_BYTE_ID_MAX: u8 = 14;

/// Longest value of a one-byte element, in bytes (RFC 8285 §4.2).
pub const ONE_BYTE_VALUE_LEN_MAX: usize = 16;

/// Length of the original sequence number (OSN) before the payload of a retransmission, in bytes
/// (RFC 4588 §4).
pub const OSN_LEN: usize = 2;

const VERSION: u8 = 2;
const EXTENSION_BLOCK_HEADER_LEN: usize = 4;

/// Reason why bytes are not an RTP packet, or why a packet cannot be edited.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtpError {
    /// The packet ends inside its header.
    #[error("packet ends inside its header")]
    Truncated,
    /// The version is not 2.
    #[error("not RTP version 2")]
    Version,
    /// The padding bit is set and the last byte is not a possible padding length.
    #[error("padding length is impossible")]
    Padding,
    /// The header extension does not consist of RFC 8285 elements.
    #[error("header extension of another profile")]
    UnknownExtensionProfile,
    /// Id or value length of an extension element fits neither form.
    #[error("extension element cannot be written")]
    InvalidElement,
    /// The edited packet would exceed the number or total length of extension elements.
    #[error("too many extension elements")]
    TooManyElements,
}

/// Parsed header of a packet: its values, and the offsets of its parts. It borrows nothing; methods
/// that need bytes take the packet that it was parsed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    /// Marker bit: the packet ends a video frame or starts a talk spurt (RFC 3551 §4.1).
    pub marker: bool,
    /// Whether the decrypted packet ends with padding.
    pub has_padding: bool,
    /// Payload type.
    pub pt: Pt,
    /// Sequence number.
    pub seq: u16,
    /// RTP timestamp, in the clock of the payload type.
    pub timestamp: u32,
    /// Stream of the packet.
    pub ssrc: Ssrc,
    /// Form of the header extension.
    pub extension_form: ExtensionForm,
    /// Offset of the extension elements; equal to `header_len` without any.
    pub extension_start: usize,
    /// Length of fixed header, contributing sources and extensions, in bytes.
    pub header_len: usize,
}

/// Encoding of the elements of a header extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtensionForm {
    /// The header has no extension.
    None,
    /// Id and length share one byte (RFC 8285 §4.2).
    OneByte,
    /// Id and length have a byte each (RFC 8285 §4.3).
    TwoByte,
    /// Another profile, given by its value; the contents are opaque.
    Other(u16),
}

impl RtpHeader {
    /// Parses the header of `packet`, which may still be encrypted.
    ///
    /// # Errors
    /// `Truncated` when the packet ends before its payload, `Version` when it is not RTP.
    #[inline]
    pub fn parse(packet: &[u8]) -> Result<Self, RtpError> {
        let Some(&[b0, b1, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]) = packet.first_chunk() else {
            return Err(RtpError::Truncated);
        };
        if b0 >> 6 != VERSION {
            return Err(RtpError::Version);
        }
        let after_sources = FIXED_HEADER_LEN + usize::from(b0 & 0x0f) * 4;
        let mut header = Self {
            marker: b1 & 0x80 != 0,
            has_padding: b0 & 0x20 != 0,
            pt: Pt(b1 & 0x7f),
            seq: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: Ssrc(u32::from_be_bytes([c0, c1, c2, c3])),
            extension_form: ExtensionForm::None,
            extension_start: after_sources,
            header_len: after_sources,
        };
        if b0 & 0x10 != 0 {
            let block = packet.get(after_sources..).and_then(<[u8]>::first_chunk);
            let Some(&[p0, p1, l0, l1]) = block else {
                return Err(RtpError::Truncated);
            };
            let words = usize::from(u16::from_be_bytes([l0, l1]));
            header.extension_form = ExtensionForm::from_profile(u16::from_be_bytes([p0, p1]));
            header.extension_start = after_sources + EXTENSION_BLOCK_HEADER_LEN;
            header.header_len = header.extension_start + words * 4;
        }
        if header.header_len > packet.len() {
            return Err(RtpError::Truncated);
        }
        Ok(header)
    }

    /// Returns the payload of a decrypted packet without padding; empty when the packet is only
    /// padding.
    ///
    /// # Errors
    /// `Padding` when the padding bit is set and the last byte is zero or larger than what
    /// follows the header; `Truncated` when `packet` is shorter than this header.
    #[inline]
    pub fn payload<'a>(&self, packet: &'a [u8]) -> Result<&'a [u8], RtpError> {
        let rest = packet.get(self.header_len..).ok_or(RtpError::Truncated)?;
        if !self.has_padding {
            return Ok(rest);
        }
        let padding = usize::from(rest.last().copied().unwrap_or(0));
        if padding == 0 {
            return Err(RtpError::Padding);
        }
        let payload_len = rest.len().checked_sub(padding).ok_or(RtpError::Padding)?;
        rest.get(..payload_len).ok_or(RtpError::Padding)
    }

    /// Returns the extension elements in order as id and value. A truncated element ends the
    /// iteration.
    #[inline]
    pub fn extensions<'a>(&self, packet: &'a [u8]) -> Extensions<'a> {
        Extensions {
            packet,
            ranges: self.extension_ranges(packet),
        }
    }

    /// Returns the extension elements in order as id and range of the value in `packet`.
    #[inline]
    pub fn extension_ranges<'a>(&self, packet: &'a [u8]) -> ExtensionRanges<'a> {
        let end = match self.extension_form {
            ExtensionForm::OneByte | ExtensionForm::TwoByte => self.header_len,
            ExtensionForm::None | ExtensionForm::Other(_) => self.extension_start,
        };
        ExtensionRanges {
            // The slice ends with the block, so no element can extend into the payload.
            block: packet.get(..end).unwrap_or_default(),
            at: self.extension_start,
            two_byte: self.extension_form == ExtensionForm::TwoByte,
        }
    }

    /// Returns the value of the first element with this id.
    #[inline]
    pub fn extension<'a>(&self, packet: &'a [u8], id: u8) -> Option<&'a [u8]> {
        self.extensions(packet)
            .find(|(found, _)| *found == id)
            .map(|(_, value)| value)
    }
}

impl ExtensionForm {
    const fn from_profile(profile: u16) -> Self {
        if profile == ONE_BYTE_PROFILE {
            Self::OneByte
        } else if profile & 0xfff0 == TWO_BYTE_PROFILE {
            Self::TwoByte
        } else {
            Self::Other(profile)
        }
    }
}

/// Iterator over extension elements as `(id, value)`.
#[derive(Debug, Clone)]
pub struct Extensions<'a> {
    packet: &'a [u8],
    ranges: ExtensionRanges<'a>,
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (id, range) = self.ranges.next()?;
        Some((id, self.packet.get(range)?))
    }
}

impl FusedIterator for Extensions<'_> {}

/// Iterator over extension elements as `(id, range in the packet)`.
#[derive(Debug, Clone)]
pub struct ExtensionRanges<'a> {
    /// The packet up to the end of its extension block.
    block: &'a [u8],
    /// Offset of the next element.
    at: usize,
    /// Whether the elements have the two-byte form.
    two_byte: bool,
}

impl Iterator for ExtensionRanges<'_> {
    type Item = (u8, Range<usize>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let first = *self.block.get(self.at)?;
            let (id, start, len) = if self.two_byte {
                if first == 0 {
                    self.at += 1;
                    continue;
                }
                let Some(&len) = self.block.get(self.at + 1) else {
                    return self.stop();
                };
                (first, self.at + 2, usize::from(len))
            } else {
                // Id zero with a length is not padding; RFC 8285 §4.2 says to ignore it and all
                // that follows, as for the reserved id 15.
                match first >> 4 {
                    0 if first == 0 => {
                        self.at += 1;
                        continue;
                    }
                    0 | 15 => return self.stop(),
                    id => (id, self.at + 1, usize::from(first & 0x0f) + 1),
                }
            };
            let end = start + len;
            if end > self.block.len() {
                return self.stop();
            }
            self.at = end;
            return Some((id, start..end));
        }
    }
}

impl ExtensionRanges<'_> {
    fn stop<T>(&mut self) -> Option<T> {
        self.at = self.block.len();
        None
    }
}

impl FusedIterator for ExtensionRanges<'_> {}

/// Fields of a header to write, other than its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeaderFields {
    /// Marker bit.
    pub marker: bool,
    /// Whether the packet ends with padding, which the caller writes.
    pub padding: bool,
    /// Payload type; only the low seven bits are written.
    pub pt: Pt,
    /// Sequence number.
    pub seq: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Stream of the packet.
    pub ssrc: Ssrc,
}

/// Writes a header with these extension elements and without contributing sources, and returns its
/// length. The one-byte form is used when every element fits it.
///
/// Returns `None` when the header does not fit `out`, an id is 0, or a value is longer than
/// 255 bytes.
#[inline]
pub fn write_header(
    out: &mut [u8],
    fields: &RtpHeaderFields,
    extensions: &[(u8, &[u8])],
) -> Option<usize> {
    let (fixed, rest) = out.split_first_chunk_mut::<FIXED_HEADER_LEN>()?;
    let [s0, s1] = fields.seq.to_be_bytes();
    let [t0, t1, t2, t3] = fields.timestamp.to_be_bytes();
    let [c0, c1, c2, c3] = fields.ssrc.0.to_be_bytes();
    let b0 = VERSION << 6 | u8::from(fields.padding) << 5 | u8::from(!extensions.is_empty()) << 4;
    let b1 = u8::from(fields.marker) << 7 | fields.pt.0 & 0x7f;
    *fixed = [b0, b1, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3];
    if extensions.is_empty() {
        return Some(FIXED_HEADER_LEN);
    }
    Some(FIXED_HEADER_LEN + write_extension_block(rest, extensions)?)
}

/// Returns the length of the header that [`write_header`] writes with these extension elements.
#[inline]
pub fn header_len(extensions: &[(u8, &[u8])]) -> usize {
    if extensions.is_empty() {
        return FIXED_HEADER_LEN;
    }
    let prefix_len = if fit_one_byte(extensions) { 1 } else { 2 };
    let elements: usize = extensions
        .iter()
        .map(|(_, value)| prefix_len + value.len())
        .sum();
    FIXED_HEADER_LEN + EXTENSION_BLOCK_HEADER_LEN + elements.next_multiple_of(4)
}

/// Returns whether every element fits the one-byte form.
#[inline]
fn fit_one_byte(extensions: &[(u8, &[u8])]) -> bool {
    extensions.iter().all(|(id, value)| {
        (1..=ONE_BYTE_ID_MAX).contains(id) && (1..=ONE_BYTE_VALUE_LEN_MAX).contains(&value.len())
    })
}

/// Writes an extension block: profile, length, elements and padding. Returns its length, a multiple
/// of four.
fn write_extension_block(out: &mut [u8], extensions: &[(u8, &[u8])]) -> Option<usize> {
    let one_byte = fit_one_byte(extensions);
    let profile = if one_byte {
        ONE_BYTE_PROFILE
    } else {
        TWO_BYTE_PROFILE
    };
    let (block_header, elements) = out.split_first_chunk_mut::<EXTENSION_BLOCK_HEADER_LEN>()?;
    let mut at = 0;
    for &(id, value) in extensions {
        let len = u8::try_from(value.len()).ok()?;
        if id == 0 {
            return None;
        }
        let rest = elements.get_mut(at..)?;
        let prefix_len = if one_byte {
            *rest.first_mut()? = id << 4 | (len - 1);
            1
        } else {
            *rest.first_chunk_mut()? = [id, len];
            2
        };
        rest.get_mut(prefix_len..prefix_len + value.len())?
            .copy_from_slice(value);
        at += prefix_len + value.len();
    }
    let padded = at.next_multiple_of(4);
    elements.get_mut(at..padded)?.fill(0);
    let [p0, p1] = profile.to_be_bytes();
    let [l0, l1] = u16::try_from(padded / 4).ok()?.to_be_bytes();
    *block_header = [p0, p1, l0, l1];
    Some(EXTENSION_BLOCK_HEADER_LEN + padded)
}

/// Splits the payload of a retransmission into original sequence number and original payload (RFC
/// 4588 §4). Returns `None` when it is too short, such as for a probe that is only padding.
#[inline]
pub fn split_osn(payload: &[u8]) -> Option<(u16, &[u8])> {
    let (osn, media) = payload.split_first_chunk::<OSN_LEN>()?;
    Some((u16::from_be_bytes(*osn), media))
}

/// Writes the original sequence number at the start of the payload of a retransmission, and returns
/// its length.
#[inline]
pub fn write_osn(out: &mut [u8], osn: u16) -> Option<usize> {
    *out.first_chunk_mut::<OSN_LEN>()? = osn.to_be_bytes();
    Some(OSN_LEN)
}
