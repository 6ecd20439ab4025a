//! The publisher's half: what it is about to send, in the router's terms. A router has one payload
//! type per codec and one SSRC per stream, whatever numbers its publishers chose; consumers are
//! made from those.

use watersmeet_wire::params::{
    FormatParameters, HeaderExtensionDirection, MediaKind, ParameterValue, RtcpParameters,
    RtpCapabilities, RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters,
    RtpHeaderExtensionParameters, RtpParameters,
};
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::{Pt, Rid, Rng, Ssrc};

use super::codec_matching::{Agreement, agree};
use super::{NegotiationError, random_ssrc, retransmits};

/// How a publisher's numbers become the router's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RtpMapping {
    /// Payload types: media codecs in the publisher's order, then RTX codecs in theirs.
    pub codecs: Vec<CodecMapping>,
    /// Streams, in the order of the publisher's encodings.
    pub encodings: Vec<EncodingMapping>,
}

impl RtpMapping {
    /// The mapping of parameters that are in the router's terms already.
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

    /// The router's payload type for the publisher's `payload_type`.
    pub fn payload_type(&self, payload_type: Pt) -> Option<Pt> {
        self.codecs
            .iter()
            .find(|it| it.payload_type == payload_type)
            .map(|it| it.mapped_payload_type)
    }
}

/// One payload type of a publisher and the router's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecMapping {
    /// The publisher's.
    pub payload_type: Pt,
    /// The router's.
    pub mapped_payload_type: Pt,
}

/// One stream of a publisher and its SSRC inside the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingMapping {
    /// The publisher's SSRC, when it said one.
    pub ssrc: Option<Ssrc>,
    /// The publisher's name for it, when it said one.
    pub rid: Option<Rid>,
    /// The SSRC inside the router.
    pub mapped_ssrc: Ssrc,
}

/// All that is known of a producer before its first packet.
#[derive(Debug, Clone, PartialEq)]
pub struct NegotiatedProducer {
    /// What it sends, in the publisher's terms.
    pub parameters: RtpParameters,
    /// How those terms become the router's.
    pub mapping: RtpMapping,
    /// What can be consumed of it, in the router's terms.
    pub consumable: RtpParameters,
}

/// Everything that making a producer needs: the checks, the transport's CNAME written in, one
/// encoding when the publisher names none, the mapping and the consumable parameters.
///
/// # Errors
/// The parameters break a cap, use a payload type twice, have no media codec in front or one of
/// the other kind, or the router cannot carry them.
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
        let only = RtpEncodingParameters {
            dtx: Some(false),
            ..RtpEncodingParameters::default()
        };
        parameters.encodings.push(only);
    }
    let mapping = producer_mapping(&mut parameters, router, rng)?;
    let consumable = consumable_parameters(kind, &parameters, router, &mapping)?;
    Ok(NegotiatedProducer {
        parameters,
        mapping,
        consumable,
    })
}

/// Refuses lists of codecs that could be mapped and still not be received.
fn check_codecs(kind: MediaKind, codecs: &[RtpCodecParameters]) -> Result<(), NegotiationError> {
    if codecs.first().is_none_or(RtpCodecParameters::is_rtx) {
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

/// Finds the router's codec for each of the publisher's, and gives each stream its SSRC inside
/// the router. An H.264 codec's `profile-level-id` becomes the one that both sides agree on.
///
/// # Errors
/// A codec is not the router's, or an RTX codec belongs to no media codec.
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

/// The router's payload type for a media codec, whose H.264 profile is settled on the way.
fn map_media_codec(
    codec: &mut RtpCodecParameters,
    router: &RtpCapabilities,
) -> Result<Pt, NegotiationError> {
    let matched = router.codecs.iter().find_map(|capability| {
        let agreement = agree((&*codec).into(), capability.into())?;
        Some((agreement, capability.preferred_payload_type?))
    });
    let Some((agreement, mapped)) = matched else {
        return Err(NegotiationError::CodecNotInRouter {
            mime_type: codec.mime_type.clone(),
            payload_type: codec.payload_type,
        });
    };
    match agreement {
        Agreement::AsIs => {}
        Agreement::H264Profile(Some(profile)) => {
            let profile = ParameterValue::Text(profile);
            codec
                .parameters
                .insert("profile-level-id".to_owned(), profile);
        }
        Agreement::H264Profile(None) => {
            codec.parameters.remove("profile-level-id");
        }
    }
    Ok(mapped)
}

/// The router's payload type for an RTX codec: that of the RTX codec of the router's media codec.
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

/// The router's RTX codec for its media codec with `payload_type`.
fn rtx_codec(router: &RtpCapabilities, payload_type: Pt) -> Option<&RtpCodecCapability> {
    router
        .codecs
        .iter()
        .find(|it| it.is_rtx() && retransmits(&it.parameters, payload_type))
}

/// What can be consumed of a producer: its codecs with the router's payload types and feedback,
/// each followed by its RTX codec whether or not the publisher has one (the router resends by
/// itself), the header extensions that consumers may receive, and its streams by their SSRC
/// inside the router.
///
/// # Errors
/// `mapping` was not made from `parameters` and `router`.
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
        consumable.codecs.push(media);
        let rtx = rtx_codec(router, mapped);
        consumable
            .codecs
            .extend(rtx.and_then(|rtx| Some(codec_parameters(rtx, rtx.preferred_payload_type?))));
    }
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

/// A codec of the router as a codec in use.
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

/// The header extensions that consumers of this producer may receive. The capture time is the
/// publisher's own word: it is announced only when the publisher sends it.
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
