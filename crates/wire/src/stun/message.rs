//! Parser of STUN messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use arrayvec::ArrayVec;
use aws_lc_rs::constant_time;
use thiserror::Error;

use super::format::{
    ATTRIBUTE_HEADER_LEN, COOKIE, Class, HEADER_LEN, INTEGRITY_LEN, IceRole, TransactionId,
    UNKNOWN_ATTRIBUTES_MAX, attribute, xor_mask,
};
use super::integrity::{IntegrityKey, fingerprint};

/// Most attributes of a message. Browsers send at most nine; a message of 1,500 B could hold 370
/// empty ones.
pub const ATTRIBUTES_MAX: usize = 32;

/// Reason why a datagram is not a valid STUN message.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StunError {
    /// The length in the header differs from the datagram, or is not a multiple of four.
    #[error("length does not match")]
    Length,
    /// The first two bits or the magic cookie are wrong.
    #[error("not STUN")]
    Cookie,
    /// An attribute extends beyond the message.
    #[error("attribute {0:#06x} extends beyond the message")]
    Overrun(u16),
    /// An attribute has an impossible value.
    #[error("attribute {0:#06x} has an impossible value")]
    Value(u16),
    /// There are more than [`ATTRIBUTES_MAX`] attributes.
    #[error("too many attributes")]
    TooManyAttributes,
    /// FINGERPRINT does not match, or is not the last attribute.
    #[error("fingerprint is wrong")]
    Fingerprint,
}

/// Returns whether a datagram that starts with this byte is STUN (RFC 7983 §7).
pub const fn is_stun(first: u8) -> bool {
    first < 4
}

/// STUN message, parsed in place. Of repeated attributes the first one counts (RFC 8489 §14).
#[derive(Debug, Clone)]
pub struct StunMessage<'a> {
    /// Class of the message.
    pub class: Class,
    /// Method; [`BINDING`](super::BINDING) for all ICE messages.
    pub method: u16,
    /// Id that matches a response to its request.
    pub transaction_id: TransactionId,
    /// User fragments of receiver and sender, separated by a colon.
    pub username: Option<&'a str>,
    /// Priority of a peer-reflexive candidate discovered by this check.
    pub priority: Option<u32>,
    /// Whether the sender nominates this pair.
    pub use_candidate: bool,
    /// ICE role that the sender claims.
    pub role: Option<IceRole>,
    /// Number of the nomination; a higher one replaces a lower one.
    pub nomination: Option<u32>,
    /// Whether it tells about the sender's network, which only libwebrtc does.
    pub has_network_info: bool,
    /// Source address of the request, as the response reports it.
    pub mapped_address: Option<SocketAddr>,
    /// Code of an error response, such as 401.
    pub error_code: Option<u16>,
    /// Whether the message ends with a correct FINGERPRINT; a wrong one is a parse error.
    pub has_fingerprint: bool,
    /// Unknown comprehension-required attributes; a request with any is answered with 420.
    pub unknown_attributes: ArrayVec<u16, UNKNOWN_ATTRIBUTES_MAX>,
    /// Bytes before MESSAGE-INTEGRITY, and its value.
    integrity: Option<(&'a [u8], &'a [u8; INTEGRITY_LEN])>,
}

impl<'a> StunMessage<'a> {
    /// Parses a datagram that holds exactly one message.
    ///
    /// # Errors
    /// See [`StunError`]. Invalid messages are dropped without a response.
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
        let mut message = Self::without_attributes(u16::from_be_bytes([k0, k1]), transaction_id);
        for _ in 0..ATTRIBUTES_MAX {
            if rest.is_empty() {
                return Ok(message);
            }
            let at = datagram.len() - rest.len();
            let (kind, value, after) = split_attribute(rest)?;
            message.add_attribute(datagram, at, kind, value)?;
            rest = after;
        }
        if rest.is_empty() {
            Ok(message)
        } else {
            Err(StunError::TooManyAttributes)
        }
    }

    /// Returns whether MESSAGE-INTEGRITY was computed with `key`, comparing in constant time; false
    /// without MESSAGE-INTEGRITY.
    pub fn verify(&self, key: &IntegrityKey) -> bool {
        self.integrity.is_some_and(|(covered, claimed)| {
            key.sign(covered).is_some_and(|tag| {
                constant_time::verify_slices_are_equal(tag.as_ref(), claimed).is_ok()
            })
        })
    }

    /// Returns whether the message has a MESSAGE-INTEGRITY to verify.
    pub const fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// Returns the user fragments in USERNAME: of the receiver, then of the sender
    /// (RFC 8445 §7.2.2).
    pub fn ufrags(&self) -> Option<(&'a str, &'a str)> {
        self.username?.split_once(':')
    }

    fn without_attributes(kind: u16, transaction_id: TransactionId) -> Self {
        Self {
            class: match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
                (false, false) => Class::Request,
                (false, true) => Class::Indication,
                (true, false) => Class::Success,
                (true, true) => Class::Error,
            },
            // The two class bits are between the bits of the method (RFC 8489 §5).
            method: kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2,
            transaction_id,
            username: None,
            priority: None,
            use_candidate: false,
            role: None,
            nomination: None,
            has_network_info: false,
            mapped_address: None,
            error_code: None,
            has_fingerprint: false,
            unknown_attributes: ArrayVec::new(),
            integrity: None,
        }
    }

    /// Adds the attribute that starts at offset `at` of the datagram.
    fn add_attribute(
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
            if read_u32(kind, value)? != fingerprint(before) {
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
        self.read_attribute(kind, value)
    }

    /// Reads an attribute that MESSAGE-INTEGRITY covers, unless it is a repetition.
    fn read_attribute(&mut self, kind: u16, value: &'a [u8]) -> Result<(), StunError> {
        match kind {
            attribute::USERNAME => {
                let username = std::str::from_utf8(value).map_err(|_| StunError::Value(kind))?;
                self.username.get_or_insert(username);
            }
            attribute::PRIORITY => {
                self.priority.get_or_insert(read_u32(kind, value)?);
            }
            attribute::USE_CANDIDATE => self.use_candidate = true,
            attribute::ICE_CONTROLLED => {
                self.role
                    .get_or_insert(IceRole::Controlled(read_u64(kind, value)?));
            }
            attribute::ICE_CONTROLLING => {
                self.role
                    .get_or_insert(IceRole::Controlling(read_u64(kind, value)?));
            }
            attribute::NOMINATION | attribute::NOMINATION_DRAFT => {
                self.nomination.get_or_insert(read_u32(kind, value)?);
            }
            attribute::NETWORK_INFO => self.has_network_info = true,
            attribute::XOR_MAPPED_ADDRESS => {
                let address = read_xor_address(value, &self.transaction_id);
                self.mapped_address
                    .get_or_insert(address.ok_or(StunError::Value(kind))?);
            }
            attribute::ERROR_CODE => {
                self.error_code
                    .get_or_insert(read_error_code(value).ok_or(StunError::Value(kind))?);
            }
            // Known, but not used by ICE.
            attribute::MAPPED_ADDRESS
            | attribute::UNKNOWN_ATTRIBUTES
            | attribute::REALM
            | attribute::NONCE
            | attribute::MESSAGE_INTEGRITY_SHA256
            | attribute::OPTIONAL_FROM.. => {}
            _ => {
                if !self.unknown_attributes.contains(&kind) {
                    // The response need not list all of them when there are many.
                    let _ = self.unknown_attributes.try_push(kind);
                }
            }
        }
        Ok(())
    }
}

/// Splits off the first attribute: type, value without padding, and the remaining bytes.
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

fn read_u32(kind: u16, value: &[u8]) -> Result<u32, StunError> {
    value
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| StunError::Value(kind))
}

fn read_u64(kind: u16, value: &[u8]) -> Result<u64, StunError> {
    value
        .try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| StunError::Value(kind))
}

/// Reads XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
fn read_xor_address(value: &[u8], transaction_id: &TransactionId) -> Option<SocketAddr> {
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

/// Reads the code of ERROR-CODE (RFC 8489 §14.8).
fn read_error_code(value: &[u8]) -> Option<u16> {
    let [_, _, hundreds, number] = *value.first_chunk::<4>()?;
    let hundreds = hundreds & 0x07;
    let valid = (3..=6).contains(&hundreds) && number < 100;
    valid.then_some(u16::from(hundreds) * 100 + u16::from(number))
}
