//! Capability negotiation: from the codecs a router speaks and what each client can do, to the
//! exact packets a producer sends and each consumer receives. Pure functions, equal in result to
//! mediasoup 3.27's, because mediasoup's clients do the other half of this arithmetic themselves:
//! a payload type or a header extension id that differs here is a call without sound there.
//!
//! The flow, in the order of a call:
//! 1. [`router_capabilities`] gives each of the router's codecs its payload type, once per router.
//! 2. [`negotiate_producer`] checks what a publisher is about to send, maps its payload types and
//!    streams to the router's ([`producer_mapping`]), and derives what can be consumed of it
//!    ([`consumable_parameters`]).
//! 3. [`can_consume`] and [`consumer_parameters`] cut that down to what one receiver understands.
//!
//! Nothing here knows a transport or a packet, and nothing here draws randomness of its own.

mod codec_matching;
mod consumer;
mod h264_profile;
mod producer;
mod supported;

use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::params::{
    CODECS_MAX, FormatParameters, MediaKind, ParameterValue, ParamsError, RtpCapabilities,
    RtpCodecCapability,
};
use watersmeet_wire::units::{Pt, Rng, Ssrc};

pub use consumer::{can_consume, consumer_parameters};
pub use producer::{
    CodecMapping, EncodingMapping, NegotiatedProducer, RtpMapping, consumable_parameters,
    negotiate_producer, producer_mapping,
};
pub use supported::{default_codecs, supported_capabilities};

/// Payload types for codecs that have no fixed one, in the order they are given out. 100 comes
/// first because some endpoints have firm habits about 96 to 99.
const DYNAMIC_PAYLOAD_TYPES: [u8; 32] = [
    100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118,
    119, 120, 121, 122, 123, 124, 125, 126, 127, 96, 97, 98, 99,
];

/// Why two sides cannot speak.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationError {
    /// Parameters that are malformed by themselves.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// A codec that is not in the table of supported ones.
    #[error("media codec not supported: {mime_type}")]
    UnsupportedCodec {
        /// The codec.
        mime_type: String,
    },
    /// All dynamic payload types are taken.
    #[error("no payload type left")]
    PayloadTypesExhausted,
    /// Two codecs with one payload type.
    #[error("payload type {} is used twice", .0.0)]
    DuplicatePayloadType(Pt),
    /// The publisher's codec is none of the router's.
    #[error("the router does not have {mime_type} (payload type {})", payload_type.0)]
    CodecNotInRouter {
        /// The codec.
        mime_type: String,
        /// The publisher's payload type for it.
        payload_type: Pt,
    },
    /// A retransmission codec without the codec it retransmits.
    #[error("retransmission payload type {} belongs to no media codec", .0.0)]
    OrphanRtx(Pt),
    /// No media codec at all, or a retransmission codec in front.
    #[error("no media codec comes first")]
    NoMediaCodec,
    /// A codec of the other kind of media than the producer's.
    #[error("{mime_type} is not of the producer's kind")]
    WrongKind {
        /// The codec.
        mime_type: String,
    },
    /// A mapping that was made from other parameters.
    #[error("the mapping does not cover the parameters")]
    Unmapped,
    /// The receiver has none of the producer's codecs.
    #[error("no compatible media codecs")]
    NoCompatibleCodecs,
}

/// What a router with these codecs can do: each codec with its payload type and the feedback that
/// this server supports for it, an RTX codec after each video codec, and every header extension.
/// The parameters of `codecs` are kept; their feedback is not.
///
/// # Errors
/// A codec is not supported, a payload type is used twice, or none is left.
pub fn router_capabilities(
    codecs: &[RtpCodecCapability],
) -> Result<RtpCapabilities, NegotiationError> {
    let supported = supported_capabilities();
    let mut router = RtpCapabilities {
        codecs: Vec::new(),
        header_extensions: supported.header_extensions,
    };
    let mut free = DYNAMIC_PAYLOAD_TYPES.to_vec();
    if codecs.len() > CODECS_MAX {
        return Err(ParamsError::TooMany {
            what: "codecs",
            max: CODECS_MAX,
        }
        .into());
    }
    for wanted in codecs {
        let known = supported
            .codecs
            .iter()
            .find(|known| codec_matching::same_codec(wanted.into(), (*known).into()))
            .ok_or_else(|| NegotiationError::UnsupportedCodec {
                mime_type: wanted.mime_type.clone(),
            })?;
        let mut codec = known.clone();
        let payload_type = if let Some(chosen) = wanted.preferred_payload_type {
            free.retain(|it| *it != chosen.0);
            chosen
        } else if let Some(fixed) = known.preferred_payload_type {
            fixed
        } else {
            take_first(&mut free)?
        };
        if router
            .codecs
            .iter()
            .any(|it| it.preferred_payload_type == Some(payload_type))
        {
            return Err(NegotiationError::DuplicatePayloadType(payload_type));
        }
        codec.preferred_payload_type = Some(payload_type);
        codec.parameters.extend(wanted.parameters.clone());
        let rtx = match codec.kind {
            MediaKind::Audio => None,
            MediaKind::Video => Some(rtx_of(&codec, payload_type, take_first(&mut free)?)),
        };
        router.codecs.push(codec);
        router.codecs.extend(rtx);
    }
    Ok(router)
}

/// The next free payload type.
fn take_first(free: &mut Vec<u8>) -> Result<Pt, NegotiationError> {
    if free.is_empty() {
        return Err(NegotiationError::PayloadTypesExhausted);
    }
    Ok(Pt(free.remove(0)))
}

/// The retransmission codec of a video codec.
fn rtx_of(codec: &RtpCodecCapability, retransmits: Pt, payload_type: Pt) -> RtpCodecCapability {
    let apt = ParameterValue::from(u32::from(retransmits.0));
    RtpCodecCapability {
        kind: codec.kind,
        mime_type: format!("{}/rtx", codec.kind.as_str()),
        preferred_payload_type: Some(payload_type),
        clock_rate: codec.clock_rate,
        channels: None,
        parameters: FormatParameters::from([("apt".to_owned(), apt)]),
        rtcp_feedback: Vec::new(),
    }
}

/// Whether an RTX codec's `apt` says exactly `payload_type`.
fn retransmits(parameters: &FormatParameters, payload_type: Pt) -> bool {
    parameters.get("apt").and_then(ParameterValue::as_integer) == Some(i64::from(payload_type.0))
}

/// A random SSRC with room above it for the streams that are numbered from it. Nine decimal
/// digits, as mediasoup draws them: large enough that no browser's own choice is likely.
fn random_ssrc(rng: &mut Rng) -> Ssrc {
    const LOWEST: u32 = 100_000_000;
    const SPAN: u32 = 899_999_999;
    Ssrc(LOWEST + rng.next_u32() % SPAN)
}

#[cfg(test)]
mod tests;
