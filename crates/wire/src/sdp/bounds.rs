//! Bounds of session descriptions.

use super::error::SdpError;

/// Longest session description, in bytes. Browsers offer about 10 KiB for audio and video.
pub const SDP_LEN_MAX: usize = 64 << 10;

/// Most lines of a session description.
pub const SDP_LINES_MAX: usize = 1_000;

/// Most m= sections of a session description.
pub const SDP_SECTIONS_MAX: usize = 64;

/// Rejects a text that exceeds the bounds of a session description, before anything is allocated for it.
pub(super) fn check_bounds(text: &str) -> Result<(), SdpError> {
    if text.len() > SDP_LEN_MAX {
        return Err(SdpError::TooLong);
    }
    let mut lines = 0;
    let mut sections = 0;
    for line in text.lines() {
        lines += 1;
        sections += usize::from(line.starts_with("m="));
        if lines > SDP_LINES_MAX {
            return Err(SdpError::TooMany("lines"));
        }
        if sections > SDP_SECTIONS_MAX {
            return Err(SdpError::TooMany("m= sections"));
        }
    }
    Ok(())
}
