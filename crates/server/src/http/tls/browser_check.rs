//! What browsers refuse about a certificate that TLS can use: its time and its names (RFC 5280 §4.1.2.5,
//! RFC 6125). It is loaded nevertheless, since the clock of this machine may be wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;

/// Returns what browsers will refuse about the certificate of a server, each as the rest of a sentence
/// about its file. `host` is the name by which they know the server, where it is known.
pub fn problems(
    certificate: &CertificateDer<'_>,
    host: Option<&ServerName<'_>>,
    now: SystemTime,
) -> Vec<String> {
    let Ok(parsed) = Certificate::from_der(certificate) else {
        return vec!["has a certificate that browsers may not be able to read".to_owned()];
    };
    let fields = parsed.tbs_certificate();
    let validity = fields.validity();
    let mut problems = Vec::new();
    if now > UNIX_EPOCH + validity.not_after.to_unix_duration() {
        problems.push(format!(
            "has expired ({}), so browsers refuse it: renew it",
            validity.not_after
        ));
    }
    if now < UNIX_EPOCH + validity.not_before.to_unix_duration() {
        problems.push(format!(
            "is not valid before {}, so browsers refuse it: check the clock of this machine",
            validity.not_before
        ));
    }
    let names = fields.get_extension::<SubjectAltName>();
    if !matches!(&names, Ok(Some((_, names))) if !names.0.is_empty()) {
        problems.push(
            "has no extension subjectAltName, so browsers refuse it: make one that names the host there"
                .to_owned(),
        );
    } else if let Some(host) = host
        && let Ok(parsed) = ParsedCertificate::try_from(certificate)
        && verify_server_name(&parsed, host).is_err()
    {
        problems.push(format!(
            "is not for {}, the host of `base_url`, so browsers refuse it there",
            host.to_str()
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// Returns a certificate that is valid from yesterday to tomorrow.
    fn certificate(names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = (SystemTime::now() - DAY).into();
        params.not_after = (SystemTime::now() + DAY).into();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn problems_of(names: &[&str], host: &str, now: SystemTime) -> String {
        let host = ServerName::try_from(host).unwrap();
        problems(&certificate(names), Some(&host), now).join("; ")
    }

    #[test]
    fn certificates_that_browsers_accept_have_no_problem() {
        let now = SystemTime::now();
        for (names, host) in [
            (&["meet.example.org"][..], "meet.example.org"),
            (&["*.example.org"], "meet.example.org"),
            (&["a.example", "192.0.2.1"], "192.0.2.1"),
        ] {
            assert_eq!(problems_of(names, host, now), "", "{names:?}");
        }
        assert!(problems(&certificate(&["a.example"]), None, now).is_empty());
    }

    #[test]
    fn certificates_that_browsers_refuse_are_described() {
        let now = SystemTime::now();
        for (names, host, now, problem) in [
            (&["a.example"][..], "a.example", now + 2 * DAY, "expired"),
            (
                &["a.example"],
                "a.example",
                now - 2 * DAY,
                "not valid before",
            ),
            (&[], "a.example", now, "subjectAltName"),
            (&["a.example"], "b.example", now, "not for b.example"),
            (
                &["*.example.org"],
                "example.org",
                now,
                "not for example.org",
            ),
            (&["192.0.2.1"], "192.0.2.2", now, "not for 192.0.2.2"),
        ] {
            let found = problems_of(names, host, now);
            assert!(found.contains(problem), "{problem}: {found}");
            assert!(!found.contains("; "), "{found}");
        }
        let both = problems_of(&["a.example"], "b.example", now + 2 * DAY);
        assert!(
            both.contains("expired") && both.contains("not for"),
            "{both}"
        );
    }
}
