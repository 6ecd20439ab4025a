//! Random numbers from a seeded generator. All randomness of scripted peers and links comes from
//! these functions, so that a seed determines the whole run.

use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::units::Rng;

/// Returns a number from zero to `end`, exclusive; zero when `end` is zero. The bias of the
/// remainder is below 2⁻³² for the small ranges in use.
pub fn below(rng: &mut Rng, end: u64) -> u64 {
    let number = rng.next_u64();
    number.checked_rem(end).unwrap_or(0)
}

/// Returns a number from 0.0 to 1.0, exclusive.
pub fn unit_interval(rng: &mut Rng) -> f64 {
    // A double holds 53 bits exactly.
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Returns true with the given probability.
pub fn chance(rng: &mut Rng, probability: f64) -> bool {
    unit_interval(rng) < probability
}

/// Returns a 32-bit number other than zero.
pub fn nonzero_u32(rng: &mut Rng) -> u32 {
    rng.next_u32().max(1)
}

/// Returns a 16-bit number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "truncation keeps the low 16 bits"
)]
pub fn any_u16(rng: &mut Rng) -> u16 {
    rng.next_u32() as u16
}
