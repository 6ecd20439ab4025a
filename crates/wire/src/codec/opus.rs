//! Opus payloads (RFC 6716 §3, RFC 7587). Each one holds whole frames, so a receiver can start with
//! any of them.

use super::payload_descriptor::PayloadDescriptor;

/// Longest payload that counts as silence, in bytes. With DTX an encoder sends one about every
/// 400 ms: the TOC byte, alone or followed by one byte. The libopus documentation says results this
/// short need not be sent, and no audio frame fits into one byte.
pub const DTX_LEN_MAX: usize = 2;

/// Reads the properties of `payload`. Returns `None` when it is empty, or when its frame count is
/// missing or zero (code 3, RFC 6716 §3.2.5).
pub fn parse(payload: &[u8]) -> Option<PayloadDescriptor> {
    let (&toc, rest) = payload.split_first()?;
    let frames_counted = match (toc & 0x03, rest.first()) {
        (3, count) => count.is_some_and(|count| count & 0x3f != 0),
        _ => true,
    };
    frames_counted.then_some(PayloadDescriptor {
        keyframe: true,
        starts_layer: true,
        starts_frame: true,
        ends_frame: true,
        dtx: payload.len() <= DTX_LEN_MAX,
        ..PayloadDescriptor::default()
    })
}
