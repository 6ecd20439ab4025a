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
        // Without its last byte a payload may be unreadable, but never reads as something else.
        let shorter = parse_payload(Codec::Av1, &payload[..payload.len() - 1]);
        assert!(shorter.is_none_or(|it| it == parsed));
    }

    // A unit has the same properties alone, with a length, and before others.
    let unit = payload;
    let alone = parse(&[&[0x10], unit]);
    let sized = length(unit.len());
    assert_eq!(parse(&[&[0x00], &sized, unit]), alone);
    assert_eq!(
        alone.is_some(),
        parse(&[&[0x20], &sized, unit, &[0x30]]).is_some()
    );
    let is_delimiter = unit
        .first()
        .is_some_and(|it| it & 0x78 == TEMPORAL_DELIMITER);
    if !is_delimiter {
        assert_eq!(parse(&[&[0x20], &sized, unit, &[0x30, 0x10]]), alone);
        let delimiter = [1, TEMPORAL_DELIMITER];
        assert_eq!(parse(&[&[0x20], &delimiter, unit]), alone);
        assert_eq!(parse(&[&[0x00], &delimiter, &sized, unit]), alone);
    }
    // The N bit makes it the start of a sequence, and the Z bit the rest of a unit.
    assert_eq!(
        parse(&[&[0x18], unit]),
        alone.map(|it| PayloadDescriptor {
            keyframe: true,
            starts_layer: true,
            ..it
        })
    );
    let rest = (!unit.is_empty()).then(PayloadDescriptor::default);
    assert_eq!(parse(&[&[0x90], unit]), rest);
});
