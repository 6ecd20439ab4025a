//! The signature inside every packet of a scripted peer: who sent it, which frame it is a piece of
//! and what that frame builds upon. A receiver reads it to prove that it got what it may get, whole
//! and in order. It lies behind the codec's own headers, where no server may write.

use watersmeet_wire::units::Time;

/// Bytes of a tag.
pub const TAG_LEN: usize = 44;

/// First bytes of every tag.
const MAGIC: u32 = 0x5754_4d54;

/// Bytes before the checksum.
const SIGNED_LEN: usize = TAG_LEN - 4;

/// What one packet says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// The room its sender is in, as the world numbers rooms.
    pub room: u32,
    /// The source it comes from, as the world numbers sources.
    pub source: u32,
    /// The simulcast encoding, from the lowest at zero.
    pub layer: u8,
    /// The temporal layer.
    pub temporal: u8,
    /// Whether the frame needs no other.
    pub keyframe: bool,
    /// How many frames back the frames lie that this one needs; zero stands for none.
    pub needs: [u8; 2],
    /// The frame, counted per encoding from zero.
    pub frame: u32,
    /// The packet within its frame.
    pub index: u16,
    /// Packets of the frame.
    pub count: u16,
    /// When the frame was captured.
    pub captured: Time,
}

impl Tag {
    /// Appends the tag and fills up to `len` bytes in all, never less than the tag.
    pub fn write(&self, out: &mut Vec<u8>, len: usize) {
        let start = out.len();
        out.extend_from_slice(&MAGIC.to_be_bytes());
        out.extend_from_slice(&self.room.to_be_bytes());
        out.extend_from_slice(&self.source.to_be_bytes());
        let [near, far] = self.needs;
        out.extend_from_slice(&[self.layer, self.temporal, u8::from(self.keyframe), 0]);
        out.extend_from_slice(&[near, far, 0, 0]);
        out.extend_from_slice(&self.frame.to_be_bytes());
        out.extend_from_slice(&self.index.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.captured.as_micros().to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        let sum = checksum(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&sum.to_be_bytes());
        out.resize(start + len.max(TAG_LEN), self.filling());
    }

    /// Reads the tag at the start of `bytes`. `None` when there is none, or when a byte of it or of
    /// the filling behind it was changed on the way.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (signed, rest) = bytes.split_at_checked(SIGNED_LEN)?;
        let (sum, filling) = rest.split_first_chunk::<4>()?;
        if checksum(signed) != u32::from_be_bytes(*sum) {
            return None;
        }
        let mut words = signed
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| u32::from_be_bytes(*word));
        if words.next()? != MAGIC {
            return None;
        }
        let (room, source) = (words.next()?, words.next()?);
        let [layer, temporal, keyframe, _] = words.next()?.to_be_bytes();
        let [near, far, _, _] = words.next()?.to_be_bytes();
        let frame = words.next()?;
        let [i0, i1, c0, c1] = words.next()?.to_be_bytes();
        let captured = u64::from(words.next()?) << 32 | u64::from(words.next()?);
        let tag = Self {
            room,
            source,
            layer,
            temporal,
            keyframe: keyframe == 1,
            needs: [near, far],
            frame,
            index: u16::from_be_bytes([i0, i1]),
            count: u16::from_be_bytes([c0, c1]),
            captured: Time::from_micros(captured),
        };
        let expected = tag.filling();
        filling.iter().all(|byte| *byte == expected).then_some(tag)
    }

    /// Whether both are pieces of one frame.
    pub fn same_frame(&self, other: &Self) -> bool {
        Self { index: 0, ..*self } == Self { index: 0, ..*other }
    }

    /// The byte behind the tag; neighbours have different ones.
    fn filling(&self) -> u8 {
        let [.., frame] = self.frame.to_be_bytes();
        let [.., index] = self.index.to_be_bytes();
        frame.wrapping_mul(31) ^ index
    }
}

/// FNV-1a: enough to notice a byte that was written where none may be.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| {
        (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag() -> Tag {
        Tag {
            room: 7,
            source: 3,
            layer: 2,
            temporal: 1,
            keyframe: false,
            needs: [1, 4],
            frame: 90_000,
            index: 5,
            count: 9,
            captured: Time::from_micros(0x1_0000_0001),
        }
    }

    #[test]
    fn a_tag_survives_the_way_there_and_back() {
        let mut bytes = Vec::new();
        tag().write(&mut bytes, 200);
        assert_eq!(bytes.len(), 200);
        assert_eq!(Tag::parse(&bytes), Some(tag()));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let mut bytes = Vec::new();
        tag().write(&mut bytes, 60);
        for at in 0..bytes.len() {
            bytes[at] ^= 0x10;
            assert_eq!(Tag::parse(&bytes), None, "byte {at}");
            bytes[at] ^= 0x10;
        }
    }

    #[test]
    fn a_short_packet_has_no_tag() {
        let mut bytes = Vec::new();
        tag().write(&mut bytes, 0);
        assert_eq!(bytes.len(), TAG_LEN);
        assert_eq!(Tag::parse(&bytes[..TAG_LEN - 1]), None);
    }
}
