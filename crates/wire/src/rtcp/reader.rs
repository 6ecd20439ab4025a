//! Reader of big-endian fields. Every method returns `None` when the packet is too short.

use crate::units::Ssrc;

/// Remaining bytes of a packet.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// Takes the next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    /// Takes the next byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// Takes the next two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes the next three bytes.
    pub fn u24(&mut self) -> Option<u32> {
        self.array()
            .map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// Takes the next four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes the next eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Takes the next four bytes as an SSRC.
    pub fn ssrc(&mut self) -> Option<Ssrc> {
        self.u32().map(Ssrc)
    }

    /// Takes the next `len` bytes.
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

/// Returns the SSRCs in a list of four bytes each.
pub fn ssrcs(bytes: &[u8]) -> impl ExactSizeIterator<Item = Ssrc> + Clone + '_ {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| Ssrc(u32::from_be_bytes(*word)))
}
