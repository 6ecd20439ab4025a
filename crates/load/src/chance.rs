//! Chance that can be repeated: everything random in a run follows from its seed.

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use watersmeet_wire::units::Rng;

/// The generator of a seed.
pub fn seeded(seed: u64) -> Rng {
    Rng::seed_from_u64(seed)
}

/// One source's share of chance.
#[derive(Debug, Clone)]
pub struct Chance(Rng);

impl Chance {
    /// A share of its own, drawn from another.
    pub fn new(rng: &mut Rng) -> Self {
        Self(seeded(rng.next_u64()))
    }

    /// A share of this one, which never repeats it.
    pub fn split(&mut self) -> Self {
        Self::new(&mut self.0)
    }

    /// The generator behind it, for who draws a share from it.
    pub const fn generator(&mut self) -> &mut Rng {
        &mut self.0
    }

    /// Any number.
    pub fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number below `end`; zero when there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64().checked_rem(end).unwrap_or(0)
    }
}
