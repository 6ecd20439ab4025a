//! Picture numbers that VP8 and VP9 carry in their payload descriptors: the picture id and
//! TL0PICIDX (RFC 7741 §4.2, RFC 9628 §4.2). Both can be rewritten in place.

/// Top bit of a picture id: set when the id has 15 bits instead of 7.
const EXTENDED: u8 = 0x80;

/// Number of a picture, which wraps within the width that its encoder chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureId {
    /// Value, below 2^15 or 2^7.
    value: u16,
    /// Whether the id has 15 bits; 7 otherwise.
    extended: bool,
}

impl PictureId {
    /// Returns the 15-bit id with the low 15 bits of `value`.
    pub const fn extended(value: u16) -> Self {
        Self {
            value: value & 0x7fff,
            extended: true,
        }
    }

    /// Returns the 7-bit id with the low 7 bits of `value`.
    pub const fn short(value: u16) -> Self {
        Self {
            value: value & 0x7f,
            extended: false,
        }
    }

    /// Returns the number without its width.
    pub const fn value(self) -> u16 {
        self.value
    }

    /// Returns whether the id has 15 bits; 7 otherwise.
    pub const fn is_extended(self) -> bool {
        self.extended
    }

    /// Returns the id with the same width and another value, cut to that width.
    #[must_use]
    pub const fn with_value(self, value: u16) -> Self {
        if self.extended {
            Self::extended(value)
        } else {
            Self::short(value)
        }
    }

    /// Reads the id at the position of `reader`; its first bit tells its width.
    pub(super) fn parse(reader: &mut PayloadReader<'_>) -> Option<Self> {
        let first = reader.u8()?;
        if first & EXTENDED == 0 {
            return Some(Self::short(u16::from(first)));
        }
        Some(Self::extended(u16::from_be_bytes([first, reader.u8()?])))
    }

    /// Writes the id at the offset `at`, if the payload reaches that far.
    pub(super) fn write(self, payload: &mut [u8], at: usize) {
        let [high, low] = self.value.to_be_bytes();
        let rest = payload.get_mut(at..).unwrap_or_default();
        match (self.extended, rest) {
            (true, [first, second, ..]) => {
                *first = EXTENDED | high;
                *second = low;
            }
            (false, [first, ..]) => *first = low,
            _ => {}
        }
    }
}

/// Offsets of the picture numbers in a payload; zero where the payload has none. Offset zero is
/// never one of them: a descriptor begins with its flags.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumberOffsets {
    pub picture_id: usize,
    pub tl0_pic_idx: usize,
}

impl NumberOffsets {
    /// Writes the numbers at their offsets. A number that the payload does not have is not added.
    pub fn write(self, payload: &mut [u8], picture_id: Option<PictureId>, tl0_pic_idx: Option<u8>) {
        if let (Some(picture_id), 1..) = (picture_id, self.picture_id) {
            picture_id.write(payload, self.picture_id);
        }
        if let (Some(tl0_pic_idx), 1..) = (tl0_pic_idx, self.tl0_pic_idx)
            && let Some(byte) = payload.get_mut(self.tl0_pic_idx)
        {
            *byte = tl0_pic_idx;
        }
    }
}

/// Reads a payload byte by byte and knows its offset in it.
pub(super) struct PayloadReader<'a> {
    payload: &'a [u8],
    /// Offset of the next byte.
    pub at: usize,
}

impl<'a> PayloadReader<'a> {
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { payload, at: 0 }
    }

    /// Reads the next byte.
    pub fn u8(&mut self) -> Option<u8> {
        let byte = self.peek_u8()?;
        self.at += 1;
        Some(byte)
    }

    /// Reads the next two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    /// Returns the next byte without moving past it.
    pub fn peek_u8(&self) -> Option<u8> {
        self.payload.get(self.at).copied()
    }
}
