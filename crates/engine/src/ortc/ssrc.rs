//! Random SSRCs.

use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::units::{Rng, Ssrc};

/// Returns a random SSRC from which further streams can be numbered. It has nine decimal digits, as
/// in mediasoup, so that a collision with an SSRC of a browser is unlikely.
pub(super) fn random_ssrc(rng: &mut Rng) -> Ssrc {
    const LOWEST: u32 = 100_000_000;
    const SPAN: u32 = 899_999_999;
    Ssrc(LOWEST + rng.next_u32() % SPAN)
}
