//! Issues and verifies signed tokens (JSON Web Tokens, RFC 7519 and RFC 7515). The caller passes in
//! the time.
//!
//! The algorithm is always HS256; a token's header cannot change it. No claim is read before the
//! signature is verified, and a token with a mistyped or oversized claim is refused. Secrets and
//! tokens never appear in `Debug`, errors or logs.

mod claims;
mod grant;
mod secret;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde_json::{Map, Value, json};

pub use self::grant::{
    Grant, LEEWAY_S, LIFETIME_S, LIFETIME_S_MAX, RoomGrant, TEXT_LEN_MAX, TOKEN_LEN_MAX,
    TokenRefusal,
};
pub use self::secret::{SECRET_LEN_MIN, SecretGeneration, SecretWeakness, WeakSecret};
use crate::dialect::json;

/// Keys that sign and verify tokens: a secret, and the previous one while it is being replaced.
pub struct TokenKeys {
    /// Key that signs.
    signing: EncodingKey,
    /// Keys that verify: the current secret, then the previous one.
    verifying: Vec<DecodingKey>,
    /// Required issuer (`iss`). `None` accepts every issuer whose signature is valid.
    issuer: Option<String>,
    /// Required audience (`aud`). `None` refuses tokens that have one.
    audience: Option<String>,
}

impl TokenKeys {
    /// Returns the keys of the secret that signs and, while it is being replaced, the previous one.
    ///
    /// # Errors
    /// A secret is missing, short or guessable.
    pub fn new(current: &[u8], previous: Option<&[u8]>) -> Result<Self, WeakSecret> {
        secret::check(SecretGeneration::Current, current)?;
        let mut verifying = vec![DecodingKey::from_secret(current)];
        if let Some(previous) = previous {
            secret::check(SecretGeneration::Previous, previous)?;
            verifying.push(DecodingKey::from_secret(previous));
        }
        Ok(Self {
            signing: EncodingKey::from_secret(current),
            verifying,
            issuer: None,
            audience: None,
        })
    }

    /// Returns the same keys, restricted to tokens of this issuer and audience. Tokens issued here
    /// carry both.
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

    /// Verifies a token at `unix_s`, in seconds since 1970, and returns its grant.
    ///
    /// # Errors
    /// The token is refused; the error is the reason.
    pub fn verify(&self, token: &str, unix_s: u64) -> Result<Grant, TokenRefusal> {
        self.verify_with_expiry(token, unix_s)
            .map(|(grant, _)| grant)
    }

    /// Verifies a token like `verify`, and returns its expiry too, in seconds since 1970.
    ///
    /// # Errors
    /// The token is refused; the error is the reason.
    pub fn verify_with_expiry(
        &self,
        token: &str,
        unix_s: u64,
    ) -> Result<(Grant, u64), TokenRefusal> {
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
        let expires_s = claims::check_time(&payload, unix_s)?;
        claims::check_parties(&payload, self.issuer.as_deref(), self.audience.as_deref())?;
        Ok((claims::grant(&payload)?, expires_s))
    }

    /// Issues a token that admits its bearer to a room for `LIFETIME_S`.
    #[must_use]
    pub fn issue_invite(&self, room: &str, unix_s: u64) -> String {
        self.sign([("roomId", room.into())], unix_s)
    }

    /// Issues an invitation that also tells its bearer the name of the meeting.
    #[must_use]
    pub fn issue_titled_invite(&self, room: &str, title: &str, unix_s: u64) -> String {
        let claims = [("roomId", room.into()), ("title", title.into())];
        self.sign(claims, unix_s)
    }

    /// Issues a token that makes its bearer the host of a room for `LIFETIME_S`.
    #[must_use]
    pub fn issue_host_token(&self, room: &str, unix_s: u64) -> String {
        let video = json!({"room": room, "roomJoin": true, "roomAdmin": true});
        self.sign([("video", video)], unix_s)
    }

    /// Issues a token that identifies its bearer for `LIFETIME_S`.
    #[must_use]
    pub fn issue_user_token(&self, user_id: &str, email: &str, unix_s: u64) -> String {
        self.sign(
            [("userId", user_id.into()), ("email", email.into())],
            unix_s,
        )
    }

    /// Returns whether one of the keys made `signature`, compared in constant time. The algorithm
    /// is fixed; the token's header does not select it.
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

    /// Signs a token with these claims that is valid from `unix_s` on.
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

/// Decodes one part of a token.
fn decode(part: &str) -> Result<Vec<u8>, TokenRefusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part);
    bytes.map_err(|_| TokenRefusal::Malformed)
}

/// Parses a strict JSON object.
fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match json::parse(str::from_utf8(bytes).ok()?) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
