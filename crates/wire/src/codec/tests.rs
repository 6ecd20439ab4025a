//! Payloads of each codec: complete, truncated and with flipped bits.

use proptest::collection::vec;
use proptest::prelude::*;

use super::vp9::ScalabilityStructure;
use super::*;

const CODECS: [Codec; 5] = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus];

#[test]
fn codec_is_found_by_mime_type_in_any_case() {
    assert_eq!(Codec::of_mime_type("VIDEO/vp8"), Some(Codec::Vp8));
    assert_eq!(Codec::of_mime_type("audio/OPUS"), Some(Codec::Opus));
    assert_eq!(Codec::of_mime_type("video/rtx"), None);
    assert_eq!(Codec::of_mime_type("video/av1"), Some(Codec::Av1));
}

/// A VP8 keyframe as Chrome sends it in simulcast: X S, I L T K, picture id 0x1234, TL0PICIDX 7,
/// layer 1 with sync, key index 3.
const VP8_KEYFRAME: [u8; 8] = [0x90, 0xf0, 0x92, 0x34, 7, 0x63, 0x10, 0xff];

#[test]
fn vp8_descriptor_is_read_completely() {
    let read = Vp8Descriptor::parse(&VP8_KEYFRAME).unwrap();
    assert_eq!(read.len, 6);
    assert!(read.keyframe && read.starts_partition && read.layer_sync && !read.non_reference);
    assert_eq!(read.picture_id, Some(PictureId::extended(0x1234)));
    assert_eq!(
        (read.tl0_pic_idx, read.temporal_layer, read.key_index),
        (Some(7), Some(1), Some(3))
    );
    let descriptor = parse_payload(Codec::Vp8, &VP8_KEYFRAME).unwrap();
    assert!(descriptor.keyframe && descriptor.starts_frame && !descriptor.ends_frame);
    assert_eq!(descriptor.temporal_layer, 1);
}

#[test]
fn vp8_keyframe_starts_only_in_the_first_packet_of_the_first_partition() {
    let keyframe = |payload: &[u8]| Vp8Descriptor::parse(payload).unwrap().keyframe;
    assert!(keyframe(&[0x10, 0x00]));
    assert!(!keyframe(&[0x10, 0x01]), "an inter frame");
    assert!(!keyframe(&[0x00, 0x00]), "a later packet");
    assert!(!keyframe(&[0x11, 0x00]), "the second partition");
}

#[test]
fn truncated_vp8_descriptor_is_rejected() {
    for len in 0..=6 {
        assert_eq!(
            Vp8Descriptor::parse(&VP8_KEYFRAME[..len]),
            None,
            "{len} bytes"
        );
    }
    assert!(Vp8Descriptor::parse(&VP8_KEYFRAME[..7]).is_some());
}

#[test]
fn vp8_picture_numbers_are_rewritten_in_place_only() {
    let mut payload = VP8_KEYFRAME;
    let mut descriptor = Vp8Descriptor::parse(&payload).unwrap();
    descriptor.picture_id = descriptor.picture_id.map(|it| it.with_value(0xffff));
    descriptor.tl0_pic_idx = Some(0xab);
    descriptor.write(&mut payload);
    assert_eq!(payload, [0x90, 0xf0, 0xff, 0xff, 0xab, 0x63, 0x10, 0xff]);
    assert_eq!(Vp8Descriptor::parse(&payload), Some(descriptor));

    let mut short = [0x90, 0x80, 0x7f, 0x00];
    let mut descriptor = Vp8Descriptor::parse(&short).unwrap();
    assert_eq!(descriptor.picture_id, Some(PictureId::short(0x7f)));
    descriptor.picture_id = descriptor.picture_id.map(|it| it.with_value(0x80));
    descriptor.tl0_pic_idx = Some(9);
    descriptor.write(&mut short);
    assert_eq!(short, [0x90, 0x80, 0x00, 0x00]);

    let mut plain = [0x10, 0x00];
    let mut descriptor = Vp8Descriptor::parse(&plain).unwrap();
    descriptor.picture_id = Some(PictureId::extended(1));
    descriptor.tl0_pic_idx = Some(1);
    descriptor.write(&mut plain);
    assert_eq!(plain, [0x10, 0x00]);
}

/// A VP9 keyframe in non-flexible mode: I L B V, picture id 5, layers 0/0, TL0PICIDX 9, and a
/// structure of two spatial layers with resolutions and a group of two pictures.
const VP9_KEYFRAME: [u8; 19] = [
    0xaa, 0x05, 0x00, 0x09, 0x38, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 0x02, 0x00, 0x34,
    0x01, 0xff, 0x80,
];

#[test]
fn vp9_keyframe_carries_its_scalability_structure() {
    let read = Vp9Descriptor::parse(&VP9_KEYFRAME).unwrap();
    assert!(read.is_keyframe() && !read.flexible && !read.ends_frame);
    assert_eq!(read.picture_id, Some(PictureId::short(5)));
    assert_eq!(read.tl0_pic_idx, Some(9));
    assert_eq!(read.len, 17);
    assert_eq!(
        read.structure,
        Some(ScalabilityStructure {
            spatial_layers: 2,
            resolutions: [(320, 180), (640, 360)].into_iter().collect(),
            temporal_layers: 2,
        })
    );
}

#[test]
fn truncated_vp9_descriptor_is_rejected() {
    for len in 0..=17 {
        assert_eq!(
            Vp9Descriptor::parse(&VP9_KEYFRAME[..len]),
            None,
            "{len} bytes"
        );
    }
}

#[test]
fn flexible_vp9_picture_has_up_to_three_references_and_no_tl0_pic_idx() {
    // I P L F B E, picture id 0x0102, temporal layer 2 with U, spatial layer 1 with D.
    let head = [0xfc, 0x81, 0x02, 0x53];
    let with = |references: &[u8]| Vp9Descriptor::parse(&[&head, references, &[0x00]].concat());
    let read = with(&[0x03, 0x05, 0x08]).unwrap();
    assert!(read.flexible && read.starts_frame && read.ends_frame && read.switching_up);
    assert!(read.inter_picture && read.inter_layer && !read.is_keyframe());
    assert_eq!(
        (read.temporal_layer, read.spatial_layer),
        (Some(2), Some(1))
    );
    assert_eq!(
        (read.tl0_pic_idx, read.references.as_slice()),
        (None, &[1, 2, 4][..])
    );
    assert_eq!(with(&[0x03, 0x05, 0x09, 0x02]), None, "a fourth reference");
    let descriptor = parse_payload(Codec::Vp9, &[&head[..], &[0x02, 0x00]].concat()).unwrap();
    assert_eq!(
        (
            descriptor.temporal_layer,
            descriptor.spatial_layer,
            descriptor.switching_up
        ),
        (2, 1, true)
    );
}

#[test]
fn upper_spatial_layer_of_a_vp9_key_picture_is_not_a_keyframe() {
    let keyframe = |payload: &[u8]| Vp9Descriptor::parse(payload).unwrap().is_keyframe();
    assert!(keyframe(&[0x08, 0x00]), "no layers at all");
    assert!(keyframe(&[0x38, 0x00, 0x00]));
    assert!(!keyframe(&[0x38, 0x03, 0x00]), "spatial layer 1");
    assert!(!keyframe(&[0x30, 0x00, 0x00]), "a later packet");
    assert!(!keyframe(&[0x48, 0x00]), "predicted");
}

#[test]
fn vp9_picture_numbers_are_rewritten_in_place_only() {
    let mut payload = VP9_KEYFRAME;
    let mut descriptor = Vp9Descriptor::parse(&payload).unwrap();
    descriptor.picture_id = descriptor.picture_id.map(|it| it.with_value(0x81));
    descriptor.tl0_pic_idx = Some(0xcd);
    descriptor.write(&mut payload);
    assert_eq!(payload[..4], [0xaa, 0x01, 0x00, 0xcd]);
    assert_eq!(payload[4..], VP9_KEYFRAME[4..]);
}

#[test]
fn h264_keyframe_starts_at_its_sps_or_first_idr_slice() {
    let keyframe = |payload: &[u8]| parse_payload(Codec::H264, payload).unwrap().keyframe;
    assert!(keyframe(&[0x67, 0x42]), "SPS");
    assert!(keyframe(&[0x65, 0x88]), "first slice of an IDR picture");
    assert!(!keyframe(&[0x65, 0x48]), "a later slice of an IDR picture");
    assert!(!keyframe(&[0x61, 0x88]), "a non-IDR slice");
    assert!(!keyframe(&[0x68, 0xce]), "PPS");
    assert!(
        keyframe(&[0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce]),
        "STAP-A with an SPS first"
    );
    assert!(
        keyframe(&[0x78, 0, 2, 0x68, 0xce, 0, 2, 0x65, 0x88]),
        "STAP-A with an IDR last"
    );
    assert!(
        !keyframe(&[0x78, 0, 2, 0x68, 0xce, 0, 2, 0x61, 0x88]),
        "STAP-A with neither"
    );
    assert!(
        keyframe(&[0x7c, 0x85, 0x88]),
        "first fragment of an IDR slice"
    );
    assert!(!keyframe(&[0x7c, 0x05, 0x88]), "a later fragment");
    assert!(
        !keyframe(&[0x7c, 0x85, 0x48]),
        "first fragment of a later slice"
    );
    assert!(
        !keyframe(&[0x7c, 0x81, 0x88]),
        "first fragment of a non-IDR slice"
    );
}

#[test]
fn h264_aggregate_is_read_up_to_its_last_complete_unit() {
    let keyframe = |payload: &[u8]| parse_payload(Codec::H264, payload).map(|it| it.keyframe);
    for rest in [
        &[0][..],
        &[0, 0],
        &[0, 0, 0],
        &[0xff],
        &[0xff, 0xff, 0x65],
        &[0, 9, 0x68, 0xce],
    ] {
        let sps = [&[0x78, 0, 2, 0x67, 0x42][..], rest].concat();
        assert_eq!(keyframe(&sps), Some(true), "{rest:x?}");
        let slice = [&[0x78, 0, 2, 0x61, 0x88][..], rest].concat();
        assert_eq!(keyframe(&slice), Some(false), "{rest:x?}");
    }
}

/// Sequence header of AV1 with its length, then the start of a frame without one.
const AV1_KEYFRAME: [u8; 6] = [0x28, 2, 0x08, 0x00, 0x30, 0x10];

#[test]
fn av1_keyframe_starts_with_a_coded_video_sequence() {
    let keyframe = |payload: &[u8]| parse_payload(Codec::Av1, payload).unwrap().keyframe;
    assert!(keyframe(&AV1_KEYFRAME));
    assert!(
        keyframe(&[0x20, 2, 0x08, 0x00, 0x30, 0x10]),
        "without the N bit"
    );
    assert!(
        keyframe(&[0x00, 1, 0x10, 2, 0x08, 0x00]),
        "after a temporal delimiter"
    );
    assert!(
        keyframe(&[0x58, 0x08, 0x00]),
        "the first packet of a longer sequence header"
    );
    assert!(!keyframe(&[0x10, 0x30, 0x10]), "a frame");
    assert!(!keyframe(&[0x90, 0x08, 0x00]), "the rest of a unit");
}

#[test]
fn av1_layers_are_read_from_the_first_unit() {
    let read = parse_payload(Codec::Av1, &[0x10, 0x34, 0x50, 0x10]).unwrap();
    assert_eq!((read.temporal_layer, read.spatial_layer), (2, 2));
    assert!(read.starts_frame && !read.keyframe);
}

#[test]
fn inconsistent_av1_payload_is_rejected() {
    for payload in [
        &[][..],
        &[0x18],                         // nothing after the aggregation header
        &[0x98, 0x08],                   // continues a unit and starts a sequence
        &[0x00, 5, 0x08],                // length exceeds the payload
        &[0x00, 0xff, 0xff, 0xff, 0x01], // endless length
        &[0x10, 0x88],                   // forbidden bit
        &[0x10, 0x34],                   // layers are missing
        &[0x00, 0],                      // empty element
    ] {
        assert_eq!(parse_payload(Codec::Av1, payload), None, "{payload:x?}");
    }
}

#[test]
fn vp9_independent_spatial_layers_start_without_the_lower_ones() {
    // I L F B: a keyframe of spatial layer 2, first independent of layer 1, then predicted from it.
    let independent = parse_payload(Codec::Vp9, &[0xb8, 0x80, 1, 0x04, 0x00]).unwrap();
    assert!(independent.starts_layer && !independent.keyframe);
    assert_eq!(independent.spatial_layer, 2);
    let dependent = parse_payload(Codec::Vp9, &[0xb8, 0x80, 1, 0x05, 0x00]).unwrap();
    assert!(!dependent.starts_layer && !dependent.keyframe);
}

#[test]
fn h264_frame_starts_at_macroblock_zero() {
    let starts = |payload: &[u8]| parse_payload(Codec::H264, payload).unwrap().starts_frame;
    assert!(starts(&[0x61, 0x9a]) && starts(&[0x7c, 0x81, 0x9a]));
    assert!(!starts(&[0x61, 0x5a]) && !starts(&[0x7c, 0x41, 0x9a]));
    assert!(
        starts(&[0x09, 0xf0]) && starts(&[0x06, 0x05]),
        "delimiter, SEI"
    );
}

#[test]
fn inconsistent_h264_payload_is_rejected() {
    for payload in [
        &[][..],
        &[0x60],                   // type 0
        &[0xe7, 0x42],             // forbidden bit
        &[0x79, 0, 2, 0x67, 0x42], // STAP-B
        &[0x7d, 0x85, 0x88],       // FU-B
        &[0x7c],                   // FU-A without its header
        &[0x78],                   // empty STAP-A
        &[0x78, 0],                // truncated length
        &[0x78, 0, 0],             // empty NAL unit
        &[0x78, 0, 3, 0x67, 0x42], // length exceeds the payload
    ] {
        assert_eq!(parse_payload(Codec::H264, payload), None, "{payload:x?}");
    }
}

#[test]
fn opus_payload_of_up_to_two_bytes_is_dtx() {
    let read = |payload: &[u8]| parse_payload(Codec::Opus, payload);
    assert_eq!(read(&[]), None);
    assert!(read(&[0x78]).unwrap().dtx && read(&[0x78, 0x01]).unwrap().dtx);
    let sound = read(&[0x78, 0x01, 0x02]).unwrap();
    assert!(!sound.dtx && sound.keyframe && sound.starts_frame && sound.ends_frame);
    assert_eq!(read(&[0x7b]), None, "code 3 without a count");
    assert_eq!(
        read(&[0x7b, 0xc0, 0x00]),
        None,
        "code 3 with a count of zero"
    );
    assert!(read(&[0x7b, 0x01, 0x00]).is_some());
}

/// Parses `payload` and its prefixes with each bit flipped; the result may differ, a panic may not
/// happen.
fn flip_each_bit(codec: Codec, payload: &[u8]) {
    for bit in 0..payload.len() * 8 {
        let mut flipped = payload.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        for len in 0..=flipped.len() {
            let _ = parse_payload(codec, &flipped[..len]);
        }
    }
}

#[test]
fn flipped_bits_and_truncation_never_panic() {
    flip_each_bit(Codec::Vp8, &VP8_KEYFRAME);
    flip_each_bit(Codec::Vp9, &VP9_KEYFRAME);
    flip_each_bit(Codec::H264, &[0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce]);
    flip_each_bit(Codec::Opus, &[0x7b, 0x01, 0x00]);
}

proptest! {
    #[test]
    fn arbitrary_payloads_never_panic(payload in vec(any::<u8>(), 0..64)) {
        for codec in CODECS {
            let _ = parse_payload(codec, &payload);
        }
    }

    #[test]
    fn rewritten_vp8_numbers_read_back(
        payload in vec(any::<u8>(), 1..32),
        picture_id: u16,
        tl0_pic_idx: u8,
    ) {
        let Some(before) = Vp8Descriptor::parse(&payload) else { return Ok(()) };
        let mut wanted = before;
        wanted.picture_id = before.picture_id.map(|it| it.with_value(picture_id));
        wanted.tl0_pic_idx = before.tl0_pic_idx.map(|_| tl0_pic_idx);
        let mut written = payload.clone();
        wanted.write(&mut written);
        prop_assert_eq!(Vp8Descriptor::parse(&written), Some(wanted));
        before.write(&mut written);
        prop_assert_eq!(written, payload);
    }

    #[test]
    fn rewritten_vp9_numbers_read_back(
        payload in vec(any::<u8>(), 1..32),
        picture_id: u16,
        tl0_pic_idx: u8,
    ) {
        let Some(before) = Vp9Descriptor::parse(&payload) else { return Ok(()) };
        let mut wanted = before.clone();
        wanted.picture_id = before.picture_id.map(|it| it.with_value(picture_id));
        wanted.tl0_pic_idx = before.tl0_pic_idx.map(|_| tl0_pic_idx);
        let mut written = payload.clone();
        wanted.write(&mut written);
        prop_assert_eq!(Vp9Descriptor::parse(&written), Some(wanted));
        before.write(&mut written);
        prop_assert_eq!(written, payload);
    }

    #[test]
    fn constructed_vp8_descriptor_reads_back(
        extended: bool,
        number: u16,
        tl0_pic_idx: Option<u8>,
        layer in 0_u8..4,
        key_index in 0_u8..32,
        key: bool,
    ) {
        let picture_id =
            if extended { PictureId::extended(number) } else { PictureId::short(number) };
        let mut payload = vec![0x90, 0xb0 | (u8::from(tl0_pic_idx.is_some()) << 6), 0];
        payload.extend(extended.then_some(0));
        picture_id.write(&mut payload, 2);
        payload.extend(tl0_pic_idx);
        payload.extend([(layer << 6) | key_index, u8::from(!key)]);
        let read = Vp8Descriptor::parse(&payload).unwrap();
        prop_assert_eq!(read.picture_id, Some(picture_id));
        prop_assert_eq!(read.tl0_pic_idx, tl0_pic_idx);
        prop_assert_eq!(read.temporal_layer, Some(layer));
        prop_assert_eq!(read.key_index, Some(key_index));
        prop_assert_eq!(read.keyframe, key);
        prop_assert_eq!(read.len, payload.len() - 1);
    }
}
