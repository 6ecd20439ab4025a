//! Logging to standard error, as text or JSON. Lines at `info` and above contain no address, name
//! or token; ids are fields or spans.

use std::io::{self, IsTerminal};

use thiserror::Error;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Libraries that warn of every malformed message, which anybody can send. A configured filter for them
/// takes precedence.
const QUIET: &str = "stun_types=off,turn_types=off";

/// Reason why logging cannot start.
#[derive(Debug, Error)]
pub enum LogError {
    /// The configured filter cannot be parsed.
    #[error("`log`: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// A logger is already installed in this process.
    #[error("logging was started twice")]
    Twice,
}

/// Installs the logger of the process.
///
/// # Errors
/// The filter cannot be parsed, or a logger is already installed.
pub fn init(config: &Config) -> Result<(), LogError> {
    let filter = EnvFilter::builder().parse(format!("{QUIET},{}", config.log))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let outcome = match config.log_format {
        LogFormat::Text => subscriber.compact().with_target(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    outcome.map_err(|_| LogError::Twice)
}
