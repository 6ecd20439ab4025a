//! Selection on packets that Chromium sent and on hand-made ones.

use super::*;
use crate::codec::Vp9Descriptor;

/// VP9 in mode `L3T3_KEY` from Chromium, flexible mode: descriptors of all packets from a keyframe on,
/// with their marker bits. The pictures have the temporal layers 0, 2, 1 and 2.
const CHROMIUM_KEY_SVC: [(&[u8], bool); 14] = [
    (
        &[
            0xbe, 0x97, 0xb0, 0x10, 0x50, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 0x05,
            0x00, 0x02, 0xd0,
        ],
        false,
    ),
    (&[0xb8, 0x97, 0xb0, 0x13], false),
    (&[0xb4, 0x97, 0xb0, 0x13], false),
    (&[0xb9, 0x97, 0xb0, 0x15], false),
    (&[0xb5, 0x97, 0xb0, 0x15], true),
    (&[0xfd, 0x97, 0xb1, 0x50, 0x02], false),
    (&[0xfd, 0x97, 0xb1, 0x52, 0x02], false),
    (&[0xfd, 0x97, 0xb1, 0x54, 0x02], true),
    (&[0xfd, 0x97, 0xb2, 0x30, 0x04], false),
    (&[0xfd, 0x97, 0xb2, 0x32, 0x04], false),
    (&[0xf9, 0x97, 0xb2, 0x34, 0x04], false),
    (&[0xf5, 0x97, 0xb2, 0x34, 0x04], true),
    (&[0xfd, 0x97, 0xb3, 0x50, 0x02], false),
    (&[0xfd, 0x97, 0xb3, 0x52, 0x02], false),
];

fn read(descriptor: &[u8]) -> PayloadDescriptor {
    let descriptor = Vp9Descriptor::parse(&[descriptor, &[0]].concat());
    descriptor.unwrap().payload_descriptor()
}

const fn filter(
    spatial_layer: u8,
    temporal_layer: u8,
    prediction: InterLayerPrediction,
) -> LayerFilter {
    LayerFilter {
        spatial_layer,
        temporal_layer,
        prediction,
    }
}

/// First packet of a layer frame in non-flexible mode: I L B E, picture id 1, TL0PICIDX 0.
fn frame(
    spatial: u8,
    temporal: u8,
    inter_picture: bool,
    inter_layer: bool,
    up: bool,
) -> PayloadDescriptor {
    let head = 0xac | u8::from(inter_picture) << 6;
    let layers = temporal << 5 | u8::from(up) << 4 | spatial << 1 | u8::from(inter_layer);
    read(&[head, 1, layers, 0])
}

/// Returns the indices of the packets that a receiver is sent, and of those that end its pictures.
fn select(filter: LayerFilter) -> (Vec<usize>, Vec<usize>) {
    let packets = CHROMIUM_KEY_SVC.iter().enumerate();
    let packets = packets.map(|(index, (bytes, marker))| (index, read(bytes), *marker));
    let sent = packets.filter(|(_, packet, _)| filter.includes(packet));
    let sent = sent.map(|(index, packet, marker)| (index, filter.ends_picture(&packet, marker)));
    let sent: Vec<(usize, bool)> = sent.collect();
    let ends = sent.iter().filter(|(_, ends)| *ends);
    (
        sent.iter().map(|(index, _)| *index).collect(),
        ends.map(|(index, _)| *index).collect(),
    )
}

#[test]
fn key_svc_needs_lower_layers_in_key_pictures_only() {
    let key = InterLayerPrediction::KeyPictures;
    let (sent, ends) = select(filter(2, 2, key));
    assert_eq!(sent, [0, 1, 2, 3, 4, 7, 10, 11]);
    assert_eq!(ends, [4, 7, 11]);
    let (sent, ends) = select(filter(1, 2, key));
    assert_eq!(sent, [0, 1, 2, 6, 9, 13]);
    assert_eq!(
        ends,
        [2, 6, 9, 13],
        "each with the last packet of spatial layer 1"
    );
    let (sent, ends) = select(filter(0, 1, key));
    assert_eq!(sent, [0, 8]);
    assert_eq!(ends, [0, 8]);
}

#[test]
fn full_svc_needs_lower_layers_in_all_pictures() {
    let (sent, ends) = select(filter(1, 1, InterLayerPrediction::Always));
    assert_eq!(sent, [0, 1, 2, 8, 9]);
    assert_eq!(ends, [2, 9]);
}

#[test]
fn independent_layers_are_sent_alone() {
    let (sent, ends) = select(filter(1, 2, InterLayerPrediction::Never));
    assert_eq!(sent, [1, 2, 6, 9, 13]);
    assert_eq!(ends, [2, 6, 9, 13]);
}

#[test]
fn picture_without_the_highest_layer_keeps_its_marker() {
    let filter = filter(2, 0, InterLayerPrediction::Always);
    let lower = frame(1, 0, true, true, false);
    assert!(filter.ends_picture(&lower, true) && !filter.ends_picture(&lower, false));
    let plain = read(&[0x0c]);
    let without_layers = LayerFilter {
        spatial_layer: 0,
        ..filter
    };
    assert!(without_layers.includes(&plain) && without_layers.ends_picture(&plain, false));
}

#[test]
fn higher_spatial_layer_starts_where_it_refers_to_no_earlier_picture() {
    for prediction in [
        InterLayerPrediction::Always,
        InterLayerPrediction::KeyPictures,
    ] {
        let base = filter(0, 0, prediction);
        assert!(base.can_switch_spatial(&frame(1, 0, false, true, false)));
        assert!(!base.can_switch_spatial(&frame(1, 0, true, true, false)));
        assert!(
            !base.can_switch_spatial(&frame(2, 0, false, true, false)),
            "two at once"
        );
        let later_packet = read(&[0xa4, 1, 0x03, 0]);
        assert!(!base.can_switch_spatial(&later_packet));
    }
    // In one key picture, one layer after the other.
    let mut filter = filter(0, 2, InterLayerPrediction::KeyPictures);
    for (bytes, _) in &CHROMIUM_KEY_SVC[..5] {
        let packet = read(bytes);
        if filter.can_switch_spatial(&packet) {
            filter.spatial_layer = packet.spatial_layer;
        }
        assert!(filter.includes(&packet));
    }
    assert_eq!(filter.spatial_layer, 2);
}

#[test]
fn lower_spatial_layer_is_possible_where_the_receiver_has_its_references() {
    let inter = frame(1, 0, true, true, false);
    let key = frame(1, 0, false, true, false);
    assert!(filter(2, 0, InterLayerPrediction::Always).can_switch_spatial(&inter));
    assert!(!filter(2, 0, InterLayerPrediction::KeyPictures).can_switch_spatial(&inter));
    assert!(filter(2, 0, InterLayerPrediction::KeyPictures).can_switch_spatial(&key));
    assert!(!filter(2, 0, InterLayerPrediction::Never).can_switch_spatial(&key));
    let independent = frame(1, 0, false, false, false);
    for spatial_layer in [0, 1, 2] {
        let filter = filter(spatial_layer, 0, InterLayerPrediction::Never);
        assert!(filter.can_switch_spatial(&independent));
    }
}

#[test]
fn higher_temporal_layers_start_after_a_switching_up_point() {
    let base = filter(0, 0, InterLayerPrediction::Always);
    let from = |filter: LayerFilter, packet| filter.temporal_layer_from(&packet, 2);
    assert_eq!(from(base, frame(0, 0, false, false, false)), 2, "keyframe");
    assert_eq!(from(base, frame(0, 0, true, false, true)), 2);
    assert_eq!(from(base, frame(0, 0, true, false, false)), 0);
    // U says nothing about the picture itself, whose references the receiver may lack.
    assert_eq!(from(base, frame(0, 1, true, false, true)), 0);
    let middle = filter(0, 1, InterLayerPrediction::Always);
    assert_eq!(from(middle, frame(0, 1, true, false, true)), 2);
}

#[test]
fn lower_temporal_layers_start_with_the_next_picture() {
    let all = filter(1, 2, InterLayerPrediction::Always);
    let from = |packet| all.temporal_layer_from(&packet, 0);
    assert_eq!(from(frame(0, 2, true, false, false)), 0);
    assert_eq!(from(frame(1, 2, true, true, false)), 2, "inside a picture");
}

#[test]
fn vp8_frame_that_refers_to_the_lowest_layer_alone_starts_its_layer() {
    let base = filter(0, 0, InterLayerPrediction::Always);
    let frame = |temporal_layer, layer_sync| PayloadDescriptor {
        starts_frame: true,
        inter_picture: true,
        temporal_layer,
        layer_sync,
        ..PayloadDescriptor::default()
    };
    assert_eq!(base.temporal_layer_from(&frame(2, true), 2), 2);
    assert_eq!(base.temporal_layer_from(&frame(1, true), 2), 1);
    assert_eq!(base.temporal_layer_from(&frame(2, true), 1), 0);
    assert_eq!(base.temporal_layer_from(&frame(2, false), 2), 0);
}

#[test]
fn prediction_is_read_from_the_scalability_mode() {
    let of = InterLayerPrediction::of_mode;
    assert_eq!(of("L3T3"), InterLayerPrediction::Always);
    assert_eq!(of("L3T3_KEY"), InterLayerPrediction::KeyPictures);
    assert_eq!(of("L3T3_KEY_SHIFT"), InterLayerPrediction::KeyPictures);
    assert_eq!(of("S2T1"), InterLayerPrediction::Never);
}
