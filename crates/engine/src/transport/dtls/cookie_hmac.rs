//! HMAC functions for `dimpl` that make its cookies independent of the ClientHello (RFC 6347 §4.2.1).

use dimpl::CryptoError;
use dimpl::crypto::{HashAlgorithm, HmacProvider};

/// Length of the random in a ClientHello, over which `dimpl` computes cookies.
const RANDOM_LEN: usize = 32;

/// HMAC functions for `dimpl` with cookies that do not depend on the ClientHello, only on the
/// endpoint's secret.
#[derive(Debug)]
pub(super) struct CookieHmac(pub(super) &'static dyn HmacProvider);

impl HmacProvider for CookieHmac {
    /// Computes a cookie: `dimpl` uses this function for nothing else, but checks it with a test vector
    /// of another length first.
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> Result<[u8; 32], CryptoError> {
        let is_cookie = data.len() == RANDOM_LEN;
        self.0
            .hmac_sha256(key, if is_cookie { b"cookie" } else { data })
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
