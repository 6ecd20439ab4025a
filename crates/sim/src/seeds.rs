//! Seeds of the test suite, and random generators derived from a seed.
//!
//! `SIM_SEED=n` runs only seed n; `SIM_SWEEP=n` runs n seeds from 1,000 on instead of the committed
//! ones.

use rand_chacha::rand_core::SeedableRng as _;
use watersmeet_wire::units::Rng;

/// Seeds that every run of the suite uses.
pub const COMMITTED: [u64; 16] = [
    1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1_597,
];

/// Seeds that once found a defect: a layer switch, and a first picture whose keyframe lost its
/// first packet.
pub const REGRESSIONS: [u64; 2] = [2_003, 2_023];

/// Returns the seeds to run.
pub fn all() -> Vec<u64> {
    first(COMMITTED.len())
}

/// Returns the seeds to run when the first `count` of the committed ones and the regressions
/// suffice.
pub fn first(count: usize) -> Vec<u64> {
    if let Some(seed) = env_number("SIM_SEED") {
        return vec![seed];
    }
    match env_number("SIM_SWEEP") {
        Some(count) => (1_000..1_000 + count).collect(),
        None => COMMITTED
            .into_iter()
            .take(count)
            .chain(REGRESSIONS)
            .collect(),
    }
}

/// Returns the random generator of the component `name`. The name is part of the seed: renaming a
/// component changes its random numbers and all recorded traces.
pub fn generator(seed: u64, name: &str) -> Rng {
    let mut key = [0; 32];
    let (number, rest) = key.split_at_mut(8);
    number.copy_from_slice(&seed.to_be_bytes());
    for (slot, byte) in rest.iter_mut().zip(name.bytes()) {
        *slot = byte;
    }
    // The length distinguishes names that are longer than the key.
    if let Some(last) = key.last_mut() {
        *last ^= u8::try_from(name.len() % 256).unwrap_or(0);
    }
    Rng::from_seed(key)
}

fn env_number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
