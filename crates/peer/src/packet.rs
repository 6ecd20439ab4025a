//! A plain packet on its way out of a peer.

/// Media or control, before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// An RTP packet.
    Rtp(Vec<u8>),
    /// A compound RTCP packet, or a single one (RFC 5506).
    Rtcp(Vec<u8>),
}
