//! Verification of the peer: fingerprints from signalling, and the proof that the certificate of
//! the handshake matches one of them. SRTP keys can be exported only with that proof.
//!
//! RFC 8122 §5, RFC 8842 §5.1, RFC 5764 §4.2.

use arrayvec::ArrayVec;
use aws_lc_rs::digest;
use watersmeet_wire::params::{DtlsFingerprint, DtlsParameters, DtlsRole, FINGERPRINTS_MAX};

use crate::transport::srtp::{MasterKey, SrtpProfile};

/// Longest digest in bytes: SHA-512.
const DIGEST_LEN_MAX: usize = 64;

/// Accepted hash functions. MD5 and SHA-1 are not accepted, because collisions are feasible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FingerprintHash {
    Sha512,
    Sha384,
    Sha256,
}

impl FingerprintHash {
    /// All hash functions. SHA-256, which every client supports, is last.
    pub(super) const ALL: [Self; 3] = [Self::Sha512, Self::Sha384, Self::Sha256];

    /// Returns the name of RFC 8122 §5.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sha512 => "sha-512",
            Self::Sha384 => "sha-384",
            Self::Sha256 => "sha-256",
        }
    }

    /// Returns the digest algorithm.
    pub(super) fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha512 => &digest::SHA512,
            Self::Sha384 => &digest::SHA384,
            Self::Sha256 => &digest::SHA256,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|hash| name.eq_ignore_ascii_case(hash.name()))
    }
}

/// A parsed fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint {
    hash: FingerprintHash,
    digest: ArrayVec<u8, DIGEST_LEN_MAX>,
}

/// The peer that signalling announced. Has at least one fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedPeer {
    /// Whether we are the DTLS client.
    we_are_client: bool,
    /// The certificate must match one of these.
    fingerprints: ArrayVec<Fingerprint, FINGERPRINTS_MAX>,
}

impl ExpectedPeer {
    /// Creates it from signalled parameters. We are the DTLS client only if the peer's role is
    /// `server`. Fingerprints of weak or unknown hashes are ignored.
    ///
    /// # Errors
    /// Returns a text for the peer when no fingerprint of SHA-256 or better is left, one is
    /// malformed, or there are too many.
    pub fn from_parameters(parameters: &DtlsParameters) -> Result<Self, &'static str> {
        let mut fingerprints = ArrayVec::new();
        for DtlsFingerprint { algorithm, value } in &parameters.fingerprints {
            let Some(hash) = FingerprintHash::from_name(algorithm) else {
                continue;
            };
            let digest = parse_digest(hash, value).ok_or("malformed DTLS fingerprint")?;
            let known = Fingerprint { hash, digest };
            if !fingerprints.contains(&known) && fingerprints.try_push(known).is_err() {
                return Err("too many DTLS fingerprints");
            }
        }
        if fingerprints.is_empty() {
            return Err("no DTLS fingerprint of sha-256 or better");
        }
        Ok(Self {
            we_are_client: parameters.role == DtlsRole::Server,
            fingerprints,
        })
    }

    /// Returns whether we are the DTLS client.
    pub const fn we_are_client(&self) -> bool {
        self.we_are_client
    }

    /// Returns a proof if `certificate`, in DER, matches one of the fingerprints.
    pub(super) fn verify(&self, certificate: &[u8]) -> Option<VerifiedPeer> {
        let matches = |known: &Fingerprint| {
            digest::digest(known.hash.algorithm(), certificate).as_ref() == known.digest.as_slice()
        };
        self.fingerprints
            .iter()
            .any(matches)
            .then_some(VerifiedPeer(()))
    }
}

/// Proof that the certificate of the handshake is the one that signalling announced. Only
/// [`ExpectedPeer::verify`] creates it.
#[derive(Debug)]
pub(super) struct VerifiedPeer(());

/// SRTP master keys of both directions, exported from a handshake with a verified peer.
pub struct SrtpKeys {
    /// Negotiated protection profile.
    pub profile: SrtpProfile,
    /// Key of the packets that we send.
    pub local: MasterKey,
    /// Key of the packets that the peer sends.
    pub remote: MasterKey,
}

impl SrtpKeys {
    /// Splits exported keying material. Returns `None` for an unsupported profile or a wrong
    /// length.
    pub(super) fn export(
        _verified_peer: &VerifiedPeer,
        profile: dimpl::SrtpProfile,
        material: &[u8],
        we_are_client: bool,
    ) -> Option<Self> {
        let profile = match profile {
            dimpl::SrtpProfile::AEAD_AES_256_GCM => SrtpProfile::AeadAes256Gcm,
            dimpl::SrtpProfile::AEAD_AES_128_GCM => SrtpProfile::AeadAes128Gcm,
            dimpl::SrtpProfile::AES128_CM_SHA1_80 => SrtpProfile::AesCm128HmacSha1_80,
            _ => return None,
        };
        let (client, server) = profile.split_keying_material(material)?;
        let (local, remote) = if we_are_client {
            (client, server)
        } else {
            (server, client)
        };
        Some(Self {
            profile,
            local,
            remote,
        })
    }
}

/// Parses hex bytes separated by colons, of the length of `hash`.
fn parse_digest(hash: FingerprintHash, text: &str) -> Option<ArrayVec<u8, DIGEST_LEN_MAX>> {
    let mut digest = ArrayVec::new();
    for byte in text.split(':') {
        if byte.len() != 2 || !byte.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        digest.try_push(u8::from_str_radix(byte, 16).ok()?).ok()?;
    }
    (digest.len() == hash.algorithm().output_len()).then_some(digest)
}
