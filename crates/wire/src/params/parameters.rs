//! RTP parameters: the negotiated description of what one producer sends or one consumer receives
//! (mediasoup's `RtpParameters`, after the ORTC API).

use serde::{Deserialize, Serialize};

use super::header_extension::RtpHeaderExtensionParameters;
use super::lenient::{self, LenientValue};
use super::limits::{
    CODECS_MAX, ENCODINGS_MAX, HEADER_EXTENSIONS_MAX, ParamsError, check_list_len, check_text_len,
};
use super::parameter_value;
use super::rtp_codec::{RtpCodecParameters, check_payload_type};
use crate::units::{Mid, Pt, Rid, Ssrc};

/// Description of the streams of one producer or consumer.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawRtpParameters")]
pub struct RtpParameters {
    /// Id of the m= section; assigns packets to their producer before the SSRC is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mid: Option<Mid>,
    /// Media and RTX codecs in use; the first one is sent.
    pub codecs: Vec<RtpCodecParameters>,
    /// Header extensions in use.
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// One entry per simulcast stream, lowest quality first; exactly one for a consumer.
    pub encodings: Vec<RtpEncodingParameters>,
    /// RTCP parameters.
    pub rtcp: RtcpParameters,
    /// `a=msid` of the producer (RFC 8830), forwarded to its consumers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msid: Option<String>,
}

impl RtpParameters {
    /// Returns the parameters with another CNAME. All producers of a transport share the CNAME of
    /// the transport: without one, receivers could not synchronise audio and video.
    #[must_use]
    pub fn with_cname(mut self, cname: &str) -> Self {
        self.rtcp.cname = Some(cname.to_owned());
        self
    }

    /// Checks parameters that were built in code against the rules that parsing JSON enforces.
    ///
    /// # Errors
    /// Names the first list or field that exceeds its limit or has an invalid value.
    pub fn validate(&self) -> Result<(), ParamsError> {
        check_list_len("codecs", self.codecs.len(), CODECS_MAX)?;
        check_list_len(
            "headerExtensions",
            self.header_extensions.len(),
            HEADER_EXTENSIONS_MAX,
        )?;
        check_list_len("encodings", self.encodings.len(), ENCODINGS_MAX)?;
        self.codecs
            .iter()
            .try_for_each(RtpCodecParameters::validate)?;
        for extension in &self.header_extensions {
            check_text_len("uri", &extension.uri)?;
            parameter_value::validate(&extension.parameters)?;
        }
        for encoding in &self.encodings {
            check_text_len(
                "scalabilityMode",
                encoding.scalability_mode.as_deref().unwrap_or_default(),
            )?;
            check_payload_type(encoding.codec_payload_type)?;
        }
        check_text_len("cname", self.rtcp.cname.as_deref().unwrap_or_default())?;
        check_text_len("msid", self.msid.as_deref().unwrap_or_default())
    }
}

/// JSON of RTP parameters before validation.
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

/// One stream of a producer: the only one, or one simulcast encoding.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawEncodingParameters")]
pub struct RtpEncodingParameters {
    /// SSRC, when it is known in advance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<Ssrc>,
    /// Name of the encoding in packets, when the SSRC is not known in advance (RFC 8852).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<Rid>,
    /// Payload type of its codec, when that is not the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_payload_type: Option<Pt>,
    /// Retransmission stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx: Option<RtxParameters>,
    /// Whether the stream may pause during silence (DTX); its packet rate then says nothing about
    /// its quality.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtx: Option<bool>,
    /// Scalability mode as in WebRTC-SVC: `L1T3`, `S3T3`, `L3T3_KEY`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalability_mode: Option<String>,
    /// Maximum bitrate, in bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u64>,
    /// Factor by which width and height are smaller than those of the captured picture.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "parameter_value::serialize_optional_number"
    )]
    pub scale_resolution_down_by: Option<f64>,
}

/// Retransmission stream of an encoding (RFC 4588).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRtxParameters")]
pub struct RtxParameters {
    /// SSRC of the retransmissions.
    pub ssrc: Ssrc,
}

/// JSON of a retransmission stream before validation.
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

/// JSON of an encoding before validation.
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
        // mediasoup does not check the type of this field, so values other than numbers are
        // ignored.
        let codec_payload_type = match raw.codec_payload_type {
            number @ LenientValue::Number(_) => Some(Pt(number.integer("codecPayloadType")?)),
            _ => None,
        };
        check_payload_type(codec_payload_type)?;
        Ok(Self {
            ssrc: raw.ssrc.optional_integer("ssrc")?.map(Ssrc),
            rid: rid.map_err(|_| ParamsError::TooLong { what: "rid" })?,
            codec_payload_type,
            rtx: raw.rtx,
            dtx: Some(raw.dtx.is_true()),
            scalability_mode: raw.scalability_mode.optional_text("scalabilityMode")?,
            max_bitrate: raw.max_bitrate.integer_hint(),
            scale_resolution_down_by: raw.scale_resolution_down_by.number_hint(),
        })
    }
}

/// RTCP parameters of one producer or consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawRtcpParameters")]
pub struct RtcpParameters {
    /// Canonical name that all streams of one endpoint share (RFC 3550 §6.5.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cname: Option<String>,
    /// Whether reduced-size RTCP is used (RFC 5506); always true, whatever the client sends.
    pub reduced_size: bool,
    /// Whether RTCP shares the transport with RTP (RFC 5761); kept for clients that read it back.
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

/// JSON of RTCP parameters before validation.
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
