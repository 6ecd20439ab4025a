//! What a packet carries: codec headers that look real to a server that reads them, a stamp, and
//! filling that all packets share (RFC 7741 §4, RFC 6386 §9.1, RFC 6716 §3.1).

use watersmeet_peer::vp8::{DESCRIPTOR_LEN, Descriptor, PICTURE_ID_MASK, write_frame_header};

use crate::stamp::{STAMP_LEN, Stamp};

/// Most bytes of a payload, as in libwebrtc.
pub const PAYLOAD_LEN_MAX: usize = 1_200;

/// Bytes kept for the first bytes of a frame in every packet, so that a stamp's place is the same
/// in all: a keyframe has ten.
const FRAME_HEADER_ROOM: usize = 10;

/// Least bytes of a packet of video.
pub const VIDEO_LEN_MIN: usize = DESCRIPTOR_LEN + FRAME_HEADER_ROOM + STAMP_LEN;

/// The first byte of an Opus packet: hybrid, fullband, 20 ms, mono, one frame.
const OPUS_TOC: u8 = 15 << 3;

/// What everything is filled with.
static FILLING: [u8; PAYLOAD_LEN_MAX] = [0xa5; PAYLOAD_LEN_MAX];

/// The place of a packet in its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Number of the frame.
    pub frame: u32,
    /// Whether the frame needs no other.
    pub keyframe: bool,
    /// Whether the packet begins the frame.
    pub first: bool,
    /// Whether it ends it.
    pub last: bool,
    /// Width and height of the picture.
    pub size: (u16, u16),
    /// Bytes of the payload.
    pub len: usize,
}

/// Appends a packet's worth of VP8.
pub fn write_video(out: &mut Vec<u8>, piece: &Piece, stamp: &Stamp) {
    let start = out.len();
    let [.., high, low] = piece.frame.to_be_bytes();
    let descriptor = Descriptor {
        start: piece.first,
        partition: 0,
        unreferenced: false,
        picture_id: Some(u16::from_be_bytes([high, low]) & PICTURE_ID_MASK),
        tl0_index: Some(low),
        temporal: Some(0),
        sync: piece.keyframe,
    };
    descriptor.write(out);
    if piece.first {
        write_frame_header(out, piece.keyframe, piece.size.0, piece.size.1);
    }
    out.resize(start + DESCRIPTOR_LEN + FRAME_HEADER_ROOM, 0);
    finish(out, start, piece.len, stamp);
}

/// Appends a packet's worth of Opus, of `len` bytes.
pub fn write_audio(out: &mut Vec<u8>, len: usize, stamp: &Stamp) {
    let start = out.len();
    out.push(OPUS_TOC);
    finish(out, start, len, stamp);
}

/// Stamps what was begun at `start`, and fills it up to `len` bytes.
fn finish(out: &mut Vec<u8>, start: usize, len: usize, stamp: &Stamp) {
    out.extend_from_slice(&stamp.write());
    let missing = len.saturating_sub(out.len() - start);
    out.extend_from_slice(FILLING.get(..missing).unwrap_or(&FILLING));
}

/// What a received payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Who sent it.
    pub stamp: Stamp,
    /// Whether a keyframe begins with it.
    pub begins_keyframe: bool,
}

/// Reads a payload of VP8. `None` when it is not what [`write_video`] writes.
pub fn read_video(payload: &[u8]) -> Option<Seen> {
    let (descriptor, rest) = Descriptor::parse(payload)?;
    let (header, rest) = rest.split_first_chunk::<FRAME_HEADER_ROOM>()?;
    let [first, ..] = header;
    Some(Seen {
        stamp: Stamp::parse(rest)?,
        begins_keyframe: descriptor.starts_frame() && first & 1 == 0,
    })
}

/// Reads a payload of Opus. `None` when it is not what [`write_audio`] writes.
pub fn read_audio(payload: &[u8]) -> Option<Seen> {
    let (toc, rest) = payload.split_first()?;
    Some(Seen {
        stamp: Stamp::parse(rest).filter(|_| *toc == OPUS_TOC)?,
        begins_keyframe: false,
    })
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::codec;

    use super::*;

    const STAMP: Stamp = Stamp {
        run: 9,
        room: 8,
        source: 7,
        layer: 1,
        number: 5,
        sent_ns: 4,
    };

    fn piece(keyframe: bool, first: bool) -> Piece {
        Piece {
            frame: 70_000,
            keyframe,
            first,
            last: false,
            size: (1_280, 720),
            len: 900,
        }
    }

    #[test]
    fn a_packet_of_video_has_its_length_and_its_stamp() {
        for (keyframe, first) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut out = vec![1, 2, 3];
            write_video(&mut out, &piece(keyframe, first), &STAMP);
            assert_eq!(out.len(), 903);
            let seen = Seen {
                stamp: STAMP,
                begins_keyframe: keyframe && first,
            };
            assert_eq!(read_video(&out[3..]), Some(seen));
        }
    }

    #[test]
    fn a_server_sees_a_keyframe_where_one_begins() {
        for (keyframe, first) in [(true, true), (true, false), (false, true)] {
            let mut out = Vec::new();
            write_video(&mut out, &piece(keyframe, first), &STAMP);
            let parsed = codec::vp8::Vp8Descriptor::parse(&out).unwrap();
            assert_eq!(parsed.payload_descriptor().keyframe, keyframe && first);
        }
    }

    #[test]
    fn a_packet_of_audio_has_its_length_and_its_stamp() {
        let mut out = Vec::new();
        write_audio(&mut out, 100, &STAMP);
        assert_eq!(out.len(), 100);
        assert_eq!(read_audio(&out).unwrap().stamp, STAMP);
        assert_eq!(read_video(&out), None);
    }

    #[test]
    fn the_shortest_packets_hold_their_stamp() {
        let mut out = Vec::new();
        write_audio(&mut out, 0, &STAMP);
        assert_eq!(out.len(), 1 + STAMP_LEN);
        out.clear();
        write_video(
            &mut out,
            &Piece {
                len: 0,
                ..piece(true, true)
            },
            &STAMP,
        );
        assert_eq!(out.len(), VIDEO_LEN_MIN);
    }
}
