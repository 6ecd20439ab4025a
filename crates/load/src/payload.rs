//! Payloads of packets: valid codec headers, a test header, and constant padding (RFC 7741 §4,
//! RFC 6386 §9.1, RFC 6716 §3.1).

use watersmeet_peer::vp8::{DESCRIPTOR_LEN, Descriptor, PICTURE_ID_MASK, write_frame_header};

use crate::test_header::{TEST_HEADER_LEN, TestHeader};

/// Bytes of the longest payload, as in libwebrtc.
pub const PAYLOAD_LEN_MAX: usize = 1_200;

/// Bytes reserved for the VP8 frame header in every packet, so that the test header has the same
/// offset in all. A keyframe's header has ten bytes.
const FRAME_HEADER_LEN: usize = 10;

/// Bytes of the shortest video payload.
pub const VIDEO_LEN_MIN: usize = DESCRIPTOR_LEN + FRAME_HEADER_LEN + TEST_HEADER_LEN;

/// First byte of an Opus packet: hybrid, fullband, 20 ms, mono, one frame.
const OPUS_TOC: u8 = 15 << 3;

/// Padding behind the test header.
static PADDING: [u8; PAYLOAD_LEN_MAX] = [0xa5; PAYLOAD_LEN_MAX];

/// Position of a packet in its video frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePart {
    /// Number of the frame.
    pub frame: u32,
    /// Whether the frame is a keyframe.
    pub keyframe: bool,
    /// Whether the packet is the first of the frame.
    pub first: bool,
    /// Whether the packet is the last of the frame.
    pub last: bool,
    /// Width and height in pixels.
    pub size: (u16, u16),
    /// Bytes of the payload.
    pub len: usize,
}

/// Appends a VP8 payload.
pub fn write_video(out: &mut Vec<u8>, part: &FramePart, test_header: &TestHeader) {
    let start = out.len();
    let [.., high, low] = part.frame.to_be_bytes();
    let descriptor = Descriptor {
        start: part.first,
        partition: 0,
        unreferenced: false,
        picture_id: Some(u16::from_be_bytes([high, low]) & PICTURE_ID_MASK),
        tl0_index: Some(low),
        temporal: Some(0),
        sync: part.keyframe,
    };
    descriptor.write(out);
    if part.first {
        write_frame_header(out, part.keyframe, part.size.0, part.size.1);
    }
    out.resize(start + DESCRIPTOR_LEN + FRAME_HEADER_LEN, 0);
    finish(out, start, part.len, test_header);
}

/// Appends an Opus payload of `len` bytes.
pub fn write_audio(out: &mut Vec<u8>, len: usize, test_header: &TestHeader) {
    let start = out.len();
    out.push(OPUS_TOC);
    finish(out, start, len, test_header);
}

/// Appends the test header to the payload that begins at `start`, and pads it to `len` bytes.
fn finish(out: &mut Vec<u8>, start: usize, len: usize, test_header: &TestHeader) {
    out.extend_from_slice(&test_header.write());
    let missing = len.saturating_sub(out.len() - start);
    out.extend_from_slice(PADDING.get(..missing).unwrap_or(&PADDING));
}

/// A received payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedPayload {
    /// Its test header.
    pub test_header: TestHeader,
    /// Whether it is the start of a keyframe.
    pub begins_keyframe: bool,
}

/// Parses a VP8 payload; `None` unless [`write_video`] wrote it.
pub fn parse_video(payload: &[u8]) -> Option<ParsedPayload> {
    let (descriptor, rest) = Descriptor::parse(payload)?;
    let (header, rest) = rest.split_first_chunk::<FRAME_HEADER_LEN>()?;
    let [first, ..] = header;
    Some(ParsedPayload {
        test_header: TestHeader::parse(rest)?,
        begins_keyframe: descriptor.starts_frame() && first & 1 == 0,
    })
}

/// Parses an Opus payload; `None` unless [`write_audio`] wrote it.
pub fn parse_audio(payload: &[u8]) -> Option<ParsedPayload> {
    let (toc, rest) = payload.split_first()?;
    Some(ParsedPayload {
        test_header: TestHeader::parse(rest).filter(|_| *toc == OPUS_TOC)?,
        begins_keyframe: false,
    })
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::codec;

    use super::*;

    const HEADER: TestHeader = TestHeader {
        run: 9,
        room: 8,
        producer: 7,
        layer: 1,
        number: 5,
        sent_ns: 4,
    };

    fn part(keyframe: bool, first: bool) -> FramePart {
        FramePart {
            frame: 70_000,
            keyframe,
            first,
            last: false,
            size: (1_280, 720),
            len: 900,
        }
    }

    #[test]
    fn video_payload_has_its_length_and_test_header() {
        for (keyframe, first) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut out = vec![1, 2, 3];
            write_video(&mut out, &part(keyframe, first), &HEADER);
            assert_eq!(out.len(), 903);
            let expected = ParsedPayload {
                test_header: HEADER,
                begins_keyframe: keyframe && first,
            };
            assert_eq!(parse_video(&out[3..]), Some(expected));
        }
    }

    #[test]
    fn vp8_parser_detects_the_start_of_a_keyframe() {
        for (keyframe, first) in [(true, true), (true, false), (false, true)] {
            let mut out = Vec::new();
            write_video(&mut out, &part(keyframe, first), &HEADER);
            let parsed = codec::vp8::Vp8Descriptor::parse(&out).unwrap();
            assert_eq!(parsed.payload_descriptor().keyframe, keyframe && first);
        }
    }

    #[test]
    fn audio_payload_has_its_length_and_test_header() {
        let mut out = Vec::new();
        write_audio(&mut out, 100, &HEADER);
        assert_eq!(out.len(), 100);
        assert_eq!(parse_audio(&out).unwrap().test_header, HEADER);
        assert_eq!(parse_video(&out), None);
    }

    #[test]
    fn shortest_payloads_contain_the_test_header() {
        let mut out = Vec::new();
        write_audio(&mut out, 0, &HEADER);
        assert_eq!(out.len(), 1 + TEST_HEADER_LEN);
        out.clear();
        write_video(
            &mut out,
            &FramePart {
                len: 0,
                ..part(true, true)
            },
            &HEADER,
        );
        assert_eq!(out.len(), VIDEO_LEN_MIN);
    }
}
