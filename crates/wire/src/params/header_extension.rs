//! Header extensions in RTP capabilities and parameters (RFC 8285).

use serde::{Deserialize, Serialize};

use super::lenient::LenientValue;
use super::limits::ParamsError;
use super::parameter_value::{self, FormatParameters};
use super::rtp_codec::MediaKind;
use crate::rtp::extension::ExtensionKind;

/// Direction of a header extension, seen from the side that offers it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderExtensionDirection {
    /// Both directions.
    #[default]
    SendRecv,
    /// Only in packets that the side sends.
    SendOnly,
    /// Only in packets that the side receives.
    RecvOnly,
    /// Not used. Unknown directions read as this.
    Inactive,
}

/// Header extension that can be negotiated for one kind of media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawHeaderExtension")]
pub struct RtpHeaderExtension {
    /// Kind of media it applies to.
    pub kind: MediaKind,
    /// URI that identifies the extension.
    pub uri: String,
    /// Id to use in packets.
    pub preferred_id: u8,
    /// Whether encryption is requested (RFC 6904).
    pub preferred_encrypt: bool,
    /// Direction in which it may be used.
    pub direction: HeaderExtensionDirection,
}

impl RtpHeaderExtension {
    /// Returns the meaning of the extension; `None` when this server does not support it.
    pub fn extension_kind(&self) -> Option<ExtensionKind> {
        ExtensionKind::from_uri(&self.uri)
    }
}

/// JSON of a header extension before validation.
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

/// Header extension in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawHeaderExtensionParameters")]
pub struct RtpHeaderExtensionParameters {
    /// URI that identifies the extension.
    pub uri: String,
    /// Id in the packets.
    pub id: u8,
    /// Whether it is encrypted (RFC 6904).
    pub encrypt: bool,
    /// Configuration; no supported extension has any.
    pub parameters: FormatParameters,
}

impl RtpHeaderExtensionParameters {
    /// Returns the meaning of the extension; `None` when this server does not support it.
    pub fn extension_kind(&self) -> Option<ExtensionKind> {
        ExtensionKind::from_uri(&self.uri)
    }
}

/// JSON of header extension parameters before validation.
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
