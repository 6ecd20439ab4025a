//! Arbitrary bytes as a VP8 payload, whose picture numbers are then rewritten.
#![no_main]

use watersmeet_wire::codec::{Codec, Vp8Descriptor, parse_payload};

libfuzzer_sys::fuzz_target!(|input: (u16, u8, Vec<u8>)| {
    let (picture_id, tl0_pic_idx, payload) = input;
    let Some(before) = Vp8Descriptor::parse(&payload) else {
        assert_eq!(parse_payload(Codec::Vp8, &payload), None);
        return;
    };
    assert!(before.len < payload.len());
    assert_eq!(
        parse_payload(Codec::Vp8, &payload),
        Some(before.payload_descriptor())
    );
    assert!(!before.keyframe || before.starts_frame());

    let mut wanted = before;
    wanted.picture_id = before.picture_id.map(|it| it.with_value(picture_id));
    wanted.tl0_pic_idx = before.tl0_pic_idx.map(|_| tl0_pic_idx);
    let mut written = payload.clone();
    wanted.write(&mut written);
    assert_eq!(Vp8Descriptor::parse(&written), Some(wanted));
    assert_eq!(written[before.len..], payload[before.len..]);
    before.write(&mut written);
    assert_eq!(written, payload);
    // Writing into a truncated copy must not panic.
    let half = written.len() / 2;
    wanted.write(&mut written[..half]);
});
