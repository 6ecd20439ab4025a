//! Arbitrary bytes as an Opus payload.
#![no_main]

use watersmeet_wire::codec::{Codec, parse_payload};

libfuzzer_sys::fuzz_target!(|payload: &[u8]| {
    let Some(parsed) = parse_payload(Codec::Opus, payload) else {
        // Rejected only when empty, or when the frame count is missing or zero.
        assert!(payload.is_empty() || payload[0] & 3 == 3);
        return;
    };
    assert!(parsed.keyframe && parsed.starts_frame && parsed.ends_frame);
    assert_eq!(parsed.dtx, payload.len() <= 2);
});
