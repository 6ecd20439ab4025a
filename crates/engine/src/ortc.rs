//! Capability negotiation: derives the RTP parameters of producers and consumers from the codecs of
//! a router and the capabilities of its clients.
//!
//! The results equal those of mediasoup 3.27, because mediasoup's clients compute the other half
//! themselves: with a different payload type or header extension id they would receive no media. Only
//! the dependency descriptor is also sent, in routers with AV1.
//!
//! In the order of a call:
//! 1. [`router_capabilities`] assigns a payload type to each codec, once per router.
//! 2. [`negotiate_producer`] validates a publisher's parameters, maps its payload types and streams
//!    to the router's ([`producer_mapping`]), and derives the [`consumable_parameters`].
//! 3. [`can_consume`] and [`consumer_parameters`] reduce those to what one receiver supports.
//!
//! All functions are pure. They must not depend on transports or packets, and draw random numbers
//! only from the generator passed to them.

mod codec_matching;
mod consumer;
mod error;
mod h264_profile;
mod producer;
mod ssrc;
mod supported;

use watersmeet_wire::codec::Codec;
use watersmeet_wire::params::{
    CODECS_MAX, FormatParameters, HeaderExtensionDirection, MediaKind, ParameterValue, ParamsError,
    RtpCapabilities, RtpCodecCapability, RtpHeaderExtension,
};
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::Pt;

pub use consumer::{can_consume, consumer_parameters};
pub use error::NegotiationError;
pub use h264_profile::is_known_profile;
pub use producer::{
    CodecMapping, EncodingMapping, NegotiatedProducer, RtpMapping, consumable_parameters,
    negotiate_producer, producer_mapping, received_codec,
};
pub use supported::{default_codecs, redundant_audio_codec, supported_capabilities};

/// Payload types of codecs without a fixed one, in order of assignment. 100 comes first because
/// some endpoints assume fixed codecs for 96 to 99.
const DYNAMIC_PAYLOAD_TYPES: [u8; 32] = [
    100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118,
    119, 120, 121, 122, 123, 124, 125, 126, 127, 96, 97, 98, 99,
];

/// Returns the capabilities of a router with these codecs.
///
/// Each codec has a payload type and the RTCP feedback that this server supports; an RTX codec
/// follows each video codec; every supported header extension is included. Format parameters of
/// `codecs` are kept, their RTCP feedback is replaced.
///
/// # Errors
/// Fails when a codec is not supported, a payload type is used twice or none is left, or there are
/// more than [`CODECS_MAX`] codecs.
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
    let is_av1 = |it: &RtpCodecCapability| Codec::of_mime_type(&it.mime_type) == Some(Codec::Av1);
    if router.codecs.iter().any(is_av1) {
        send_dependency_descriptor(&mut router.header_extensions);
    }
    Ok(router)
}

/// Lets consumers receive the dependency descriptor: without it browsers decode AV1 with one spatial layer
/// only.
fn send_dependency_descriptor(extensions: &mut [RtpHeaderExtension]) {
    let uri = ExtensionKind::DependencyDescriptor.uri();
    for extension in extensions.iter_mut().filter(|it| it.uri == uri) {
        extension.direction = HeaderExtensionDirection::SendRecv;
    }
}

/// Removes and returns the next free payload type.
fn take_first(free: &mut Vec<u8>) -> Result<Pt, NegotiationError> {
    if free.is_empty() {
        return Err(NegotiationError::PayloadTypesExhausted);
    }
    Ok(Pt(free.remove(0)))
}

/// Returns the RTX codec of a video codec (RFC 4588 §8).
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

#[cfg(test)]
mod tests;
