//! RTP parameters of a consumer. Codecs, RTCP feedback and header extensions are reduced to what
//! the client supports, simulcast encodings to one stream, and bandwidth estimation to one
//! mechanism.

use watersmeet_wire::params::{
    RtpCapabilities, RtpCodecParameters, RtpEncodingParameters, RtpParameters, RtxParameters,
    ScalabilityMode,
};
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::Ssrc;

use super::codec_matching::{match_codecs, retransmits};
use super::error::NegotiationError;

/// Returns whether a client with the capabilities `remote` can receive a producer.
pub fn can_consume(consumable: &RtpParameters, remote: &RtpCapabilities) -> bool {
    let is_supported = |codec: &&RtpCodecParameters| {
        remote
            .codecs
            .iter()
            .any(|it| match_codecs(it.into(), (*codec).into()).is_some())
    };
    // mediasoup refuses a client that lacks the producer's first codec only: every RTX codec matches
    // every other.
    let mut media = consumable.codecs.iter().filter(|codec| codec.is_media());
    media.any(|codec| is_supported(&codec))
}

/// Returns the parameters with which a client with the capabilities `remote` receives a producer.
///
/// There is one stream with the SSRC `ssrc`; its RTX stream has the next SSRC. The caller sets the
/// MID.
///
/// # Errors
/// Fails with [`NegotiationError::NoCompatibleCodecs`] when the client supports none of the
/// producer's media codecs.
pub fn consumer_parameters(
    consumable: &RtpParameters,
    remote: &RtpCapabilities,
    enable_rtx: bool,
    ssrc: Ssrc,
) -> Result<RtpParameters, NegotiationError> {
    let mut codecs = supported_codecs(consumable, remote, enable_rtx);
    let all = codecs.clone();
    codecs.retain(|codec| {
        codec.is_media()
            || all.iter().any(|it| {
                retransmits(&codec.parameters, it.payload_type)
                    || codec.red_primary() == Some(it.payload_type)
            })
    });
    if codecs.first().is_none_or(RtpCodecParameters::is_rtx) {
        return Err(NegotiationError::NoCompatibleCodecs);
    }
    let has_rtx = codecs.iter().any(RtpCodecParameters::is_rtx);
    let mut parameters = RtpParameters {
        mid: None,
        codecs,
        header_extensions: consumable.header_extensions.clone(),
        encodings: vec![consumer_encoding(&consumable.encodings, has_rtx, ssrc)],
        rtcp: consumable.rtcp.clone(),
        msid: consumable.msid.clone(),
    };
    parameters.header_extensions.retain(|extension| {
        let mut offered = remote.header_extensions.iter();
        offered.any(|it| it.preferred_id == extension.id && it.uri == extension.uri)
    });
    keep_one_estimator(&mut parameters);
    Ok(parameters)
}

/// Returns the producer's codecs that the client supports, with the client's RTCP feedback.
fn supported_codecs(
    consumable: &RtpParameters,
    remote: &RtpCapabilities,
    enable_rtx: bool,
) -> Vec<RtpCodecParameters> {
    let mut codecs = Vec::new();
    for codec in consumable
        .codecs
        .iter()
        .filter(|it| enable_rtx || !it.is_rtx())
    {
        let theirs = remote
            .codecs
            .iter()
            .find(|it| match_codecs((*it).into(), codec.into()).is_some());
        let Some(theirs) = theirs else { continue };
        let mut codec = codec.clone();
        codec.rtcp_feedback = theirs.rtcp_feedback.clone();
        // Without RTX nothing is retransmitted, so that generic NACK has no use.
        codec
            .rtcp_feedback
            .retain(|it| enable_rtx || it.kind != "nack" || !it.parameter.is_empty());
        codecs.push(codec);
    }
    codecs
}

/// Keeps the RTCP feedback of one bandwidth estimator: transport-wide congestion control when its
/// header extension is in use, else REMB when abs-send-time is, else none. Congestion control feedback
/// (RFC 8888), which mediasoup does not know, takes the place of REMB.
fn keep_one_estimator(parameters: &mut RtpParameters) {
    let in_use = |extension: ExtensionKind| {
        parameters
            .header_extensions
            .iter()
            .any(|it| it.uri == extension.uri())
    };
    let mut codecs = parameters.codecs.iter();
    let has_congestion_feedback = codecs.any(|it| it.has_feedback("ack", "ccfb"));
    let unwanted: &[&str] = if in_use(ExtensionKind::TransportWideCc) {
        &["goog-remb"]
    } else if has_congestion_feedback {
        &["transport-cc", "goog-remb"]
    } else if in_use(ExtensionKind::AbsSendTime) {
        &["transport-cc"]
    } else {
        &["transport-cc", "goog-remb"]
    };
    for codec in &mut parameters.codecs {
        codec
            .rtcp_feedback
            .retain(|it| !unwanted.contains(&it.kind.as_str()));
    }
}

/// Returns the encoding of a consumer, with all layers and the highest bitrate of its producer.
fn consumer_encoding(
    encodings: &[RtpEncodingParameters],
    has_rtx: bool,
    ssrc: Ssrc,
) -> RtpEncodingParameters {
    let mode = encodings
        .iter()
        .find_map(|it| it.scalability_mode.as_deref());
    let scalability_mode = if encodings.len() > 1 {
        Some(format!("L{}T{}", encodings.len(), temporal_layers(mode)))
    } else {
        mode.map(str::to_owned)
    };
    RtpEncodingParameters {
        ssrc: Some(ssrc),
        rtx: has_rtx.then(|| RtxParameters {
            ssrc: Ssrc(ssrc.0.wrapping_add(1)),
        }),
        scalability_mode,
        max_bitrate: encodings
            .iter()
            .filter_map(|it| it.max_bitrate)
            .max()
            .filter(|it| *it > 0),
        ..RtpEncodingParameters::default()
    }
}

/// Returns the number of temporal layers of a scalability mode such as `L3T2_KEY`, or 1 when the
/// mode is absent or malformed.
fn temporal_layers(mode: Option<&str>) -> u8 {
    mode.and_then(ScalabilityMode::parse)
        .map_or(1, |mode| mode.temporal)
}
