//! Our DTLS certificate: self-signed, generated once per process and shared by all transports, with
//! the handshake settings of `dimpl`.
//!
//! RFC 8122 §5 (fingerprints), RFC 8827 §6.5 (ECDSA P-256).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use dimpl::crypto::{CryptoProvider, Dtls13CipherSuite};
use thiserror::Error;
use watersmeet_wire::params::DtlsFingerprint;

use super::cookie_hmac::CookieHmac;
use super::peer_verification::FingerprintHash;
use super::signing_key::SharedKeyProvider;

/// Time limit of a handshake, from its first packet.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// Time after which an unused cookie is replaced by another. A peer has its cookie after one round trip,
/// but may have waited with its handshake.
pub(super) const COOKIE_LIFETIME: Duration = Duration::from_secs(60);

/// Longest datagram of a handshake in bytes. The minimum MTU of IPv6 is 1,280; this leaves room for
/// IPv6 and UDP headers and a tunnel.
const DATAGRAM_LEN_MAX: usize = 1_200;

/// First retransmission timeout of a flight; it doubles each time, which allows eight transmissions
/// before the deadline. Browsers start with 50 ms; a needless flight costs two datagrams.
const FLIGHT_RETRY_START: Duration = Duration::from_millis(100);

/// Retransmissions of one flight: more than fit before the deadline, so that the deadline decides.
const FLIGHT_RETRIES_MAX: usize = 9;

/// Upper bound of datagrams received out of order: 45 KB at 1,500 B each.
const REORDER_QUEUE_MAX: usize = 30;

/// DTLS versions that a transport negotiates.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum DtlsVersion {
    /// Only 1.2 (RFC 6347). Its server selects the SRTP profile; we select GCM, which costs a fifth
    /// of the profile that Chrome lists first.
    V12,
    /// Only 1.3 (RFC 9147).
    V13,
    /// As a server, 1.3 with a client that lists an AES-GCM profile first, because the library takes the
    /// first one, and 1.2 with all others. As a client, both.
    #[default]
    Auto,
}

/// The certificate could not be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cannot generate a DTLS certificate")]
pub struct CertificateError;

/// A certificate with its private key. Clones share it.
#[derive(Clone)]
pub struct DtlsCertificate {
    inner: Arc<CertificateData>,
}

struct CertificateData {
    /// Certificate and key, both DER.
    pair: dimpl::DtlsCertificate,
    /// Settings of handshakes that negotiate DTLS 1.2 only, with cookies.
    config_12: Arc<dimpl::Config>,
    /// Settings of servers of 1.3, with cookies and one cipher suite, that of our HelloRetryRequest.
    server_13: Arc<dimpl::Config>,
    /// Settings of clients that negotiate 1.3.
    client_13: Arc<dimpl::Config>,
    /// Fingerprints of the certificate, SHA-256 last.
    fingerprints: Vec<DtlsFingerprint>,
}

impl DtlsCertificate {
    /// Generates a certificate with a new key. Uses the operating system's random generator and
    /// clock: call it at process start, never from the engine.
    ///
    /// # Errors
    /// Fails when the cryptographic library fails.
    pub fn generate() -> Result<Self, CertificateError> {
        let pair =
            dimpl::certificate::generate_self_signed_certificate().map_err(|_| CertificateError)?;
        let key = SharedKeyProvider::parse(&pair.private_key).ok_or(CertificateError)?;
        // Leaked once: a process has one certificate.
        let key_provider: &_ = Box::leak(Box::new(key));
        let library = dimpl::crypto::aws_lc_rs::default_provider();
        let hmac_provider: &_ = Box::leak(Box::new(CookieHmac(library.hmac_provider)));
        let config = || {
            dimpl::Config::builder()
                .with_crypto_provider(CryptoProvider {
                    key_provider,
                    hmac_provider,
                    ..dimpl::crypto::aws_lc_rs::default_provider()
                })
                .mtu(DATAGRAM_LEN_MAX)
                .max_queue_rx(REORDER_QUEUE_MAX)
                .require_client_certificate(true)
                .flight_start_rto(FLIGHT_RETRY_START)
                .flight_retries(FLIGHT_RETRIES_MAX)
                // The session has its own deadline, which starts later.
                .handshake_timeout(COOKIE_LIFETIME + HANDSHAKE_TIMEOUT)
        };
        let build = |config: dimpl::ConfigBuilder| {
            let config = config.build().map_err(|_| CertificateError)?;
            Ok::<_, CertificateError>(Arc::new(config))
        };
        let fingerprints = FingerprintHash::ALL
            .into_iter()
            .map(|hash| DtlsFingerprint {
                algorithm: hash.name().to_owned(),
                value: colon_hex(digest::digest(hash.algorithm(), &pair.certificate).as_ref()),
            })
            .collect();
        Ok(Self {
            inner: Arc::new(CertificateData {
                pair,
                config_12: build(config().use_server_cookie(true))?,
                server_13: build(
                    config()
                        .use_server_cookie(true)
                        .dtls13_cipher_suites(&[Dtls13CipherSuite::AES_128_GCM_SHA256]),
                )?,
                client_13: build(config())?,
                fingerprints,
            }),
        })
    }

    /// Returns the fingerprints to signal. SHA-256 is last, because clients use the last one and
    /// all support SHA-256.
    pub fn fingerprints(&self) -> &[DtlsFingerprint] {
        &self.inner.fingerprints
    }

    /// Creates a DTLS endpoint with this certificate, which is a server until it is set active.
    pub(super) fn new_endpoint(
        &self,
        version: DtlsVersion,
        is_client: bool,
        now: std::time::Instant,
    ) -> dimpl::Dtls {
        let CertificateData {
            pair,
            config_12,
            server_13,
            client_13,
            ..
        } = self.inner.as_ref();
        let config_13 = if is_client { client_13 } else { server_13 };
        match version {
            DtlsVersion::V12 => dimpl::Dtls::new_12(Arc::clone(config_12), pair.clone(), now),
            DtlsVersion::V13 => dimpl::Dtls::new_13(Arc::clone(config_13), pair.clone(), now),
            DtlsVersion::Auto => dimpl::Dtls::new_auto(Arc::clone(config_13), pair.clone(), now),
        }
    }
}

impl fmt::Debug for DtlsCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsCertificate").finish_non_exhaustive()
    }
}

/// Formats upper-case hex bytes separated by colons (RFC 8122 §5).
fn colon_hex(bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    hex.join(":")
}
