//! Parsers and writers of STUN, DTLS hellos, RTP, RTCP, codec payload headers and RTP parameters.
//!
//! Nothing here does I/O. Only [`rtp::dependency_descriptor::DependencyReader`] and
//! [`client_hello::HelloReassembly`] keep state between packets, because their formats refer to others. Every parser accepts untrusted bytes: it
//! returns a value or an error, and never panics, allocates without bound or reads past its input.

pub mod client_hello;
pub mod codec;
pub mod params;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod stun;
pub mod units;
