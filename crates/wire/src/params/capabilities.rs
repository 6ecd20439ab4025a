//! RTP capabilities: the codecs and header extensions that a router or a browser supports
//! (mediasoup's `RtpCapabilities`, after the ORTC API).

use serde::{Deserialize, Serialize};

use super::header_extension::RtpHeaderExtension;
use super::lenient;
use super::limits::{
    CODECS_MAX, HEADER_EXTENSIONS_MAX, ParamsError, check_list_len, check_text_len,
};
use super::rtp_codec::RtpCodecCapability;

/// Codecs and header extensions that one side supports. Absent lists read as empty.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCapabilities {
    /// Media and RTX codecs, in order of preference.
    #[serde(
        default,
        deserialize_with = "lenient::optional_list::<_, _, CODECS_MAX>"
    )]
    pub codecs: Vec<RtpCodecCapability>,
    /// Header extensions, listed once for each kind of media.
    #[serde(
        default,
        deserialize_with = "lenient::optional_list::<_, _, HEADER_EXTENSIONS_MAX>"
    )]
    pub header_extensions: Vec<RtpHeaderExtension>,
}

impl RtpCapabilities {
    /// Checks capabilities that were built in code against the rules that parsing JSON enforces.
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
        self.codecs
            .iter()
            .try_for_each(RtpCodecCapability::validate)?;
        self.header_extensions
            .iter()
            .try_for_each(|extension| check_text_len("uri", &extension.uri))
    }
}
