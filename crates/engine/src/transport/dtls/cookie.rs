//! Cookie exchange of a DTLS server (RFC 6347 §4.2.1, RFC 9147 §5.1): a ClientHello starts a handshake
//! only with a cookie that was sent to the peer's address.
//!
//! An attacker who forges that address cannot see the cookie. Without it, his ClientHello would be
//! answered with a ServerHello that reaches the peer and ends the peer's own handshake, because what both
//! sides sign covers the attacker's random. HelloVerifyRequest (1.2) and HelloRetryRequest (1.3) have no
//! such content, and do not depend on the ClientHello: whichever the peer receives first is good for its
//! own.
//!
//! To a peer that will get 1.2, the first cookie does not wait for a ClientHello. It is sent
//! [`COOKIE_DELAY`] after the ICE check that made the path, so that it arrives just after the peer has sent
//! its ClientHello in reaction to our answer to that check, and the exchange takes no round trip of its
//! own. A peer that is slower discards it, and gets it again in answer to its ClientHello.
//!
//! A cookie offered while a handshake runs belongs to another endpoint, which replaces the running one
//! when the cookie returns. So a peer that starts again wins, and nobody else can.

use std::time::{Duration, Instant};

use watersmeet_wire::client_hello::write_hello_retry;
use watersmeet_wire::units::Time;

use super::certificate::{COOKIE_LIFETIME, DtlsCertificate, DtlsVersion};
use super::cookie_hmac::Cookie;
use super::endpoint::{Endpoint, EndpointError};
use super::record::Hello;

/// Time between an answered ICE check and the cookie: what a peer needs to send its ClientHello.
pub(super) const COOKIE_DELAY: Duration = Duration::from_millis(5);

/// Length of the random in a ClientHello.
const RANDOM_LEN: usize = 32;

/// Answer to a ClientHello without a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HelloAnswer {
    /// Offers a cookie for DTLS 1.2.
    HelloVerify,
    /// Offers a cookie for DTLS 1.3.
    HelloRetry,
}

/// A cookie that was offered to the peer.
pub(super) struct CookieOffer {
    /// Endpoint that accepts it in a handshake of 1.2.
    endpoint: Endpoint,
    /// Complete HelloVerifyRequest datagram. The cookie is at its end.
    hello_verify: Vec<u8>,
    /// The cookie.
    cookie: Cookie,
    /// Whether a HelloVerifyRequest was sent. A peer that got that cannot use a HelloRetryRequest.
    is_for_1_2: bool,
    /// Time at which it is outdated.
    expires_at: Time,
}

impl CookieOffer {
    /// Creates an endpoint, and takes its cookie.
    ///
    /// # Errors
    /// Fails when the library fails.
    pub(super) fn new(
        certificate: &DtlsCertificate,
        now: Time,
        at: Instant,
    ) -> Result<Self, EndpointError> {
        let mut endpoint = Endpoint::new(certificate, DtlsVersion::V12, false, at)?;
        endpoint.handle_timeout(at)?;
        let outputs = endpoint.handle_packet(at, &first_hello())?;
        let hello_verify = outputs.datagrams.into_iter().next();
        let hello_verify = hello_verify.ok_or(EndpointError::Panicked)?;
        let cookie = hello_verify.last_chunk();
        Ok(Self {
            endpoint,
            cookie: *cookie.ok_or(EndpointError::Panicked)?,
            hello_verify,
            is_for_1_2: false,
            expires_at: now + COOKIE_LIFETIME,
        })
    }

    /// Returns the HelloVerifyRequest that offers the cookie in a handshake of 1.2.
    pub(super) fn hello_verify(&mut self) -> Vec<u8> {
        self.is_for_1_2 = true;
        self.hello_verify.clone()
    }

    /// Returns the HelloRetryRequest that offers the cookie in a handshake of 1.3.
    pub(super) fn hello_retry(&self) -> Vec<u8> {
        write_hello_retry(&self.cookie)
    }

    /// Returns whether a HelloVerifyRequest was sent.
    pub(super) const fn is_for_1_2(&self) -> bool {
        self.is_for_1_2
    }

    /// Returns whether the next ClientHello gets another cookie.
    pub(super) fn is_expired(&self, now: Time) -> bool {
        now >= self.expires_at
    }

    /// Returns when the offer is outdated.
    pub(super) const fn expires_at(&self) -> Time {
        self.expires_at
    }

    /// Returns whether a ClientHello of 1.2 has this cookie.
    pub(super) fn accepts(&self, hello: &Hello<'_>) -> bool {
        hello.has_cookie(&self.cookie)
    }

    /// Returns the cookie.
    pub(super) const fn cookie(&self) -> Cookie {
        self.cookie
    }

    /// Returns the endpoint of a handshake of 1.2.
    pub(super) fn into_endpoint(self) -> Endpoint {
        self.endpoint
    }
}

/// Returns whether a datagram is a HelloVerifyRequest, of which an endpoint repeats its own by timer.
pub(super) fn is_hello_verify(datagram: &[u8]) -> bool {
    const HELLO_VERIFY_REQUEST: u8 = 3;
    matches!(datagram, [22, _, _, 0, 0, ..]) && datagram.get(13) == Some(&HELLO_VERIFY_REQUEST)
}

/// Returns the smallest ClientHello that `dimpl` answers with a HelloVerifyRequest: one cipher suite, no
/// compression, no extensions. The peer's own does not matter before it has a cookie.
fn first_hello() -> Vec<u8> {
    const BODY_LEN: u8 = 42;
    const MESSAGE_LEN: u8 = 12 + BODY_LEN;
    let record: &[u8] = &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, MESSAGE_LEN];
    let message: &[u8] = &[1, 0, 0, BODY_LEN, 0, 0, 0, 0, 0, 0, 0, BODY_LEN];
    let version: &[u8] = &[0xfe, 0xfd];
    let random: &[u8] = &[0; RANDOM_LEN];
    // No session, no cookie, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression.
    let rest: &[u8] = &[0, 0, 0, 2, 0xc0, 0x2b, 1, 0];
    [record, message, version, random, rest].concat()
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::client_hello::COOKIE_LEN;

    use super::*;

    #[test]
    fn offers_have_a_cookie_each_and_expire() {
        #[expect(clippy::disallowed_methods, reason = "the origin of virtual time")]
        let at = Instant::now();
        let certificate = DtlsCertificate::generate().unwrap();
        let offer = || CookieOffer::new(&certificate, Time::ZERO, at).unwrap();
        let (mut one, two) = (offer(), offer());
        assert!(!one.is_for_1_2());
        let hello_verify = one.hello_verify();
        assert!(one.is_for_1_2());
        assert_eq!(hello_verify.len(), 13 + 12 + 2 + 1 + COOKIE_LEN);
        assert_eq!(hello_verify[13], 3, "a HelloVerifyRequest");
        assert_ne!(one.cookie(), two.cookie());
        assert!(one.hello_retry().ends_with(&one.cookie()));
        assert!(!one.is_expired(Time::ZERO) && one.is_expired(one.expires_at()));
    }
}
