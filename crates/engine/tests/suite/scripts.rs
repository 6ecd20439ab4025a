//! Scripts of random commands, checked against models. The fuzz targets of the same names search for more of
//! them.

pub mod feedback;
pub mod retransmissions;
pub mod rewriting;

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use watersmeet_wire::units::Rng;

/// Scripts that each test runs.
const SCRIPTS: u64 = 60;

/// Length of a script, in bytes.
const SCRIPT_LEN: usize = 700;

fn run_scripts(check: impl Fn(&[u8])) {
    for seed in 0..SCRIPTS {
        let mut script = vec![0; SCRIPT_LEN];
        Rng::seed_from_u64(seed).fill_bytes(&mut script);
        check(&script);
    }
}

#[test]
fn rewritten_streams_can_be_decrypted_and_decoded() {
    run_scripts(rewriting::rewriting);
}

#[test]
fn only_what_was_sent_is_sent_again_and_not_too_often() {
    run_scripts(retransmissions::retransmissions);
}

#[test]
fn estimate_stays_within_its_bounds_whatever_is_reported() {
    run_scripts(feedback::feedback);
}
