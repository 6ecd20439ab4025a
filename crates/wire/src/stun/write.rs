//! Writer of STUN messages: responses to browsers, and requests of test peers.
//!
//! Every function returns the length of the message, or `None` when it does not fit; the contents
//! of `out` are unspecified then. Nothing here allocates.

use std::net::{IpAddr, SocketAddr};

use super::format::{
    ATTRIBUTE_HEADER_LEN, BINDING, COOKIE, Class, HEADER_LEN, INTEGRITY_LEN, IceRole,
    TransactionId, UNKNOWN_ATTRIBUTES_MAX, attribute, xor_mask,
};
use super::integrity::{IntegrityKey, fingerprint};

const FINGERPRINT_LEN: usize = 4;

/// Code of an error response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// The request lacks a mandatory attribute (RFC 8489 §9.1.3).
    BadRequest,
    /// The user is unknown or the integrity is wrong (RFC 8489 §9.1.3).
    Unauthenticated,
    /// The request has unknown comprehension-required attributes (RFC 8489 §6.3.1).
    UnknownAttribute,
    /// Both sides claim the same ICE role (RFC 8445 §7.3.1.1).
    RoleConflict,
}

impl ErrorCode {
    /// Returns the numeric code.
    pub const fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::UnknownAttribute => 420,
            Self::RoleConflict => 487,
        }
    }

    /// Returns hundreds and remainder of the code, as they are sent.
    const fn digits(self) -> [u8; 2] {
        match self {
            Self::BadRequest => [4, 0],
            Self::Unauthenticated => [4, 1],
            Self::UnknownAttribute => [4, 20],
            Self::RoleConflict => [4, 87],
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::BadRequest => "Bad Request",
            Self::Unauthenticated => "Unauthenticated",
            Self::UnknownAttribute => "Unknown Attribute",
            Self::RoleConflict => "Role Conflict",
        }
    }
}

/// Writes the success response to a binding request from the address `mapped`: 64 bytes for IPv4,
/// 76 for IPv6.
pub fn write_success(
    out: &mut [u8],
    transaction_id: &TransactionId,
    mapped: SocketAddr,
    key: &IntegrityKey,
) -> Option<usize> {
    let mut writer = Writer::start(out, Class::Success, transaction_id)?;
    writer.xor_mapped_address(mapped, transaction_id)?;
    writer.integrity(key)?;
    writer.fingerprint()
}

/// Writes the error response to a binding request. `unknown` lists the attributes of an
/// `UnknownAttribute` error and is empty otherwise; `key` is given when the request was authentic
/// (RFC 8489 §9.1.3, §9.1.4).
pub fn write_error(
    out: &mut [u8],
    transaction_id: &TransactionId,
    code: ErrorCode,
    unknown: &[u16],
    key: Option<&IntegrityKey>,
) -> Option<usize> {
    let mut writer = Writer::start(out, Class::Error, transaction_id)?;
    let [hundreds, number] = code.digits();
    writer.attribute(
        attribute::ERROR_CODE,
        &[&[0, 0, hundreds, number], code.reason().as_bytes()],
    )?;
    if !unknown.is_empty() {
        let mut listed = [0; UNKNOWN_ATTRIBUTES_MAX * 2];
        let mut len = 0;
        for (entry, kind) in listed.chunks_exact_mut(2).zip(unknown) {
            entry.copy_from_slice(&kind.to_be_bytes());
            len += 2;
        }
        writer.attribute(attribute::UNKNOWN_ATTRIBUTES, &[listed.get(..len)?])?;
    }
    if let Some(key) = key {
        writer.integrity(key)?;
    }
    writer.fingerprint()
}

/// Writes a binding indication, which keeps a path alive and gets no response (RFC 8445 §11).
pub fn write_indication(out: &mut [u8], transaction_id: &TransactionId) -> Option<usize> {
    Writer::start(out, Class::Indication, transaction_id)?.fingerprint()
}

/// Connectivity check (RFC 8445 §7.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindingRequest<'a> {
    /// Id that matches the response to this request.
    pub transaction_id: TransactionId,
    /// User fragments of receiver and sender, separated by a colon.
    pub username: &'a str,
    /// Priority of a peer-reflexive candidate that this check may discover.
    pub priority: u32,
    /// ICE role of the sender.
    pub role: IceRole,
    /// Whether the sender nominates this pair.
    pub use_candidate: bool,
    /// Number of the nomination, when the sender renominates.
    pub nomination: Option<u32>,
    /// Network id and cost, as libwebrtc sends them.
    pub network_info: Option<u32>,
}

impl BindingRequest<'_> {
    /// Writes the request, protected with the password of the receiver.
    pub fn write(&self, out: &mut [u8], key: &IntegrityKey) -> Option<usize> {
        let mut writer = Writer::start(out, Class::Request, &self.transaction_id)?;
        writer.attribute(attribute::USERNAME, &[self.username.as_bytes()])?;
        let (kind, tie_breaker) = match self.role {
            IceRole::Controlling(tie_breaker) => (attribute::ICE_CONTROLLING, tie_breaker),
            IceRole::Controlled(tie_breaker) => (attribute::ICE_CONTROLLED, tie_breaker),
        };
        writer.attribute(kind, &[&tie_breaker.to_be_bytes()])?;
        if self.use_candidate {
            writer.attribute(attribute::USE_CANDIDATE, &[])?;
        }
        if let Some(nomination) = self.nomination {
            writer.attribute(attribute::NOMINATION, &[&nomination.to_be_bytes()])?;
        }
        if let Some(network_info) = self.network_info {
            writer.attribute(attribute::NETWORK_INFO, &[&network_info.to_be_bytes()])?;
        }
        writer.attribute(attribute::PRIORITY, &[&self.priority.to_be_bytes()])?;
        writer.integrity(key)?;
        writer.fingerprint()
    }
}

/// Writer of one message.
struct Writer<'a> {
    /// Buffer for the message.
    out: &'a mut [u8],
    /// Bytes written so far.
    len: usize,
}

impl<'a> Writer<'a> {
    fn start(out: &'a mut [u8], class: Class, transaction_id: &TransactionId) -> Option<Self> {
        let class_bits = match class {
            Class::Request => 0x0000,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Error => 0x0110,
        };
        let mut writer = Self { out, len: 0 };
        writer.append(&(BINDING | class_bits).to_be_bytes())?;
        writer.append(&[0, 0])?;
        writer.append(&COOKIE.to_be_bytes())?;
        writer.append(transaction_id)?;
        Some(writer)
    }

    /// Appends an attribute whose value is the concatenation of `parts`.
    fn attribute(&mut self, kind: u16, parts: &[&[u8]]) -> Option<()> {
        let value_len: usize = parts.iter().map(|part| part.len()).sum();
        self.append(&kind.to_be_bytes())?;
        self.append(&u16::try_from(value_len).ok()?.to_be_bytes())?;
        for part in parts {
            self.append(part)?;
        }
        let padding = value_len.next_multiple_of(4) - value_len;
        self.append([0; 3].get(..padding)?)
    }

    fn xor_mapped_address(
        &mut self,
        mapped: SocketAddr,
        transaction_id: &TransactionId,
    ) -> Option<()> {
        let [c0, c1, ..] = COOKIE.to_be_bytes();
        let [p0, p1] = mapped.port().to_be_bytes();
        let port = [p0 ^ c0, p1 ^ c1];
        match mapped.ip() {
            IpAddr::V4(ip) => {
                let address = (ip.to_bits() ^ COOKIE).to_be_bytes();
                self.attribute(attribute::XOR_MAPPED_ADDRESS, &[&[0, 1], &port, &address])
            }
            IpAddr::V6(ip) => {
                let address = (ip.to_bits() ^ xor_mask(transaction_id)).to_be_bytes();
                self.attribute(attribute::XOR_MAPPED_ADDRESS, &[&[0, 2], &port, &address])
            }
        }
    }

    fn integrity(&mut self, key: &IntegrityKey) -> Option<()> {
        let tag = key.sign(self.out.get(..self.len)?)?;
        self.attribute(
            attribute::MESSAGE_INTEGRITY,
            &[tag.as_ref().first_chunk::<INTEGRITY_LEN>()?],
        )
    }

    /// Appends FINGERPRINT and returns the length of the message.
    fn fingerprint(mut self) -> Option<usize> {
        let message_len = self.len + ATTRIBUTE_HEADER_LEN + FINGERPRINT_LEN;
        let len = u16::try_from(message_len - HEADER_LEN).ok()?;
        self.out.get_mut(2..4)?.copy_from_slice(&len.to_be_bytes());
        let fingerprint = fingerprint(self.out.get(..self.len)?);
        self.attribute(attribute::FINGERPRINT, &[&fingerprint.to_be_bytes()])?;
        Some(self.len)
    }

    fn append(&mut self, bytes: &[u8]) -> Option<()> {
        self.out
            .get_mut(self.len..)?
            .get_mut(..bytes.len())?
            .copy_from_slice(bytes);
        self.len += bytes.len();
        Some(())
    }
}
