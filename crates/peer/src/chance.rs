//! Drawing numbers from the one generator a run has. Everything random in a scripted peer or on a
//! link comes through here, so that a seed is the whole run.

use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::units::Rng;

/// A number from zero up to, and without, `end`; zero when `end` is. The bias of the remainder is
/// below 2⁻³² for the small ranges asked of it.
pub fn below(rng: &mut Rng, end: u64) -> u64 {
    let drawn = rng.next_u64();
    drawn.checked_rem(end).unwrap_or(0)
}

/// A number in 0.0 … 1.0, without 1.0.
pub fn share(rng: &mut Rng) -> f64 {
    // 53 bits are what a double holds exactly.
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether something happens that happens with `probability`.
pub fn happens(rng: &mut Rng, probability: f64) -> bool {
    share(rng) < probability
}

/// A 32-bit identifier that is not zero.
pub fn identifier(rng: &mut Rng) -> u32 {
    rng.next_u32().max(1)
}

/// A 16-bit start of a sequence.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low 16 bits are what is asked for"
)]
pub fn start(rng: &mut Rng) -> u16 {
    rng.next_u32() as u16
}
