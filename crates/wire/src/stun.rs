//! STUN messages as ICE uses them: binding requests, their answers and indications (RFC 8489 §5,
//! §14; RFC 8445 §7, §16.1).
//!
//! A message is read without copying. What is in front of MESSAGE-INTEGRITY may be trusted once
//! `StunMessage::verify` said so, and nothing behind it is ever looked at except FINGERPRINT
//! (RFC 8489 §14.5). This file never decides what to answer and keeps no transaction.

mod write;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use arrayvec::ArrayVec;
use aws_lc_rs::{constant_time, hmac};
use thiserror::Error;

pub use write::{BindingRequest, ErrorCode, write_error, write_indication, write_success};

/// Length of the header before the attributes.
pub const HEADER_LEN: usize = 20;

/// The only method of ICE.
pub const BINDING: u16 = 1;

/// Most attributes a message may have. Browsers send nine at most; a message of 1,500 B could
/// have 370 empty ones.
pub const ATTRIBUTES_MAX: usize = 32;

/// Most unknown attributes that are told apart; an answer names no more than these.
pub const UNKNOWN_ATTRIBUTES_MAX: usize = 8;

/// What ties an answer to its request.
pub type TransactionId = [u8; 12];

const COOKIE: u32 = 0x2112_a442;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
const ATTRIBUTE_HEADER_LEN: usize = 4;
const INTEGRITY_LEN: usize = 20;

/// Attribute types (RFC 8489 §18.3, RFC 8445 §20.1).
mod attribute {
    pub const MAPPED_ADDRESS: u16 = 0x0001;
    pub const USERNAME: u16 = 0x0006;
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub const ERROR_CODE: u16 = 0x0009;
    pub const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    pub const REALM: u16 = 0x0014;
    pub const NONCE: u16 = 0x0015;
    pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub const PRIORITY: u16 = 0x0024;
    pub const USE_CANDIDATE: u16 = 0x0025;
    /// What draft-thatcher-ice-renomination proposes, and what pion sends.
    pub const NOMINATION_DRAFT: u16 = 0x0030;
    pub const FINGERPRINT: u16 = 0x8028;
    pub const ICE_CONTROLLED: u16 = 0x8029;
    pub const ICE_CONTROLLING: u16 = 0x802a;
    /// What libwebrtc (Chrome, Safari) sends and reads. Firefox's ICE has no renomination and
    /// sends neither.
    pub const NOMINATION: u16 = 0xc001;
    /// From here on an attribute may be skipped by who does not know it (RFC 8489 §14).
    pub const OPTIONAL_FROM: u16 = 0x8000;
}

/// Why bytes are not a STUN message.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum StunError {
    /// The bytes end inside the message, go on after it, or its length is no multiple of four.
    #[error("length does not match")]
    Length,
    /// The first two bits or the magic cookie are wrong.
    #[error("not STUN")]
    Cookie,
    /// An attribute reaches beyond the message.
    #[error("attribute {0:#06x} reaches beyond the message")]
    Overrun(u16),
    /// An attribute's value is impossible.
    #[error("attribute {0:#06x} has an impossible value")]
    Value(u16),
    /// There are more than `ATTRIBUTES_MAX` attributes.
    #[error("too many attributes")]
    TooManyAttributes,
    /// FINGERPRINT does not match, or is not the last attribute.
    #[error("fingerprint is wrong")]
    Fingerprint,
}

/// Request, answer, or neither (RFC 8489 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// Answers a request that succeeded.
    Success,
    /// Answers a request that failed.
    Error,
}

/// Who chooses the pair, with the tie-breaker that settles it when both want to
/// (RFC 8445 §7.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceRole {
    /// The sender chooses.
    Controlling(u64),
    /// The receiver chooses.
    Controlled(u64),
}

/// The key of MESSAGE-INTEGRITY. Making one costs two SHA-1 blocks; keep it with the password it
/// came from.
#[derive(Clone)]
pub struct IntegrityKey(hmac::Key);

impl IntegrityKey {
    /// The key of short-term credentials: the password itself (RFC 8489 §9.1.1).
    pub fn from_password(password: &str) -> Self {
        Self::from_bytes(password.as_bytes())
    }

    /// The key with these bytes.
    pub fn from_bytes(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key))
    }

    /// The integrity of a message whose attributes before MESSAGE-INTEGRITY are `covered`. The
    /// length in the header counts as if MESSAGE-INTEGRITY ended the message (RFC 8489 §14.5).
    fn sign(&self, covered: &[u8]) -> Option<hmac::Tag> {
        let (kind, rest) = covered.split_first_chunk::<2>()?;
        let (_, rest) = rest.split_first_chunk::<2>()?;
        let len = covered.len() - HEADER_LEN + ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN;
        let mut context = hmac::Context::with_key(&self.0);
        context.update(kind);
        context.update(&u16::try_from(len).ok()?.to_be_bytes());
        context.update(rest);
        Some(context.sign())
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(hidden)")
    }
}

/// A message, read in place. Of an attribute that comes twice the first counts (RFC 8489 §14).
#[derive(Debug, Clone)]
pub struct StunMessage<'a> {
    /// Request, answer, or neither.
    pub class: Class,
    /// What it asks for; `BINDING` for everything in ICE.
    pub method: u16,
    /// What ties an answer to its request.
    pub transaction_id: TransactionId,
    /// Receiver's and sender's user fragments with a colon between.
    pub username: Option<&'a str>,
    /// Priority that the sender gives a candidate found by this check.
    pub priority: Option<u32>,
    /// Whether the sender chooses this pair.
    pub use_candidate: bool,
    /// What the sender holds to be its role.
    pub role: Option<IceRole>,
    /// Number of the nomination; a higher one replaces a lower one.
    pub nomination: Option<u32>,
    /// Where an answer says the request came from.
    pub mapped_address: Option<SocketAddr>,
    /// Why an error answer was given, such as 401.
    pub error_code: Option<u16>,
    /// Whether a correct FINGERPRINT ends the message; a wrong one makes it no message at all.
    pub has_fingerprint: bool,
    /// Attributes that must be understood and are not; a request with one is answered with 420.
    pub unknown_attributes: ArrayVec<u16, UNKNOWN_ATTRIBUTES_MAX>,
    /// Everything in front of MESSAGE-INTEGRITY, and its value.
    integrity: Option<(&'a [u8], &'a [u8; INTEGRITY_LEN])>,
}

/// Whether a datagram that starts with this byte is for this file (RFC 7983 §7).
pub const fn is_stun(first: u8) -> bool {
    first < 4
}

impl<'a> StunMessage<'a> {
    /// Reads a datagram that holds exactly one message.
    ///
    /// # Errors
    /// See `StunError`. None of them deserves an answer.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, StunError> {
        let (header, mut rest) = datagram
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(StunError::Length)?;
        let [k0, k1, l0, l1, c0, c1, c2, c3, transaction_id @ ..] = *header;
        if !is_stun(k0) || u32::from_be_bytes([c0, c1, c2, c3]) != COOKIE {
            return Err(StunError::Cookie);
        }
        if rest.len() != usize::from(u16::from_be_bytes([l0, l1])) || !rest.len().is_multiple_of(4)
        {
            return Err(StunError::Length);
        }
        let mut message = Self::bare(u16::from_be_bytes([k0, k1]), transaction_id);
        for _ in 0..ATTRIBUTES_MAX {
            if rest.is_empty() {
                return Ok(message);
            }
            let at = datagram.len() - rest.len();
            let (kind, value, after) = split_attribute(rest)?;
            message.accept(datagram, at, kind, value)?;
            rest = after;
        }
        if rest.is_empty() {
            Ok(message)
        } else {
            Err(StunError::TooManyAttributes)
        }
    }

    /// Whether the message was made by who knows `key`. Takes the same time wherever the first
    /// difference is. A message without MESSAGE-INTEGRITY is made by nobody.
    pub fn verify(&self, key: &IntegrityKey) -> bool {
        self.integrity.is_some_and(|(covered, claimed)| {
            key.sign(covered).is_some_and(|tag| {
                constant_time::verify_slices_are_equal(tag.as_ref(), claimed).is_ok()
            })
        })
    }

    /// Whether there is a MESSAGE-INTEGRITY to verify.
    pub const fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// The user fragments in USERNAME: the receiver's, then the sender's (RFC 8445 §7.2.2).
    pub fn ufrags(&self) -> Option<(&'a str, &'a str)> {
        self.username?.split_once(':')
    }

    fn bare(kind: u16, transaction_id: TransactionId) -> Self {
        Self {
            class: match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
                (false, false) => Class::Request,
                (false, true) => Class::Indication,
                (true, false) => Class::Success,
                (true, true) => Class::Error,
            },
            // The two bits of the class stand between the bits of the method (RFC 8489 §5).
            method: kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2,
            transaction_id,
            username: None,
            priority: None,
            use_candidate: false,
            role: None,
            nomination: None,
            mapped_address: None,
            error_code: None,
            has_fingerprint: false,
            unknown_attributes: ArrayVec::new(),
            integrity: None,
        }
    }

    /// Takes in the attribute that starts at `at` of the datagram.
    fn accept(
        &mut self,
        datagram: &'a [u8],
        at: usize,
        kind: u16,
        value: &'a [u8],
    ) -> Result<(), StunError> {
        if self.has_fingerprint {
            return Err(StunError::Fingerprint);
        }
        let before = datagram.get(..at).unwrap_or_default();
        if kind == attribute::FINGERPRINT {
            if word(kind, value)? != fingerprint(before) {
                return Err(StunError::Fingerprint);
            }
            self.has_fingerprint = true;
            return Ok(());
        }
        if self.integrity.is_some() {
            return Ok(());
        }
        if kind == attribute::MESSAGE_INTEGRITY {
            let claimed = value.try_into().map_err(|_| StunError::Value(kind))?;
            self.integrity = Some((before, claimed));
            return Ok(());
        }
        self.read(kind, value)
    }

    /// Reads an attribute that MESSAGE-INTEGRITY covers, unless it is a repetition.
    fn read(&mut self, kind: u16, value: &'a [u8]) -> Result<(), StunError> {
        match kind {
            attribute::USERNAME => {
                let username = std::str::from_utf8(value).map_err(|_| StunError::Value(kind))?;
                self.username.get_or_insert(username);
            }
            attribute::PRIORITY => {
                self.priority.get_or_insert(word(kind, value)?);
            }
            attribute::USE_CANDIDATE => self.use_candidate = true,
            attribute::ICE_CONTROLLED => {
                self.role
                    .get_or_insert(IceRole::Controlled(tie_breaker(kind, value)?));
            }
            attribute::ICE_CONTROLLING => {
                self.role
                    .get_or_insert(IceRole::Controlling(tie_breaker(kind, value)?));
            }
            attribute::NOMINATION | attribute::NOMINATION_DRAFT => {
                self.nomination.get_or_insert(word(kind, value)?);
            }
            attribute::XOR_MAPPED_ADDRESS => {
                let address = xor_address(value, &self.transaction_id);
                self.mapped_address
                    .get_or_insert(address.ok_or(StunError::Value(kind))?);
            }
            attribute::ERROR_CODE => {
                self.error_code
                    .get_or_insert(error_code(value).ok_or(StunError::Value(kind))?);
            }
            // Understood, and of no use to ICE.
            attribute::MAPPED_ADDRESS
            | attribute::UNKNOWN_ATTRIBUTES
            | attribute::REALM
            | attribute::NONCE
            | attribute::MESSAGE_INTEGRITY_SHA256
            | attribute::OPTIONAL_FROM.. => {}
            _ => {
                if !self.unknown_attributes.contains(&kind) {
                    // Which of many unknown attributes are named in the answer is all the same.
                    let _ = self.unknown_attributes.try_push(kind);
                }
            }
        }
        Ok(())
    }
}

/// Splits the first attribute off: type, value without padding, and what follows.
fn split_attribute(bytes: &[u8]) -> Result<(u16, &[u8], &[u8]), StunError> {
    let (header, rest) = bytes
        .split_first_chunk::<ATTRIBUTE_HEADER_LEN>()
        .ok_or(StunError::Length)?;
    let [k0, k1, l0, l1] = *header;
    let kind = u16::from_be_bytes([k0, k1]);
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    let (padded, after) = rest
        .split_at_checked(len.next_multiple_of(4))
        .ok_or(StunError::Overrun(kind))?;
    let value = padded.get(..len).ok_or(StunError::Overrun(kind))?;
    Ok((kind, value, after))
}

fn word(kind: u16, value: &[u8]) -> Result<u32, StunError> {
    value
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| StunError::Value(kind))
}

fn tie_breaker(kind: u16, value: &[u8]) -> Result<u64, StunError> {
    value
        .try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| StunError::Value(kind))
}

/// FINGERPRINT of a message that has `before` in front of it, its header with the final length
/// included (RFC 8489 §14.7).
fn fingerprint(before: &[u8]) -> u32 {
    crc32fast::hash(before) ^ FINGERPRINT_XOR
}

/// Reads XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
fn xor_address(value: &[u8], transaction_id: &TransactionId) -> Option<SocketAddr> {
    let (&[_, family, p0, p1], address) = value.split_first_chunk::<4>()?;
    let [c0, c1, ..] = COOKIE.to_be_bytes();
    let port = u16::from_be_bytes([p0 ^ c0, p1 ^ c1]);
    let ip = match family {
        1 => {
            let bits = u32::from_be_bytes(address.try_into().ok()?);
            IpAddr::V4(Ipv4Addr::from_bits(bits ^ COOKIE))
        }
        2 => {
            let bits = u128::from_be_bytes(address.try_into().ok()?);
            IpAddr::V6(Ipv6Addr::from_bits(bits ^ xor_mask(transaction_id)))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// What an IPv6 address is mixed with: the cookie, then the transaction.
fn xor_mask(transaction_id: &TransactionId) -> u128 {
    let transaction = transaction_id
        .iter()
        .fold(0, |bits, byte| bits << 8 | u128::from(*byte));
    u128::from(COOKIE) << 96 | transaction
}

/// Reads the number of ERROR-CODE (RFC 8489 §14.8).
fn error_code(value: &[u8]) -> Option<u16> {
    let [_, _, hundreds, number] = *value.first_chunk::<4>()?;
    let hundreds = hundreds & 0x07;
    let valid = (3..=6).contains(&hundreds) && number < 100;
    valid.then_some(u16::from(hundreds) * 100 + u16::from(number))
}
