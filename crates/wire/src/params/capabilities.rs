//! RTP capabilities: what a router or a browser is able to do, before anything is chosen
//! (mediasoup's `RtpCapabilities`, after the ORTC API).

use serde::{Deserialize, Serialize};

use super::lenient::{self, LenientValue};
use super::parameter_value::{self, FormatParameters};
use super::{CODECS_MAX, HEADER_EXTENSIONS_MAX, ParamsError, RTCP_FEEDBACK_MAX, short, within};
use crate::rtp::extension::ExtensionKind;
use crate::units::Pt;

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures, of a camera or a screen.
    Video,
}

impl MediaKind {
    /// The word for it in JSON and in front of a MIME type's slash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    /// The kind that `mime_type` begins with: `audio/…` or `video/…` in any case, and at least
    /// one character after the slash.
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

/// Everything one side can do. Absent lists read as empty.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCapabilities {
    /// Media and RTX codecs, best first.
    #[serde(
        default,
        deserialize_with = "lenient::optional_list::<_, _, CODECS_MAX>"
    )]
    pub codecs: Vec<RtpCodecCapability>,
    /// Header extensions, once per kind of media.
    #[serde(
        default,
        deserialize_with = "lenient::optional_list::<_, _, HEADER_EXTENSIONS_MAX>"
    )]
    pub header_extensions: Vec<RtpHeaderExtension>,
}

impl RtpCapabilities {
    /// Checks what reading JSON would have checked, for capabilities that were built in code.
    ///
    /// # Errors
    /// Names the first list or field that breaks its cap or lacks its value.
    pub fn validate(&self) -> Result<(), ParamsError> {
        within("codecs", self.codecs.len(), CODECS_MAX)?;
        within(
            "headerExtensions",
            self.header_extensions.len(),
            HEADER_EXTENSIONS_MAX,
        )?;
        self.codecs
            .iter()
            .try_for_each(RtpCodecCapability::validate)?;
        self.header_extensions
            .iter()
            .try_for_each(|extension| short("uri", &extension.uri))
    }
}

/// One codec that can be negotiated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawCodecCapability")]
pub struct RtpCodecCapability {
    /// Always the kind that `mime_type` begins with, whatever a client says.
    pub kind: MediaKind,
    /// `audio/opus`, `video/VP8`, `video/rtx`, …; compared without case.
    pub mime_type: String,
    /// The payload type to use for it. A router gives each of its codecs one; a list of codecs
    /// to make a router from need not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_payload_type: Option<Pt>,
    /// RTP clock, in Hz.
    pub clock_rate: u32,
    /// Audio channels; absent for video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Format parameters.
    pub parameters: FormatParameters,
    /// RTCP feedback that may be used with it.
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

impl RtpCodecCapability {
    /// Whether this is a retransmission codec (RFC 4588), not media.
    pub fn is_rtx(&self) -> bool {
        is_rtx(&self.mime_type)
    }

    /// Checks one codec of a list.
    fn validate(&self) -> Result<(), ParamsError> {
        if MediaKind::of_mime_type(&self.mime_type) != Some(self.kind) {
            return Err(ParamsError::Invalid { what: "mimeType" });
        }
        short("mimeType", &self.mime_type)?;
        payload_type_fits(self.preferred_payload_type)?;
        parameter_value::validate(&self.parameters)?;
        validate_feedback(&self.rtcp_feedback)
    }
}

/// One codec capability as a client may have written it.
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
        let mime_type = raw.mime_type.text("mimeType")?;
        let kind =
            MediaKind::of_mime_type(&mime_type).ok_or(ParamsError::Invalid { what: "mimeType" })?;
        let preferred_payload_type = raw
            .preferred_payload_type
            .optional_integer("preferredPayloadType")?
            .map(Pt);
        payload_type_fits(preferred_payload_type)?;
        Ok(Self {
            kind,
            mime_type,
            preferred_payload_type,
            clock_rate: raw.clock_rate.integer("clockRate")?,
            channels: channels(kind, &raw.channels)?,
            parameters: raw.parameters,
            rtcp_feedback: raw.rtcp_feedback,
        })
    }
}

/// Channels as they are compared: video has none, and audio that does not say has one.
pub(super) fn channels(kind: MediaKind, given: &LenientValue) -> Result<Option<u8>, ParamsError> {
    match (kind, given) {
        (MediaKind::Video, _) => Ok(None),
        (MediaKind::Audio, LenientValue::Number(_)) => given
            .hint()
            .map(Some)
            .ok_or(ParamsError::Invalid { what: "channels" }),
        (MediaKind::Audio, _) => Ok(Some(1)),
    }
}

/// Refuses a payload type that does not fit 7 bits.
pub(super) fn payload_type_fits(payload_type: Option<Pt>) -> Result<(), ParamsError> {
    match payload_type {
        Some(Pt(128..)) => Err(ParamsError::Invalid {
            what: "payloadType",
        }),
        _ => Ok(()),
    }
}

/// Whether `mime_type` names retransmissions.
pub(super) fn is_rtx(mime_type: &str) -> bool {
    mime_type
        .rsplit_once('/')
        .is_some_and(|(_, subtype)| subtype.eq_ignore_ascii_case("rtx"))
}

/// One kind of RTCP feedback (RFC 4585 §4.2).
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
    /// The feedback `kind parameter`; an empty parameter for none.
    pub fn new(kind: &str, parameter: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            parameter: parameter.to_owned(),
        }
    }
}

/// Feedback as a client may have written it.
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

/// Checks one codec's list of feedback.
pub(super) fn validate_feedback(feedback: &[RtcpFeedback]) -> Result<(), ParamsError> {
    within("rtcpFeedback", feedback.len(), RTCP_FEEDBACK_MAX)?;
    for one in feedback {
        short("rtcpFeedback.type", &one.kind)?;
        short("rtcpFeedback.parameter", &one.parameter)?;
    }
    Ok(())
}

/// Which way a header extension may go, seen from the one who offers it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderExtensionDirection {
    /// Both ways.
    #[default]
    SendRecv,
    /// Only in what it sends.
    SendOnly,
    /// Only in what it receives.
    RecvOnly,
    /// Neither way. A direction that nobody knows reads as this.
    Inactive,
}

/// One header extension that can be negotiated, for one kind of media (RFC 8285).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawHeaderExtension")]
pub struct RtpHeaderExtension {
    /// The media it is for.
    pub kind: MediaKind,
    /// What it carries.
    pub uri: String,
    /// The id to use for it.
    pub preferred_id: u8,
    /// Whether it asks to be encrypted (RFC 6904).
    pub preferred_encrypt: bool,
    /// Which way it may go.
    pub direction: HeaderExtensionDirection,
}

impl RtpHeaderExtension {
    /// What it means, when this server speaks it.
    pub fn extension_kind(&self) -> Option<ExtensionKind> {
        ExtensionKind::from_uri(&self.uri)
    }
}

/// A header extension as a client may have written it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHeaderExtension {
    kind: MediaKind,
    #[serde(default)]
    uri: LenientValue,
    #[serde(default)]
    preferred_id: LenientValue,
    #[serde(default)]
    preferred_encrypt: LenientValue,
    #[serde(default)]
    direction: LenientValue,
}

impl TryFrom<RawHeaderExtension> for RtpHeaderExtension {
    type Error = ParamsError;

    fn try_from(raw: RawHeaderExtension) -> Result<Self, ParamsError> {
        let direction = match raw.direction.optional_text("direction")?.as_deref() {
            None | Some("sendrecv") => HeaderExtensionDirection::SendRecv,
            Some("sendonly") => HeaderExtensionDirection::SendOnly,
            Some("recvonly") => HeaderExtensionDirection::RecvOnly,
            Some(_) => HeaderExtensionDirection::Inactive,
        };
        Ok(Self {
            kind: raw.kind,
            uri: raw.uri.text("uri")?,
            preferred_id: raw.preferred_id.integer("preferredId")?,
            preferred_encrypt: raw.preferred_encrypt.flag("preferredEncrypt")?,
            direction,
        })
    }
}
