//! Codecs in RTP capabilities and parameters, with the RTCP feedback of each. Both forms share
//! everything but the name of the payload type.

use serde::{Deserialize, Serialize};

use super::lenient::{self, LenientValue};
use super::limits::{ParamsError, RTCP_FEEDBACK_MAX, check_list_len, check_text_len};
use super::parameter_value::{self, FormatParameters};
use crate::units::Pt;

/// MIME type of redundant audio (RFC 2198).
pub const RED_MIME_TYPE: &str = "audio/red";

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures of a camera or a screen.
    Video,
}

impl MediaKind {
    /// Returns the kind as JSON and MIME types spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    /// Returns the kind of a MIME type: `audio/…` or `video/…` in any case, with at least one
    /// character after the slash.
    pub fn of_mime_type(mime_type: &str) -> Option<Self> {
        let (kind, subtype) = mime_type.split_once('/')?;
        if subtype.is_empty() || subtype.starts_with(['\n', '\r', '\u{2028}', '\u{2029}']) {
            return None;
        }
        [Self::Audio, Self::Video]
            .into_iter()
            .find(|it| kind.eq_ignore_ascii_case(it.as_str()))
    }
}

/// Codec that can be negotiated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawCodecCapability")]
pub struct RtpCodecCapability {
    /// Kind of the media; always derived from `mime_type`, whatever the client sends.
    pub kind: MediaKind,
    /// `audio/opus`, `video/VP8`, `video/rtx`, …; compared without case.
    pub mime_type: String,
    /// Payload type to use. A router assigns one to each of its codecs; the list of codecs that a
    /// router is created from may leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_payload_type: Option<Pt>,
    /// RTP clock rate, in Hz.
    pub clock_rate: u32,
    /// Number of audio channels; absent for video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Format parameters (`a=fmtp`).
    pub parameters: FormatParameters,
    /// RTCP feedback that may be used with the codec.
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

impl RtpCodecCapability {
    /// Returns whether this is a retransmission codec (RFC 4588).
    pub fn is_rtx(&self) -> bool {
        is_rtx(&self.mime_type)
    }

    /// Returns whether this is redundant audio (RFC 2198).
    pub fn is_red(&self) -> bool {
        is_red(&self.mime_type)
    }

    pub(super) fn validate(&self) -> Result<(), ParamsError> {
        if MediaKind::of_mime_type(&self.mime_type) != Some(self.kind) {
            return Err(ParamsError::Invalid { what: "mimeType" });
        }
        validate_codec(
            &self.mime_type,
            self.preferred_payload_type,
            &self.parameters,
            &self.rtcp_feedback,
        )
    }
}

/// JSON of a codec capability before validation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCodecCapability {
    #[serde(default)]
    mime_type: LenientValue,
    #[serde(default)]
    preferred_payload_type: LenientValue,
    #[serde(default)]
    clock_rate: LenientValue,
    #[serde(default)]
    channels: LenientValue,
    #[serde(default, deserialize_with = "parameter_value::parameters")]
    parameters: FormatParameters,
    #[serde(
        default,
        deserialize_with = "lenient::any_list::<_, _, RTCP_FEEDBACK_MAX>"
    )]
    rtcp_feedback: Vec<RtcpFeedback>,
}

impl TryFrom<RawCodecCapability> for RtpCodecCapability {
    type Error = ParamsError;

    fn try_from(raw: RawCodecCapability) -> Result<Self, ParamsError> {
        let (kind, mime_type) = read_mime_type(raw.mime_type)?;
        let preferred_payload_type = raw
            .preferred_payload_type
            .optional_integer("preferredPayloadType")?
            .map(Pt);
        check_payload_type(preferred_payload_type)?;
        Ok(Self {
            kind,
            mime_type,
            preferred_payload_type,
            clock_rate: raw.clock_rate.integer("clockRate")?,
            channels: read_channels(kind, &raw.channels)?,
            parameters: raw.parameters,
            rtcp_feedback: raw.rtcp_feedback,
        })
    }
}

/// Codec in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawCodecParameters")]
pub struct RtpCodecParameters {
    /// `audio/opus`, `video/VP8`, `video/rtx`, …; compared without case.
    pub mime_type: String,
    /// Payload type of its packets.
    pub payload_type: Pt,
    /// RTP clock rate, in Hz.
    pub clock_rate: u32,
    /// Number of audio channels; absent for video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Format parameters; `apt` of an RTX codec is the payload type it retransmits.
    pub parameters: FormatParameters,
    /// RTCP feedback in use.
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

impl RtpCodecParameters {
    /// Returns the kind of media that `mime_type` begins with.
    pub fn kind(&self) -> Option<MediaKind> {
        MediaKind::of_mime_type(&self.mime_type)
    }

    /// Returns whether this is a retransmission codec (RFC 4588).
    pub fn is_rtx(&self) -> bool {
        is_rtx(&self.mime_type)
    }

    /// Returns whether this is redundant audio (RFC 2198).
    pub fn is_red(&self) -> bool {
        is_red(&self.mime_type)
    }

    /// Returns whether this is media by itself: neither retransmissions nor redundancy.
    pub fn is_media(&self) -> bool {
        !self.is_rtx() && !self.is_red()
    }

    /// Returns the payload type of the payloads that this RED codec carries: the first of its format
    /// parameter, which has no name (RFC 2198 §5: `a=fmtp:109 100/100`).
    pub fn red_primary(&self) -> Option<Pt> {
        let list = self.parameters.get("").filter(|_| self.is_red())?;
        let first = list.as_text()?.split('/').next()?;
        first.parse().ok().map(Pt)
    }

    /// Returns the payload type that this RTX codec retransmits.
    pub fn apt(&self) -> Option<Pt> {
        let apt = self.parameters.get("apt")?.as_integer()?;
        u8::try_from(apt).ok().map(Pt)
    }

    /// Returns whether the feedback `kind parameter` is in use; `parameter` may be empty.
    pub fn has_feedback(&self, kind: &str, parameter: &str) -> bool {
        self.rtcp_feedback
            .iter()
            .any(|it| it.kind == kind && it.parameter == parameter)
    }

    pub(super) fn validate(&self) -> Result<(), ParamsError> {
        if self.kind().is_none() {
            return Err(ParamsError::Invalid { what: "mimeType" });
        }
        validate_codec(
            &self.mime_type,
            Some(self.payload_type),
            &self.parameters,
            &self.rtcp_feedback,
        )
    }
}

/// JSON of codec parameters before validation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCodecParameters {
    #[serde(default)]
    mime_type: LenientValue,
    #[serde(default)]
    payload_type: LenientValue,
    #[serde(default)]
    clock_rate: LenientValue,
    #[serde(default)]
    channels: LenientValue,
    #[serde(default, deserialize_with = "parameter_value::parameters")]
    parameters: FormatParameters,
    #[serde(
        default,
        deserialize_with = "lenient::any_list::<_, _, RTCP_FEEDBACK_MAX>"
    )]
    rtcp_feedback: Vec<RtcpFeedback>,
}

impl TryFrom<RawCodecParameters> for RtpCodecParameters {
    type Error = ParamsError;

    fn try_from(raw: RawCodecParameters) -> Result<Self, ParamsError> {
        let (kind, mime_type) = read_mime_type(raw.mime_type)?;
        let payload_type = Pt(raw.payload_type.integer("payloadType")?);
        check_payload_type(Some(payload_type))?;
        Ok(Self {
            mime_type,
            payload_type,
            clock_rate: raw.clock_rate.integer("clockRate")?,
            channels: read_channels(kind, &raw.channels)?,
            parameters: raw.parameters,
            rtcp_feedback: raw.rtcp_feedback,
        })
    }
}

/// Reads a mandatory MIME type and the kind of media that it names.
fn read_mime_type(value: LenientValue) -> Result<(MediaKind, String), ParamsError> {
    let mime_type = value.text("mimeType")?;
    let kind =
        MediaKind::of_mime_type(&mime_type).ok_or(ParamsError::Invalid { what: "mimeType" })?;
    Ok((kind, mime_type))
}

/// Reads the channel count in the form in which it is compared: video has none, and audio without a
/// count has one.
fn read_channels(kind: MediaKind, value: &LenientValue) -> Result<Option<u8>, ParamsError> {
    match (kind, value) {
        (MediaKind::Video, _) => Ok(None),
        (MediaKind::Audio, LenientValue::Number(_)) => value
            .integer_hint()
            .map(Some)
            .ok_or(ParamsError::Invalid { what: "channels" }),
        (MediaKind::Audio, _) => Ok(Some(1)),
    }
}

/// Rejects a payload type that does not fit 7 bits.
pub(super) fn check_payload_type(payload_type: Option<Pt>) -> Result<(), ParamsError> {
    match payload_type {
        Some(Pt(128..)) => Err(ParamsError::Invalid {
            what: "payloadType",
        }),
        _ => Ok(()),
    }
}

/// Checks the fields that capabilities and parameters share.
fn validate_codec(
    mime_type: &str,
    payload_type: Option<Pt>,
    parameters: &FormatParameters,
    rtcp_feedback: &[RtcpFeedback],
) -> Result<(), ParamsError> {
    check_text_len("mimeType", mime_type)?;
    check_payload_type(payload_type)?;
    parameter_value::validate(parameters)?;
    check_list_len("rtcpFeedback", rtcp_feedback.len(), RTCP_FEEDBACK_MAX)?;
    for feedback in rtcp_feedback {
        check_text_len("rtcpFeedback.type", &feedback.kind)?;
        check_text_len("rtcpFeedback.parameter", &feedback.parameter)?;
    }
    Ok(())
}

fn is_rtx(mime_type: &str) -> bool {
    mime_type
        .rsplit_once('/')
        .is_some_and(|(_, subtype)| subtype.eq_ignore_ascii_case("rtx"))
}

fn is_red(mime_type: &str) -> bool {
    mime_type.eq_ignore_ascii_case(RED_MIME_TYPE)
}

/// Type of RTCP feedback (RFC 4585 §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawFeedback")]
pub struct RtcpFeedback {
    /// `nack`, `ccm`, `goog-remb`, `transport-cc`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `pli`, `fir`, or empty.
    pub parameter: String,
}

impl RtcpFeedback {
    /// Creates the feedback `kind parameter`; `parameter` may be empty.
    pub fn new(kind: &str, parameter: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            parameter: parameter.to_owned(),
        }
    }
}

/// JSON of RTCP feedback before validation.
#[derive(Deserialize)]
struct RawFeedback {
    #[serde(default, rename = "type")]
    kind: LenientValue,
    #[serde(default)]
    parameter: LenientValue,
}

impl TryFrom<RawFeedback> for RtcpFeedback {
    type Error = ParamsError;

    fn try_from(raw: RawFeedback) -> Result<Self, ParamsError> {
        Ok(Self {
            kind: raw.kind.text("rtcpFeedback.type")?,
            parameter: raw.parameter.text_or_empty("rtcpFeedback.parameter")?,
        })
    }
}
