//! Answers to validations of a certificate authority in progress: certificates for TLS-ALPN-01
//! (RFC 8737) and key authorisations for HTTP-01 (RFC 8555 §8.3). Empty at all other times.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::error::AcmeError;

/// Upper bound of answers: one for each name of a certificate.
const ANSWERS_MAX: usize = 64;

/// Answers to validations in progress.
#[derive(Debug, Default)]
pub struct PendingChallenges(RwLock<Answers>);

#[derive(Debug, Default)]
struct Answers {
    /// Certificates for TLS-ALPN-01, by domain.
    certificates: HashMap<String, Arc<CertifiedKey>>,
    /// Key authorisations for HTTP-01, by token.
    key_authorizations: HashMap<String, String>,
}

impl PendingChallenges {
    /// Returns the certificate that answers the validation of a domain.
    pub fn certificate(&self, domain: &str) -> Option<Arc<CertifiedKey>> {
        let answers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let domain = domain.to_ascii_lowercase();
        answers.certificates.get(&domain).cloned()
    }

    /// Returns the key authorisation of a token.
    pub fn key_authorization(&self, token: &str) -> Option<String> {
        let answers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        answers.key_authorizations.get(token).cloned()
    }

    /// Adds the answer to a validation by TLS-ALPN-01. `digest` is that of the key authorisation.
    ///
    /// # Errors
    /// The certificate cannot be made, or there are too many answers.
    pub(super) fn add_certificate(&self, domain: &str, digest: &[u8]) -> Result<(), AcmeError> {
        let mut params = CertificateParams::new(vec![domain.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        let chain = vec![params.self_signed(&key)?.der().clone()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        // Not by `CertifiedKey::from_der`, which refuses the critical extension.
        let keys = aws_lc_rs::default_provider().key_provider;
        let certificate = CertifiedKey::new(chain, keys.load_private_key(key.into())?);
        let mut answers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        answers.check_len()?;
        let domain = domain.to_ascii_lowercase();
        answers.certificates.insert(domain, Arc::new(certificate));
        Ok(())
    }

    /// Adds the answer to a validation by HTTP-01.
    ///
    /// # Errors
    /// There are too many answers.
    pub(super) fn add_key_authorization(&self, token: &str, text: &str) -> Result<(), AcmeError> {
        let mut answers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        answers.check_len()?;
        let (token, text) = (token.to_owned(), text.to_owned());
        answers.key_authorizations.insert(token, text);
        Ok(())
    }

    /// Removes all answers.
    pub(super) fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Answers::default();
    }
}

impl Answers {
    fn check_len(&self) -> Result<(), AcmeError> {
        match self.certificates.len() + self.key_authorizations.len() {
            len if len >= ANSWERS_MAX => Err(AcmeError::TooManyChallenges),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_until_they_are_cleared() {
        let pending = PendingChallenges::default();
        pending.add_certificate("Meet.example", &[7; 32]).unwrap();
        pending.add_key_authorization("token", "token.key").unwrap();
        assert!(pending.certificate("meet.EXAMPLE").is_some());
        assert!(pending.certificate("other.example").is_none());
        assert_eq!(
            pending.key_authorization("token").as_deref(),
            Some("token.key")
        );
        pending.clear();
        assert!(pending.certificate("meet.example").is_none());
        assert_eq!(pending.key_authorization("token"), None);
    }

    #[test]
    fn answers_are_bounded() {
        let pending = PendingChallenges::default();
        for number in 0..ANSWERS_MAX {
            pending
                .add_key_authorization(&number.to_string(), "")
                .unwrap();
        }
        let full = pending.add_key_authorization("one more", "");
        assert!(matches!(full, Err(AcmeError::TooManyChallenges)));
        let full = pending.add_certificate("meet.example", &[7; 32]);
        assert!(matches!(full, Err(AcmeError::TooManyChallenges)));
    }
}
