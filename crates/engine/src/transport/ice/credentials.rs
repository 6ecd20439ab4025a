//! ICE credentials of a transport: the username fragment that identifies it, and the password that
//! authenticates checks and responses.
//!
//! RFC 8445 §5.3.

use std::fmt;

use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::stun::IntegrityKey;
use watersmeet_wire::units::Rng;

/// Characters of a password. RFC 8445 §5.3 requires at least 22; 24 of six bits each have 144 bits.
const PASSWORD_LEN: usize = 24;

/// The 64 `ice-char` characters of RFC 8445 §5.3. Six random bits select each with equal
/// probability.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Credentials between two ICE restarts.
#[derive(Clone)]
pub(super) struct Credentials {
    /// Username fragment; identifies the transport.
    pub ufrag: String,
    /// Key of MESSAGE-INTEGRITY, as text.
    pub password: String,
    /// Prepared key: preparing it costs as much as verifying a check.
    pub key: IntegrityKey,
}

impl Credentials {
    /// Returns credentials with a random password.
    pub(super) fn generate(ufrag: String, rng: &mut Rng) -> Self {
        let mut bytes = [0; PASSWORD_LEN];
        rng.fill_bytes(&mut bytes);
        let password: String = bytes
            .iter()
            .filter_map(|byte| ICE_CHARS.get(usize::from(byte & 0x3f)).copied())
            .map(char::from)
            .collect();
        let key = IntegrityKey::from_password(&password);
        Self {
            ufrag,
            password,
            key,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}
