//! The peer's side of the trust: the fingerprints that signalling brought, and the proof that the
//! certificate seen in the handshake has one of them. SRTP keys can only be cut with that proof in
//! hand: there is no other way to make them.
//!
//! RFC 8122 §5, RFC 8842 §5.1, RFC 5764 §4.2.

use arrayvec::ArrayVec;
use aws_lc_rs::digest;
use watersmeet_wire::params::{DtlsFingerprint, DtlsParameters, DtlsRole, FINGERPRINTS_MAX};

use crate::transport::srtp::{MasterKey, SrtpProfile};

/// Longest digest: SHA-512.
const DIGEST_LEN_MAX: usize = 64;

/// A hash that still binds a certificate. MD5 and SHA-1 do not: collisions can be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// 512 bits.
    Sha512,
    /// 384 bits.
    Sha384,
    /// 256 bits.
    Sha256,
}

impl Hash {
    /// All of them, the one that every client knows last.
    pub(super) const ALL: [Self; 3] = [Self::Sha512, Self::Sha384, Self::Sha256];

    /// The name of RFC 8122 §5.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sha512 => "sha-512",
            Self::Sha384 => "sha-384",
            Self::Sha256 => "sha-256",
        }
    }

    /// The function itself.
    pub(super) fn digest(self) -> &'static digest::Algorithm {
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

/// One fingerprint, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint {
    hash: Hash,
    digest: ArrayVec<u8, DIGEST_LEN_MAX>,
}

/// Whom we expect at the other end. Holds at least one fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedPeer {
    /// Whether we open the handshake.
    we_open: bool,
    /// Any of these will do.
    fingerprints: ArrayVec<Fingerprint, FINGERPRINTS_MAX>,
}

impl ExpectedPeer {
    /// Reads what signalling brought. A peer that is `server` waits, so we open; otherwise the
    /// peer opens. Fingerprints of weak or unknown hashes are passed over.
    ///
    /// # Errors
    /// A text for the peer when no fingerprint of SHA-256 or better is left, or one is malformed.
    pub fn from_parameters(parameters: &DtlsParameters) -> Result<Self, &'static str> {
        let mut fingerprints = ArrayVec::new();
        for DtlsFingerprint { algorithm, value } in &parameters.fingerprints {
            let Some(hash) = Hash::from_name(algorithm) else {
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
            we_open: parameters.role == DtlsRole::Server,
            fingerprints,
        })
    }

    /// Whether we open the handshake.
    pub const fn we_open(&self) -> bool {
        self.we_open
    }

    /// Proves that `certificate`, in DER, is the peer's: it has one of the fingerprints.
    pub(super) fn verify(&self, certificate: &[u8]) -> Option<VerifiedPeer> {
        let matches = |known: &Fingerprint| {
            digest::digest(known.hash.digest(), certificate).as_ref() == known.digest.as_slice()
        };
        self.fingerprints
            .iter()
            .any(matches)
            .then_some(VerifiedPeer(()))
    }
}

/// Evidence that the certificate in the handshake is the one that signalling announced. Only
/// [`ExpectedPeer::verify`] makes one.
#[derive(Debug)]
pub(super) struct VerifiedPeer(());

/// The master keys of both directions, fresh from a handshake with a proven peer.
pub struct SrtpKeys {
    /// The profile agreed on.
    pub profile: SrtpProfile,
    /// What we seal with.
    pub local: MasterKey,
    /// What the peer seals with.
    pub remote: MasterKey,
}

impl SrtpKeys {
    /// Cuts the keys out of what the handshake exported. `None` for an unknown profile or material
    /// of another length.
    pub(super) fn export(
        _proof: &VerifiedPeer,
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

/// Reads hex bytes with colons between them, of the length that `hash` makes.
fn parse_digest(hash: Hash, text: &str) -> Option<ArrayVec<u8, DIGEST_LEN_MAX>> {
    let mut digest = ArrayVec::new();
    for byte in text.split(':') {
        if byte.len() != 2 || !byte.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        digest.try_push(u8::from_str_radix(byte, 16).ok()?).ok()?;
    }
    (digest.len() == hash.digest().output_len()).then_some(digest)
}
