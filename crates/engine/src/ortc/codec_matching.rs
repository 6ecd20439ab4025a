//! When two codecs are the same one. Names compare without case, clock rates and channels
//! exactly, and three codecs have format parameters that make a bitstream foreign to a decoder.

use watersmeet_wire::params::{
    FormatParameters, ParameterValue, RtpCodecCapability, RtpCodecParameters,
};

use super::h264_profile;

/// What of a codec counts when it is compared.
#[derive(Clone, Copy)]
pub(super) struct Codec<'a> {
    /// Its name.
    mime_type: &'a str,
    /// Its RTP clock, in Hz.
    clock_rate: u32,
    /// Its channels; none for video.
    channels: Option<u8>,
    /// Its format parameters.
    parameters: &'a FormatParameters,
}

impl<'a> From<&'a RtpCodecCapability> for Codec<'a> {
    fn from(codec: &'a RtpCodecCapability) -> Self {
        Self {
            mime_type: &codec.mime_type,
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: &codec.parameters,
        }
    }
}

impl<'a> From<&'a RtpCodecParameters> for Codec<'a> {
    fn from(codec: &'a RtpCodecParameters) -> Self {
        Self {
            mime_type: &codec.mime_type,
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: &codec.parameters,
        }
    }
}

/// How two codecs agree.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// As they are.
    AsIs,
    /// On this `profile-level-id`, or on naming none.
    H264Profile(Option<String>),
}

/// Whether both are the same codec, whatever a decoder needs to know besides.
pub(super) fn same_codec(own: Codec<'_>, other: Codec<'_>) -> bool {
    own.mime_type.eq_ignore_ascii_case(other.mime_type)
        && own.clock_rate == other.clock_rate
        && own.channels == other.channels
        && (!own.mime_type.eq_ignore_ascii_case("audio/multiopus") || same_layout(own, other))
}

/// Whether what one encodes as `own` is what the other decodes as `other`, and on what terms.
pub(super) fn agree(own: Codec<'_>, other: Codec<'_>) -> Option<Agreement> {
    if !same_codec(own, other) {
        return None;
    }
    let same = |name| or_zero(own, name) == or_zero(other, name);
    if own.mime_type.eq_ignore_ascii_case("video/h264") {
        if !same("packetization-mode") {
            return None;
        }
        return h264_profile::answer(own.parameters, other.parameters).map(Agreement::H264Profile);
    }
    if own.mime_type.eq_ignore_ascii_case("video/vp9") && !same("profile-id") {
        return None;
    }
    Some(Agreement::AsIs)
}

/// Whether two surround codecs carry as many streams.
fn same_layout(own: Codec<'_>, other: Codec<'_>) -> bool {
    let same = |name| own.parameters.get(name) == other.parameters.get(name);
    same("num_streams") && same("coupled_streams")
}

/// A parameter that means zero when it is not set.
fn or_zero(codec: Codec<'_>, name: &str) -> ParameterValue {
    let value = codec.parameters.get(name).filter(|value| value.is_truthy());
    value.cloned().unwrap_or(ParameterValue::Number(0.0))
}
