//! Offering one SRTP profile only. The DTLS library always offers all it knows; so the list in its
//! ClientHello is overwritten with one profile, repeated, wherever the hello is seen: on the wire,
//! and in the two places where both sides must agree on what was said (the hashes of the handshake
//! and the signature over it). RFC 5764 §4.1.1, RFC 5246 §7.4.8, §7.4.9.

use dimpl::CryptoError;
use dimpl::crypto::aws_lc_rs::default_provider;
use dimpl::crypto::{
    Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, KeyProvider, SignatureAlgorithm,
    SigningKey,
};
use watersmeet_engine::transport::srtp::SrtpProfile;

/// Type of a ClientHello among handshake messages.
const CLIENT_HELLO: u8 = 1;

/// Type of a handshake among records.
const HANDSHAKE: u8 = 22;

/// Bytes of a record's header.
const RECORD_HEADER_LEN: usize = 13;

/// How the extension begins: its type, its length, and the length of three profiles.
const LIST_START: [u8; 6] = [0, 14, 0, 9, 0, 6];

/// Bytes of the three profiles.
const LIST_LEN: usize = 6;

/// The offer of one profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// As RFC 5764 §4.1.2 and RFC 7714 §14.2 number it.
    number: u16,
}

static AES_256_GCM: Offer = Offer { number: 8 };
static AES_128_GCM: Offer = Offer { number: 7 };
static AES_128_CM: Offer = Offer { number: 1 };

impl Offer {
    /// The offer of `profile` alone.
    pub const fn of(profile: SrtpProfile) -> &'static Self {
        match profile {
            SrtpProfile::AeadAes256Gcm => &AES_256_GCM,
            SrtpProfile::AeadAes128Gcm => &AES_128_GCM,
            SrtpProfile::AesCm128HmacSha1_80 => &AES_128_CM,
        }
    }

    /// The library's cryptography with this offer in its hashes and signatures.
    pub fn provider(&'static self) -> CryptoProvider {
        CryptoProvider {
            hash_provider: self,
            key_provider: self,
            ..default_provider()
        }
    }

    /// Overwrites the list in a datagram that is about to be sent, if it holds a ClientHello.
    pub fn narrow_datagram(self, datagram: &mut [u8]) {
        if let Some((header, message)) = datagram.split_at_mut_checked(RECORD_HEADER_LEN)
            && header.first() == Some(&HANDSHAKE)
        {
            self.narrow(message);
        }
    }

    /// Overwrites the list in messages of which the first is a ClientHello.
    fn narrow(self, messages: &mut [u8]) {
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
            .for_each(|(place, byte)| *place = byte);
    }

    /// A narrowed copy.
    fn narrowed(self, messages: &[u8]) -> Vec<u8> {
        let mut copy = messages.to_vec();
        self.narrow(&mut copy);
        copy
    }
}

impl HashProvider for Offer {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        Box::new(Hash {
            offer: *self,
            inner: default_provider().hash_provider.create_hash(algorithm),
        })
    }
}

impl KeyProvider for Offer {
    fn load_private_key(&self, key_der: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let inner = default_provider().key_provider.load_private_key(key_der)?;
        Ok(Box::new(Key {
            offer: *self,
            inner,
        }))
    }
}

/// A hash of what was really said.
#[derive(Debug)]
struct Hash {
    offer: Offer,
    inner: Box<dyn HashContext>,
}

impl HashContext for Hash {
    fn update(&mut self, data: &[u8]) {
        self.inner.update(&self.offer.narrowed(data));
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        self.inner.clone_and_finalize(out);
    }
}

/// A key that signs what was really said.
#[derive(Debug)]
struct Key {
    offer: Offer,
    inner: Box<dyn SigningKey>,
}

impl SigningKey for Key {
    fn sign(
        &mut self,
        data: &[u8],
        hash_alg: HashAlgorithm,
        out: &mut Buf,
    ) -> Result<(), CryptoError> {
        self.inner.sign(&self.offer.narrowed(data), hash_alg, out)
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
