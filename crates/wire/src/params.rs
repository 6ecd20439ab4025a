//! Negotiated parameters that signalling carries as JSON: RTP capabilities and parameters in
//! mediasoup's format, and the ICE, DTLS and SCTP parameters of a transport.
//!
//! Parsing is as tolerant as mediasoup's own validation, because clients from mediasoup-client 3.6
//! on rely on it: unknown fields are skipped, absent lists are empty, an absent
//! `rtcpFeedback[].parameter` is the empty string. Parsing is bounded, because the sender is not
//! trusted: a list is rejected at the first element above its limit, before the rest is stored.
//! Negotiation itself is in the engine's `ortc`.
//!
//! Stricter than mediasoup on purpose: numbers that end up in a packet must fit there (payload
//! types in 7 bits, SSRCs in 32, MID and RID in 16 bytes), where mediasoup fails later.

mod capabilities;
mod header_extension;
mod lenient;
mod limits;
mod parameter_value;
mod parameters;
mod rtp_codec;
mod scalability_mode;
#[cfg(test)]
mod tests;
mod transport;

pub use capabilities::RtpCapabilities;
pub use header_extension::{
    HeaderExtensionDirection, RtpHeaderExtension, RtpHeaderExtensionParameters,
};
pub use limits::{
    CODECS_MAX, ENCODINGS_MAX, FINGERPRINTS_MAX, HEADER_EXTENSIONS_MAX, PARAMETERS_MAX,
    ParamsError, RTCP_FEEDBACK_MAX, TEXT_LEN_MAX,
};
pub use parameter_value::{FormatParameters, ParameterValue};
pub use parameters::{RtcpParameters, RtpEncodingParameters, RtpParameters, RtxParameters};
pub use rtp_codec::{
    MediaKind, RED_MIME_TYPE, RtcpFeedback, RtpCodecCapability, RtpCodecParameters,
};
pub use scalability_mode::ScalabilityMode;
pub use transport::{
    CandidateType, DtlsFingerprint, DtlsParameters, DtlsRole, IceCandidate, IceParameters,
    IceProtocol, SctpParameters, TcpType,
};
