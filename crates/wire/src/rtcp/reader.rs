//! Taking big-endian fields off the front of a packet. Every step says `None` at the end instead
//! of reading over it.

use crate::units::Ssrc;

/// What is left of a packet to read.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next three bytes.
    pub fn u24(&mut self) -> Option<u32> {
        self.array()
            .map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next four bytes as the name of a stream.
    pub fn ssrc(&mut self) -> Option<Ssrc> {
        self.u32().map(Ssrc)
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

/// Streams listed one after the other.
pub fn ssrcs(bytes: &[u8]) -> impl ExactSizeIterator<Item = Ssrc> + Clone + '_ {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| Ssrc(u32::from_be_bytes(*word)))
}
