//! A certificate that is loaded again when its files change. Files are compared by content at an
//! interval: that notices renamed files, exchanged symbolic links (Kubernetes, certbot) and network
//! file systems alike, which events of the kernel do not.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::browser_check;
use super::certificate_files::{CertificateFiles, Contents};
use super::current_certificate::CurrentCertificate;
use super::error::TlsError;

/// Interval at which the files are compared.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// A certificate with its files.
#[derive(Debug)]
pub struct ReloadingCertificate {
    /// The files.
    files: CertificateFiles,
    /// Name by which browsers know the server, where it is known.
    host: Option<ServerName<'static>>,
    /// Hash of the contents that were last tried.
    tried: Vec<u8>,
    /// The certificate in use.
    current: Arc<CurrentCertificate>,
}

impl ReloadingCertificate {
    /// Loads a certificate. `host` is the name by which browsers know the server, where it is known.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn load(
        files: CertificateFiles,
        host: Option<ServerName<'static>>,
    ) -> Result<Self, TlsError> {
        let contents = files.read()?;
        let current = CurrentCertificate::new(files.parse(&contents)?);
        let loaded = Self {
            tried: hash(&contents),
            current: Arc::new(current),
            files,
            host,
        };
        loaded.log_problems();
        Ok(loaded)
    }

    /// Returns what browsers will refuse about the certificate in use, each with the key and name of its
    /// file.
    pub fn problems(&self) -> Vec<String> {
        let current = self.current.get();
        let Some(own) = current.as_ref().and_then(|it| it.cert.first()) else {
            return Vec::new();
        };
        let problems = browser_check::problems(own, self.host.as_ref(), SystemTime::now());
        let file = self.files.cert().display();
        let named = problems.iter().map(|it| format!("`tls_cert`: {file} {it}"));
        named.collect()
    }

    fn log_problems(&self) {
        for problem in self.problems() {
            tracing::warn!("{problem}");
        }
    }

    /// Returns the certificate in use, which changes when the files do.
    pub fn current(&self) -> Arc<CurrentCertificate> {
        Arc::clone(&self.current)
    }

    /// Loads the certificate again when its files have other contents. Contents that cannot be used
    /// are logged once, and the certificate in use stays.
    fn reload(&mut self) {
        let contents = match self.files.read() {
            Ok(contents) => contents,
            Err(error) => return self.log_failure(&error, Vec::new()),
        };
        let hash = hash(&contents);
        if hash == self.tried {
            return;
        }
        match self.files.parse(&contents) {
            Ok(certificate) => {
                self.current.replace(certificate);
                self.tried = hash;
                tracing::info!("certificate loaded again: new connections use it");
                self.log_problems();
            }
            Err(error) => self.log_failure(&error, hash),
        }
    }

    fn log_failure(&mut self, error: &TlsError, hash: Vec<u8>) {
        if self.tried != hash {
            tracing::error!(%error, "certificate not loaded again: the previous one stays in use");
            self.tried = hash;
        }
    }
}

/// Loads certificates again when their files change, and at once when `hangup` counts a signal.
pub async fn watch_files(
    mut certificates: Vec<ReloadingCertificate>,
    mut hangup: watch::Receiver<u64>,
) {
    loop {
        // Without a sender, the interval remains.
        if let Ok(Err(_)) = timeout(CHECK_INTERVAL, hangup.changed()).await {
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
        let reloaded = spawn_blocking(move || {
            certificates
                .iter_mut()
                .for_each(ReloadingCertificate::reload);
            certificates
        });
        match reloaded.await {
            Ok(reloaded) => certificates = reloaded,
            Err(_) => return,
        }
    }
}

fn hash(contents: &Contents) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    // The length separates both files.
    context.update(&contents.cert.len().to_be_bytes());
    context.update(&contents.cert);
    context.update(&contents.key);
    context.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn write(folder: &Path) -> (PathBuf, PathBuf, Vec<u8>) {
        let names = vec!["meet.example".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (cert, key, made.cert.der().to_vec())
    }

    #[test]
    fn changed_files_are_loaded_and_unusable_ones_are_not() {
        let name = format!("watersmeet-reload-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let (cert, key, first) = write(&folder);
        let files = CertificateFiles::new(cert.clone(), key.clone());
        let mut certificate = ReloadingCertificate::load(files, None).unwrap();
        let current = certificate.current();
        let der = || current.get().unwrap().cert[0].to_vec();
        assert_eq!(der(), first);
        std::fs::write(&key, "half of a").unwrap();
        certificate.reload();
        assert_eq!(der(), first);
        std::fs::remove_file(&cert).unwrap();
        certificate.reload();
        assert_eq!(der(), first);
        let (_, _, second) = write(&folder);
        certificate.reload();
        assert_eq!(der(), second);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
