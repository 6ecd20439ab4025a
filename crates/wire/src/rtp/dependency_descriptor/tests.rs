//! Descriptors made by hand from the specification, descriptors that Chromium 148 sent, and malformed
//! ones.

use proptest::collection::vec;
use proptest::prelude::*;

use super::descriptor::MANDATORY_LEN;
use super::*;
use crate::codec::{InterLayerPrediction, LayerFilter};

/// Packs a text of zeros and ones into bytes; other characters only separate fields.
fn bits(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|it| matches!(it, b'0' | b'1'))
        .collect();
    let byte = |digits: &[u8]| {
        (0..8).fold(0, |byte, at| {
            byte << 1 | digits.get(at).map_or(0, |digit| digit - b'0')
        })
    };
    digits.chunks(8).map(byte).collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| text[at..at + 2].to_owned();
    let bytes = (0..text.len()).step_by(2);
    bytes
        .map(|at| u8::from_str_radix(&digit(at), 16).unwrap())
        .collect()
}

/// The structure of one spatial and three temporal layers in §A.10.2.1, 640 by 360 pixels. Its first
/// template has the id 62, so that ids wrap.
const L1T3: &str = "111110 00010 \
    00 01 01 00 11 \
    10 10 10, 10 10 10, 10 01 00, 01 00 00, 01 00 00 \
    0, 1 0011 0, 1 0001 0, 1 0000 0, 1 0000 0 \
    01 \
    0000, 0100, 0010, 0001, 0011 \
    1 0000001001111111 0000000101100111";

/// A keyframe with that structure: frame 65,535, template 62, flags, structure.
fn l1t3_keyframe(flags: &str, after_structure: &str) -> Vec<u8> {
    bits(&format!(
        "1 1 111110 1111111111111111 {flags} {L1T3} {after_structure}"
    ))
}

fn l1t3() -> DependencyStructure {
    let keyframe = DependencyDescriptor::parse(&l1t3_keyframe("10000", ""), None).unwrap();
    *keyframe.structure.unwrap()
}

fn indications(descriptor: &DependencyDescriptor) -> String {
    let targets = 0..usize::from(descriptor.layout.target_count);
    let symbol = |target| match descriptor.indication(target) {
        Indication::NotPresent => '-',
        Indication::Discardable => 'D',
        Indication::Switch => 'S',
        Indication::Required => 'R',
    };
    targets.map(symbol).collect()
}

#[test]
fn structure_of_the_specification_is_read_completely() {
    let keyframe = DependencyDescriptor::parse(&l1t3_keyframe("10000", ""), None).unwrap();
    assert!(keyframe.is_keyframe() && keyframe.starts_frame && keyframe.ends_frame);
    assert_eq!((keyframe.frame_number, keyframe.spatial_layer), (0xffff, 0));
    assert_eq!(keyframe.resolution, Some((640, 360)));
    assert_eq!(keyframe.active_decode_targets, Some(0b111));
    assert_eq!(indications(&keyframe), "SSS");
    assert!(keyframe.frame_diffs.is_empty());
    assert_eq!(keyframe.chain_diffs.as_slice(), [0]);

    let structure = keyframe.structure.unwrap();
    let target = |temporal_layer| DecodeTarget {
        spatial_layer: 0,
        temporal_layer,
        chain: Some(0),
    };
    assert_eq!(
        structure.decode_targets(),
        [target(2), target(1), target(0)]
    );
    assert_eq!(
        (structure.chain_count(), structure.all_decode_targets()),
        (1, 0b111)
    );
    assert_eq!(structure.resolution(1), None);
    // Template ids wrap from 63 to 0: layers, references, chains and indications of each.
    for (id, temporal_layer, diffs, chain, symbols) in [
        (63, 0, &[4][..], 4, "SSS"),
        (0, 1, &[2], 2, "SD-"),
        (1, 2, &[1], 1, "D--"),
        (2, 2, &[1], 3, "D--"),
    ] {
        let read = DependencyDescriptor::parse(&[0x80 | id, 1, 2], Some(&structure)).unwrap();
        assert_eq!(
            (read.temporal_layer, read.frame_diffs.as_slice()),
            (temporal_layer, diffs)
        );
        assert_eq!(read.chain_diffs.as_slice(), [chain]);
        assert_eq!(indications(&read), symbols);
        assert_eq!((read.frame_number, read.ends_frame), (0x0102, false));
        assert_eq!(
            (read.active_decode_targets, read.is_keyframe()),
            (None, false)
        );
    }
}

#[test]
fn custom_fields_override_the_template() {
    // Template 0 with a mask, indications, references of 4, 8 and 12 bits, and a chain.
    let value = bits(
        "0 0 000000 0000000000000001 01111 011 11 01 00 \
         01 0010, 10 00010000, 11 111111111111, 00 11111111",
    );
    let read = DependencyDescriptor::parse(&value, Some(&l1t3())).unwrap();
    assert_eq!(read.active_decode_targets, Some(0b011));
    assert_eq!(indications(&read), "RD-");
    assert_eq!(read.frame_diffs.as_slice(), [3, 17, 4_096]);
    assert_eq!(read.chain_diffs.as_slice(), [255]);
    assert_eq!((read.temporal_layer, read.starts_frame), (1, false));
}

#[test]
fn decode_targets_are_selected_by_layers_and_mask() {
    let structure = l1t3();
    assert_eq!(structure.decode_targets_within(0, 1), 0b110);
    assert_eq!(structure.best_decode_target(3, 7, 0b111), Some(0));
    assert_eq!(structure.best_decode_target(0, 1, 0b111), Some(1));
    assert_eq!(structure.best_decode_target(0, 2, 0b100), Some(2));
    assert_eq!(structure.best_decode_target(0, 0, 0b011), None);
}

#[test]
fn descriptor_without_its_structure_is_refused() {
    let unknown = DependencyDescriptor::parse(&[0xc0, 0, 1], None);
    assert_eq!(unknown, Err(DependencyError::NoStructure));
    let known = l1t3();
    let beyond = DependencyDescriptor::parse(&[0xc3, 0, 1], Some(&known));
    assert_eq!(beyond, Err(DependencyError::UnknownTemplate));
}

#[test]
fn truncated_descriptor_is_refused() {
    let keyframe = l1t3_keyframe("10000", "");
    for len in 0..keyframe.len() {
        let read = DependencyDescriptor::parse(&keyframe[..len], None);
        let expected = if len == MANDATORY_LEN {
            DependencyError::NoStructure
        } else {
            DependencyError::Malformed
        };
        assert_eq!(read, Err(expected), "{len} bytes");
    }
}

#[test]
fn descriptor_beyond_the_bounds_is_refused() {
    let references = "01 0000 ".repeat(FRAME_DIFFS_MAX);
    let read = |text: &str| DependencyDescriptor::parse(&bits(text), Some(&l1t3()));
    let head = "1 1 111110 0000000000000000 00010";
    assert!(read(&format!("{head} {references} 00")).is_ok());
    let too_many = read(&format!("{head} {references} 01 0000 00"));
    assert_eq!(too_many, Err(DependencyError::Malformed));

    // A structure with one decode target, whose templates have these layers.
    let structure = |layers: &str, templates: usize| {
        let indications = "10".repeat(templates);
        let diffs = "0".repeat(templates);
        let text = format!(
            "1 1 000000 0000000000000000 10000 000000 00000 {layers} {indications} {diffs} 0 0"
        );
        read(&text).map(|read| read.structure.unwrap().templates.len())
    };
    assert_eq!(structure(&format!("{} 11", "00".repeat(63)), 64), Ok(64));
    let malformed = Err(DependencyError::Malformed);
    assert_eq!(structure(&format!("{} 11", "00".repeat(64)), 65), malformed);
    assert_eq!(structure("10 10 10 11", 4), Ok(4));
    assert_eq!(
        structure("10 10 10 10 11", 5),
        malformed,
        "a fifth spatial layer"
    );
    assert_eq!(structure(&format!("{} 11", "01".repeat(7)), 8), Ok(8));
    assert_eq!(structure(&format!("{} 11", "01".repeat(8)), 9), malformed);
}

#[test]
fn frame_number_and_active_targets_are_rewritten() {
    let mut out = [0; 64];
    let known = l1t3();
    let short = [0x80, 1, 2];
    let mut read = DependencyDescriptor::parse(&short, Some(&known)).unwrap();
    read.frame_number = 0xfffe;
    assert_eq!(read.write(&short, &mut out), Some(3));
    assert_eq!(out[..3], [0x80, 0xff, 0xfe]);
    read.active_decode_targets = Some(0b110);
    let len = read.write(&short, &mut out).unwrap();
    assert_eq!(out[..len], bits("10000000 1111111111111110 01000 110"));
    assert_eq!(read.write(&short, &mut out[..3]), None, "no room");

    // The mask goes between the structure and the indications.
    let keyframe = l1t3_keyframe("10100", "11 01 00");
    let mut read = DependencyDescriptor::parse(&keyframe, None).unwrap();
    let len = read.write(&keyframe, &mut out).unwrap();
    assert_eq!(
        out[..len],
        keyframe,
        "all targets are active without a mask"
    );
    read.active_decode_targets = Some(0b100);
    let len = read.write(&keyframe, &mut out).unwrap();
    assert_eq!(out[..len], l1t3_keyframe("11100", "100 11 01 00"));

    // Without the mask and its flag, the shortest form is left.
    let masked = bits("10000000 0000000000000001 01000 011");
    let mut read = DependencyDescriptor::parse(&masked, Some(&known)).unwrap();
    read.active_decode_targets = None;
    assert_eq!(read.write(&masked, &mut out), Some(3));
    assert_eq!(out[..3], [0x80, 0, 1]);
}

#[test]
fn mask_lengthens_the_shortest_descriptor_by_at_most_the_bound() {
    let indications = "10".repeat(DECODE_TARGETS_MAX);
    let keyframe = bits(&format!(
        "1 1 000000 0000000000000000 10000 000000 11111 11 {indications} 0 00000 0"
    ));
    let structure = DependencyDescriptor::parse(&keyframe, None)
        .unwrap()
        .structure;
    assert_eq!(structure.as_ref().unwrap().all_decode_targets(), u32::MAX);
    let short = [0xc0, 0, 1];
    let mut read = DependencyDescriptor::parse(&short, structure.as_deref()).unwrap();
    read.active_decode_targets = Some(0x8000_0001);
    let mut out = [0; 3 + GROWTH_MAX];
    assert_eq!(read.write(&short, &mut out), Some(out.len()));
    let again = DependencyDescriptor::parse(&out, structure.as_deref()).unwrap();
    assert_eq!(again.active_decode_targets, Some(0x8000_0001));
}

/// AV1 in mode `L3T3_KEY` from Chromium: the first packet of each frame after a keyframe, with the
/// spatial and temporal layer that the headers of its AV1 units give.
const CHROMIUM_L3T3_KEY: [(&str, u8, u8); 22] = [
    (
        "c0000580081485214eaaaaa8000600004000100002aa80a8000600004000100002a000a800060000400016d5\
         49241b5524906d54923157e001974ca864330e222396eca8655304224390eca87753013f00b3027f016704ff\
         02cf",
        0,
        0,
    ),
    ("c50006", 1, 0),
    ("8a0007", 2, 0),
    ("c30008", 0, 2),
    ("c80009", 1, 2),
    ("cd000a", 2, 2),
    ("c2000b", 0, 1),
    ("c7000c", 1, 1),
    ("8c000d", 2, 1),
    ("c4000e", 0, 2),
    ("c9000f", 1, 2),
    ("ce0010", 2, 2),
    ("c10011", 0, 0),
    ("860012", 1, 0),
    ("8b0013", 2, 0),
    ("c30014", 0, 2),
    ("c80015", 1, 2),
    ("8d0016", 2, 2),
    ("c20017", 0, 1),
    ("c70018", 1, 1),
    ("8c0019", 2, 1),
    ("c4001a", 0, 2),
];

/// AV1 in mode `L3T3` from Chromium at the start of a call, when only two spatial layers are sent; as
/// above.
const CHROMIUM_L3T3: [(&str, u8, u8); 10] = [
    (
        "c10001c0081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d95\
         4926e082b04a0941b820ac1282503157f974000ca864330e222222eca8655304224230eca87753013f00b302\
         7f016704ff02cf1f80",
        0,
        0,
    ),
    ("c60002", 1, 0),
    ("c300031a20100800", 0, 2),
    ("c800041a2800604000", 1, 2),
    ("c200051a60201800", 0, 1),
    ("c700061a6800a08000", 1, 1),
    ("c300071a20302800", 0, 2),
    ("c800081a2800e0c000", 1, 2),
    ("c000091ae0403800", 0, 0),
    ("85000a12e800", 1, 0),
];

/// First packets of VP8 and H.264 in mode `L1T3` from Chromium.
const CHROMIUM_VP8_KEYFRAME: &str = "8000018002044eaaaf2860414d34538a0940409fc059c0";
const CHROMIUM_H264_KEYFRAME: &str = "800001800214eaa860414d1410208426";

/// Reads the descriptors of a stream in order, and checks that each one is written back as it was.
fn read_all(stream: &[(&str, u8, u8)], reader: &mut DependencyReader) -> Vec<DependencyDescriptor> {
    let read = |&(text, spatial_layer, temporal_layer): &(&str, u8, u8)| {
        let value = hex(text);
        let read = reader.read(&value).unwrap();
        assert_eq!(
            (read.spatial_layer, read.temporal_layer),
            (spatial_layer, temporal_layer)
        );
        let mut out = vec![0; value.len()];
        let len = read.write(&value, &mut out).unwrap();
        // Chromium may end with bytes of padding, which are left out.
        assert!(out[..len] == value[..len] && value[len..].iter().all(|byte| *byte == 0));
        read
    };
    stream.iter().map(read).collect()
}

#[test]
fn key_svc_of_chromium_is_read() {
    let mut reader = DependencyReader::default();
    let read = read_all(&CHROMIUM_L3T3_KEY, &mut reader);
    let structure = reader.structure().unwrap();
    assert_eq!(structure.decode_targets().len(), 9);
    assert_eq!(
        (structure.chain_count(), reader.active_decode_targets()),
        (3, 0x1ff)
    );
    let resolutions = [0, 1, 2, 3].map(|layer| structure.resolution(layer));
    assert_eq!(
        resolutions,
        [Some((320, 180)), Some((640, 360)), Some((1_280, 720)), None]
    );
    let best = structure
        .best_decode_target(1, 2, reader.active_decode_targets())
        .unwrap();
    let target = structure.decode_targets()[best];
    assert_eq!((target.spatial_layer, target.temporal_layer), (1, 2));
    // The target of a spatial layer needs the lower ones in the keyframe only.
    let needed: Vec<u16> = read
        .iter()
        .filter(|read| read.indication(best) != Indication::NotPresent)
        .map(|read| read.frame_number)
        .collect();
    assert_eq!(needed, [5, 6, 9, 12, 15, 18, 21, 24]);
    assert_eq!(
        read[1].frame_diffs.as_slice(),
        [1],
        "on the spatial layer below"
    );
    assert_eq!(
        read[12].frame_diffs.as_slice(),
        [12],
        "on the same layer, four pictures before"
    );
    // Every frame can be decoded from those before it.
    for (at, frame) in read.iter().enumerate() {
        for diff in &frame.frame_diffs {
            assert!(
                read[..at]
                    .iter()
                    .any(|it| it.frame_number == frame.frame_number - diff)
            );
        }
    }
}

#[test]
fn full_svc_of_chromium_starts_with_two_of_three_spatial_layers() {
    let mut reader = DependencyReader::default();
    let read = read_all(&CHROMIUM_L3T3, &mut reader);
    let structure = reader.structure().unwrap();
    let active = reader.active_decode_targets();
    assert_eq!(active, structure.decode_targets_within(1, 2));
    let best = structure.best_decode_target(2, 2, active).unwrap();
    let target = structure.decode_targets()[best];
    assert_eq!((target.spatial_layer, target.temporal_layer), (1, 2));
    // The upper layer refers to the one below and to the same layer, as custom fields say.
    assert_eq!(read[3].frame_diffs.as_slice(), [2, 1]);
    assert_eq!(read[9].frame_diffs.as_slice(), [8, 1]);
    assert!(
        read.iter()
            .all(|read| read.indication(best) != Indication::NotPresent)
    );
    assert!(!read[9].ends_frame, "a second packet follows");
}

/// Returns for each frame whether a receiver of these layers is sent it, by the filter and by the decode
/// targets, which must agree.
fn sent(
    stream: &[(&str, u8, u8)],
    (spatial_layer, temporal_layer): (u8, u8),
    prediction: InterLayerPrediction,
) -> Vec<bool> {
    let mut reader = DependencyReader::default();
    let read = read_all(stream, &mut reader);
    let structure = reader.structure().unwrap();
    let target = structure.best_decode_target(spatial_layer, temporal_layer, u32::MAX);
    let filter = LayerFilter {
        spatial_layer,
        temporal_layer,
        prediction,
    };
    let is_sent = |read: &DependencyDescriptor| {
        let is_sent = filter.includes(&read.payload_descriptor(structure));
        let is_present = read.indication(target.unwrap()) != Indication::NotPresent;
        assert_eq!(is_sent, is_present, "{read:?}");
        is_sent
    };
    read.iter().map(is_sent).collect()
}

#[test]
fn layer_filter_agrees_with_the_decode_targets() {
    for layers in (0..3).flat_map(|spatial| (0..3).map(move |temporal| (spatial, temporal))) {
        let key = InterLayerPrediction::KeyPictures;
        assert!(sent(&CHROMIUM_L3T3_KEY, layers, key)[0]);
        if layers.0 < 2 {
            sent(&CHROMIUM_L3T3, layers, InterLayerPrediction::Always);
        }
    }
    let mut reader = DependencyReader::default();
    let read = read_all(&CHROMIUM_L3T3_KEY, &mut reader);
    let structure = reader.structure().unwrap();
    let base = read[12].payload_descriptor(structure);
    assert!(base.switching_up && base.inter_picture && !base.inter_layer);
    let upper = read[1].payload_descriptor(structure);
    assert!(!upper.inter_picture && upper.inter_layer && !upper.starts_layer);
}

#[test]
fn descriptors_of_other_codecs_of_chromium_are_read() {
    for (text, resolution) in [
        (CHROMIUM_VP8_KEYFRAME, Some((640, 360))),
        (CHROMIUM_H264_KEYFRAME, None),
    ] {
        let read = DependencyDescriptor::parse(&hex(text), None).unwrap();
        assert!(read.starts_frame && !read.ends_frame && read.is_keyframe());
        assert_eq!(read.resolution, resolution);
        assert_eq!(indications(&read), "SSS");
        let targets = read.structure.unwrap();
        let layers = targets
            .decode_targets()
            .iter()
            .map(|target| target.temporal_layer);
        assert!(layers.eq(0..3));
    }
}

#[test]
fn late_structure_does_not_replace_a_newer_one() {
    let with_number = |text: &str, number: u16| {
        let mut value = hex(text);
        value[1..3].copy_from_slice(&number.to_be_bytes());
        value
    };
    let keyframe = |number| with_number(CHROMIUM_L3T3_KEY[0].0, number);
    let mut reader = DependencyReader::default();
    assert_eq!(
        reader.read(&[0xc1, 0, 1]),
        Err(DependencyError::NoStructure)
    );
    reader.read(&keyframe(3)).unwrap();

    // A keyframe of another structure from before, across the wrap of the frame number.
    let late = with_number(CHROMIUM_VP8_KEYFRAME, 0xfffe);
    let read = reader.read(&late).unwrap();
    assert_eq!(read.structure.as_ref().unwrap().decode_targets().len(), 3);
    assert_eq!(reader.structure().unwrap().decode_targets().len(), 9);
    assert_eq!(reader.active_decode_targets(), 0x1ff);
    let without_structure = reader.read(&[0xc1, 0xff, 0xff]);
    assert_eq!(without_structure, Err(DependencyError::NoStructure));

    // A sender that numbers anew is believed.
    let restarted = with_number(
        CHROMIUM_VP8_KEYFRAME,
        3_u16.wrapping_sub(LATE_FRAMES_MAX + 1),
    );
    reader.read(&restarted).unwrap();
    assert_eq!(reader.structure().unwrap().decode_targets().len(), 3);
    assert_eq!(reader.active_decode_targets(), 0b111);
}

#[test]
fn active_targets_hold_until_a_later_frame_changes_them() {
    let masked =
        |number: u8, mask: &str| bits(&format!("11 000000 00000000 {number:08b} 01000 {mask}"));
    let mut reader = DependencyReader::default();
    let mut keyframe = hex(CHROMIUM_VP8_KEYFRAME);
    keyframe[2] = 10;
    reader.read(&keyframe).unwrap();
    assert_eq!(reader.active_decode_targets(), 0b111);
    reader.read(&masked(12, "001")).unwrap();
    reader.read(&masked(11, "011")).unwrap();
    assert_eq!(reader.active_decode_targets(), 0b001, "frame 11 is late");
    reader.read(&[0xc0, 0, 13]).unwrap();
    assert_eq!(reader.active_decode_targets(), 0b001);
    reader.read(&masked(13, "011")).unwrap();
    assert_eq!(reader.active_decode_targets(), 0b011);
}

#[test]
fn frames_long_after_the_structure_are_read() {
    let mut reader = DependencyReader::default();
    reader.read(&hex(CHROMIUM_VP8_KEYFRAME)).unwrap();
    let [_, high, low, ..] = hex(CHROMIUM_VP8_KEYFRAME)[..] else {
        panic!("a keyframe of some length");
    };
    let first = u32::from(u16::from_be_bytes([high, low]));
    let masked = |number: u16, mask: &str| bits(&format!("11 000000 {number:016b} 01000 {mask}"));
    for number in first + 1..first + 140_000 {
        let number = (number & 0xffff) as u16;
        let mask = if number & 1 == 0 { "001" } else { "011" };
        assert!(reader.read(&masked(number, mask)).is_ok(), "frame {number}");
        let expected = u32::from_str_radix(mask, 2).unwrap();
        assert_eq!(reader.active_decode_targets(), expected, "frame {number}");
    }
}

#[test]
fn structure_holds_for_frames_long_after_it() {
    let mut reader = DependencyReader::default();
    reader.read(&hex(CHROMIUM_VP8_KEYFRAME)).unwrap();
    for number in 2..140_000_u32 {
        let [.., high, low] = number.to_be_bytes();
        assert!(reader.read(&[0xc1, high, low]).is_ok(), "frame {number}");
    }
}

proptest! {
    #[test]
    fn arbitrary_descriptors_never_panic(values in vec(vec(any::<u8>(), 0..64), 1..8)) {
        let mut reader = DependencyReader::default();
        reader.read(&hex(CHROMIUM_L3T3[0].0)).unwrap();
        for value in &values {
            let _ = reader.read(value);
        }
    }

    #[test]
    fn rewritten_descriptor_reads_back(
        flags in 0_u8..8,
        rest in vec(any::<u8>(), 0..40),
        frame_number: u16,
        mask in proptest::option::of(0_u32..8),
    ) {
        let known = l1t3();
        let mut value = vec![0xc0, 0, 1];
        value.push(flags << 3 | rest.first().unwrap_or(&0) & 0x07);
        value.extend(&rest);
        let Ok(mut wanted) = DependencyDescriptor::parse(&value, Some(&known)) else {
            return Ok(());
        };
        wanted.frame_number = frame_number;
        wanted.active_decode_targets = mask;
        let mut out = vec![0; value.len() + GROWTH_MAX];
        let len = wanted.write(&value, &mut out).unwrap();
        let mut read = DependencyDescriptor::parse(&out[..len], Some(&known)).unwrap();
        read.layout = wanted.layout;
        prop_assert_eq!(read, wanted);
    }
}
