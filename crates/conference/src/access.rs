//! Who may come in: signed tokens (JSON Web Tokens, RFC 7519, signed as RFC 7515 says) and what
//! they grant. It is told the time and never asks for it.
//!
//! One algorithm, HS256, whatever a token says of itself. Nothing of a token's claims is read
//! before its signature was right, and every claim is required, typed and bounded or the token is
//! refused. Secrets and tokens must never show in `Debug`, in errors or in logs.

mod claims;
mod secret;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde_json::{Map, Value, json};
use thiserror::Error;

pub use self::secret::{SECRET_LEN_MIN, SecretRole, SecretWeakness, WeakSecret};
use crate::dialect::json;

/// Longest token that is looked at, in bytes. Ours have about 200, a room grant's 400.
pub const TOKEN_LEN_MAX: usize = 4096;

/// By how much two machines' clocks may differ, in seconds.
pub const LEEWAY_S: u64 = 30;

/// Longest life of a token, in seconds: a link that leaks must not open a room for ever.
pub const LIFETIME_S_MAX: u64 = 7 * 24 * 60 * 60;

/// Life of the tokens made here, in seconds.
pub const LIFETIME_S: u64 = 24 * 60 * 60;

/// Longest name or identifier in a token, in bytes.
pub const TEXT_LEN_MAX: usize = 256;

/// What signs and verifies tokens: a secret, and the one before it while that is being replaced.
pub struct TokenKeys {
    /// Signs.
    signing: EncodingKey,
    /// Verifies: the current secret, then the previous one.
    verifying: Vec<DecodingKey>,
    /// Who must have issued a token (`iss`); `None` is anybody who has the secret.
    issuer: Option<String>,
    /// For whom a token must be (`aud`); `None` refuses tokens meant for somebody.
    audience: Option<String>,
}

/// What a token permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Its bearer may enter a room.
    Invite {
        /// Which.
        room: String,
    },
    /// Its bearer is somebody.
    User {
        /// The same for the same person, always.
        id: String,
        /// Shown to others.
        email: String,
    },
    /// Its bearer may do this much in a room.
    Room(RoomGrant),
}

/// What somebody may do in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomGrant {
    /// Which.
    pub room: String,
    /// The same for the same person, always.
    pub identity: Option<String>,
    /// How others shall see them.
    pub name: Option<String>,
    /// Whether they may send media.
    pub can_publish: bool,
    /// Whether they may receive media.
    pub can_subscribe: bool,
    /// Whether they are a host.
    pub room_admin: bool,
}

/// Why a token is refused. For the log and for tests: whoever offers one learns only that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenRefusal {
    /// More than `TOKEN_LEN_MAX`.
    #[error("longer than {TOKEN_LEN_MAX} bytes")]
    TooLong,
    /// Not three parts of base64url.
    #[error("not a token")]
    Malformed,
    /// Its header asks for something else than HS256 with our keys.
    #[error("its header is not one of ours")]
    Header,
    /// Signed with another key, or changed.
    #[error("its signature is wrong")]
    Signature,
    /// Its claims are not one strict JSON object.
    #[error("its claims are not one JSON object")]
    Claims,
    /// This claim is missing, of another type, empty or too long.
    #[error("its claim `{0}` is missing or wrong")]
    Claim(&'static str),
    /// Past its `exp`.
    #[error("it has expired")]
    Expired,
    /// Before its `nbf` or `iat`.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Valid for longer than `LIFETIME_S_MAX`.
    #[error("it is valid for too long")]
    Lifetime,
    /// It grants nothing we know.
    #[error("it grants nothing")]
    NoGrant,
    /// It can be read as two grants, or restricts in a way we cannot honour.
    #[error("what it grants is not clear")]
    Ambiguous,
}

impl TokenKeys {
    /// TokenKeys from the secret that signs and, while it is being replaced, the one before it.
    ///
    /// # Errors
    /// One of them is missing, short, or nobody's secret.
    pub fn new(current: &[u8], previous: Option<&[u8]>) -> Result<Self, WeakSecret> {
        secret::check(SecretRole::Current, current)?;
        let mut verifying = vec![DecodingKey::from_secret(current)];
        if let Some(previous) = previous {
            secret::check(SecretRole::Previous, previous)?;
            verifying.push(DecodingKey::from_secret(previous));
        }
        Ok(Self {
            signing: EncodingKey::from_secret(current),
            verifying,
            issuer: None,
            audience: None,
        })
    }

    /// The same keys, for tokens of this issuer and for this audience only. Tokens made here say
    /// the same.
    #[must_use]
    pub fn with_issuer_and_audience(
        mut self,
        issuer: Option<&str>,
        audience: Option<&str>,
    ) -> Self {
        self.issuer = issuer.map(str::to_owned);
        self.audience = audience.map(str::to_owned);
        self
    }

    /// What `token` grants at `unix_s`, in seconds since 1970.
    ///
    /// # Errors
    /// Why it grants nothing.
    pub fn verify(&self, token: &str, unix_s: u64) -> Result<Grant, TokenRefusal> {
        if token.len() > TOKEN_LEN_MAX {
            return Err(TokenRefusal::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenRefusal::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenRefusal::Malformed)?;
        let (header, payload) = (decode(header)?, decode(payload)?);
        let header = object(&header).ok_or(TokenRefusal::Header)?;
        claims::check_header(&header)?;
        if !self.is_signed(message, signature)? {
            return Err(TokenRefusal::Signature);
        }
        let payload = object(&payload).ok_or(TokenRefusal::Claims)?;
        claims::check_time(&payload, unix_s)?;
        claims::check_parties(&payload, self.issuer.as_deref(), self.audience.as_deref())?;
        claims::grant(&payload)
    }

    /// A token that lets its bearer into a room for a day.
    #[must_use]
    pub fn issue_invite(&self, room: &str, unix_s: u64) -> String {
        self.sign([("roomId", room.into())], unix_s)
    }

    /// A token that makes its bearer the host of a room for a day.
    #[must_use]
    pub fn issue_host_token(&self, room: &str, unix_s: u64) -> String {
        let video = json!({"room": room, "roomJoin": true, "roomAdmin": true});
        self.sign([("video", video)], unix_s)
    }

    /// A token that says for a day who its bearer is.
    #[must_use]
    pub fn issue_user_token(&self, user_id: &str, email: &str, unix_s: u64) -> String {
        self.sign(
            [("userId", user_id.into()), ("email", email.into())],
            unix_s,
        )
    }

    /// Whether one of the keys made `signature`, compared in constant time. The algorithm is ours
    /// and not the token's.
    fn is_signed(&self, message: &str, signature: &str) -> Result<bool, TokenRefusal> {
        for key in &self.verifying {
            let message = message.as_bytes();
            let verified = jsonwebtoken::crypto::verify(signature, message, key, Algorithm::HS256);
            if verified.map_err(|_| TokenRefusal::Malformed)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The token that grants this, valid from `unix_s` on.
    #[expect(clippy::expect_used, reason = "an HMAC over JSON values cannot fail")]
    fn sign<const N: usize>(&self, grant: [(&str, Value); N], unix_s: u64) -> String {
        let expires_s = unix_s.saturating_add(LIFETIME_S);
        let times = [("iat", unix_s.into()), ("exp", expires_s.into())];
        let issuer = self.issuer.as_deref().map(|it| ("iss", it.into()));
        let audience = self.audience.as_deref().map(|it| ("aud", it.into()));
        let claims = grant.into_iter().chain(times);
        let claims = claims.chain(issuer).chain(audience);
        let claims: Map<_, _> = claims
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .expect("a secret signs any JSON")
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys")
            .field("secrets", &self.verifying.len())
            .finish_non_exhaustive()
    }
}

/// The bytes of one part of a token.
fn decode(part: &str) -> Result<Vec<u8>, TokenRefusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part);
    bytes.map_err(|_| TokenRefusal::Malformed)
}

/// The strict JSON object that these bytes are.
fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match json::parse(str::from_utf8(bytes).ok()?) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
