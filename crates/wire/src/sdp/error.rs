//! Reasons why a session description is rejected.

use crate::params::ParamsError;

/// Reason why a session description is rejected. Each text says what is wrong, for developers of clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// The text is longer than its bound.
    #[error("the session description is too long")]
    TooLong,
    /// A list is longer than its bound.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// A line does not have the form of RFC 8866.
    #[error("malformed session description: {0}")]
    Malformed(String),
    /// A mandatory attribute is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An attribute has a value that its specification rules out.
    #[error("{0} is invalid")]
    Invalid(&'static str),
    /// Not every section is in one bundle (RFC 9143).
    #[error("all m= sections have to be in one BUNDLE group")]
    NotBundled,
    /// Two sections have the same identification.
    #[error("two m= sections have the same a=mid")]
    DuplicateMid,
    /// RTP parameters exceed their bounds.
    #[error(transparent)]
    Parameters(#[from] ParamsError),
}
