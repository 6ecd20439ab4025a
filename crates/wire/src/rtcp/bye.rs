//! BYE packets (RFC 3550 §6.6).

use super::reader::{Reader, ssrcs};
use crate::units::Ssrc;

/// Streams that end. The optional reason is not read.
#[derive(Debug, Clone, Copy)]
pub struct Bye<'a> {
    /// SSRCs, four bytes each.
    ssrcs: &'a [u8],
}

impl<'a> Bye<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        let ssrcs = Reader(body).take(count * 4)?;
        Some(Self { ssrcs })
    }

    /// Returns the streams that end.
    pub fn ssrcs(&self) -> impl ExactSizeIterator<Item = Ssrc> + Clone + use<'a> {
        ssrcs(self.ssrcs)
    }
}
