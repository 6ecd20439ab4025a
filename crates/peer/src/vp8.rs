//! VP8 in RTP as a browser writes and reads it: payload descriptor and frame header (RFC 7741 §4,
//! RFC 6386 §9.1). Independent of the parser of the server, so that an error there is not repeated
//! here.

/// Length of the descriptor that a browser writes with temporal layers, in bytes.
pub const DESCRIPTOR_LEN: usize = 6;

/// Length of the header of a keyframe, in bytes.
pub const KEYFRAME_HEADER_LEN: usize = 10;

/// Length of the header of any other frame, in bytes.
pub const DELTA_HEADER_LEN: usize = 3;

/// Mask of a picture id with 15 bits.
pub const PICTURE_ID_MASK: u16 = 0x7fff;

/// Payload descriptor of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Whether a partition starts with this packet.
    pub start: bool,
    /// Number of the partition.
    pub partition: u8,
    /// Whether no other frame references this one.
    pub unreferenced: bool,
    /// Picture id, of 15 or 7 bits.
    pub picture_id: Option<u16>,
    /// TL0PICIDX: number of the newest base layer frame at or before this one.
    pub tl0_index: Option<u8>,
    /// Temporal layer.
    pub temporal: Option<u8>,
    /// Whether the frame references only the base layer.
    pub sync: bool,
}

impl Descriptor {
    /// Returns whether a frame starts with this packet.
    pub const fn starts_frame(&self) -> bool {
        self.start && self.partition == 0
    }

    /// Appends the descriptor in its six-byte form; absent numbers are written as zero.
    pub fn write(&self, out: &mut Vec<u8>) {
        let picture = self.picture_id.unwrap_or(0) & PICTURE_ID_MASK | 0x8000;
        let [high, low] = picture.to_be_bytes();
        let temporal = self.temporal.unwrap_or(0) << 6 | u8::from(self.sync) << 5;
        out.extend_from_slice(&[
            0x80 | u8::from(self.unreferenced) << 5
                | u8::from(self.start) << 4
                | self.partition & 7,
            // Extensions: picture id, TL0PICIDX, temporal layer; no key index.
            0xe0,
            high,
            low,
            self.tl0_index.unwrap_or(0),
            temporal,
        ]);
    }

    /// Parses a descriptor; also returns the bytes after it.
    pub fn parse(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (&first, mut rest) = payload.split_first()?;
        let mut descriptor = Self {
            start: first & 0x10 != 0,
            partition: first & 0x07,
            unreferenced: first & 0x20 != 0,
            picture_id: None,
            tl0_index: None,
            temporal: None,
            sync: false,
        };
        if first & 0x80 == 0 {
            return Some((descriptor, rest));
        }
        let extensions = take(&mut rest)?;
        if extensions & 0x80 != 0 {
            let high = take(&mut rest)?;
            descriptor.picture_id = Some(if high & 0x80 == 0 {
                u16::from(high)
            } else {
                u16::from_be_bytes([high & 0x7f, take(&mut rest)?])
            });
        }
        if extensions & 0x40 != 0 {
            descriptor.tl0_index = Some(take(&mut rest)?);
        }
        if extensions & 0x30 != 0 {
            let byte = take(&mut rest)?;
            if extensions & 0x20 != 0 {
                descriptor.temporal = Some(byte >> 6);
                descriptor.sync = byte & 0x20 != 0;
            }
        }
        Some((descriptor, rest))
    }
}

/// Takes the first byte.
fn take(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

/// Appends the header of a frame: the frame tag, and for a keyframe the start code and the size of
/// the picture.
pub fn write_frame_header(out: &mut Vec<u8>, keyframe: bool, width: u16, height: u16) {
    // Inverse keyframe bit, version 0, show_frame, and an arbitrary length of the first partition.
    out.extend_from_slice(&[0x10 | u8::from(!keyframe), 0x02, 0x00]);
    if keyframe {
        out.extend_from_slice(&[0x9d, 0x01, 0x2a]);
        out.extend_from_slice(&width.to_le_bytes());
        out.extend_from_slice(&height.to_le_bytes());
    }
}

/// Parses the header of a frame; returns whether it is a keyframe, and the bytes after it.
pub fn parse_frame_header(bytes: &[u8]) -> Option<(bool, &[u8])> {
    let keyframe = bytes.first()? & 0x01 == 0;
    let len = if keyframe {
        KEYFRAME_HEADER_LEN
    } else {
        DELTA_HEADER_LEN
    };
    let (header, rest) = bytes.split_at_checked(len)?;
    if keyframe && header.get(3..6)? != [0x9d, 0x01, 0x2a] {
        return None;
    }
    Some((keyframe, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_reads_back() {
        let descriptor = Descriptor {
            start: true,
            partition: 0,
            unreferenced: true,
            picture_id: Some(0x7ffe),
            tl0_index: Some(200),
            temporal: Some(2),
            sync: true,
        };
        let mut bytes = Vec::new();
        descriptor.write(&mut bytes);
        assert_eq!(bytes.len(), DESCRIPTOR_LEN);
        bytes.push(9);
        assert_eq!(Descriptor::parse(&bytes), Some((descriptor, &[9][..])));
    }

    #[test]
    fn descriptor_without_extensions_has_one_byte() {
        let (descriptor, rest) = Descriptor::parse(&[0x10, 1, 2]).unwrap();
        assert!(descriptor.starts_frame());
        assert_eq!((descriptor.picture_id, rest), (None, &[1, 2][..]));
    }

    #[test]
    fn short_picture_id_has_one_byte() {
        let (descriptor, rest) = Descriptor::parse(&[0x90, 0x80, 0x11, 5]).unwrap();
        assert_eq!((descriptor.picture_id, rest), (Some(0x11), &[5][..]));
    }

    #[test]
    fn keyframes_are_recognised() {
        for keyframe in [true, false] {
            let mut bytes = Vec::new();
            write_frame_header(&mut bytes, keyframe, 1_280, 720);
            bytes.push(4);
            assert_eq!(parse_frame_header(&bytes), Some((keyframe, &[4][..])));
        }
        assert_eq!(
            parse_frame_header(&[0x10, 2, 0, 0x9d, 1, 0x2b, 0, 0, 0, 0]),
            None
        );
    }
}
