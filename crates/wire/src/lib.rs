//! Parsers and writers of STUN, RTP, RTCP, codec payload headers and RTP parameters.
//!
//! Nothing here keeps state between packets or does I/O. Every parser accepts untrusted bytes: it
//! returns a value or an error, and never panics, allocates without bound or reads past its input.

pub mod codec;
pub mod params;
pub mod rtcp;
pub mod rtp;
pub mod stun;
pub mod units;
