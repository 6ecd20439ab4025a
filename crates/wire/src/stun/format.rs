//! Constants of the STUN message format, shared by parser and writer.

/// Length of the message header, in bytes.
pub const HEADER_LEN: usize = 20;

/// Method of all ICE messages.
pub const BINDING: u16 = 1;

/// Most unknown attributes that are kept, and that an error response lists.
pub const UNKNOWN_ATTRIBUTES_MAX: usize = 8;

/// Id that matches a response to its request.
pub type TransactionId = [u8; 12];

/// Magic cookie.
pub const COOKIE: u32 = 0x2112_a442;

/// Length of type and length before the value of an attribute.
pub const ATTRIBUTE_HEADER_LEN: usize = 4;

/// Length of the value of MESSAGE-INTEGRITY.
pub const INTEGRITY_LEN: usize = 20;

/// Attribute types (RFC 8489 §18.3, RFC 8445 §20.1).
pub mod attribute {
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
    /// Proposed by draft-thatcher-ice-renomination and sent by pion.
    pub const NOMINATION_DRAFT: u16 = 0x0030;
    pub const FINGERPRINT: u16 = 0x8028;
    pub const ICE_CONTROLLED: u16 = 0x8029;
    pub const ICE_CONTROLLING: u16 = 0x802a;
    /// Sent and read by libwebrtc (Chrome, Safari). Firefox supports no renomination.
    pub const NOMINATION: u16 = 0xc001;
    /// GOOG-NETWORK-INFO: in every check of libwebrtc (Chrome, Safari), and of nobody else.
    pub const NETWORK_INFO: u16 = 0xc057;
    /// Attributes from this type on may be ignored when unknown (RFC 8489 §14).
    pub const OPTIONAL_FROM: u16 = 0x8000;
}

/// Class of a message (RFC 8489 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Expects a response.
    Request,
    /// Expects no response.
    Indication,
    /// Response to a request that succeeded.
    Success,
    /// Response to a request that failed.
    Error,
}

/// ICE role of the sender, with the tie-breaker that resolves role conflicts (RFC 8445 §7.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceRole {
    /// The sender nominates candidate pairs.
    Controlling(u64),
    /// The receiver nominates candidate pairs.
    Controlled(u64),
}

/// Returns the mask of IPv6 addresses in XOR-MAPPED-ADDRESS: the cookie, then the transaction id.
pub fn xor_mask(transaction_id: &TransactionId) -> u128 {
    let transaction = transaction_id
        .iter()
        .fold(0, |bits, byte| bits << 8 | u128::from(*byte));
    u128::from(COOKIE) << 96 | transaction
}
