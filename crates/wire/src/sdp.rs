//! Session descriptions (RFC 8866) of clients that negotiate with an offer and an answer in place of RTP
//! parameters: [`Offer`] reads what a client offers, [`Answer`] writes what the server accepts of it, and
//! [`IceFragment`] reads and writes the updates of ICE in between (RFC 8840).
//!
//! Lines are split by the crate `sdp-types`; here their meaning for WebRTC is read (RFC 9429), bounded and
//! checked. Must not decide which codecs are accepted.
//!
//! Clients have to offer one bundle of all sections (RFC 9143), RTP and RTCP on one port (RFC 5761),
//! and DTLS-SRTP with the credentials of ICE and the fingerprint once or in each section.

mod answer;
mod attributes;
mod bounds;
mod codecs;
mod encodings;
mod error;
mod ice_fragment;
mod offer;
#[cfg(test)]
mod tests;

pub use answer::{AcceptedMedia, Answer};
pub use attributes::{IceCredentials, MediaDirection};
pub use bounds::{SDP_LEN_MAX, SDP_LINES_MAX, SDP_SECTIONS_MAX};
pub use error::SdpError;
pub use ice_fragment::IceFragment;
pub use offer::{Offer, OfferedMedia};
