//! Logging to standard error, as text or JSON, with a filter that operators change at run time. Lines at `info`
//! and above contain no address, name or token; ids are fields or spans.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::config::{Config, LogFormat};
use recent_lines::{RecentLayer, RecentLines};

pub mod recent_lines;

/// Libraries that warn of every malformed message, which anybody can send. A configured filter for them
/// takes precedence.
const QUIET: &str = "stun_types=off,turn_types=off";

/// Reason why logging cannot start, or its filter cannot be changed.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter cannot be parsed.
    #[error("`log`: {0}")]
    Filter(#[from] ParseError),
    /// A logger is already installed in this process.
    #[error("logging was started twice")]
    Twice,
    /// The logger is gone.
    #[error("the log filter cannot be changed: {0}")]
    Reload(#[from] reload::Error),
}

/// Changes the filter of the log, and has its latest warnings.
#[derive(Debug)]
pub struct LogControl {
    /// Filter of the configuration.
    configured: String,
    /// Filter in use.
    filter: Mutex<String>,
    /// Replaces the filter of the logger.
    reload: reload::Handle<EnvFilter, Registry>,
    /// Latest warnings and errors.
    recent: Arc<RecentLines>,
}

impl LogControl {
    /// Returns the filter of the configuration.
    pub fn configured(&self) -> &str {
        &self.configured
    }

    /// Returns the filter in use.
    pub fn filter(&self) -> String {
        let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        filter.clone()
    }

    /// Returns the latest warnings and errors.
    pub fn recent(&self) -> &RecentLines {
        &self.recent
    }

    /// Uses another filter until it is changed again or the program ends. The caller has checked it.
    ///
    /// # Errors
    /// The filter cannot be parsed, or the logger is gone.
    pub fn set_filter(&self, filter: &str) -> Result<(), LogError> {
        let mut current = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        self.reload.reload(parse(filter)?)?;
        filter.clone_into(&mut current);
        Ok(())
    }
}

/// Installs the logger of the process.
///
/// # Errors
/// The filter cannot be parsed, or a logger is already installed.
pub fn init(config: &Config) -> Result<Arc<LogControl>, LogError> {
    let (filter, reload) = reload::Layer::new(parse(&config.log)?);
    let recent = Arc::new(RecentLines::default());
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(RecentLayer::new(Arc::clone(&recent)));
    let lines = fmt::layer()
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let outcome = match config.log_format {
        LogFormat::Text => registry.with(lines.compact().with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    outcome.map_err(|_| LogError::Twice)?;
    Ok(Arc::new(LogControl {
        configured: config.log.clone(),
        filter: Mutex::new(config.log.clone()),
        reload,
        recent,
    }))
}

fn parse(filter: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(format!("{QUIET},{filter}"))
}
