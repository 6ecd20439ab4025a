//! Reasons for discarding incoming packets, and their counters. A discarded packet has no other
//! effect.

use super::dtls::DtlsError;
use super::ice::IceError;
use super::srtp::SrtpError;

/// Reason an incoming packet is discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardReason {
    /// The datagram belongs to no transport: its sender's address is unknown, and it is no ICE check
    /// with a known ufrag.
    UnknownAddress,
    /// No authenticated STUN check arrived on the path.
    UnknownPath,
    /// STUN message that is malformed or has no FINGERPRINT.
    StunMalformed,
    /// STUN request with an unknown USERNAME or a wrong MESSAGE-INTEGRITY.
    StunAuth,
    /// STUN message that is no request, or whose response would be longer than itself.
    StunUnsolicited,
    /// DTLS datagram without a handshake, or beyond the bound of pending ones.
    DtlsNotReady,
    /// DTLS datagram that is malformed or not acceptable unauthenticated.
    DtlsMalformed,
    /// SRTP or SRTCP before the peer was verified.
    NotVerified,
    /// SRTP or SRTCP with a wrong authentication tag.
    SrtpAuth,
    /// SRTP or SRTCP received before, or older than the replay window.
    Replay,
    /// SRTP of more SSRCs than the replay table holds.
    TooManySsrcs,
    /// Packet of an unknown protocol, or shorter than its header.
    Malformed,
    /// RTP of a known stream with a payload type that was not negotiated.
    UnknownPayloadType,
    /// Packet for a peer that could not be sent: its queue was full, or it had left the packet cache.
    NotSent,
    /// Longer than can be received, or forwarded to one peer.
    TooLong,
    /// A queue of the transport is full until the next loop iteration, too much is sent to a network
    /// without a proven path, or more media arrived than the transport accepts in total.
    Overloaded,
    /// The transport is closed.
    Closed,
}

impl DiscardReason {
    /// All reasons, in declaration order.
    pub const ALL: [Self; 17] = [
        Self::UnknownAddress,
        Self::UnknownPath,
        Self::StunMalformed,
        Self::StunAuth,
        Self::StunUnsolicited,
        Self::DtlsNotReady,
        Self::DtlsMalformed,
        Self::NotVerified,
        Self::SrtpAuth,
        Self::Replay,
        Self::TooManySsrcs,
        Self::Malformed,
        Self::UnknownPayloadType,
        Self::NotSent,
        Self::TooLong,
        Self::Overloaded,
        Self::Closed,
    ];

    /// Returns the value of the metrics label `reason`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownAddress => "unknown-address",
            Self::UnknownPath => "unknown-path",
            Self::StunMalformed => "stun-malformed",
            Self::StunAuth => "stun-auth",
            Self::StunUnsolicited => "stun-unsolicited",
            Self::DtlsNotReady => "dtls-not-ready",
            Self::DtlsMalformed => "dtls-malformed",
            Self::NotVerified => "not-verified",
            Self::SrtpAuth => "srtp-auth",
            Self::Replay => "replay",
            Self::TooManySsrcs => "too-many-ssrcs",
            Self::Malformed => "malformed",
            Self::UnknownPayloadType => "unknown-payload-type",
            Self::NotSent => "not-sent",
            Self::TooLong => "too-long",
            Self::Overloaded => "overloaded",
            Self::Closed => "closed",
        }
    }
}

/// Counters of discarded packets, by reason.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DiscardCounts {
    counts: [u64; DiscardReason::ALL.len()],
}

impl DiscardCounts {
    /// Counts one packet.
    pub fn record(&mut self, reason: DiscardReason) {
        if let Some(count) = self.counts.get_mut(reason as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Returns the number of packets discarded for this reason.
    pub fn get(&self, reason: DiscardReason) -> u64 {
        self.counts.get(reason as usize).copied().unwrap_or(0)
    }

    /// Returns the number of all discarded packets.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl From<IceError> for DiscardReason {
    fn from(error: IceError) -> Self {
        match error {
            IceError::Malformed => Self::StunMalformed,
            IceError::NotAuthentic => Self::StunAuth,
            IceError::Unsolicited | IceError::TooShort => Self::StunUnsolicited,
            IceError::Overloaded => Self::Overloaded,
        }
    }
}

impl From<DtlsError> for DiscardReason {
    fn from(error: DtlsError) -> Self {
        match error {
            DtlsError::NotReady => Self::DtlsNotReady,
            DtlsError::Malformed => Self::DtlsMalformed,
        }
    }
}

impl From<SrtpError> for DiscardReason {
    fn from(error: SrtpError) -> Self {
        match error {
            SrtpError::TooShort => Self::Malformed,
            SrtpError::AuthFailed => Self::SrtpAuth,
            SrtpError::Replayed => Self::Replay,
            SrtpError::TooManySsrcs => Self::TooManySsrcs,
        }
    }
}
