//! Seeds: which ones are run always, how one is replayed, and how every part of a world gets a
//! generator of its own from one number.
//!
//! `SIM_SEED=n` runs that seed alone; `SIM_SWEEP=n` runs seeds 1,000 to 1,000 + n instead of the
//! committed ones.

use rand_chacha::rand_core::SeedableRng as _;
use watersmeet_wire::units::Rng;

/// The seeds that every run of the suite takes.
pub const COMMITTED: [u64; 16] = [
    1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1_597,
];

/// Seeds that found a defect once, and are run ever since: a layer switch and a first picture whose
/// keyframe lost its beginning.
pub const FOUND: [u64; 2] = [2_003, 2_023];

/// The seeds to run now.
pub fn all() -> Vec<u64> {
    some(COMMITTED.len())
}

/// The seeds to run now where `count` of the committed ones are enough, and those that found
/// something.
pub fn some(count: usize) -> Vec<u64> {
    if let Some(seed) = variable("SIM_SEED") {
        return vec![seed];
    }
    match variable("SIM_SWEEP") {
        Some(count) => (1_000..1_000 + count).collect(),
        None => COMMITTED.into_iter().take(count).chain(FOUND).collect(),
    }
}

/// The generator of the part `name` of the world with this seed.
pub fn generator(seed: u64, name: &str) -> Rng {
    let mut key = [0; 32];
    let (number, rest) = key.split_at_mut(8);
    number.copy_from_slice(&seed.to_be_bytes());
    for (place, byte) in rest.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    // A name longer than the key ends in its length, so that it has a generator of its own.
    if let Some(last) = key.last_mut() {
        *last ^= u8::try_from(name.len() % 256).unwrap_or(0);
    }
    Rng::from_seed(key)
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
