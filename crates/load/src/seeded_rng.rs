//! Reproducible random numbers: everything random in a run follows from its seed.

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use watersmeet_wire::units::Rng;

/// Returns the generator of a seed.
pub fn seeded(seed: u64) -> Rng {
    Rng::seed_from_u64(seed)
}

/// A random number generator of one peer, transport or device.
#[derive(Debug, Clone)]
pub struct SeededRng(Rng);

impl SeededRng {
    /// Creates a generator whose seed is drawn from `rng`.
    pub fn new(rng: &mut Rng) -> Self {
        Self(seeded(rng.next_u64()))
    }

    /// Creates an independent generator whose seed is drawn from this one.
    pub fn split(&mut self) -> Self {
        Self::new(&mut self.0)
    }

    /// Returns the underlying generator.
    pub const fn inner_mut(&mut self) -> &mut Rng {
        &mut self.0
    }

    /// Returns a random number.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Returns a random number below `end`; zero if `end` is zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64().checked_rem(end).unwrap_or(0)
    }
}
