//! Long-term credentials of TURN requests (RFC 8489 §9.2). User names state when they expire, and
//! passwords follow from them and the secret, so that no user is stored. Nonces need no memory either:
//! each states its expiry, with a MAC over it and the client's address.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::{constant_time, hmac};
use stun_types::attribute::{ErrorCode, MessageIntegrity, Nonce, Realm, Username};
use stun_types::message::{IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message};
use stun_types::prelude::AttributeStaticType as _;
use turn_types::message::ALLOCATE;
use watersmeet_conference::turn;

use crate::app_error::AppError;

/// Realm of all credentials.
pub const REALM: &str = "watersmeet";

/// Lifetime of a nonce, in seconds. Clients get another with error 438.
const NONCE_LIFETIME_S: u64 = 600;

/// Hexadecimal digits of a nonce's expiry.
const EXPIRY_DIGITS: usize = 8;

/// Bytes of a nonce's MAC: short, so that the answer to an unknown client stays small. A forged nonce
/// alone gives no access.
const NONCE_TAG_LEN: usize = 8;

/// Reason why a request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Credentials are missing, unknown or expired.
    Unauthorized,
    /// An attribute of the credentials is missing.
    Incomplete,
    /// The nonce expired, or was issued to another address or by an earlier process.
    StaleNonce,
}

impl Rejection {
    /// Returns the error code (RFC 8489 §14.8).
    pub const fn code(self) -> u16 {
        match self {
            Self::Unauthorized => ErrorCode::UNAUTHORIZED,
            Self::Incomplete => ErrorCode::BAD_REQUEST,
            Self::StaleNonce => ErrorCode::STALE_NONCE,
        }
    }

    /// Returns whether the answer has a realm and a nonce with which the client can try again.
    pub const fn has_challenge(self) -> bool {
        !matches!(self, Self::Incomplete)
    }
}

/// User that sent a request.
pub struct User {
    /// Name, as issued.
    pub name: String,
    /// Key that signs requests and responses.
    pub key: IntegrityKey,
}

/// Verifies credentials.
pub struct Authenticator {
    /// Computes passwords.
    credentials: turn::TurnServer,
    /// Key of the MAC of nonces, new at each start.
    nonce_key: hmac::Key,
}

impl Authenticator {
    /// Creates an authenticator with a random key for nonces.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(credentials: turn::TurnServer) -> Result<Self, AppError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(std::io::Error::from)?;
        Ok(Self {
            credentials,
            nonce_key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        })
    }

    /// Verifies the credentials of a request at `unix_s`, in seconds since 1970. Expired ones cannot
    /// allocate; an allocation may be used and refreshed with the credentials that made it, so that
    /// long calls go on.
    ///
    /// # Errors
    /// The credentials are not accepted.
    pub fn authenticate(
        &self,
        request: &Message<'_>,
        client: SocketAddr,
        unix_s: u64,
    ) -> Result<User, Rejection> {
        if !request.has_attribute(MessageIntegrity::TYPE) {
            return Err(Rejection::Unauthorized);
        }
        let username = request.attribute::<Username>();
        let nonce = request.attribute::<Nonce>();
        let (Ok(username), Ok(nonce), true) = (username, nonce, request.has_attribute(Realm::TYPE))
        else {
            return Err(Rejection::Incomplete);
        };
        if !self.is_valid(nonce.nonce(), client, unix_s) {
            return Err(Rejection::StaleNonce);
        }
        let name = username.username();
        let expiry = turn::TurnServer::expiry_of(name).ok_or(Rejection::Unauthorized)?;
        if request.method() == ALLOCATE && expiry <= unix_s {
            return Err(Rejection::Unauthorized);
        }
        let password = self.credentials.password_of(name);
        let key = LongTermKeyCredentials::new(name.to_owned(), password, REALM.to_owned())
            .make_key(IntegrityAlgorithm::Sha1);
        request
            .validate_integrity_with_key(&key)
            .map_err(|_| Rejection::Unauthorized)?;
        Ok(User {
            name: name.to_owned(),
            key,
        })
    }

    /// Returns a nonce for a client.
    pub fn issue_nonce(&self, client: SocketAddr, unix_s: u64) -> String {
        // Wraps in 2106, as the comparison does.
        let expiry = truncate(unix_s.wrapping_add(NONCE_LIFETIME_S));
        let tag = self.nonce_tag(expiry, client);
        let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{expiry:08x}{tag}")
    }

    fn is_valid(&self, nonce: &str, client: SocketAddr, unix_s: u64) -> bool {
        let Some((expiry, _)) = nonce.split_at_checked(EXPIRY_DIGITS) else {
            return false;
        };
        let Ok(expiry) = u32::from_str_radix(expiry, 16) else {
            return false;
        };
        let left_s = expiry.wrapping_sub(truncate(unix_s));
        let tag = self.nonce_tag(expiry, client);
        let expected = tag.iter().map(|byte| format!("{byte:02x}"));
        let expected = format!("{expiry:08x}{}", expected.collect::<String>());
        u64::from(left_s) <= NONCE_LIFETIME_S
            && left_s > 0
            && constant_time::verify_slices_are_equal(nonce.as_bytes(), expected.as_bytes()).is_ok()
    }

    /// Returns the MAC of a nonce.
    fn nonce_tag(&self, expiry: u32, client: SocketAddr) -> [u8; NONCE_TAG_LEN] {
        let mut context = hmac::Context::with_key(&self.nonce_key);
        context.update(&expiry.to_be_bytes());
        match client.ip() {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        context.update(&client.port().to_be_bytes());
        let tag = context.sign();
        let mut short = [0; NONCE_TAG_LEN];
        short
            .iter_mut()
            .zip(tag.as_ref())
            .for_each(|(to, from)| *to = *from);
        short
    }
}

/// Returns the low 32 bits of a time in seconds.
fn truncate(unix_s: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = unix_s.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticator() -> Authenticator {
        Authenticator::new(turn::TurnServer::new(Vec::new(), b"secret", 60)).unwrap()
    }

    #[test]
    fn nonce_is_valid_for_its_client_until_it_expires() {
        let client = "192.0.2.1:4000".parse().unwrap();
        let other = "192.0.2.1:4001".parse().unwrap();
        let server = authenticator();
        for now in [1_800_000_000, u64::from(u32::MAX) - 5] {
            let nonce = server.issue_nonce(client, now);
            assert!(server.is_valid(&nonce, client, now));
            assert!(server.is_valid(&nonce, client, now + NONCE_LIFETIME_S - 1));
            assert!(!server.is_valid(&nonce, client, now + NONCE_LIFETIME_S));
            assert!(!server.is_valid(&nonce, client, now - 1));
            assert!(!server.is_valid(&nonce, other, now));
            assert!(!authenticator().is_valid(&nonce, client, now));
        }
        for nonce in ["", "ffffffff", "é234567", "zzzzzzzz0000000000000000"] {
            assert!(!server.is_valid(nonce, client, 1_800_000_000), "{nonce}");
        }
    }
}
