//! Allocation of the SSRCs that a transport sends.
//!
//! An SRTP key must never encrypt two packets under the same SSRC and index (RFC 3711 §9.1), so an
//! SSRC must not be used again while its key is in use, not even by another consumer. A transport
//! has one key for sending. Its SSRCs are counted up from a random start, which rules out collisions
//! and reuse without remembering anything.

use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::units::{Rng, Ssrc};

/// Lowest SSRC: nine decimal digits, as mediasoup generates them.
const LOWEST: u32 = 100_000_000;

/// Number of pairs of SSRCs that one transport can use.
const PAIRS: u32 = 450_000_000;

/// Allocates the SSRCs of one transport, each once, in pairs: media and retransmissions.
#[derive(Debug)]
pub struct SsrcAllocator {
    /// Index of the first pair.
    start: u32,
    /// Number of pairs allocated so far.
    allocated: u32,
}

impl SsrcAllocator {
    /// Creates the allocator of a new transport.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            start: rng.next_u32() % PAIRS,
            allocated: 0,
        }
    }

    /// Allocates an SSRC and the one that follows it, neither of which was allocated before, and
    /// returns the first; `None` when all were.
    pub fn allocate_pair(&mut self) -> Option<Ssrc> {
        if self.allocated >= PAIRS {
            return None;
        }
        let pair = (self.start + self.allocated) % PAIRS;
        self.allocated += 1;
        Some(Ssrc(LOWEST + pair * 2))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn ssrcs_count_up_and_wrap_within_their_range() {
        let mut allocator = SsrcAllocator {
            start: PAIRS - 1,
            allocated: 0,
        };
        assert_eq!(allocator.allocate_pair(), Some(Ssrc(999_999_998)));
        assert_eq!(allocator.allocate_pair(), Some(Ssrc(LOWEST)));
    }

    #[test]
    fn allocation_fails_when_every_ssrc_was_used() {
        let mut allocator = SsrcAllocator {
            start: 7,
            allocated: PAIRS - 1,
        };
        assert_eq!(allocator.allocate_pair(), Some(Ssrc(LOWEST + 12)));
        assert_eq!(allocator.allocate_pair(), None);
        assert_eq!(allocator.allocate_pair(), None);
    }

    #[test]
    fn ssrcs_have_nine_digits_and_are_never_repeated() {
        for seed in 0..100 {
            let mut allocator = SsrcAllocator::new(&mut Rng::seed_from_u64(seed));
            let firsts = (0..100).filter_map(|_| allocator.allocate_pair());
            let ssrcs: BTreeSet<u32> = firsts.flat_map(|it| [it.0, it.0 + 1]).collect();
            assert_eq!(ssrcs.len(), 200);
            let range = 100_000_000..1_000_000_000;
            assert!(ssrcs.iter().all(|ssrc| range.contains(ssrc)));
        }
    }
}
