//! Identifiers of connections, shards, commands and participants.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use watersmeet_wire::units::Rng;

/// Stream of the generator from which the ids in room events come.
const EVENT_STREAM: u64 = 1;

/// Identifies one connection, and the session that it opens. Assigned by the server, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Identifies one shard: a media thread with its own worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u8);

/// Matches the reply of a shard to the command that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandToken(pub u64);

/// Public id of a participant. Generated ids have 128 random bits, so that nobody can guess
/// another participant's id; a participant whose token names a user has the user's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<str>);

impl Borrow<str> for PeerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PeerId {
    /// Generates a random id that starts with `prefix`.
    pub fn generate(rng: &mut Rng, prefix: &str) -> Self {
        Self(random_id(rng, prefix))
    }

    /// Returns the id of the user whom a token names.
    pub fn from_user_id(id: &str) -> Self {
        Self(id.into())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the generator of the ids in room events, independent of `rng`: events leave all other ids as they
/// are.
pub(crate) fn event_rng(rng: &Rng) -> Rng {
    let mut rng = rng.clone();
    rng.set_stream(EVENT_STREAM);
    rng
}

/// Returns an id of 128 random bits that starts with `prefix`.
pub(crate) fn random_id(rng: &mut Rng, prefix: &str) -> Arc<str> {
    let mut bytes = [0; 16];
    rand_chacha::rand_core::Rng::fill_bytes(rng, &mut bytes);
    format!("{prefix}{:032x}", u128::from_le_bytes(bytes)).into()
}
