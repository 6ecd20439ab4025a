//! Errors of SRTP.

use thiserror::Error;

/// Reason a packet is refused. The packet is counted and discarded; the transport stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SrtpError {
    /// It is shorter than its header, tag and trailer.
    #[error("the packet is too short")]
    TooShort,
    /// The authentication tag is wrong, or the E flag of an SRTCP packet is not set.
    #[error("the packet is not authentic")]
    AuthFailed,
    /// It was received before, or is older than the replay window.
    #[error("the packet is a replay")]
    Replayed,
    /// The peer uses more SSRCs than the replay table holds.
    #[error("too many streams")]
    TooManySsrcs,
}

/// The master key does not have the length of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the SRTP key does not have the length of the profile")]
pub struct SrtpKeyError;
