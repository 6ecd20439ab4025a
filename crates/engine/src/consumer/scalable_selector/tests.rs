//! A modelled publisher of three spatial and three temporal layers, and a decoder that knows the references
//! of every frame.

use std::collections::BTreeSet;

use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use watersmeet_wire::units::Rng;

use super::*;

const SPATIAL: u8 = 3;
/// Temporal layers of successive pictures.
const PATTERN: [u8; 4] = [0, 2, 1, 2];

/// Number of a picture, and spatial layer.
type FrameId = (u32, u8);

/// A layer frame in two packets, and the frames it refers to.
struct Frame {
    id: FrameId,
    references: Vec<FrameId>,
    packets: [PayloadDescriptor; 2],
}

/// Returns the picture to which one refers: a frame of the second temporal layer refers to the lowest, one
/// of the third to the one before it.
fn reference(picture: u32, temporal_layer: u8) -> u32 {
    match temporal_layer {
        0 => picture.saturating_sub(4),
        1 => picture - 2,
        _ => picture - 1,
    }
}

/// Returns the frames of a picture; `since` is the one with the latest keyframe.
fn picture(number: u32, since: u32, prediction: InterLayerPrediction) -> Vec<Frame> {
    let in_group = number - since;
    let temporal_layer = PATTERN[in_group as usize % 4];
    let is_key = in_group == 0;
    let layers = 0..SPATIAL;
    let frame = |spatial_layer| {
        let mut references = Vec::new();
        if !is_key {
            references.push((reference(number, temporal_layer), spatial_layer));
        }
        let inter_layer =
            spatial_layer > 0 && (is_key || prediction == InterLayerPrediction::Always);
        if inter_layer {
            references.push((number, spatial_layer - 1));
        }
        let first = PayloadDescriptor {
            keyframe: is_key && spatial_layer == 0,
            starts_frame: true,
            starts_layer: is_key && spatial_layer == 0,
            spatial_layer,
            temporal_layer,
            inter_picture: !is_key,
            inter_layer,
            switching_up: temporal_layer == 0,
            ..PayloadDescriptor::default()
        };
        let last = PayloadDescriptor {
            keyframe: false,
            starts_frame: false,
            starts_layer: false,
            ends_frame: true,
            ..first
        };
        Frame {
            id: (number, spatial_layer),
            references,
            packets: [first, last],
        }
    };
    layers.map(frame).collect()
}

/// Runs random wishes, with a keyframe some pictures after one is awaited. Checks that each frame is sent
/// completely or not at all, that each can be decoded, and that each picture ends once. Returns the layers
/// shown, each time with those wanted.
fn run(seed: u64, prediction: InterLayerPrediction) -> Vec<((u8, u8), (u8, u8))> {
    let mut rng = Rng::seed_from_u64(seed);
    let mut selector = ScalableSelector::new(SPATIAL, prediction);
    selector.set_active(0b111);
    let mut decoded = BTreeSet::new();
    let mut shown = Vec::new();
    let (mut wanted, mut since) = ((2, 2), 0);
    let mut awaited_for = 0;
    for number in 0..2_000 {
        if rng.next_u32() % 50 == 0 {
            wanted = ((rng.next_u32() % 3) as u8, (rng.next_u32() % 3) as u8);
        }
        awaited_for = match selector.awaited_keyframe(wanted.0) {
            Some(_) => awaited_for + 1,
            None => 0,
        };
        if awaited_for > 5 && (number - since) % 4 == 0 {
            since = number;
        }
        let mut ends = 0;
        for frame in picture(number, since, prediction) {
            let mut sent = 0;
            for packet in &frame.packets {
                let selection = selector.select(wanted.0, wanted.1, packet);
                if selection == Selection::Switch {
                    selector.started(wanted.0, wanted.1);
                }
                if matches!(selection, Selection::Skip | Selection::Omit) {
                    continue;
                }
                sent += 1;
                let is_last = frame.id.1 == SPATIAL - 1 && packet.ends_frame;
                ends += u32::from(selector.ends_picture(packet, is_last));
            }
            assert!(sent == 0 || sent == 2, "{seed}: part of {:?}", frame.id);
            if sent == 2 {
                let is_decoded = |it: &FrameId| decoded.contains(it);
                assert!(
                    frame.references.iter().all(is_decoded),
                    "{seed}: {:?}",
                    frame.id
                );
                decoded.insert(frame.id);
            }
        }
        assert!(ends <= 1, "{seed}: picture {number} ends {ends} times");
        if let (Some(spatial), Some(temporal)) = (selector.current(), selector.current_temporal()) {
            shown.push(((spatial, temporal), wanted));
        }
    }
    shown
}

#[test]
fn every_frame_that_is_sent_can_be_decoded() {
    for prediction in [
        InterLayerPrediction::Always,
        InterLayerPrediction::KeyPictures,
    ] {
        for seed in 0..40 {
            let shown = run(seed, prediction);
            let fitting = shown.iter().filter(|(layers, wanted)| layers == wanted);
            assert!(
                fitting.count() * 10 > shown.len() * 6,
                "{seed}: wishes are followed soon"
            );
        }
    }
}

#[test]
fn change_of_layers_is_told_at_the_end_of_the_picture() {
    let mut selector = ScalableSelector::new(SPATIAL, InterLayerPrediction::KeyPictures);
    selector.set_active(0b111);
    let mut told = Vec::new();
    for number in 0..8 {
        for packet in picture(number, 0, InterLayerPrediction::KeyPictures)
            .iter()
            .flat_map(|frame| frame.packets)
        {
            match selector.select(2, 2, &packet) {
                Selection::Switch => selector.started(2, 2),
                Selection::Change => told.push((number, selector.current())),
                _ => {}
            }
        }
    }
    assert_eq!(told, [(0, Some(2))]);
}

#[test]
fn lower_layer_needs_a_keyframe_only_where_it_was_not_sent() {
    for (prediction, awaited) in [
        (InterLayerPrediction::Always, None),
        (InterLayerPrediction::KeyPictures, Some(0)),
    ] {
        let mut selector = ScalableSelector::new(SPATIAL, prediction);
        selector.set_active(0b111);
        assert_eq!(selector.awaited_keyframe(1), Some(1));
        selector.started(2, 2);
        for packet in picture(0, 0, prediction)
            .iter()
            .flat_map(|frame| frame.packets)
        {
            selector.select(2, 2, &packet);
        }
        assert_eq!(selector.current(), Some(2));
        assert_eq!(selector.awaited_keyframe(0), awaited);
        selector.set_active(0b001);
        assert_eq!(selector.target(2), Some(0));
    }
}

#[test]
fn key_picture_with_fewer_layers_than_expected_is_noticed() {
    let prediction = InterLayerPrediction::KeyPictures;
    let mut selector = ScalableSelector::new(SPATIAL, prediction);
    selector.set_active(0b111);
    let mut frames = (0..3).flat_map(|number| picture(number, 0, prediction));
    for packet in frames.by_ref().take(2).flat_map(|frame| frame.packets) {
        if selector.select(2, 2, &packet) == Selection::Switch {
            selector.started(2, 2);
        }
    }
    let next = frames.nth(1).unwrap();
    selector.select(2, 2, &next.packets[0]);
    assert_eq!(selector.current(), Some(1));
}
