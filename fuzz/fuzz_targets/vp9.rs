//! Arbitrary bytes as a VP9 payload, whose picture numbers are then rewritten.
#![no_main]

use watersmeet_wire::codec::{Codec, Vp9Descriptor, parse_payload};

libfuzzer_sys::fuzz_target!(|input: (u16, u8, Vec<u8>)| {
    let (picture_id, tl0_pic_idx, payload) = input;
    let Some(before) = Vp9Descriptor::parse(&payload) else {
        assert_eq!(parse_payload(Codec::Vp9, &payload), None);
        return;
    };
    assert!(before.len < payload.len());
    assert_eq!(
        parse_payload(Codec::Vp9, &payload),
        Some(before.payload_descriptor())
    );
    assert!(!before.is_keyframe() || before.starts_frame);
    assert!(
        before
            .structure
            .as_ref()
            .is_none_or(|it| it.spatial_layers <= 8)
    );

    let mut wanted = before.clone();
    wanted.picture_id = before.picture_id.map(|it| it.with_value(picture_id));
    wanted.tl0_pic_idx = before.tl0_pic_idx.map(|_| tl0_pic_idx);
    let mut written = payload.clone();
    wanted.write(&mut written);
    assert_eq!(Vp9Descriptor::parse(&written), Some(wanted.clone()));
    assert_eq!(written[before.len..], payload[before.len..]);
    before.write(&mut written);
    assert_eq!(written, payload);
    // Writing into a truncated copy must not panic.
    let half = written.len() / 2;
    wanted.write(&mut written[..half]);
});
