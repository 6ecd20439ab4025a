//! Limits of the parameters that a client may send, and the error when one is exceeded.

/// Most codecs in one list of capabilities or parameters. Chrome offers about 40.
pub const CODECS_MAX: usize = 64;

/// Most header extensions in one list. A router offers 18, over both kinds of media.
pub const HEADER_EXTENSIONS_MAX: usize = 32;

/// Most encodings of one producer. Browsers send at most three simulcast encodings.
pub const ENCODINGS_MAX: usize = 8;

/// Most RTCP feedback messages of one codec. Browsers offer six.
pub const RTCP_FEEDBACK_MAX: usize = 32;

/// Most format parameters of one codec or header extension. Opus has the most, about ten.
pub const PARAMETERS_MAX: usize = 32;

/// Longest text of one field, in bytes; large enough for H.264 parameter sets.
pub const TEXT_LEN_MAX: usize = 1_024;

/// Most certificate fingerprints of one side.
pub const FINGERPRINTS_MAX: usize = 8;

/// Reason why parameters are rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamsError {
    /// A list is longer than its limit.
    #[error("too many {what}: at most {max}")]
    TooMany {
        /// Name of the list in JSON.
        what: &'static str,
        /// Limit of the list.
        max: usize,
    },
    /// A text is longer than its limit.
    #[error("{what} is too long")]
    TooLong {
        /// Name of the field in JSON.
        what: &'static str,
    },
    /// A mandatory field is absent or empty.
    #[error("missing {what}")]
    Missing {
        /// Name of the field in JSON.
        what: &'static str,
    },
    /// A field has the wrong type or a value out of its range.
    #[error("invalid {what}")]
    Invalid {
        /// Name of the field in JSON.
        what: &'static str,
    },
}

/// Rejects a list with more than `max` elements.
pub(super) fn check_list_len(
    what: &'static str,
    len: usize,
    max: usize,
) -> Result<(), ParamsError> {
    if len > max {
        Err(ParamsError::TooMany { what, max })
    } else {
        Ok(())
    }
}

/// Rejects a text longer than [`TEXT_LEN_MAX`].
pub(super) fn check_text_len(what: &'static str, text: &str) -> Result<(), ParamsError> {
    if text.len() > TEXT_LEN_MAX {
        Err(ParamsError::TooLong { what })
    } else {
        Ok(())
    }
}
