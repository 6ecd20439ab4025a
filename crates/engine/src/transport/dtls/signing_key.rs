//! Private key of the certificate, parsed once. `dimpl` parses the key for every endpoint, and the
//! consistency check of its two halves takes 15 µs, a tenth of a handshake.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use dimpl::crypto::{Buf, HashAlgorithm, KeyProvider, SignatureAlgorithm, SigningKey};
use dimpl::{CryptoError, CryptoOperation};

/// Key provider that gives every endpoint the same parsed key.
#[derive(Debug)]
pub(super) struct SharedKeyProvider {
    key: Arc<EcdsaKeyPair>,
}

impl SharedKeyProvider {
    /// Parses an ECDSA key over P-256. Returns `None` for any other.
    pub(super) fn parse(pkcs8: &[u8]) -> Option<Self> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).ok()?;
        Some(Self { key: Arc::new(key) })
    }
}

impl KeyProvider for SharedKeyProvider {
    fn load_private_key(&self, _pkcs8: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        Ok(Box::new(SharedSigningKey(Arc::clone(&self.key))))
    }
}

/// Reference of one endpoint to the key.
#[derive(Debug)]
struct SharedSigningKey(Arc<EcdsaKeyPair>);

impl SigningKey for SharedSigningKey {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        if hash != HashAlgorithm::SHA256 {
            return Err(CryptoError::SigningKeyHashMismatch {
                key_hash: HashAlgorithm::SHA256,
                requested: hash,
            });
        }
        let signature = self
            .0
            .sign(&SystemRandom::new(), data)
            .map_err(|_| CryptoError::OperationFailed(CryptoOperation::Sign))?;
        out.clear();
        out.extend_from_slice(signature.as_ref());
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}
