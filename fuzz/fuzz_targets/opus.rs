//! Any bytes as an Opus payload.
#![no_main]

use watersmeet_wire::codec::{Codec, parse_payload};

libfuzzer_sys::fuzz_target!(|payload: &[u8]| {
    let Some(seen) = parse_payload(Codec::Opus, payload) else {
        // Only nothing at all, or a count of frames that is missing or zero.
        assert!(payload.is_empty() || payload[0] & 3 == 3);
        return;
    };
    assert!(seen.keyframe && seen.starts_frame && seen.ends_frame);
    assert_eq!(seen.dtx, payload.len() <= 2);
});
