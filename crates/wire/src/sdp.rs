//! Session descriptions (RFC 8866) of clients that negotiate with an offer and an answer in place of RTP
//! parameters: [`Offer`] reads what a client offers, [`Answer`] writes what the server accepts of it, and
//! [`IceFragment`] reads and writes the updates of ICE in between (RFC 8840).
//!
//! Lines are split by the crate `sdp-types`; here their meaning for WebRTC is read (RFC 9429), bounded and
//! checked. Must not decide which codecs are accepted.
//!
//! What clients have to offer: one bundle of all sections (RFC 9143), RTP and RTCP on one port (RFC 5761),
//! and DTLS-SRTP with the credentials of ICE and the fingerprint once or in each section.

mod answer;
mod attributes;
mod codecs;
mod encodings;
mod error;
mod ice_fragment;
mod offer;
#[cfg(test)]
mod tests;

pub use answer::{AcceptedMedia, Answer};
pub use attributes::MediaDirection;
pub use error::SdpError;
pub use ice_fragment::IceFragment;
pub use offer::{Offer, OfferedMedia};

/// Longest session description, in bytes. Browsers offer about 10 KiB for audio and video.
pub const SDP_LEN_MAX: usize = 64 << 10;

/// Most lines of a session description.
pub const SDP_LINES_MAX: usize = 1_000;

/// Most m= sections of a session description.
pub const SDP_SECTIONS_MAX: usize = 64;

/// Credentials of ICE (RFC 8839 §5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// User name fragment, 4 to 256 characters.
    pub username_fragment: String,
    /// Password, 22 to 256 characters.
    pub password: String,
}

/// Rejects a text that exceeds the bounds of a session description, before anything is allocated for it.
fn check_bounds(text: &str) -> Result<(), SdpError> {
    if text.len() > SDP_LEN_MAX {
        return Err(SdpError::TooLong);
    }
    let mut lines = 0;
    let mut sections = 0;
    for line in text.lines() {
        lines += 1;
        sections += usize::from(line.starts_with("m="));
        if lines > SDP_LINES_MAX {
            return Err(SdpError::TooMany("lines"));
        }
        if sections > SDP_SECTIONS_MAX {
            return Err(SdpError::TooMany("m= sections"));
        }
    }
    Ok(())
}
