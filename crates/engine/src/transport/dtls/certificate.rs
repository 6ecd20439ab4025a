//! Our side of the trust: a self-signed certificate, made once per process and shared by all
//! transports, and the settings of the handshakes in which it is shown.
//!
//! RFC 8122 §5 (fingerprints), RFC 8827 §6.5 (ECDSA P-256).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use dimpl::crypto::CryptoProvider;
use thiserror::Error;
use watersmeet_wire::params::DtlsFingerprint;

use super::HANDSHAKE_TIMEOUT;
use super::peer_verification::Hash;
use super::signing_key::SharedKeyProvider;

/// Longest datagram of a handshake. The least path MTU of IPv6 is 1,280 B; this leaves room for
/// IPv6 and UDP headers and for a tunnel.
const DATAGRAM_LEN_MAX: usize = 1_200;

/// First wait before a flight is sent again; doubled each time, so that it is sent eight times before
/// the deadline. Browsers begin with 50 ms; a flight too many is two datagrams.
const FLIGHT_RETRY_START: Duration = Duration::from_millis(100);

/// Retries of one flight: more than fit before the deadline, so that the deadline alone decides.
const FLIGHT_RETRIES_MAX: usize = 9;

/// Datagrams that wait for one before them: at 1,500 B each, 45 KB of reassembly.
const DATAGRAMS_QUEUED_MAX: usize = 30;

/// Which DTLS versions a transport speaks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum DtlsVersion {
    /// Only 1.2 (RFC 6347). Its servers choose the SRTP profile, and choose GCM, which is five
    /// times cheaper than what Chrome lists first.
    #[default]
    V12,
    /// Only 1.3 (RFC 9147).
    V13,
    /// 1.3 with a peer that offers it, else 1.2.
    Auto,
}

/// The machine could not make a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cannot make a DTLS certificate")]
pub struct CertificateError;

/// A certificate with its private key. Cloning shares it.
#[derive(Clone)]
pub struct DtlsCertificate {
    inner: Arc<Inner>,
}

struct Inner {
    /// Certificate and key, both DER.
    pair: dimpl::DtlsCertificate,
    /// Settings of every handshake.
    config: Arc<dimpl::Config>,
    /// Hashes of the certificate, weakest last.
    fingerprints: Vec<DtlsFingerprint>,
}

impl DtlsCertificate {
    /// Makes a certificate with a fresh key. Draws from the machine's randomness and asks it for
    /// the date: call it where the process starts, never from the engine.
    ///
    /// # Errors
    /// When the machine's cryptography fails its self-test.
    pub fn generate() -> Result<Self, CertificateError> {
        let pair =
            dimpl::certificate::generate_self_signed_certificate().map_err(|_| CertificateError)?;
        let key = SharedKeyProvider::parse(&pair.private_key).ok_or(CertificateError)?;
        let config = dimpl::Config::builder()
            .with_crypto_provider(CryptoProvider {
                // Lives as long as the process: there is one certificate in it.
                key_provider: Box::leak(Box::new(key)),
                ..dimpl::crypto::aws_lc_rs::default_provider()
            })
            .mtu(DATAGRAM_LEN_MAX)
            .max_queue_rx(DATAGRAMS_QUEUED_MAX)
            .require_client_certificate(true)
            // A cookie proves that the peer receives what is sent to its address. An authenticated
            // STUN request came from there before: the round trip is saved.
            .use_server_cookie(false)
            .flight_start_rto(FLIGHT_RETRY_START)
            .flight_retries(FLIGHT_RETRIES_MAX)
            .handshake_timeout(HANDSHAKE_TIMEOUT)
            .build()
            .map_err(|_| CertificateError)?;
        let fingerprints = Hash::ALL
            .into_iter()
            .map(|hash| DtlsFingerprint {
                algorithm: hash.name().to_owned(),
                value: colon_hex(digest::digest(hash.digest(), &pair.certificate).as_ref()),
            })
            .collect();
        Ok(Self {
            inner: Arc::new(Inner {
                pair,
                config: Arc::new(config),
                fingerprints,
            }),
        })
    }

    /// What peers are told. SHA-256 stands last: clients take the last one, and every client
    /// knows that one.
    pub fn fingerprints(&self) -> &[DtlsFingerprint] {
        &self.inner.fingerprints
    }

    /// A DTLS endpoint in the server's role that shows this certificate.
    pub(super) fn endpoint(&self, version: DtlsVersion, now: std::time::Instant) -> dimpl::Dtls {
        let make = match version {
            DtlsVersion::V12 => dimpl::Dtls::new_12,
            DtlsVersion::V13 => dimpl::Dtls::new_13,
            DtlsVersion::Auto => dimpl::Dtls::new_auto,
        };
        make(Arc::clone(&self.inner.config), self.inner.pair.clone(), now)
    }
}

impl fmt::Debug for DtlsCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsCertificate").finish_non_exhaustive()
    }
}

/// Upper-case hex bytes with colons between them (RFC 8122 §5).
fn colon_hex(bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    hex.join(":")
}
