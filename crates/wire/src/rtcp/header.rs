//! Header of control packets (RFC 3550 §6.4.1): lengths, packet types and feedback formats.

/// Version of RTP.
pub(super) const VERSION: u8 = 2;

/// Length of the header that every control packet starts with.
pub(super) const HEADER_LEN: usize = 4;

/// Most entries that the five-bit count of a header can announce.
pub(super) const COUNT_MAX: usize = 31;

/// Padding bit, in the first byte of the header.
pub(super) const PADDING: u8 = 0x20;

/// Packet types (RFC 3550 §12.1, RFC 4585 §6.1, RFC 3611 §2).
pub(super) mod kind {
    pub const SENDER_REPORT: u8 = 200;
    pub const RECEIVER_REPORT: u8 = 201;
    pub const SOURCE_DESCRIPTION: u8 = 202;
    pub const BYE: u8 = 203;
    pub const TRANSPORT_FEEDBACK: u8 = 205;
    pub const PAYLOAD_FEEDBACK: u8 = 206;
    pub const EXTENDED_REPORT: u8 = 207;
}

/// Formats of the two feedback types (RFC 4585 §6.2, §6.3, RFC 5104 §4.3, RFC 8888 §3.1).
pub(super) mod format {
    pub const NACK: u8 = 1;
    pub const CONGESTION_CONTROL: u8 = 11;
    pub const TRANSPORT_WIDE: u8 = 15;
    pub const PLI: u8 = 1;
    pub const FIR: u8 = 4;
    pub const APPLICATION: u8 = 15;
}
