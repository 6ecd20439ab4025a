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

    /// Lets `index` be used again: nothing was sent with it. When it is the greatest, the window ends at the
    /// greatest that is still in use, if that is within the window. Indexes that have left the window stay
    /// refused.
    pub fn release(&mut self, index: u64) {
        if index > self.highest || self.highest - index >= REPLAY_WINDOW {
            return;
        }
        if let Some(word) = self.word_mut(index) {
            *word &= !bit(index);
        }
        if index == self.highest {
            let oldest = index.saturating_sub(REPLAY_WINDOW);
            let in_use = (oldest..index).rev().find(|it| !self.is_fresh(*it));
            self.shrink_to(in_use.unwrap_or(oldest));
        }
    }

    /// Moves the end of the window back; no index behind it is in use.
    fn shrink_to(&mut self, highest: u64) {
        for word in highest / 64 + 1..=self.highest / 64 {
            // It stands for indexes that are a whole ring older from now on.
            if let Some(word) = self.word_mut(word * 64) {
                *word = u64::MAX;
            }
        }
        self.highest = highest;
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
    use std::collections::BTreeSet;

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

    #[test]
    fn released_indexes_are_used_again_and_no_other_is() {
        for (used, released, newest_first) in [1, 2, 63, 64, 65, 700, 1_023, 1_024, 2_000]
            .into_iter()
            .flat_map(|used| [1, 63, 64, 65, 700, 1_023, 1_024, 1_500].map(|it| (used, it)))
            .flat_map(|(used, released)| [(used, released, true), (used, released, false)])
        {
            let mut window = ReplayWindow::stale_up_to(5_000);
            for index in 5_001..=5_000 + used + released {
                window.mark(index);
            }
            let end = 5_000 + used;
            let steps = 0..released;
            if newest_first {
                steps.for_each(|step| window.release(end + released - step));
                assert_eq!(window.highest(), end);
            } else {
                // The first ones have left the window.
                steps.for_each(|step| window.release(end + 1 + step));
                let kept = released.min(REPLAY_WINDOW);
                assert_eq!(window.highest(), end + released - kept);
            }
            let last = window.highest();
            let fresh = (last.saturating_sub(2_500)..=last).find(|it| window.is_fresh(*it));
            assert_eq!(fresh, None, "{used} used, {released} released");
            for index in last + 1..last + 1_500 {
                assert!(window.is_fresh(index));
                window.mark(index);
                assert!(!window.is_fresh(index));
            }
        }
    }

    #[test]
    fn index_that_is_released_before_others_stays_free_in_the_window() {
        let mut window = ReplayWindow::stale_up_to(0);
        for index in [1, 2, 4, 5, 6] {
            window.mark(index);
        }
        for index in [2, 5, 6] {
            window.release(index);
        }
        assert_eq!(window.highest(), 4);
        let fresh: Vec<u64> = (0..=6).filter(|index| window.is_fresh(*index)).collect();
        assert_eq!(fresh, [2, 3, 5, 6]);
    }

    #[test]
    fn index_in_use_is_never_fresh_whatever_is_released() {
        let mut window = ReplayWindow::stale_up_to(5_000);
        let mut in_use: BTreeSet<u64> = (0..=5_000).collect();
        let mut random = 1_u64;
        for _ in 0..6_000 {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let (choice, amount) = (random >> 60, random >> 40 & 0xff);
            let highest = window.highest();
            let late = highest - amount * 6;
            match choice {
                0..=8 => {
                    let next = highest + 1 + amount / 64;
                    window.mark(next);
                    in_use.insert(next);
                }
                9..=11 if window.is_fresh(late) => {
                    window.mark(late);
                    in_use.insert(late);
                }
                12 => {
                    for index in (highest - amount..=highest).filter(|index| *index > 5_000) {
                        if in_use.remove(&index) {
                            window.release(index);
                        }
                    }
                }
                _ => {}
            }
            let highest = window.highest();
            let mut recent = in_use.range(highest.saturating_sub(2_500)..);
            assert_eq!(recent.find(|index| window.is_fresh(**index)), None);
            assert!(in_use.last().is_some_and(|last| *last <= highest));
        }
    }
}
