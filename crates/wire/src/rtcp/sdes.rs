//! Who the sources are, and which of them end (RFC 3550 §6.5, §6.6).

use super::reader::{Reader, ssrcs};
use crate::units::Ssrc;

/// Item that names the participant behind a source (RFC 3550 §6.5.1).
pub const CNAME: u8 = 1;

/// Descriptions of sources: chunks of items.
#[derive(Debug, Clone, Copy)]
pub struct SourceDescription<'a> {
    /// The chunks.
    chunks: &'a [u8],
    /// How many chunks there are.
    count: usize,
}

/// One item of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SdesItem<'a> {
    /// Which source it describes.
    pub ssrc: Ssrc,
    /// What the text is, such as `CNAME`.
    pub kind: u8,
    /// UTF-8 by the rules; the peer's bytes in truth.
    pub text: &'a [u8],
}

impl<'a> SourceDescription<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        let description = Self {
            chunks: body,
            count,
        };
        let mut walk = description.walk();
        while walk.step()?.is_some() {}
        Some(description)
    }

    /// Every item of every source.
    pub fn items(&self) -> impl Iterator<Item = SdesItem<'a>> + use<'a> {
        let mut walk = self.walk();
        // The packet was walked once already, so the walk ends where the items do.
        std::iter::from_fn(move || walk.step().flatten())
    }

    /// The canonical name of each source that has one.
    pub fn cnames(&self) -> impl Iterator<Item = (Ssrc, &'a [u8])> + use<'a> {
        self.items()
            .filter(|item| item.kind == CNAME)
            .map(|item| (item.ssrc, item.text))
    }

    const fn walk(&self) -> Walk<'a> {
        Walk {
            reader: Reader(self.chunks),
            chunks_left: self.count,
            ssrc: None,
        }
    }
}

/// Walk over the items of all chunks.
struct Walk<'a> {
    /// What is not read yet.
    reader: Reader<'a>,
    /// Chunks that have not begun.
    chunks_left: usize,
    /// Source of the chunk that has begun.
    ssrc: Option<Ssrc>,
}

impl<'a> Walk<'a> {
    /// The next item; `Some(None)` at the proper end, `None` where the packet makes no sense.
    fn step(&mut self) -> Option<Option<SdesItem<'a>>> {
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
                // Chunks begin at multiples of four, and so does the end of the packet.
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

/// Sources that end. What reason they give is not read.
#[derive(Debug, Clone, Copy)]
pub struct Bye<'a> {
    /// Whole source names.
    sources: &'a [u8],
}

impl<'a> Bye<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        body.get(..count * 4).map(|sources| Self { sources })
    }

    /// The sources.
    pub fn ssrcs(&self) -> impl ExactSizeIterator<Item = Ssrc> + Clone + use<'a> {
        ssrcs(self.sources)
    }
}
