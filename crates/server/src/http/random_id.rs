//! Random ids that nobody guesses, for URLs and names.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Length of the random part, in bytes.
const RANDOM_LEN: usize = 16;

/// Returns 128 random bits as text for URLs; `None` when the system has no randomness.
pub fn generate() -> Option<String> {
    let mut bytes = [0; RANDOM_LEN];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}
