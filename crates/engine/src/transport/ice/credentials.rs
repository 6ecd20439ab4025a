//! What a peer must know to be heard: a user fragment that names the transport and a password
//! that signs every check.
//!
//! RFC 8445 §5.3.

use std::fmt;

use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::stun::IntegrityKey;
use watersmeet_wire::units::Rng;

/// Characters of a password. RFC 8445 §5.3 asks for 22 at least; 24 of six bits hold 144 bits.
const PASSWORD_LEN: usize = 24;

/// The characters of RFC 8445 §5.3, 64 of them: six bits each, none more likely than another.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One generation of credentials.
#[derive(Clone)]
pub(super) struct Credentials {
    /// Names the transport.
    pub ufrag: String,
    /// Signs checks and answers.
    pub password: String,
    /// The password made ready: making it costs as much as verifying a check.
    pub key: IntegrityKey,
}

impl Credentials {
    /// Credentials with a password drawn from `rng`.
    pub(super) fn draw(ufrag: String, rng: &mut Rng) -> Self {
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
