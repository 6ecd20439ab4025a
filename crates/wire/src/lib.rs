//! Parsers and writers of STUN, RTP, RTCP, codec payload headers and RTP parameters.
//!
//! Nothing here does I/O. Only [`rtp::dependency_descriptor::DependencyReader`] keeps state between
//! packets, because its format refers to earlier ones. Every parser accepts untrusted bytes: it
//! returns a value or an error, and never panics, allocates without bound or reads past its input.

pub mod codec;
pub mod params;
pub mod rtcp;
pub mod rtp;
pub mod stun;
pub mod units;
