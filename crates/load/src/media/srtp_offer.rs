//! Offers a single SRTP profile. The DTLS library always offers all profiles it supports, so the list
//! in its ClientHello is overwritten with one profile, repeated. This happens on the wire, and in the
//! handshake's hashes and signature, on which both sides must agree (RFC 5764 §4.1.1, RFC 5246
//! §7.4.8, §7.4.9).

use dimpl::CryptoError;
use dimpl::crypto::aws_lc_rs::default_provider;
use dimpl::crypto::{
    Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, KeyProvider, SignatureAlgorithm,
    SigningKey,
};
use watersmeet_engine::transport::srtp::SrtpProfile;

/// Handshake message type of a ClientHello.
const CLIENT_HELLO: u8 = 1;

/// Record type of a handshake.
const HANDSHAKE: u8 = 22;

/// Bytes of a record header.
const RECORD_HEADER_LEN: usize = 13;

/// Start of the `use_srtp` extension: type, length, and length of a list of three profiles.
const LIST_START: [u8; 6] = [0, 14, 0, 9, 0, 6];

/// Bytes of a list of three profiles.
const LIST_LEN: usize = 6;

/// An offer of one SRTP profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SrtpProfileOffer {
    /// Number of the profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
    number: u16,
}

static AES_256_GCM: SrtpProfileOffer = SrtpProfileOffer { number: 8 };
static AES_128_GCM: SrtpProfileOffer = SrtpProfileOffer { number: 7 };
static AES_128_CM: SrtpProfileOffer = SrtpProfileOffer { number: 1 };

impl SrtpProfileOffer {
    /// Returns the offer of `profile` alone.
    pub const fn of(profile: SrtpProfile) -> &'static Self {
        match profile {
            SrtpProfile::AeadAes256Gcm => &AES_256_GCM,
            SrtpProfile::AeadAes128Gcm => &AES_128_GCM,
            SrtpProfile::AesCm128HmacSha1_80 => &AES_128_CM,
        }
    }

    /// Returns the default cryptography with this offer in hashes and signatures.
    pub fn provider(&'static self) -> CryptoProvider {
        CryptoProvider {
            hash_provider: self,
            key_provider: self,
            ..default_provider()
        }
    }

    /// Restricts the offer in a datagram to send, if it contains a ClientHello.
    pub fn restrict_datagram(self, datagram: &mut [u8]) {
        if let Some((header, message)) = datagram.split_at_mut_checked(RECORD_HEADER_LEN)
            && header.first() == Some(&HANDSHAKE)
        {
            self.restrict(message);
        }
    }

    /// Restricts the offer in handshake messages, if the first is a ClientHello.
    fn restrict(self, messages: &mut [u8]) {
        if messages.first() != Some(&CLIENT_HELLO) {
            return;
        }
        let at = messages
            .windows(LIST_START.len())
            .position(|window| window == LIST_START);
        let Some(at) = at else { return };
        let list = messages
            .iter_mut()
            .skip(at + LIST_START.len())
            .take(LIST_LEN);
        list.zip(self.number.to_be_bytes().into_iter().cycle())
            .for_each(|(out, byte)| *out = byte);
    }

    /// Returns a copy with a restricted offer.
    fn restricted(self, messages: &[u8]) -> Vec<u8> {
        let mut copy = messages.to_vec();
        self.restrict(&mut copy);
        copy
    }
}

impl HashProvider for SrtpProfileOffer {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        Box::new(Hash {
            offer: *self,
            inner: default_provider().hash_provider.create_hash(algorithm),
        })
    }
}

impl KeyProvider for SrtpProfileOffer {
    fn load_private_key(&self, key_der: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let inner = default_provider().key_provider.load_private_key(key_der)?;
        Ok(Box::new(Key {
            offer: *self,
            inner,
        }))
    }
}

/// Hashes handshake messages with the restricted offer.
#[derive(Debug)]
struct Hash {
    offer: SrtpProfileOffer,
    inner: Box<dyn HashContext>,
}

impl HashContext for Hash {
    fn update(&mut self, data: &[u8]) {
        self.inner.update(&self.offer.restricted(data));
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        self.inner.clone_and_finalize(out);
    }
}

/// Signs handshake messages with the restricted offer.
#[derive(Debug)]
struct Key {
    offer: SrtpProfileOffer,
    inner: Box<dyn SigningKey>,
}

impl SigningKey for Key {
    fn sign(
        &mut self,
        data: &[u8],
        hash_alg: HashAlgorithm,
        out: &mut Buf,
    ) -> Result<(), CryptoError> {
        self.inner.sign(&self.offer.restricted(data), hash_alg, out)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.inner.algorithm()
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        self.inner.hash_algorithm()
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        self.inner.supported_hash_algorithms()
    }
}
