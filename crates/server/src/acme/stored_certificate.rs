//! A certificate that was obtained: its private key and chain (PEM) in one text, its times and names.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::attempt_log::Renewal;
use super::error::AcmeError;

/// Parts of a certificate's lifetime; it is renewed when only the last is left, as Let's Encrypt advises.
const LIFETIME_PARTS: u32 = 3;

/// Times of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredCertificate {
    /// Beginning of its validity.
    not_before: SystemTime,
    /// End of its validity.
    not_after: SystemTime,
}

impl StoredCertificate {
    /// Parses a private key and a chain, which must be for these names and no others.
    ///
    /// # Errors
    /// Says why it cannot be used.
    pub fn parse(text: &str, names: &[String]) -> Result<(Self, CertifiedKey), AcmeError> {
        let unusable = |error: String| AcmeError::Unusable(error);
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes());
        let key = key.map_err(|error| unusable(error.to_string()))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let chain = chain.map_err(|error| unusable(error.to_string()))?;
        let own = chain
            .first()
            .ok_or_else(|| unusable("it is missing".to_owned()))?;
        let parsed = Certificate::from_der(own).map_err(|error| unusable(error.to_string()))?;
        if names_of(&parsed) != names {
            return Err(unusable("it is for other names".to_owned()));
        }
        let validity = parsed.tbs_certificate().validity();
        let stored = Self {
            not_before: UNIX_EPOCH + validity.not_before.to_unix_duration(),
            not_after: UNIX_EPOCH + validity.not_after.to_unix_duration(),
        };
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?;
        Ok((stored, certified))
    }

    /// Returns the end of its validity.
    pub const fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Returns when it is renewed: after two thirds of its lifetime.
    pub fn renewal(&self) -> Renewal {
        let part = self.lifetime() / LIFETIME_PARTS;
        Renewal {
            at: self.not_after.checked_sub(part).unwrap_or(self.not_after),
            interval_min: part,
        }
    }

    fn lifetime(&self) -> Duration {
        let lifetime = self.not_after.duration_since(self.not_before);
        lifetime.unwrap_or_default()
    }
}

/// Returns the DNS names of a certificate, sorted.
fn names_of(certificate: &Certificate) -> Vec<String> {
    let extension = certificate
        .tbs_certificate()
        .get_extension::<SubjectAltName>();
    let Ok(Some((_, names))) = extension else {
        return Vec::new();
    };
    let dns = names.0.iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    });
    let mut names: Vec<_> = dns.collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn text(names: &[&str]) -> String {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = (UNIX_EPOCH + 20_000 * DAY).into();
        params.not_after = (UNIX_EPOCH + 20_090 * DAY).into();
        let key = KeyPair::generate().unwrap();
        key.serialize_pem() + &params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn certificate_is_renewed_after_two_thirds_of_its_lifetime() {
        let names = ["a.example".to_owned(), "b.example".to_owned()];
        let text = text(&["b.example", "a.example"]);
        let (stored, certified) = StoredCertificate::parse(&text, &names).unwrap();
        assert_eq!(certified.cert.len(), 1);
        let renewal = stored.renewal();
        assert_eq!(renewal.at, UNIX_EPOCH + 20_060 * DAY);
        assert_eq!(renewal.interval_min, 30 * DAY);
    }

    #[test]
    fn certificate_for_other_names_or_with_another_key_is_not_used() {
        let names = ["a.example".to_owned()];
        for bad in [
            "",
            &text(&["b.example"]),
            &text(&["a.example", "b.example"]),
        ] {
            assert!(StoredCertificate::parse(bad, &names).is_err());
        }
        let text = text(&["a.example"]);
        let (_, certificate) = text.split_at(text.find("-----BEGIN CERTIFICATE").unwrap());
        let other = KeyPair::generate().unwrap().serialize_pem() + certificate;
        assert!(StoredCertificate::parse(&other, &names).is_err());
    }
}
