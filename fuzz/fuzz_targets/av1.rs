//! Arbitrary bytes as an AV1 payload, and as a unit in packets of every shape.
#![no_main]

use watersmeet_wire::codec::{Codec, PayloadDescriptor, parse_payload};

/// A temporal delimiter without a length of its own.
const TEMPORAL_DELIMITER: u8 = 2 << 3;

fn parse(parts: &[&[u8]]) -> Option<PayloadDescriptor> {
    parse_payload(Codec::Av1, &parts.concat())
}

/// Writes a length below 2^14 as LEB128, in two bytes.
fn length(len: usize) -> [u8; 2] {
    [0x80 | (len & 0x7f) as u8, (len >> 7) as u8]
}

libfuzzer_sys::fuzz_target!(|payload: &[u8]| {
    if let Some(parsed) = parse_payload(Codec::Av1, payload) {
        assert!(!parsed.keyframe || parsed.starts_frame);
        assert_eq!(parsed.starts_layer, parsed.keyframe);
        assert!(parsed.temporal_layer < 8 && parsed.spatial_layer < 4);
        assert!(payload.len() >= 2);
    }

    let unit = payload;
    let alone = parse(&[&[0x10], unit]);
    let Some(head) = unit.first() else {
        assert_eq!(alone, None);
        return;
    };
    // A unit has the same properties alone, with a length, and before others.
    let sized = length(unit.len());
    assert_eq!(parse(&[&[0x00], &sized, unit]), alone);
    if head & 0x78 != TEMPORAL_DELIMITER {
        assert_eq!(parse(&[&[0x20], &sized, unit, &[0x30, 0x10]]), alone);
        let delimiter = [1, TEMPORAL_DELIMITER];
        assert_eq!(parse(&[&[0x20], &delimiter, unit]), alone);
        assert_eq!(parse(&[&[0x00], &delimiter, &sized, unit]), alone);
    }
    // The N bit makes it the start of a sequence, and the Z bit the rest of a unit.
    let as_start = |it| PayloadDescriptor {
        keyframe: true,
        starts_layer: true,
        ..it
    };
    assert_eq!(parse(&[&[0x18], unit]), alone.map(as_start));
    assert_eq!(parse(&[&[0x90], unit]), Some(PayloadDescriptor::default()));
});
