//! Reads the configuration file. It is parsed before figment sees it, so that syntax errors name the
//! line without printing it, since it may contain a secret.

use std::path::{Path, PathBuf};

use figment::providers::{Data, Format, Toml};

use super::error::ConfigError;

/// File that is read, if it exists, when no other is named.
const DEFAULT_FILE: &str = "watersmeet.toml";

/// Reads the named file, or the default one if it exists.
///
/// # Errors
/// The named file does not exist, or the file cannot be read or parsed.
pub fn read(named: Option<PathBuf>) -> Result<Option<Data<Toml>>, ConfigError> {
    let path = match named {
        Some(path) if !path.is_file() => return Err(ConfigError::NoFile(path)),
        Some(path) => path,
        None if Path::new(DEFAULT_FILE).is_file() => PathBuf::from(DEFAULT_FILE),
        None => return Ok(None),
    };
    let text = std::fs::read_to_string(&path).map_err(|error| ConfigError::File {
        path: path.clone(),
        error,
    })?;
    if let Err(error) = toml::from_str::<toml::Table>(&text) {
        let before = error.span().and_then(|span| text.get(..span.start));
        return Err(ConfigError::Syntax {
            path,
            line: 1 + before.map_or(0, |before| before.matches('\n').count()),
            reason: error.message().replace('\n', ", "),
        });
    }
    Ok(Some(Toml::file_exact(path)))
}
