//! Log lines on standard error: text for people or JSON for machines. Nobody's address, name or
//! token is printed at `info` and above; ids stand in spans.

use std::io::{self, IsTerminal};

use thiserror::Error;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Why there can be no log.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter of the configuration cannot be read.
    #[error("`log`: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in the process logs already.
    #[error("logging was started twice")]
    Twice,
}

/// Starts logging for the whole process.
pub fn start(config: &Config) -> Result<(), LogError> {
    let filter = EnvFilter::builder().parse(&config.log)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let outcome = match config.log_format {
        LogFormat::Text => lines.compact().with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    outcome.map_err(|_| LogError::Twice)
}
