//! Obtains and renews the certificate of `domains` by ACME (RFC 8555), and keeps it in the state
//! directory. While there is none, or the certificate authority is away, the program goes on with what it
//! has. Serves no connections: `http::tls` accepts those by TLS, `http::redirect` answers HTTP-01.

mod attempt_log;
mod authority_client;
mod challenges;
mod error;
mod order;
mod resolver;
mod stored_certificate;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::ChallengeType;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::http::tls::current_certificate::CurrentCertificate;
use crate::state_directory::{StateDirectory, StateError};
use attempt_log::AttemptLog;
use error::AcmeError;
use order::AcmeAccount;
use stored_certificate::StoredCertificate;

pub use challenges::PendingChallenges;
pub use resolver::{ACME_TLS_ALPN, AcmeResolver};

/// Folder of the state directory, with one folder for each certificate authority.
const FOLDER: &str = "acme";

/// File of the record of attempts.
const ATTEMPTS_FILE: &str = "attempts.json";

/// File of the private key and the certificate chain.
const CERTIFICATE_FILE: &str = "certificate.pem";

/// Longest sleep before the time of the next attempt is computed again, since clocks are set.
const SLEEP_MAX: Duration = Duration::from_mins(30);

/// Time limit of one attempt: authorities validate within seconds, and sign within a minute.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(5);

/// The certificate of `domains`.
pub struct AcmeCertificate {
    /// Names of the certificate.
    names: Vec<String>,
    /// Account at the certificate authority.
    account: AcmeAccount,
    /// Folder of the certificate authority in the state directory.
    folder: StateDirectory,
    /// Attempts so far.
    attempts: AttemptLog,
    /// Times of the certificate in use; `None` before the first.
    stored: Option<StoredCertificate>,
    /// The certificate that new connections get.
    current: Arc<CurrentCertificate>,
    /// Answers to validations in progress.
    challenges: Arc<PendingChallenges>,
    /// Whether validations by HTTP-01 reach the program.
    has_http: bool,
}

impl AcmeCertificate {
    /// Loads the certificate and the record of attempts from the state directory. Changes nothing there.
    ///
    /// # Errors
    /// A file of the state directory cannot be read.
    pub fn load(config: &Config) -> Result<Self, StateError> {
        let names = config.certificate_names();
        let authority = folder_name(&config.acme_directory_url);
        let folder = config.state_directory().folder(FOLDER).folder(&authority);
        let attempts = AttemptLog::parse(folder.read(ATTEMPTS_FILE)?.as_deref());
        let text = folder.read(CERTIFICATE_FILE)?;
        let stored = text.and_then(|text| StoredCertificate::parse(&text, &names).ok());
        let current = Arc::new(CurrentCertificate::default());
        let stored = stored.map(|(stored, certificate)| {
            current.replace(certificate);
            stored
        });
        Ok(Self {
            names,
            account: AcmeAccount::new(config, folder.clone()),
            folder,
            attempts,
            stored,
            current,
            challenges: Arc::default(),
            has_http: false,
        })
    }

    /// Returns what presents the certificate to clients, and answers to validations.
    pub fn resolver(&self) -> AcmeResolver {
        AcmeResolver::new(Arc::clone(&self.current), Arc::clone(&self.challenges))
    }

    /// Returns the certificate that new connections get, which changes when it is renewed.
    pub fn current(&self) -> Arc<CurrentCertificate> {
        Arc::clone(&self.current)
    }

    /// Returns the answers to validations by HTTP-01, for the port of plain HTTP, which is bound.
    pub fn answer_by_http(&mut self) -> Arc<PendingChallenges> {
        self.has_http = true;
        Arc::clone(&self.challenges)
    }

    /// Returns the names of the certificate, separated by commas.
    pub fn names(&self) -> String {
        self.names.join(", ")
    }

    /// Returns the end of the certificate's validity; `None` before the first certificate.
    pub fn valid_until(&self) -> Option<SystemTime> {
        self.stored.as_ref().map(StoredCertificate::not_after)
    }

    /// Returns why the last attempt failed, unless it succeeded.
    pub fn last_error(&self) -> Option<&str> {
        self.attempts.error()
    }

    /// Obtains and renews the certificate for as long as the program runs. `hangup` counts SIGHUP, after
    /// which a failed attempt is repeated as soon as the limits of certificate authorities allow.
    pub async fn maintain(mut self, mut hangup: watch::Receiver<u64>) {
        self.log_state();
        let mut skips_backoff = true;
        loop {
            let now = SystemTime::now();
            let wait = self.next_attempt(now, skips_backoff).duration_since(now);
            let wait = wait.unwrap_or_default().min(SLEEP_MAX);
            if wait.is_zero() {
                skips_backoff = false;
                self.attempt(now).await;
                continue;
            }
            match timeout(wait, hangup.changed()).await {
                Ok(Ok(())) => skips_backoff = true,
                // Without a sender, the times remain.
                Ok(Err(_)) => sleep(wait).await,
                Err(_) => {}
            }
        }
    }

    fn log_state(&self) {
        let names = self.names();
        match self.valid_until() {
            Some(end) => tracing::info!(
                "certificate for {names} loaded: valid until {}",
                format_time(end)
            ),
            None => tracing::warn!(
                "there is no certificate for {names} yet: it is being obtained from the certificate \
                 authority, and browsers cannot open the page before"
            ),
        }
    }

    /// Returns when the next attempt is due.
    fn next_attempt(&self, now: SystemTime, skips_backoff: bool) -> SystemTime {
        let renewal = self.stored.as_ref().map(StoredCertificate::renewal);
        self.attempts.next(now, renewal, skips_backoff)
    }

    /// Makes one attempt, which is recorded before, so that restarts cannot exceed the limits of
    /// certificate authorities.
    async fn attempt(&mut self, now: SystemTime) {
        self.attempts.record_start(now);
        let outcome = match self.write_attempts() {
            Ok(()) => self.obtain().await,
            Err(error) => Err(error.into()),
        };
        self.challenges.clear();
        let now = SystemTime::now();
        match outcome {
            Ok(stored) => {
                self.attempts.record_success(now);
                tracing::info!(
                    "certificate for {} obtained: valid until {}, renewed from {}",
                    self.names(),
                    format_time(stored.not_after()),
                    format_time(stored.renewal().at),
                );
                self.stored = Some(stored);
            }
            Err(error) => {
                self.attempts.record_failure(now, &error);
                tracing::warn!(
                    "certificate for {} not obtained: {error}; next attempt at {}",
                    self.names(),
                    format_time(self.next_attempt(now, false)),
                );
            }
        }
        if let Err(error) = self.write_attempts() {
            tracing::error!("attempts to obtain a certificate are not recorded: {error}");
        }
    }

    /// Obtains a certificate, stores it and presents it to new connections.
    async fn obtain(&self) -> Result<StoredCertificate, AcmeError> {
        let kinds = self.challenge_types();
        let order = self.account.obtain(&self.names, &self.challenges, kinds);
        let text = timeout(ATTEMPT_TIMEOUT, order).await;
        let text = text.map_err(|_| AcmeError::TooSlow)??;
        let (stored, certificate) = StoredCertificate::parse(&text, &self.names)?;
        self.current.replace(certificate);
        if let Err(error) = self.folder.write(CERTIFICATE_FILE, &text) {
            tracing::error!("certificate in use, but not stored for the next start: {error}");
        }
        Ok(stored)
    }

    /// Returns how the next attempt may be validated, best first: by TLS on the port of the page, and by plain
    /// HTTP where that reaches the program. After a failure the other way comes first.
    const fn challenge_types(&self) -> &'static [ChallengeType] {
        match (self.has_http, self.attempts.failures() % 2) {
            (false, _) => &[ChallengeType::TlsAlpn01],
            (true, 0) => &[ChallengeType::TlsAlpn01, ChallengeType::Http01],
            (true, _) => &[ChallengeType::Http01, ChallengeType::TlsAlpn01],
        }
    }

    fn write_attempts(&self) -> Result<(), StateError> {
        let text = self.attempts.to_text();
        self.folder.write(ATTEMPTS_FILE, &text)
    }
}

/// Returns the name of a folder for a certificate authority: its directory URL, without what file names
/// cannot have.
fn folder_name(directory_url: &str) -> String {
    let url = directory_url.trim_start_matches("https://");
    let plain = |character: char| match character {
        '.' | '-' => character,
        character if character.is_ascii_alphanumeric() => character,
        _ => '_',
    };
    url.chars().map(plain).collect()
}

/// Formats a time by RFC 3339, in seconds.
pub fn format_time(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time).replace_nanosecond(0);
    let text = time.ok().and_then(|it| it.format(&Rfc3339).ok());
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_certificate_authority_has_a_folder_of_its_own() {
        assert_eq!(
            folder_name("https://acme-v02.api.letsencrypt.org/directory"),
            "acme-v02.api.letsencrypt.org_directory"
        );
        assert_eq!(folder_name("https://[::1]:9/../a"), "___1__9_.._a");
    }
}
