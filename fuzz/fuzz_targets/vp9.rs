//! Arbitrary bytes as a VP9 payload, whose picture numbers are then rewritten.
#![no_main]

use watersmeet_wire::codec::layer_filter::{InterLayerPrediction, LayerFilter};
use watersmeet_wire::codec::{Codec, PayloadDescriptor, Vp9Descriptor, parse_payload};

/// Checks that a receiver of more layers is sent whatever a receiver of fewer is sent, except that
/// lower spatial layers may be left out, and that switching up keeps the packet.
fn check_layers(packet: &PayloadDescriptor, marker: bool) {
    use InterLayerPrediction::{Always, KeyPictures, Never};
    for (spatial_layer, temporal_layer) in (0..8).flat_map(|it| (0..8).map(move |t| (it, t))) {
        let [full, key, independent] = [Always, KeyPictures, Never].map(|prediction| {
            let filter = LayerFilter {
                spatial_layer,
                temporal_layer,
                prediction,
            };
            assert!(marker <= filter.ends_picture(packet, marker));
            for wanted in 0..8 {
                let next = filter.temporal_layer_from(packet, wanted);
                assert!(next == temporal_layer || next == wanted || next == packet.temporal_layer);
            }
            if filter.can_switch_spatial(packet) {
                let spatial_layer = packet.spatial_layer;
                let switched = LayerFilter {
                    spatial_layer,
                    temporal_layer: 7,
                    prediction,
                };
                assert!(switched.includes(packet));
            }
            filter.includes(packet)
        });
        assert!(independent <= key && key <= full);
    }
}

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

    check_layers(&before.payload_descriptor(), picture_id % 2 == 0);

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
