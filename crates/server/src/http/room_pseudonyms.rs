//! Pseudonyms of rooms, for pages that anybody may read.

use std::io;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of a pseudonym: at 96 bits no two rooms share one.
const PSEUDONYM_LEN: usize = 12;

/// Derives pseudonyms that cannot be turned back into room names. They change when the program
/// restarts.
#[derive(Debug)]
pub struct RoomPseudonyms(hmac::Key);

impl RoomPseudonyms {
    /// Generates the key of the pseudonyms.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::from)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// Returns the pseudonym of a room.
    pub fn pseudonym(&self, room: &str) -> String {
        let tag = hmac::sign(&self.0, room.as_bytes());
        let tag = tag.as_ref().get(..PSEUDONYM_LEN).unwrap_or_default();
        format!("room#{}", URL_SAFE_NO_PAD.encode(tag))
    }
}
