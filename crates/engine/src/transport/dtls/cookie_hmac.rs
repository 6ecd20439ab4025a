//! HMAC functions for `dimpl` that make its cookies independent of the ClientHello (RFC 6347 §4.2.1,
//! RFC 9147 §5.1).

use std::cell::Cell;

use dimpl::CryptoError;
use dimpl::crypto::{HashAlgorithm, HmacProvider};
use watersmeet_wire::client_hello::COOKIE_LEN;

/// Length of the random in a ClientHello, over which `dimpl` computes cookies.
const RANDOM_LEN: usize = 32;

/// A cookie, as HelloVerifyRequest and HelloRetryRequest have it.
pub(super) type Cookie = [u8; COOKIE_LEN];

thread_local! {
    /// Cookie of the endpoint that is called now. `dimpl` has no other way to set it.
    static COOKIE: Cell<Option<Cookie>> = const { Cell::new(None) };
}

/// Runs `work`, in which endpoints have this cookie, or one of their own where it is `None`.
pub(super) fn with_cookie<T>(cookie: Option<Cookie>, work: impl FnOnce() -> T) -> T {
    COOKIE.set(cookie);
    let result = work();
    COOKIE.set(None);
    result
}

/// HMAC functions for `dimpl` with cookies that do not depend on the ClientHello: those of
/// [`with_cookie`], else of the endpoint's secret.
#[derive(Debug)]
pub(super) struct CookieHmac(pub(super) &'static dyn HmacProvider);

impl HmacProvider for CookieHmac {
    /// Computes a cookie: `dimpl` uses this function for nothing else, but checks it with a test vector
    /// of another length first.
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> Result<[u8; 32], CryptoError> {
        if data.len() != RANDOM_LEN {
            return self.0.hmac_sha256(key, data);
        }
        match COOKIE.get() {
            Some(cookie) => Ok(cookie),
            None => self.0.hmac_sha256(key, b"cookie"),
        }
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.0.hmac(hash, key, data, out)
    }
}
