//! Why TLS cannot be used.

use std::path::PathBuf;

use thiserror::Error;
use tokio_rustls::rustls;

/// Reason why TLS cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("`{key}`: {} {problem}", path.display())]
    File {
        /// Configuration key that names the file.
        key: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        problem: String,
    },
    /// TLS cannot be configured.
    #[error("TLS cannot be configured: {0}")]
    Unusable(#[from] rustls::Error),
    /// A certificate cannot be generated.
    #[error("`tls_self_signed`: {0}")]
    Generate(#[from] rcgen::Error),
}
