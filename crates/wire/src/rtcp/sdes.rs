//! Source descriptions (RFC 3550 §6.5).

use super::reader::Reader;
use crate::units::Ssrc;

/// Type of the item that holds the canonical name of an endpoint (RFC 3550 §6.5.1).
pub const CNAME: u8 = 1;

/// Source description packet: one chunk of items per stream.
#[derive(Debug, Clone, Copy)]
pub struct SourceDescription<'a> {
    /// Bytes of the chunks.
    chunks: &'a [u8],
    /// Number of chunks.
    count: usize,
}

/// Item of a source description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SdesItem<'a> {
    /// Stream that the item describes.
    pub ssrc: Ssrc,
    /// Type of the item, such as `CNAME`.
    pub kind: u8,
    /// Text; should be UTF-8, but is not checked.
    pub text: &'a [u8],
}

impl<'a> SourceDescription<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        let description = Self {
            chunks: body,
            count,
        };
        let mut items = description.parser();
        while items.next_item()?.is_some() {}
        Some(description)
    }

    /// Returns the items of all chunks, in order.
    pub fn items(&self) -> impl Iterator<Item = SdesItem<'a>> + use<'a> {
        let mut items = self.parser();
        // `parse` has read the whole packet once, so `None` only means the end of the items here.
        std::iter::from_fn(move || items.next_item().flatten())
    }

    /// Returns the canonical name of each stream that has one.
    pub fn cnames(&self) -> impl Iterator<Item = (Ssrc, &'a [u8])> + use<'a> {
        self.items()
            .filter(|item| item.kind == CNAME)
            .map(|item| (item.ssrc, item.text))
    }

    const fn parser(&self) -> ItemParser<'a> {
        ItemParser {
            reader: Reader(self.chunks),
            chunks_left: self.count,
            ssrc: None,
        }
    }
}

/// Parser of the items of all chunks.
struct ItemParser<'a> {
    /// Bytes not parsed yet.
    reader: Reader<'a>,
    /// Number of chunks that are not started.
    chunks_left: usize,
    /// Stream of the current chunk.
    ssrc: Option<Ssrc>,
}

impl<'a> ItemParser<'a> {
    /// Returns the next item, `Some(None)` at the end, and `None` when the packet is malformed.
    fn next_item(&mut self) -> Option<Option<SdesItem<'a>>> {
        loop {
            let Some(ssrc) = self.ssrc else {
                let Some(left) = self.chunks_left.checked_sub(1) else {
                    return Some(None);
                };
                self.chunks_left = left;
                self.ssrc = Some(self.reader.ssrc()?);
                continue;
            };
            let kind = self.reader.u8()?;
            if kind == 0 {
                // Chunks start at multiples of four bytes, and packets end there.
                let padding = self.reader.0.len() % 4;
                self.reader.take(padding)?;
                self.ssrc = None;
                continue;
            }
            let len = usize::from(self.reader.u8()?);
            return Some(Some(SdesItem {
                ssrc,
                kind,
                text: self.reader.take(len)?,
            }));
        }
    }
}
