//! Opus payloads (RFC 6716 §3, RFC 7587): each stands alone, so that a receiver may begin with
//! any of them, and each is a whole frame or several.

use super::PayloadDescriptor;

/// Longest payload that stands for silence. An encoder with DTX sends one of these about every
/// 400 ms: the TOC byte, alone or with one byte behind it. libopus says of results this short that
/// they need not be sent, and no frame of sound fits into the byte that is left.
pub const DTX_LEN_MAX: usize = 2;

/// Reads what `payload` says of itself; none when it is empty, or announces a count of frames and
/// has none (code 3, RFC 6716 §3.2.5).
pub fn parse(payload: &[u8]) -> Option<PayloadDescriptor> {
    let (&toc, rest) = payload.split_first()?;
    let frames_counted = match (toc & 0x03, rest.first()) {
        (3, count) => count.is_some_and(|count| count & 0x3f != 0),
        _ => true,
    };
    frames_counted.then_some(PayloadDescriptor {
        keyframe: true,
        starts_frame: true,
        ends_frame: true,
        dtx: payload.len() <= DTX_LEN_MAX,
        ..PayloadDescriptor::default()
    })
}
