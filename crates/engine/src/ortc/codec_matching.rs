//! Decides whether two codecs match. MIME types are compared without case, clock rates and channels
//! exactly, and for H.264, VP9 and multiopus also the format parameters that a decoder depends on.

use watersmeet_wire::params::{
    FormatParameters, ParameterValue, RtpCodecCapability, RtpCodecParameters,
};
use watersmeet_wire::units::Pt;

use super::h264_profile;

/// The parts of a codec that are compared.
#[derive(Clone, Copy)]
pub(super) struct ComparedCodec<'a> {
    mime_type: &'a str,
    /// RTP clock rate in Hz.
    clock_rate: u32,
    /// Audio channels; absent for video.
    channels: Option<u8>,
    parameters: &'a FormatParameters,
}

impl<'a> From<&'a RtpCodecCapability> for ComparedCodec<'a> {
    fn from(codec: &'a RtpCodecCapability) -> Self {
        Self {
            mime_type: &codec.mime_type,
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: &codec.parameters,
        }
    }
}

impl<'a> From<&'a RtpCodecParameters> for ComparedCodec<'a> {
    fn from(codec: &'a RtpCodecParameters) -> Self {
        Self {
            mime_type: &codec.mime_type,
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: &codec.parameters,
        }
    }
}

/// Result of matching two codecs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CodecMatch {
    /// The parameters of both are kept.
    Unchanged,
    /// `profile-level-id` becomes this value; `None` removes it.
    H264Profile(Option<String>),
}

/// Returns whether both are the same codec, regardless of profiles.
pub(super) fn same_codec(own: ComparedCodec<'_>, other: ComparedCodec<'_>) -> bool {
    own.mime_type.eq_ignore_ascii_case(other.mime_type)
        && own.clock_rate == other.clock_rate
        && own.channels == other.channels
        && (!own.mime_type.eq_ignore_ascii_case("audio/multiopus") || same_layout(own, other))
}

/// Returns how a stream encoded as `own` matches a decoder for `other`, or `None` if it does not.
pub(super) fn match_codecs(own: ComparedCodec<'_>, other: ComparedCodec<'_>) -> Option<CodecMatch> {
    if !same_codec(own, other) {
        return None;
    }
    let same = |name| parameter_or_zero(own, name) == parameter_or_zero(other, name);
    if own.mime_type.eq_ignore_ascii_case("video/h264") {
        if !same("packetization-mode") {
            return None;
        }
        return h264_profile::answer_profile(own.parameters, other.parameters)
            .map(CodecMatch::H264Profile);
    }
    if own.mime_type.eq_ignore_ascii_case("video/vp9") && !same("profile-id") {
        return None;
    }
    Some(CodecMatch::Unchanged)
}

/// Returns whether two multiopus codecs have the same number of streams.
fn same_layout(own: ComparedCodec<'_>, other: ComparedCodec<'_>) -> bool {
    let same = |name| own.parameters.get(name) == other.parameters.get(name);
    same("num_streams") && same("coupled_streams")
}

/// Returns a format parameter, or zero when it is not set.
fn parameter_or_zero(codec: ComparedCodec<'_>, name: &str) -> ParameterValue {
    let value = codec.parameters.get(name).filter(|value| value.is_truthy());
    value.cloned().unwrap_or(ParameterValue::Number(0.0))
}

/// Returns whether the `apt` of an RTX codec is `payload_type`.
pub(super) fn retransmits(parameters: &FormatParameters, payload_type: Pt) -> bool {
    parameters.get("apt").and_then(ParameterValue::as_integer) == Some(i64::from(payload_type.0))
}
