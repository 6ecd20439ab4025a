//! Why packets are thrown away, and how many were. Counting is all that noise can cause.

use super::dtls::DtlsError;
use super::ice::IceError;
use super::srtp::SrtpError;

/// Why a packet was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardReason {
    /// It came on a path without an authentic STUN check.
    UnknownPath,
    /// A STUN message that is malformed, or has no FINGERPRINT.
    StunMalformed,
    /// A STUN request that nobody with the password made.
    StunAuth,
    /// A STUN message that asks for nothing, or for an answer longer than itself.
    StunUnsolicited,
    /// A DTLS datagram for which there is no handshake.
    DtlsNotReady,
    /// Not a DTLS datagram, or one that could only do harm.
    DtlsMalformed,
    /// Media before the peer was verified.
    NotVerified,
    /// SRTP or SRTCP with a wrong tag.
    SrtpAuth,
    /// SRTP or SRTCP seen before, or too old to know.
    Replay,
    /// SRTP of more streams than are remembered.
    TooManySsrcs,
    /// None of the protocols, or shorter than its header.
    Malformed,
    /// More than can be answered before the next turn.
    Overloaded,
    /// The transport is closed.
    Closed,
}

impl DiscardReason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
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
        Self::Overloaded,
        Self::Closed,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
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
            Self::Overloaded => "overloaded",
            Self::Closed => "closed",
        }
    }
}

/// How many packets were thrown away, by reason.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DiscardCounts {
    counts: [u64; DiscardReason::ALL.len()],
}

impl DiscardCounts {
    /// Counts one.
    pub fn record(&mut self, discard: DiscardReason) {
        if let Some(count) = self.counts.get_mut(discard as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// How many for this reason.
    pub fn get(&self, discard: DiscardReason) -> u64 {
        self.counts.get(discard as usize).copied().unwrap_or(0)
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl From<IceError> for DiscardReason {
    fn from(discard: IceError) -> Self {
        match discard {
            IceError::Malformed => Self::StunMalformed,
            IceError::NotAuthentic => Self::StunAuth,
            IceError::Unsolicited | IceError::TooShort => Self::StunUnsolicited,
            IceError::Overloaded => Self::Overloaded,
        }
    }
}

impl From<DtlsError> for DiscardReason {
    fn from(discard: DtlsError) -> Self {
        match discard {
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
