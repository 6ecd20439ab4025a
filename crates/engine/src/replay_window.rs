//! Which of the latest packet indexes of a stream were seen: none is received twice (RFC 3711 §3.3.2), and
//! none is sent with two packets.

/// Distance in packets behind the newest within which a packet that was not seen is accepted.
pub const REPLAY_WINDOW: u64 = 1_024;

/// Words of the ring: one more than the window needs, so that a word is cleared before its reuse.
const WORDS: usize = 17;

/// [`WORDS`] as a divisor of packet indexes.
const WORDS_U64: u64 = REPLAY_WINDOW / 64 + 1;

const _: () = assert!(
    WORDS as u64 == WORDS_U64,
    "the ring must hold the window and one word"
);

/// Packet indexes of one SSRC that were received or sent, as a ring of bits addressed by index.
#[derive(Debug, Clone)]
pub struct ReplayWindow {
    /// Greatest index seen.
    highest: u64,
    /// One bit per index; a word is reused every 1,088 packets.
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// Returns a window in which only `index` was seen.
    pub fn starting_at(index: u64) -> Self {
        let mut window = Self {
            highest: index,
            seen: [0; WORDS],
        };
        window.set(index);
        window
    }

    /// Returns a window in which every index up to `highest` is refused.
    pub fn stale_up_to(highest: u64) -> Self {
        let mut window = Self {
            highest,
            seen: [u64::MAX; WORDS],
        };
        if let Some(word) = window.word_mut(highest) {
            // Its bit and those below.
            *word = bit(highest) | (bit(highest) - 1);
        }
        window
    }

    /// Returns the greatest index seen.
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// Returns whether `index` was neither seen nor is older than the window.
    pub fn is_fresh(&self, index: u64) -> bool {
        if index > self.highest {
            return true;
        }
        self.highest - index < REPLAY_WINDOW
            && self.word(index).is_some_and(|word| word & bit(index) == 0)
    }

    /// Records `index`, which must be fresh.
    pub fn mark(&mut self, index: u64) {
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

    fn set(&mut self, index: u64) {
        if let Some(word) = self.word_mut(index) {
            *word |= bit(index);
        }
    }

    /// Returns the word with the bit of `index`. Always `Some`, because the position is a
    /// remainder.
    fn word(&self, index: u64) -> Option<u64> {
        self.seen.get(word_position(index)).copied()
    }

    fn word_mut(&mut self, index: u64) -> Option<&mut u64> {
        self.seen.get_mut(word_position(index))
    }
}

/// Returns the bit of `index` in its word.
const fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

/// Returns the position of the word of `index` in the ring.
const fn word_position(index: u64) -> usize {
    ((index / 64) % WORDS_U64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_stale_window_may_come_in_any_order() {
        for highest in [0, 5, 63, 64, 1_000] {
            let mut window = ReplayWindow::stale_up_to(highest);
            assert!(!window.is_fresh(highest));
            window.mark(highest + 40);
            for index in (highest + 1..highest + 40).rev() {
                assert!(window.is_fresh(index), "{index} after {highest}");
                window.mark(index);
                assert!(!window.is_fresh(index));
            }
            assert!(!window.is_fresh(highest));
        }
    }
}
