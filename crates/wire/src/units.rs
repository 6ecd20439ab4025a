//! Units and identifiers: time, bitrate, SSRC, payload type, MID, RID and sequence number. Also the
//! seeded random generator and the ordered map that all deterministic crates use.
//!
//! Nothing here reads from the machine: `Time` has no `now()`, and the caller provides the seed of
//! a generator.

mod bitrate;
mod histogram;
mod rtp_ids;
mod time;
mod token_bucket;

use rand_chacha::ChaCha12Rng;

pub use bitrate::Bitrate;
pub use histogram::Histogram;
pub use rtp_ids::{MID_LEN_MAX, Mid, Pt, RID_LEN_MAX, Rid, SeqNo, Ssrc};
pub use time::Time;
pub use token_bucket::TokenBucket;

/// Map of the deterministic crates: ordered, so that iteration is the same in every run.
pub type Map<K, V> = std::collections::BTreeMap<K, V>;

/// Random generator of the deterministic crates: ChaCha with 12 rounds. It is suitable for secrets
/// (ICE passwords) when its seed is, and equal seeds give equal numbers.
pub type Rng = ChaCha12Rng;
