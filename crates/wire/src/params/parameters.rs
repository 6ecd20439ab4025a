//! RTP parameters: what one producer sends or one consumer receives, after the choice
//! (mediasoup's `RtpParameters`, after the ORTC API).

use serde::{Deserialize, Serialize};

use super::capabilities::{self, MediaKind, RtcpFeedback};
use super::lenient::{self, LenientValue};
use super::parameter_value::{self, FormatParameters};
use super::{
    CODECS_MAX, ENCODINGS_MAX, HEADER_EXTENSIONS_MAX, ParamsError, RTCP_FEEDBACK_MAX, short, within,
};
use crate::rtp::extension::ExtensionKind;
use crate::units::{Mid, Pt, Rid, Ssrc};

/// How one source's packets look.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawRtpParameters")]
pub struct RtpParameters {
    /// The m= section, by which packets find their producer before their SSRC is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mid: Option<Mid>,
    /// Media and RTX codecs in use; the first is the one that is sent.
    pub codecs: Vec<RtpCodecParameters>,
    /// Header extensions in use.
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// One per simulcast stream, lowest quality first; exactly one for a consumer.
    pub encodings: Vec<RtpEncodingParameters>,
    /// RTCP of this source.
    pub rtcp: RtcpParameters,
    /// `a=msid` of the source (RFC 8830), passed on to those who receive it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msid: Option<String>,
}

impl RtpParameters {
    /// The same parameters with another CNAME. One transport's producers all carry one CNAME,
    /// which the transport keeps; a client that sends none would otherwise break its receivers.
    #[must_use]
    pub fn with_cname(mut self, cname: &str) -> Self {
        self.rtcp.cname = Some(cname.to_owned());
        self
    }

    /// Checks what reading JSON would have checked, for parameters that were built in code.
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
        within("encodings", self.encodings.len(), ENCODINGS_MAX)?;
        self.codecs
            .iter()
            .try_for_each(RtpCodecParameters::validate)?;
        for extension in &self.header_extensions {
            short("uri", &extension.uri)?;
            parameter_value::validate(&extension.parameters)?;
        }
        for encoding in &self.encodings {
            short(
                "scalabilityMode",
                encoding.scalability_mode.as_deref().unwrap_or_default(),
            )?;
            capabilities::payload_type_fits(encoding.codec_payload_type)?;
        }
        short("cname", self.rtcp.cname.as_deref().unwrap_or_default())?;
        short("msid", self.msid.as_deref().unwrap_or_default())
    }
}

/// Parameters as a client may have written them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRtpParameters {
    #[serde(default)]
    mid: LenientValue,
    #[serde(deserialize_with = "lenient::list::<_, _, CODECS_MAX>")]
    codecs: Vec<RtpCodecParameters>,
    #[serde(
        default,
        deserialize_with = "lenient::optional_list::<_, _, HEADER_EXTENSIONS_MAX>"
    )]
    header_extensions: Vec<RtpHeaderExtensionParameters>,
    #[serde(
        default,
        deserialize_with = "lenient::optional_list::<_, _, ENCODINGS_MAX>"
    )]
    encodings: Vec<RtpEncodingParameters>,
    #[serde(default)]
    rtcp: Option<RtcpParameters>,
    #[serde(default)]
    msid: LenientValue,
}

impl TryFrom<RawRtpParameters> for RtpParameters {
    type Error = ParamsError;

    fn try_from(raw: RawRtpParameters) -> Result<Self, ParamsError> {
        let mid = raw.mid.optional_text("mid")?;
        let mid = mid.as_deref().map(Mid::from).transpose();
        Ok(Self {
            mid: mid.map_err(|_| ParamsError::TooLong { what: "mid" })?,
            codecs: raw.codecs,
            header_extensions: raw.header_extensions,
            encodings: raw.encodings,
            rtcp: raw.rtcp.unwrap_or_default(),
            msid: raw.msid.optional_text("msid")?,
        })
    }
}

/// One codec in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawCodecParameters")]
pub struct RtpCodecParameters {
    /// `audio/opus`, `video/VP8`, `video/rtx`, …; compared without case.
    pub mime_type: String,
    /// The payload type of its packets.
    pub payload_type: Pt,
    /// RTP clock, in Hz.
    pub clock_rate: u32,
    /// Audio channels; absent for video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Format parameters; `apt` of an RTX codec is the payload type it retransmits.
    pub parameters: FormatParameters,
    /// RTCP feedback in use.
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

impl RtpCodecParameters {
    /// The kind of media that `mime_type` begins with.
    pub fn kind(&self) -> Option<MediaKind> {
        MediaKind::of_mime_type(&self.mime_type)
    }

    /// Whether this is a retransmission codec (RFC 4588), not media.
    pub fn is_rtx(&self) -> bool {
        capabilities::is_rtx(&self.mime_type)
    }

    /// The payload type that this RTX codec retransmits.
    pub fn apt(&self) -> Option<Pt> {
        let apt = self.parameters.get("apt")?.as_integer()?;
        u8::try_from(apt).ok().map(Pt)
    }

    /// Whether the feedback `kind parameter` is in use; an empty parameter for none.
    pub fn has_feedback(&self, kind: &str, parameter: &str) -> bool {
        self.rtcp_feedback
            .iter()
            .any(|it| it.kind == kind && it.parameter == parameter)
    }

    /// Checks one codec of a list.
    fn validate(&self) -> Result<(), ParamsError> {
        if self.kind().is_none() {
            return Err(ParamsError::Invalid { what: "mimeType" });
        }
        short("mimeType", &self.mime_type)?;
        capabilities::payload_type_fits(Some(self.payload_type))?;
        parameter_value::validate(&self.parameters)?;
        capabilities::validate_feedback(&self.rtcp_feedback)
    }
}

/// A codec as a client may have written it.
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
        let mime_type = raw.mime_type.text("mimeType")?;
        let kind =
            MediaKind::of_mime_type(&mime_type).ok_or(ParamsError::Invalid { what: "mimeType" })?;
        let payload_type = Pt(raw.payload_type.integer("payloadType")?);
        capabilities::payload_type_fits(Some(payload_type))?;
        Ok(Self {
            mime_type,
            payload_type,
            clock_rate: raw.clock_rate.integer("clockRate")?,
            channels: capabilities::channels(kind, &raw.channels)?,
            parameters: raw.parameters,
            rtcp_feedback: raw.rtcp_feedback,
        })
    }
}

/// One header extension in use (RFC 8285).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawHeaderExtensionParameters")]
pub struct RtpHeaderExtensionParameters {
    /// What it carries.
    pub uri: String,
    /// Its id in the packets.
    pub id: u8,
    /// Whether it is encrypted (RFC 6904).
    pub encrypt: bool,
    /// Its configuration; no extension in use has any.
    pub parameters: FormatParameters,
}

impl RtpHeaderExtensionParameters {
    /// What it means, when this server speaks it.
    pub fn extension_kind(&self) -> Option<ExtensionKind> {
        ExtensionKind::from_uri(&self.uri)
    }
}

/// A header extension as a client may have written it.
#[derive(Deserialize)]
struct RawHeaderExtensionParameters {
    #[serde(default)]
    uri: LenientValue,
    #[serde(default)]
    id: LenientValue,
    #[serde(default)]
    encrypt: LenientValue,
    #[serde(default, deserialize_with = "parameter_value::parameters")]
    parameters: FormatParameters,
}

impl TryFrom<RawHeaderExtensionParameters> for RtpHeaderExtensionParameters {
    type Error = ParamsError;

    fn try_from(raw: RawHeaderExtensionParameters) -> Result<Self, ParamsError> {
        Ok(Self {
            uri: raw.uri.text("uri")?,
            id: raw.id.integer("id")?,
            encrypt: raw.encrypt.flag("encrypt")?,
            parameters: raw.parameters,
        })
    }
}

/// One stream of a source: its only one, or one rung of simulcast.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawEncodingParameters")]
pub struct RtpEncodingParameters {
    /// Its SSRC, when it is known beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<Ssrc>,
    /// Its name in the packets, when the SSRC is not known beforehand (RFC 8852).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<Rid>,
    /// The codec it uses, when not the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_payload_type: Option<Pt>,
    /// Its retransmission stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx: Option<RtxParameters>,
    /// Whether it may fall silent: the receiver then does not judge it by its packet rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtx: Option<bool>,
    /// Its layers, as in WebRTC-SVC: `L1T3`, `S3T3`, `L3T3_KEY`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalability_mode: Option<String>,
    /// The most it sends, in bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u64>,
    /// How much smaller than the source its picture is, per side.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "parameter_value::serialize_optional_number"
    )]
    pub scale_resolution_down_by: Option<f64>,
}

/// The retransmission stream of an encoding (RFC 4588).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRtxParameters")]
pub struct RtxParameters {
    /// Its SSRC.
    pub ssrc: Ssrc,
}

/// A retransmission stream as a client may have written it.
#[derive(Deserialize)]
struct RawRtxParameters {
    #[serde(default)]
    ssrc: LenientValue,
}

impl TryFrom<RawRtxParameters> for RtxParameters {
    type Error = ParamsError;

    fn try_from(raw: RawRtxParameters) -> Result<Self, ParamsError> {
        Ok(Self {
            ssrc: Ssrc(raw.ssrc.integer("rtx.ssrc")?),
        })
    }
}

/// An encoding as a client may have written it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEncodingParameters {
    #[serde(default)]
    ssrc: LenientValue,
    #[serde(default)]
    rid: LenientValue,
    #[serde(default)]
    codec_payload_type: LenientValue,
    #[serde(default)]
    rtx: Option<RtxParameters>,
    #[serde(default)]
    dtx: LenientValue,
    #[serde(default)]
    scalability_mode: LenientValue,
    #[serde(default)]
    max_bitrate: LenientValue,
    #[serde(default)]
    scale_resolution_down_by: LenientValue,
}

impl TryFrom<RawEncodingParameters> for RtpEncodingParameters {
    type Error = ParamsError;

    fn try_from(raw: RawEncodingParameters) -> Result<Self, ParamsError> {
        let rid = raw.rid.optional_text("rid")?;
        let rid = rid.as_deref().map(Rid::from).transpose();
        // mediasoup never looks at the type of this field, so that only a number is judged.
        let codec_payload_type = match raw.codec_payload_type {
            number @ LenientValue::Number(_) => Some(Pt(number.integer("codecPayloadType")?)),
            _ => None,
        };
        capabilities::payload_type_fits(codec_payload_type)?;
        Ok(Self {
            ssrc: raw.ssrc.optional_integer("ssrc")?.map(Ssrc),
            rid: rid.map_err(|_| ParamsError::TooLong { what: "rid" })?,
            codec_payload_type,
            rtx: raw.rtx,
            dtx: Some(raw.dtx.is_true()),
            scalability_mode: raw.scalability_mode.optional_text("scalabilityMode")?,
            max_bitrate: raw.max_bitrate.hint(),
            scale_resolution_down_by: raw.scale_resolution_down_by.real_hint(),
        })
    }
}

/// RTCP of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawRtcpParameters")]
pub struct RtcpParameters {
    /// The name that ties one endpoint's streams together (RFC 3550 §6.5.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cname: Option<String>,
    /// Whether RTCP packets may be sent alone (RFC 5506). Always, whatever a client says.
    pub reduced_size: bool,
    /// Whether RTCP shares the transport with RTP (RFC 5761), for the clients that ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mux: Option<bool>,
}

impl Default for RtcpParameters {
    fn default() -> Self {
        Self {
            cname: None,
            reduced_size: true,
            mux: None,
        }
    }
}

/// RTCP parameters as a client may have written them.
#[derive(Deserialize)]
struct RawRtcpParameters {
    #[serde(default)]
    cname: LenientValue,
    #[serde(default)]
    mux: LenientValue,
}

impl TryFrom<RawRtcpParameters> for RtcpParameters {
    type Error = ParamsError;

    fn try_from(raw: RawRtcpParameters) -> Result<Self, ParamsError> {
        let mux = match raw.mux {
            LenientValue::Bool(mux) => Some(mux),
            _ => None,
        };
        Ok(Self {
            cname: raw.cname.optional_text("cname")?,
            reduced_size: true,
            mux,
        })
    }
}
