//! Outgoing packet of a peer, before encryption.

/// RTP or RTCP packet before encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// An RTP packet.
    Rtp(Vec<u8>),
    /// A compound RTCP packet, or a single one (RFC 5506).
    Rtcp(Vec<u8>),
}
