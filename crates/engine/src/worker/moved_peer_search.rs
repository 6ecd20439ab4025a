//! Limits how often transports of moved peers are searched for.

use watersmeet_wire::units::{Time, TokenBucket};

/// Searches in a second in the long run. One takes 20 µs at most, so that all take 1 % of a core.
const SEARCHES_PER_SECOND: u32 = 500;

/// Searches at once.
const SEARCH_BURST: u32 = 500;

/// Searches for transports of moved peers.
#[derive(Debug)]
pub struct MovedPeerSearch {
    /// Limits the searches.
    searches: TokenBucket,
    /// Copy of a packet, which a trial overwrites.
    pub scratch: Vec<u8>,
}

impl Default for MovedPeerSearch {
    fn default() -> Self {
        Self {
            searches: TokenBucket::new(SEARCHES_PER_SECOND, SEARCH_BURST),
            scratch: Vec::new(),
        }
    }
}

impl MovedPeerSearch {
    /// Returns whether one more search may be made now.
    pub fn allows_search(&mut self, now: Time) -> bool {
        self.searches.try_take(now, 1)
    }
}
