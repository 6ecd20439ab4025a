//! Arbitrary bytes as an H.264 payload: alone, in an aggregate, and in fragments.
#![no_main]

use watersmeet_wire::codec::{Codec, parse_payload};

libfuzzer_sys::fuzz_target!(|payload: &[u8]| {
    let parsed = parse_payload(Codec::H264, payload);
    assert!(parsed.is_none_or(|it| !it.keyframe || it.starts_frame));

    // A NAL unit has the same properties in an aggregate and in its first fragment.
    let Some((&head, body)) = payload.split_first() else {
        return;
    };
    let (true, Ok(len)) = (
        (1..24).contains(&(head & 0x9f)),
        u16::try_from(payload.len()),
    ) else {
        return;
    };
    let aggregate = [&[24], &len.to_be_bytes()[..], payload].concat();
    assert_eq!(parse_payload(Codec::H264, &aggregate), parsed);
    let fragment = [&[28, 0x80 | (head & 0x1f)], body].concat();
    assert_eq!(parse_payload(Codec::H264, &fragment), parsed);
    let later = [&[28, head & 0x1f], body].concat();
    assert!(parse_payload(Codec::H264, &later).is_some_and(|it| !it.keyframe && !it.starts_frame));
});
