//! The negotiated parameters that travel through signalling as JSON: RTP capabilities and
//! parameters in mediasoup's shapes, and the ICE, DTLS and SCTP parameters of a transport.
//!
//! Reading is as tolerant as mediasoup's own validation, because clients from mediasoup-client 3.6
//! on are written against it: unknown fields are skipped, absent lists are empty, an absent
//! `rtcpFeedback[].parameter` is the empty string. Reading is bounded, because a client wrote it:
//! a list is refused at its first element too many, before the rest is stored. Nothing here
//! negotiates; that is the engine's `ortc`.
//!
//! Stricter than mediasoup, on purpose: numbers that end in a packet must fit there (payload types
//! in 7 bits, SSRCs in 32, MID and RID in 16 bytes), where mediasoup finds out later.

mod capabilities;
mod lenient;
mod parameter_value;
mod parameters;
mod transport;

pub use capabilities::{HeaderExtensionDirection, MediaKind, RtpCapabilities, RtpCodecCapability};
pub use capabilities::{RtcpFeedback, RtpHeaderExtension};
pub use parameter_value::{FormatParameters, ParameterValue};
pub use parameters::{
    RtcpParameters, RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters,
    RtpParameters, RtxParameters,
};
pub use transport::{
    CandidateType, DtlsFingerprint, DtlsParameters, DtlsRole, IceCandidate, IceParameters,
    IceProtocol, SctpParameters, TcpType,
};

/// Most codecs in one list of capabilities or parameters. Chrome offers about 40.
pub const CODECS_MAX: usize = 64;

/// Most header extensions in one list. A router offers 18, over both kinds.
pub const HEADER_EXTENSIONS_MAX: usize = 32;

/// Most encodings of one producer. Simulcast in browsers stops at three.
pub const ENCODINGS_MAX: usize = 8;

/// Most feedback messages of one codec. Browsers offer six.
pub const RTCP_FEEDBACK_MAX: usize = 32;

/// Most format parameters of one codec or header extension. Opus, the richest, has about ten.
pub const PARAMETERS_MAX: usize = 32;

/// Longest text of one field, in bytes: room for H.264 parameter sets, and for nothing larger.
pub const TEXT_LEN_MAX: usize = 1_024;

/// Most certificate fingerprints that one side may announce.
pub const FINGERPRINTS_MAX: usize = 8;

/// Why parameters are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// A list is longer than its cap.
    #[error("too many {what}: at most {max}")]
    TooMany {
        /// The list, by its name in JSON.
        what: &'static str,
        /// Its cap.
        max: usize,
    },
    /// A text is longer than its cap.
    #[error("{what} is too long")]
    TooLong {
        /// The field, by its name in JSON.
        what: &'static str,
    },
    /// A mandatory field is absent or empty.
    #[error("missing {what}")]
    Missing {
        /// The field, by its name in JSON.
        what: &'static str,
    },
    /// A field has the wrong type or a value out of its range.
    #[error("invalid {what}")]
    Invalid {
        /// The field, by its name in JSON.
        what: &'static str,
    },
}

/// Refuses a list of `len` when its cap is `max`.
fn within(what: &'static str, len: usize, max: usize) -> Result<(), ParamsError> {
    if len > max {
        Err(ParamsError::TooMany { what, max })
    } else {
        Ok(())
    }
}

/// Refuses a text over [`TEXT_LEN_MAX`].
fn short(what: &'static str, text: &str) -> Result<(), ParamsError> {
    if text.len() > TEXT_LEN_MAX {
        Err(ParamsError::TooLong { what })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
