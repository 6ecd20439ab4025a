//! RTP parameters of a producer: maps a publisher's payload types and SSRCs to the router's.
//! Consumers are made from the router's values, so that they do not depend on a publisher's choice.

use watersmeet_wire::codec::Codec;
use watersmeet_wire::params::{
    FormatParameters, HeaderExtensionDirection, MediaKind, ParameterValue, RtcpParameters,
    RtpCapabilities, RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters,
    RtpHeaderExtensionParameters, RtpParameters,
};
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::{Pt, Rid, Rng, Ssrc};

use super::codec_matching::{CodecMatch, match_codecs, retransmits};
use super::error::NegotiationError;
use super::ssrc::random_ssrc;

/// Maps a publisher's payload types and SSRCs to the router's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RtpMapping {
    /// Payload types: media codecs in the publisher's order, then RTX codecs in theirs.
    pub codecs: Vec<CodecMapping>,
    /// Streams, in the order of the publisher's encodings.
    pub encodings: Vec<EncodingMapping>,
}

impl RtpMapping {
    /// Returns the mapping of parameters that use the router's payload types already.
    pub fn identity(consumable: &RtpParameters) -> Self {
        let codecs = consumable.codecs.iter().map(|codec| CodecMapping {
            payload_type: codec.payload_type,
            mapped_payload_type: codec.payload_type,
        });
        Self {
            codecs: codecs.collect(),
            encodings: Vec::new(),
        }
    }

    /// Returns the router's payload type for the publisher's `payload_type`.
    pub fn payload_type(&self, payload_type: Pt) -> Option<Pt> {
        self.codecs
            .iter()
            .find(|it| it.payload_type == payload_type)
            .map(|it| it.mapped_payload_type)
    }
}

/// Maps one payload type of a publisher to the router's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecMapping {
    /// Payload type in the publisher's packets.
    pub payload_type: Pt,
    /// Payload type in the router.
    pub mapped_payload_type: Pt,
}

/// Maps one encoding of a publisher to its SSRC in the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingMapping {
    /// SSRC in the publisher's packets, when it was signalled.
    pub ssrc: Option<Ssrc>,
    /// RID of the encoding, when it was signalled.
    pub rid: Option<Rid>,
    /// SSRC in the router.
    pub mapped_ssrc: Ssrc,
}

/// Result of negotiating a producer.
#[derive(Debug, Clone, PartialEq)]
pub struct NegotiatedProducer {
    /// Parameters of the publisher's packets.
    pub parameters: RtpParameters,
    /// Mapping to the router's payload types and SSRCs.
    pub mapping: RtpMapping,
    /// Parameters that consumers are derived from, with the router's values.
    pub consumable: RtpParameters,
}

/// Validates a publisher's parameters, and derives the mapping and the consumable parameters.
///
/// `cname`, the transport's, replaces the publisher's. Parameters without an encoding get one.
///
/// # Errors
/// Fails when the parameters exceed a limit, use a payload type twice, do not start with a media
/// codec, contain a codec of another kind, or do not match the router's codecs.
pub fn negotiate_producer(
    kind: MediaKind,
    parameters: RtpParameters,
    cname: &str,
    router: &RtpCapabilities,
    rng: &mut Rng,
) -> Result<NegotiatedProducer, NegotiationError> {
    let mut parameters = parameters.with_cname(cname);
    parameters.validate()?;
    check_codecs(kind, &parameters.codecs)?;
    if parameters.encodings.is_empty() {
        let default_encoding = RtpEncodingParameters {
            dtx: Some(false),
            ..RtpEncodingParameters::default()
        };
        parameters.encodings.push(default_encoding);
    }
    let mapping = producer_mapping(&mut parameters, router, rng)?;
    let consumable = consumable_parameters(kind, &parameters, router, &mapping)?;
    Ok(NegotiatedProducer {
        parameters,
        mapping,
        consumable,
    })
}

/// Refuses codec lists that could be mapped but whose packets could not be received.
fn check_codecs(kind: MediaKind, codecs: &[RtpCodecParameters]) -> Result<(), NegotiationError> {
    let has_media = codecs.iter().any(RtpCodecParameters::is_media);
    if codecs.first().is_none_or(RtpCodecParameters::is_rtx) || !has_media {
        return Err(NegotiationError::NoMediaCodec);
    }
    for (at, codec) in codecs.iter().enumerate() {
        if codec.kind() != Some(kind) {
            return Err(NegotiationError::WrongKind {
                mime_type: codec.mime_type.clone(),
            });
        }
        if codecs
            .iter()
            .skip(at + 1)
            .any(|it| it.payload_type == codec.payload_type)
        {
            return Err(NegotiationError::DuplicatePayloadType(codec.payload_type));
        }
    }
    Ok(())
}

/// Maps each codec of a publisher to one of the router, and assigns each encoding an SSRC in the
/// router. The `profile-level-id` of an H.264 codec becomes the negotiated one.
///
/// # Errors
/// Fails when the router lacks a codec, or an RTX codec refers to no media codec.
pub fn producer_mapping(
    parameters: &mut RtpParameters,
    router: &RtpCapabilities,
    rng: &mut Rng,
) -> Result<RtpMapping, NegotiationError> {
    let mut mapping = RtpMapping::default();
    for codec in parameters.codecs.iter_mut().filter(|it| !it.is_rtx()) {
        let mapped_payload_type = map_media_codec(codec, router)?;
        let payload_type = codec.payload_type;
        mapping.codecs.push(CodecMapping {
            payload_type,
            mapped_payload_type,
        });
    }
    for codec in parameters.codecs.iter().filter(|it| it.is_rtx()) {
        let mapped_payload_type = map_rtx_codec(codec, &parameters.codecs, &mapping, router)?;
        let payload_type = codec.payload_type;
        mapping.codecs.push(CodecMapping {
            payload_type,
            mapped_payload_type,
        });
    }
    let mut mapped_ssrc = random_ssrc(rng);
    for encoding in &parameters.encodings {
        let (ssrc, rid) = (encoding.ssrc, encoding.rid);
        mapping.encodings.push(EncodingMapping {
            ssrc,
            rid,
            mapped_ssrc,
        });
        mapped_ssrc = Ssrc(mapped_ssrc.0.wrapping_add(1));
    }
    Ok(mapping)
}

/// Returns a publisher's media codec as a router receives it, with the negotiated H.264 profile and the RTCP
/// feedback of both sides; `None` when the router lacks it.
pub fn received_codec(
    codec: &RtpCodecParameters,
    router: &RtpCapabilities,
) -> Option<RtpCodecParameters> {
    let mut received = codec.clone();
    let payload_type = map_media_codec(&mut received, router).ok()?;
    let own = router
        .codecs
        .iter()
        .find(|it| it.preferred_payload_type == Some(payload_type))?;
    received
        .rtcp_feedback
        .retain(|it| own.rtcp_feedback.contains(it));
    Some(received)
}

/// Returns the router's payload type for a media codec, and sets the codec's negotiated H.264
/// profile.
fn map_media_codec(
    codec: &mut RtpCodecParameters,
    router: &RtpCapabilities,
) -> Result<Pt, NegotiationError> {
    let matched = router.codecs.iter().find_map(|capability| {
        let codec_match = match_codecs((&*codec).into(), capability.into())?;
        Some((codec_match, capability.preferred_payload_type?))
    });
    let Some((codec_match, mapped)) = matched else {
        return Err(NegotiationError::CodecNotInRouter {
            mime_type: codec.mime_type.clone(),
            payload_type: codec.payload_type,
        });
    };
    match codec_match {
        CodecMatch::Unchanged => {}
        CodecMatch::H264Profile(Some(profile)) => {
            let profile = ParameterValue::Text(profile);
            codec
                .parameters
                .insert("profile-level-id".to_owned(), profile);
        }
        CodecMatch::H264Profile(None) => {
            codec.parameters.remove("profile-level-id");
        }
    }
    Ok(mapped)
}

/// Returns the router's payload type for an RTX codec.
fn map_rtx_codec(
    codec: &RtpCodecParameters,
    codecs: &[RtpCodecParameters],
    mapping: &RtpMapping,
    router: &RtpCapabilities,
) -> Result<Pt, NegotiationError> {
    let orphan = NegotiationError::OrphanRtx(codec.payload_type);
    let media = codecs
        .iter()
        .find(|it| retransmits(&codec.parameters, it.payload_type));
    let Some(media) = media.filter(|it| !it.is_rtx()) else {
        return Err(orphan);
    };
    let mapped = mapping.payload_type(media.payload_type);
    mapped
        .and_then(|mapped| rtx_codec(router, mapped)?.preferred_payload_type)
        .ok_or(orphan)
}

/// Returns the RTX codec of the router's media codec with `payload_type`.
fn rtx_codec(router: &RtpCapabilities, payload_type: Pt) -> Option<&RtpCodecCapability> {
    router
        .codecs
        .iter()
        .find(|it| it.is_rtx() && retransmits(&it.parameters, payload_type))
}

/// Returns the parameters that consumers of a producer are derived from.
///
/// Codecs have the router's payload types and RTCP feedback. Each is followed by its RTX codec even
/// if the publisher has none, because the router retransmits by itself. So it repeats the payloads of Opus,
/// where it has redundant audio, which comes last. Encodings have the SSRCs of
/// the router, and the header extensions are those that consumers may receive.
///
/// # Errors
/// Fails with [`NegotiationError::Unmapped`] when `mapping` was not made from `parameters` and
/// `router`.
pub fn consumable_parameters(
    kind: MediaKind,
    parameters: &RtpParameters,
    router: &RtpCapabilities,
    mapping: &RtpMapping,
) -> Result<RtpParameters, NegotiationError> {
    let mut consumable = RtpParameters {
        header_extensions: consumable_extensions(kind, parameters, router),
        rtcp: RtcpParameters {
            cname: parameters.rtcp.cname.clone(),
            ..RtcpParameters::default()
        },
        msid: parameters.msid.clone(),
        ..RtpParameters::default()
    };
    for codec in parameters.codecs.iter().filter(|it| !it.is_rtx()) {
        let mapped = mapping
            .payload_type(codec.payload_type)
            .ok_or(NegotiationError::Unmapped)?;
        let capability = router
            .codecs
            .iter()
            .find(|it| it.preferred_payload_type == Some(mapped))
            .ok_or(NegotiationError::Unmapped)?;
        let mut media = codec_parameters(capability, mapped);
        media.parameters = codec.parameters.clone();
        if media.is_red() {
            continue;
        }
        consumable.codecs.push(media);
        let rtx = rtx_codec(router, mapped);
        consumable
            .codecs
            .extend(rtx.and_then(|rtx| Some(codec_parameters(rtx, rtx.preferred_payload_type?))));
    }
    let red = redundant_audio(router, &consumable.codecs);
    consumable.codecs.extend(red);
    for (at, encoding) in parameters.encodings.iter().enumerate() {
        let mapped = mapping
            .encodings
            .get(at)
            .ok_or(NegotiationError::Unmapped)?;
        consumable.encodings.push(RtpEncodingParameters {
            ssrc: Some(mapped.mapped_ssrc),
            rid: None,
            rtx: None,
            codec_payload_type: None,
            ..encoding.clone()
        });
    }
    Ok(consumable)
}

/// Returns redundant audio with Opus, of `codecs`, as the primary codec; `None` where the router lacks one of
/// them.
///
/// Its format parameter has no name (`a=fmtp:109 100/100`). A parameter of mediasoup with an empty name
/// becomes `=100/100` in mediasoup-client, which libwebrtc reads as the same; without it, Chromium does not
/// accept the codec.
fn redundant_audio(
    router: &RtpCapabilities,
    codecs: &[RtpCodecParameters],
) -> Option<RtpCodecParameters> {
    let is_opus =
        |it: &&RtpCodecParameters| Codec::of_mime_type(&it.mime_type) == Some(Codec::Opus);
    let opus = codecs.iter().find(is_opus)?.payload_type;
    let red = router.codecs.iter().find(|it| it.is_red())?;
    let mut parameters = codec_parameters(red, red.preferred_payload_type?);
    let list = format!("{0}/{0}", opus.0);
    parameters
        .parameters
        .insert(String::new(), ParameterValue::Text(list));
    Some(parameters)
}

/// Returns a codec of the router as codec parameters.
fn codec_parameters(capability: &RtpCodecCapability, payload_type: Pt) -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: capability.mime_type.clone(),
        payload_type,
        clock_rate: capability.clock_rate,
        channels: capability.channels,
        parameters: capability.parameters.clone(),
        rtcp_feedback: capability.rtcp_feedback.clone(),
    }
}

/// Returns the header extensions that consumers of a producer may receive. abs-capture-time is
/// included only when the publisher sends it, because only the publisher knows the value.
fn consumable_extensions(
    kind: MediaKind,
    parameters: &RtpParameters,
    router: &RtpCapabilities,
) -> Vec<RtpHeaderExtensionParameters> {
    let capture_time = ExtensionKind::AbsCaptureTime.uri();
    let sent = |uri: &str| parameters.header_extensions.iter().any(|it| it.uri == uri);
    router
        .header_extensions
        .iter()
        .filter(|it| it.kind == kind)
        .filter(|it| {
            matches!(
                it.direction,
                HeaderExtensionDirection::SendRecv | HeaderExtensionDirection::SendOnly
            )
        })
        .filter(|it| it.uri != capture_time || sent(capture_time))
        .map(|it| RtpHeaderExtensionParameters {
            uri: it.uri.clone(),
            id: it.preferred_id,
            encrypt: it.preferred_encrypt,
            parameters: FormatParameters::new(),
        })
        .collect()
}
