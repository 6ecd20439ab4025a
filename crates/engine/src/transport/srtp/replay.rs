//! Which packets were already received: a window per stream, and a table of streams. Nothing here
//! is written before a packet is authenticated, and nothing that was received is ever forgotten:
//! a stream that has gone quiet keeps the number under which all is stale.
//!
//! RFC 3711 §3.3.1 (index estimate), §3.3.2 (replay list).

use watersmeet_wire::units::{Map, Ssrc};

use super::SrtpError;

/// How far behind the newest packet an unseen one is still accepted.
pub const REPLAY_WINDOW: u64 = 1_024;

/// Streams with a window of their own. A simulcast camera with retransmission uses six.
pub const STREAMS_MAX: usize = 64;

/// Quiet streams of which only the newest index is kept. One more is refused: a peer that has
/// used this many is not a browser.
pub const RETIRED_STREAMS_MAX: usize = 1_024;

/// One word more than the window needs, so that a word is cleared before it is used again.
const WORDS: usize = 17;

/// The same, where it divides an index.
const WORDS_U64: u64 = REPLAY_WINDOW / 64 + 1;

const _: () = assert!(
    WORDS as u64 == WORDS_U64,
    "the ring must hold the window and one word"
);

/// The packets seen of one stream, as a ring of bits addressed by packet index.
#[derive(Debug, Clone)]
pub(super) struct ReplayWindow {
    /// The greatest index seen.
    highest: u64,
    /// One bit per index; a word is reused every 1,088 packets.
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// A window in which only `index` was seen.
    fn starting_at(index: u64) -> Self {
        let mut window = Self {
            highest: index,
            seen: [0; WORDS],
        };
        window.set(index);
        window
    }

    /// A window in which everything up to `highest` is stale.
    fn stale_up_to(highest: u64) -> Self {
        Self {
            highest,
            seen: [u64::MAX; WORDS],
        }
    }

    /// Whether `index` is neither seen nor older than the window.
    fn is_fresh(&self, index: u64) -> bool {
        if index > self.highest {
            return true;
        }
        self.highest - index < REPLAY_WINDOW
            && self.word(index).is_some_and(|word| word & bit(index) == 0)
    }

    /// Remembers `index`, which is fresh.
    fn mark(&mut self, index: u64) {
        if index > self.highest {
            let advance = (index / 64 - self.highest / 64).min(WORDS_U64);
            for step in 1..=advance {
                if let Some(word) = self.word_mut(self.highest.saturating_add(step * 64)) {
                    *word = 0;
                }
            }
            self.highest = index;
        }
        self.set(index);
    }

    /// Sets the bit of `index`.
    fn set(&mut self, index: u64) {
        if let Some(word) = self.word_mut(index) {
            *word |= bit(index);
        }
    }

    /// The word that holds `index`. It is always there: the position is a remainder.
    fn word(&self, index: u64) -> Option<u64> {
        self.seen.get(position(index)).copied()
    }

    fn word_mut(&mut self, index: u64) -> Option<&mut u64> {
        self.seen.get_mut(position(index))
    }
}

/// The bit of `index` in its word.
const fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

/// The place of the word of `index` in the ring.
const fn position(index: u64) -> usize {
    ((index / 64) % WORDS_U64) as usize
}

/// A packet that may be fresh, and where its stream stands. Spent by [`ReplayTable::mark`] once
/// the packet is authenticated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// The stream.
    ssrc: Ssrc,
    /// Place of the stream in the table; none when it has no window yet.
    place: Option<usize>,
    /// The index under which the packet has to authenticate.
    pub(super) index: u64,
}

/// One stream of the table.
#[derive(Debug)]
struct Stream {
    /// The packets seen.
    window: ReplayWindow,
    /// The table's count when the stream was last heard.
    heard_at: u64,
}

/// All streams of one direction of one transport.
#[derive(Debug, Default)]
pub(super) struct ReplayTable {
    /// The names of the streams, beside `streams`. 64 names are four cache lines, and a scan of
    /// them is cheaper than a search tree.
    ssrcs: Vec<Ssrc>,
    /// The streams, in the order of `ssrcs`.
    streams: Vec<Stream>,
    /// The newest index of each stream that lost its window to a younger one.
    retired: Map<Ssrc, u64>,
    /// Counts authenticated packets: the table's notion of age.
    heard: u64,
}

impl ReplayTable {
    /// Judges an RTP packet: estimates its 48-bit index from the 16 bits it carries.
    pub(super) fn locate(&self, ssrc: Ssrc, seq: u16) -> Result<Candidate, SrtpError> {
        let place = self.place(ssrc);
        let highest = self.highest(place, ssrc);
        let index = match highest {
            None => u64::from(seq),
            Some(highest) => nearest(highest, seq).ok_or(SrtpError::Replayed)?,
        };
        self.judge(ssrc, place, index)
    }

    /// Judges an RTCP packet, which carries its whole index.
    pub(super) fn locate_exact(&self, ssrc: Ssrc, index: u32) -> Result<Candidate, SrtpError> {
        self.judge(ssrc, self.place(ssrc), u64::from(index))
    }

    /// Remembers a packet that has been authenticated.
    pub(super) fn mark(&mut self, candidate: Candidate) {
        self.heard += 1;
        let heard_at = self.heard;
        if let Some(stream) = candidate
            .place
            .and_then(|place| self.streams.get_mut(place))
        {
            stream.window.mark(candidate.index);
            stream.heard_at = heard_at;
            return;
        }
        let window = match self.retired.remove(&candidate.ssrc) {
            None => ReplayWindow::starting_at(candidate.index),
            Some(highest) => {
                let mut window = ReplayWindow::stale_up_to(highest);
                window.mark(candidate.index);
                window
            }
        };
        if self.streams.len() >= STREAMS_MAX {
            self.retire_quietest();
        }
        self.ssrcs.push(candidate.ssrc);
        self.streams.push(Stream { window, heard_at });
    }

    /// How many streams have a window.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    fn place(&self, ssrc: Ssrc) -> Option<usize> {
        self.ssrcs.iter().position(|known| *known == ssrc)
    }

    fn highest(&self, place: Option<usize>, ssrc: Ssrc) -> Option<u64> {
        match place {
            Some(place) => self.streams.get(place).map(|stream| stream.window.highest),
            None => self.retired.get(&ssrc).copied(),
        }
    }

    fn judge(&self, ssrc: Ssrc, place: Option<usize>, index: u64) -> Result<Candidate, SrtpError> {
        let fresh = match place.and_then(|place| self.streams.get(place)) {
            Some(stream) => stream.window.is_fresh(index),
            None => match self.retired.get(&ssrc) {
                Some(highest) => index > *highest,
                None if self.is_full() => return Err(SrtpError::TooManySsrcs),
                None => true,
            },
        };
        if fresh {
            Ok(Candidate { ssrc, place, index })
        } else {
            Err(SrtpError::Replayed)
        }
    }

    /// Whether a stream never heard before finds no room.
    fn is_full(&self) -> bool {
        self.streams.len() >= STREAMS_MAX && self.retired.len() >= RETIRED_STREAMS_MAX
    }

    /// Takes the window from the stream that was silent longest.
    fn retire_quietest(&mut self) {
        let quietest = self
            .streams
            .iter()
            .enumerate()
            .min_by_key(|(_, stream)| stream.heard_at);
        let Some((place, _)) = quietest else { return };
        let stream = self.streams.swap_remove(place);
        let ssrc = self.ssrcs.swap_remove(place);
        self.retired.insert(ssrc, stream.window.highest);
    }
}

/// The index nearest to `highest` whose low 16 bits are `seq`; none when it would lie before the
/// first packet that can exist.
fn nearest(highest: u64, seq: u16) -> Option<u64> {
    let low = highest & 0xffff;
    let forward = u64::from(seq).wrapping_sub(low) & 0xffff;
    if forward < 0x8000 {
        highest.checked_add(forward)
    } else {
        highest.checked_sub(0x1_0000 - forward)
    }
}
