//! Errors of capability negotiation.

use watersmeet_wire::params::ParamsError;
use watersmeet_wire::units::Pt;

use super::supported::supported_capabilities;

/// Returns why a router does not have a codec.
fn absence(mime_type: &str) -> &'static str {
    let known = supported_capabilities().codecs;
    let is_supported = known
        .iter()
        .any(|codec| codec.mime_type.eq_ignore_ascii_case(mime_type));
    if is_supported {
        "it is not among the configured codecs, or has other parameters there"
    } else {
        "this server does not support that codec"
    }
}

/// Reason a negotiation fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationError {
    /// The parameters are malformed.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The server does not support a codec.
    #[error("media codec not supported: {mime_type}")]
    UnsupportedCodec {
        /// MIME type of the codec.
        mime_type: String,
    },
    /// All dynamic payload types are taken.
    #[error("no payload type left")]
    PayloadTypesExhausted,
    /// Two codecs have the same payload type.
    #[error("payload type {} is used twice", .0.0)]
    DuplicatePayloadType(Pt),
    /// The router lacks a codec of the publisher.
    #[error(
        "the router does not have {mime_type} (payload type {}): {}",
        payload_type.0,
        absence(mime_type)
    )]
    CodecNotInRouter {
        /// MIME type of the codec.
        mime_type: String,
        /// The publisher's payload type for it.
        payload_type: Pt,
    },
    /// The `apt` of a retransmission codec refers to no media codec.
    #[error("retransmission payload type {} belongs to no media codec", .0.0)]
    OrphanRtx(Pt),
    /// There is no media codec, or a retransmission codec comes first.
    #[error("the first codec must be a media codec")]
    NoMediaCodec,
    /// A codec is of another media kind than its producer.
    #[error("{mime_type} does not match the producer's kind")]
    WrongKind {
        /// MIME type of the codec.
        mime_type: String,
    },
    /// The mapping was made from other parameters.
    #[error("the mapping does not cover the parameters")]
    Unmapped,
    /// The receiver supports none of the producer's codecs.
    #[error("no compatible media codecs")]
    NoCompatibleCodecs,
}
