//! Checks the certificate of `domains` in the state directory. Asks no certificate authority.

use std::time::SystemTime;

use super::finding::Finding;
use crate::acme::{AcmeCertificate, format_time};
use crate::config::Config;

/// Subject of the findings.
const ABOUT: &str = "certificate";

/// Remedy of failed validations.
const FIX: &str = "Let the names of `domains` point to this machine, and open TCP port 443, or port 80, for \
    the internet;\na running server tries again by itself, and at once after SIGHUP";

/// Returns the state of the certificate of `domains`.
pub fn check(config: &Config) -> Finding {
    let certificate = match AcmeCertificate::load(config) {
        Ok(certificate) => certificate,
        Err(error) => {
            let fix = "Run this as the user of the server";
            return Finding::doubtful(ABOUT, error.to_string(), fix);
        }
    };
    let names = certificate.names();
    let failure = certificate.last_error().map(|error| format!(": {error}"));
    let has_failed = failure.is_some();
    let failure = failure.unwrap_or_default();
    match certificate.valid_until() {
        Some(end) if end <= SystemTime::now() => {
            let end = format_time(end);
            Finding::wrong(
                ABOUT,
                format!("that of {names} expired at {end}{failure}"),
                FIX,
            )
        }
        Some(end) if has_failed => {
            let end = format_time(end);
            let text = format!("that of {names}, valid until {end}, is not renewed{failure}");
            Finding::doubtful(ABOUT, text, FIX)
        }
        Some(end) => Finding::fine(
            ABOUT,
            format!(
                "that of {names} is valid until {}, and renewed before",
                format_time(end)
            ),
        ),
        None if has_failed => Finding::wrong(ABOUT, format!("none for {names} yet{failure}"), FIX),
        None => Finding::fine(
            ABOUT,
            format!("one for {names} is obtained when the server starts"),
        ),
    }
}
