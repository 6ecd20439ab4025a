//! Reader and writer of fields that are not aligned to bytes.

/// Reads fields from the most significant bit of the first byte on.
#[derive(Debug, Clone)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Offset of the next bit.
    at: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at the bit `at` of `bytes`.
    pub const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Returns the offset of the next bit.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Reads an unsigned number of `count` bits, at most 32. Returns `None` past the end.
    pub fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// Reads a number of at most eight bits.
    pub fn small(&mut self, count: u32) -> Option<u8> {
        u8::try_from(self.bits(count)?).ok()
    }

    /// Reads one bit.
    pub fn flag(&mut self) -> Option<bool> {
        Some(self.bits(1)? == 1)
    }

    /// Reads a number below `values`, of which the smaller ones take one bit less (`ns(n)` of the
    /// specification). `values` is at least one.
    pub fn non_symmetric(&mut self, values: u32) -> Option<u32> {
        let width = u32::BITS - values.leading_zeros();
        let short = (1 << width) - values;
        let value = self.bits(width.checked_sub(1)?)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1) - short + self.bits(1)?)
    }
}

/// Writes fields from the most significant bit of the first byte on.
#[derive(Debug)]
pub struct BitWriter<'a> {
    out: &'a mut [u8],
    /// Offset of the next bit.
    at: usize,
}

impl<'a> BitWriter<'a> {
    /// Starts at the first bit of `out`.
    pub const fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0 }
    }

    /// Writes the low `count` bits of `value`, at most 32. Returns `None` when they do not fit.
    pub fn bits(&mut self, value: u32, count: u32) -> Option<()> {
        for bit in (0..count).rev() {
            let byte = self.out.get_mut(self.at / 8)?;
            let mask = 0x80 >> (self.at % 8);
            if value >> bit & 1 == 1 {
                *byte |= mask;
            } else {
                *byte &= !mask;
            }
            self.at += 1;
        }
        Some(())
    }

    /// Copies the bits of `bytes` from the offset `from` up to `to`.
    pub fn copy(&mut self, bytes: &[u8], from: usize, to: usize) -> Option<()> {
        let mut reader = BitReader::new(bytes, from);
        while reader.at() < to {
            let count = u32::try_from(to - reader.at()).map_or(32, |left| left.min(32));
            self.bits(reader.bits(count)?, count)?;
        }
        Some(())
    }

    /// Fills the last byte with zeros and returns the number of bytes written.
    pub fn finish(mut self) -> Option<usize> {
        while !self.at.is_multiple_of(8) {
            self.bits(0, 1)?;
        }
        Some(self.at / 8)
    }
}
