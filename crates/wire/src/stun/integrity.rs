//! Integrity and fingerprint of STUN messages (RFC 8489 §14.5, §14.7).

use std::fmt;

use aws_lc_rs::hmac;

use super::format::{ATTRIBUTE_HEADER_LEN, HEADER_LEN, INTEGRITY_LEN};

const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// Key of MESSAGE-INTEGRITY. Creating one costs two SHA-1 blocks, so keep it along with the
/// password.
#[derive(Clone)]
pub struct IntegrityKey(hmac::Key);

impl IntegrityKey {
    /// Creates the key of short-term credentials: the password itself (RFC 8489 §9.1.1).
    pub fn from_password(password: &str) -> Self {
        Self::from_bytes(password.as_bytes())
    }

    /// Creates a key from its bytes.
    pub fn from_bytes(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key))
    }

    /// Computes MESSAGE-INTEGRITY over `covered`, the message up to that attribute. The length in
    /// the header counts as if MESSAGE-INTEGRITY were the last attribute (RFC 8489 §14.5).
    pub(super) fn sign(&self, covered: &[u8]) -> Option<hmac::Tag> {
        let (kind, rest) = covered.split_first_chunk::<2>()?;
        let (_, rest) = rest.split_first_chunk::<2>()?;
        let len = covered.len() - HEADER_LEN + ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN;
        let mut context = hmac::Context::with_key(&self.0);
        context.update(kind);
        context.update(&u16::try_from(len).ok()?.to_be_bytes());
        context.update(rest);
        Some(context.sign())
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(hidden)")
    }
}

/// Computes FINGERPRINT over `before`, the message up to that attribute with the final length in
/// its header (RFC 8489 §14.7).
pub fn fingerprint(before: &[u8]) -> u32 {
    crc32fast::hash(before) ^ FINGERPRINT_XOR
}
