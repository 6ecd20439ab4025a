//! RTP headers at the boundaries of their format.

use arrayvec::ArrayString;

use super::edit::{ELEMENTS_MAX, remove_extension, set_extension};
use super::extension::{
    AbsCaptureTime, AbsSendTime, AudioLevel, ExtensionKind, PlayoutDelay, VideoOrientation,
    parse_sdes_item, parse_transmission_offset, parse_transport_seq, write_transmission_offset,
    write_transport_seq,
};
use super::*;

const FIELDS: RtpHeaderFields = RtpHeaderFields {
    marker: true,
    padding: false,
    pt: Pt(96),
    seq: 0x1234,
    timestamp: 0x89ab_cdef,
    ssrc: Ssrc(0xdead_beef),
};

fn packet(extensions: &[(u8, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 1_500];
    let len = write_header(&mut out, &FIELDS, extensions).unwrap();
    out.truncate(len);
    out.extend_from_slice(payload);
    out
}

fn elements(packet: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let header = RtpHeader::parse(packet).unwrap();
    header
        .extensions(packet)
        .map(|(id, value)| (id, value.to_vec()))
        .collect()
}

#[test]
fn header_without_extensions_matches_known_bytes() {
    let packet = packet(&[], b"media");
    assert_eq!(
        packet,
        b"\x80\xe0\x12\x34\x89\xab\xcd\xef\xde\xad\xbe\xefmedia"
    );
    let header = RtpHeader::parse(&packet).unwrap();
    assert!(header.marker);
    assert_eq!(header.pt, Pt(96));
    assert_eq!(header.seq, 0x1234);
    assert_eq!(header.timestamp, 0x89ab_cdef);
    assert_eq!(header.ssrc, Ssrc(0xdead_beef));
    assert_eq!(header.header_len, 12);
    assert_eq!(header.payload(&packet), Ok(&b"media"[..]));
    assert_eq!(header.extensions(&packet).count(), 0);
}

#[test]
fn one_byte_elements_match_the_layout_of_rfc_8285() {
    let packet = packet(&[(1, b"0"), (5, &[0x12, 0x34]), (14, &[7; 16])], b"");
    let mut expected = vec![0xbe, 0xde, 0, 6, 0x10, b'0', 0x51, 0x12, 0x34, 0xef];
    expected.extend([7; 16]);
    expected.extend([0; 2]);
    assert_eq!(packet[0], 0x90);
    assert_eq!(packet[12..], expected);
}

#[test]
fn values_or_ids_too_large_for_one_byte_elements_use_two_byte_elements() {
    for extension in [(15, &b"x"[..]), (1, &[0; 17]), (1, b""), (255, &[1; 255])] {
        let packet = packet(&[extension, (2, b"ab")], b"m");
        let header = RtpHeader::parse(&packet).unwrap();
        assert_eq!(header.extension_form, ExtensionForm::TwoByte);
        assert_eq!(
            elements(&packet),
            [(extension.0, extension.1.to_vec()), (2, b"ab".to_vec())]
        );
        assert_eq!(header.payload(&packet), Ok(&b"m"[..]));
    }
}

#[test]
fn headers_that_cannot_be_written_are_rejected() {
    let mut out = [0; 1_500];
    assert_eq!(write_header(&mut out, &FIELDS, &[(0, b"x")]), None);
    assert_eq!(write_header(&mut out, &FIELDS, &[(1, &[0; 256])]), None);
    assert_eq!(write_header(&mut out[..11], &FIELDS, &[]), None);
    assert_eq!(write_header(&mut out[..12], &FIELDS, &[]), Some(12));
    assert_eq!(write_header(&mut out[..19], &FIELDS, &[(1, b"x")]), None);
    assert_eq!(
        write_header(&mut out[..20], &FIELDS, &[(1, b"x")]),
        Some(20)
    );
}

#[test]
fn contributing_sources_and_two_byte_application_bits_are_skipped() {
    let mut packet = packet(&[], b"");
    packet[0] = 0x80 | 0x10 | 2;
    packet.extend([0; 8]);
    packet.extend([0x10, 0x0a, 0, 2, 0, 0, 9, 2, 0xaa, 0xbb, 3, 0]);
    packet.extend(b"media");
    let header = RtpHeader::parse(&packet).unwrap();
    assert_eq!(header.extension_form, ExtensionForm::TwoByte);
    assert_eq!(elements(&packet), [(9, vec![0xaa, 0xbb]), (3, vec![])]);
    assert_eq!(header.payload(&packet), Ok(&b"media"[..]));
}

#[test]
fn extension_of_another_profile_is_opaque_and_not_editable() {
    let mut packet = packet(&[(1, b"x")], b"media");
    packet[12] = 0x42;
    let header = RtpHeader::parse(&packet).unwrap();
    assert_eq!(header.extension_form, ExtensionForm::Other(0x42de));
    assert_eq!(header.extensions(&packet).count(), 0);
    assert_eq!(header.payload(&packet), Ok(&b"media"[..]));
    assert_eq!(
        set_extension(&mut packet, 1, b"y"),
        Err(RtpError::UnknownExtensionProfile)
    );
    assert_eq!(
        remove_extension(&mut packet, 1),
        Err(RtpError::UnknownExtensionProfile)
    );
}

#[test]
fn truncated_header_is_rejected_at_every_length() {
    let packet = packet(&[(1, b"0"), (4, b"abc")], b"");
    for len in 0..packet.len() {
        assert_eq!(RtpHeader::parse(&packet[..len]), Err(RtpError::Truncated));
    }
    assert!(RtpHeader::parse(&packet).is_ok());
}

#[test]
fn other_versions_are_rejected() {
    let mut packet = packet(&[], b"");
    for version in [0, 1, 3] {
        packet[0] = version << 6;
        assert_eq!(RtpHeader::parse(&packet), Err(RtpError::Version));
    }
}

#[test]
fn element_never_extends_beyond_its_block() {
    for (form, last) in [
        (ONE_BYTE_PROFILE, [0, 0, 0, 0x1f]),
        (TWO_BYTE_PROFILE, [0, 0, 1, 9]),
    ] {
        let mut packet = packet(&[], b"");
        packet[0] |= 0x10;
        packet.extend(form.to_be_bytes());
        packet.extend([0, 1]);
        packet.extend(last);
        packet.extend(b"sixteen bytes of media that must stay unread");
        assert_eq!(elements(&packet), []);
    }
}

#[test]
fn two_byte_id_without_a_length_ends_the_iteration() {
    let mut packet = packet(&[], b"");
    packet[0] |= 0x10;
    packet.extend([0x10, 0, 0, 1, 4, 1, 0xaa, 5, b'm']);
    assert_eq!(elements(&packet), [(4, vec![0xaa])]);
}

#[test]
fn reserved_one_byte_ids_end_the_iteration() {
    for stop in [0xf0, 0x03] {
        let mut packet = packet(&[(1, b"a"), (2, b"b"), (3, b"c")], b"");
        assert_eq!(elements(&packet).len(), 3);
        packet[18] = stop;
        assert_eq!(elements(&packet), [(1, b"a".to_vec())]);
    }
}

#[test]
fn padding_is_stripped_and_impossible_padding_is_rejected() {
    let mut packet = packet(&[], b"media\x00\x00\x03");
    packet[0] |= 0x20;
    let header = RtpHeader::parse(&packet).unwrap();
    assert_eq!(header.payload(&packet), Ok(&b"media"[..]));
    let last = packet.len() - 1;
    packet[last] = 8;
    assert_eq!(header.payload(&packet), Ok(&b""[..]));
    for impossible in [0, 9, 255] {
        packet[last] = impossible;
        assert_eq!(header.payload(&packet), Err(RtpError::Padding));
    }
    assert_eq!(header.payload(&packet[..12]), Err(RtpError::Padding));
    assert_eq!(header.payload(&packet[..11]), Err(RtpError::Truncated));
}

#[test]
fn element_of_the_same_length_is_replaced_in_place() {
    let mut packet = packet(&[(1, b"0"), (5, &[0, 1])], b"media");
    let before = packet.len();
    set_extension(&mut packet, 5, &[0xab, 0xcd]).unwrap();
    assert_eq!(packet.len(), before);
    assert_eq!(
        elements(&packet),
        [(1, b"0".to_vec()), (5, vec![0xab, 0xcd])]
    );
}

#[test]
fn payload_moves_when_elements_are_added_resized_or_removed() {
    let mut packet = packet(&[], b"media");
    let bare = packet.clone();
    let steps: [(u8, Option<&[u8]>, usize); 7] = [
        (1, Some(b"0"), 1),
        (4, Some(b"abc"), 2),
        (1, Some(b"longer than sixteen"), 2),
        (1, Some(b"12"), 2),
        (9, None, 2),
        (1, None, 1),
        (4, None, 0),
    ];
    for (id, value, count) in steps {
        let header = match value {
            Some(value) => set_extension(&mut packet, id, value).unwrap(),
            None => remove_extension(&mut packet, id).unwrap(),
        };
        assert_eq!(header, RtpHeader::parse(&packet).unwrap());
        assert_eq!(header.extension(&packet, id), value);
        assert_eq!(header.extensions(&packet).count(), count);
        assert_eq!(header.payload(&packet), Ok(&b"media"[..]));
    }
    assert_eq!(packet, bare);
}

#[test]
fn resized_element_keeps_its_position_and_loses_its_duplicates() {
    let mut packet = packet(&[(1, b"a"), (2, b"b"), (1, b"c")], b"media");
    set_extension(&mut packet, 1, b"xy").unwrap();
    assert_eq!(elements(&packet), [(1, b"xy".to_vec()), (2, b"b".to_vec())]);
}

#[test]
fn edit_beyond_the_limits_leaves_the_packet_unchanged() {
    let values: Vec<(u8, &[u8])> = (1..=255)
        .map(|id| (id, &b"v"[..]))
        .take(ELEMENTS_MAX)
        .collect();
    let mut full = packet(&values, b"media");
    let before = full.clone();
    assert_eq!(
        set_extension(&mut full, 200, b"v"),
        Err(RtpError::TooManyElements)
    );
    assert_eq!(
        set_extension(&mut full, 0, b"v"),
        Err(RtpError::InvalidElement)
    );
    assert_eq!(
        set_extension(&mut full, 1, &[0; 256]),
        Err(RtpError::InvalidElement)
    );
    assert_eq!(full, before);
    assert!(remove_extension(&mut full, 1).is_ok());

    let long: Vec<(u8, &[u8])> = (1..=5).map(|id| (id, &[0; 255][..])).collect();
    let mut long = packet(&long, b"");
    assert_eq!(
        set_extension(&mut long, 6, &[0; 255]),
        Err(RtpError::TooManyElements)
    );
}

#[test]
fn retransmission_carries_its_original_sequence_number() {
    let mut payload = *b"..media";
    assert_eq!(write_osn(&mut payload, 0x0102), Some(2));
    assert_eq!(split_osn(&payload), Some((0x0102, &b"media"[..])));
    assert_eq!(split_osn(&payload[..2]), Some((0x0102, &b""[..])));
    assert_eq!(split_osn(&payload[..1]), None);
    assert_eq!(write_osn(&mut payload[..1], 1), None);
}

#[test]
fn every_extension_kind_is_found_by_its_uri() {
    for kind in ExtensionKind::ALL {
        assert_eq!(ExtensionKind::from_uri(kind.uri()), Some(kind));
    }
    assert_eq!(
        ExtensionKind::from_uri("urn:ietf:params:rtp-hdrext:unknown"),
        None
    );
}

#[test]
fn sdes_item_is_visible_ascii_of_bounded_length() {
    let parse = parse_sdes_item::<16>;
    assert_eq!(parse(b"r0").as_deref(), Some("r0"));
    assert_eq!(parse(b"r0\0\0").as_deref(), Some("r0"));
    assert_eq!(
        parse(&[b'x'; 16]),
        ArrayString::from("xxxxxxxxxxxxxxxx").ok()
    );
    for refused in [&b""[..], b"\0r0", b"r 0", b"r\xff", &[b'x'; 17]] {
        assert_eq!(parse(refused), None);
    }
}

#[test]
fn abs_send_time_wraps_after_64_seconds_and_compares_across_the_wrap() {
    assert_eq!(AbsSendTime::from_micros(1_000_000).write(), [4, 0, 0]);
    assert_eq!(
        AbsSendTime::from_micros(64_000_000),
        AbsSendTime::from_micros(0)
    );
    assert_eq!(
        AbsSendTime::from_micros(63_999_999),
        AbsSendTime::from_micros(0)
    );
    assert_eq!(
        AbsSendTime::parse(&[4, 0, 0]).unwrap().as_micros(),
        1_000_000
    );
    let before = AbsSendTime::from_micros(63_500_000);
    let after = AbsSendTime::from_micros(64_250_000);
    assert_eq!(after.micros_since(before), 750_000);
    assert_eq!(before.micros_since(after), -750_000);
    for byte in 0..=255 {
        let time = AbsSendTime::parse(&[byte, byte.wrapping_mul(7), !byte]).unwrap();
        assert_eq!(AbsSendTime::from_micros(time.as_micros()), time);
    }
    assert_eq!(AbsSendTime::parse(&[0; 4]), None);
}

#[test]
fn every_audio_level_and_orientation_reads_back() {
    for byte in 0..=255_u8 {
        assert_eq!(AudioLevel::parse(&[byte]).unwrap().write(), [byte]);
        assert_eq!(
            VideoOrientation::parse(&[byte & 0x0f]).unwrap().write(),
            [byte & 0x0f]
        );
    }
    assert_eq!(
        AudioLevel::parse(&[0x9e]),
        Some(AudioLevel {
            level: 30,
            voice: true
        })
    );
    assert_eq!(AudioLevel::parse(&[]), None);
    assert_eq!(VideoOrientation::parse(&[]), None);
    let turned = VideoOrientation {
        back_camera: true,
        flip: false,
        quarter_turns: 3,
    };
    assert_eq!(VideoOrientation::parse(&[0x0b]), Some(turned));
}

#[test]
fn playout_delay_has_a_resolution_of_ten_milliseconds() {
    let delay = PlayoutDelay {
        min_ms: 100,
        max_ms: 40_950,
    };
    assert_eq!(delay.write(), [0x00, 0xaf, 0xff]);
    assert_eq!(PlayoutDelay::parse(&delay.write()), Some(delay));
    assert_eq!(
        PlayoutDelay {
            min_ms: 0,
            max_ms: 65_535
        }
        .write(),
        [0, 0x0f, 0xff]
    );
    assert_eq!(PlayoutDelay::parse(&[0x00, 0x20, 0x01]), None);
    assert_eq!(PlayoutDelay::parse(&[0; 2]), None);
}

#[test]
fn abs_capture_time_has_an_optional_offset() {
    let short = AbsCaptureTime {
        capture_ntp: 0x0102_0304_0506_0708,
        clock_offset: None,
    };
    assert_eq!(short.write()[..], [1, 2, 3, 4, 5, 6, 7, 8]);
    let long = AbsCaptureTime {
        clock_offset: Some(-2),
        ..short
    };
    assert_eq!(long.write()[8..], [255, 255, 255, 255, 255, 255, 255, 254]);
    for time in [short, long] {
        assert_eq!(AbsCaptureTime::parse(&time.write()), Some(time));
    }
    for len in (0..17).filter(|len| ![8, 16].contains(len)) {
        assert_eq!(AbsCaptureTime::parse(&[0; 17][..len]), None);
    }
}

#[test]
fn transport_sequence_numbers_and_transmission_offsets_read_back() {
    assert_eq!(
        parse_transport_seq(&write_transport_seq(0xabcd)),
        Some(0xabcd)
    );
    assert_eq!(parse_transport_seq(&[1]), None);
    for ticks in [0, 1, -1, 0x7f_ffff, -0x80_0000] {
        assert_eq!(
            parse_transmission_offset(&write_transmission_offset(ticks)),
            Some(ticks)
        );
    }
    assert_eq!(parse_transmission_offset(&[0; 2]), None);
}
