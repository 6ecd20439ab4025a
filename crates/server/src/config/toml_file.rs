//! Reads the configuration file. It is parsed before figment sees it, so that syntax errors name the
//! line without printing it, since it may contain a secret.

use std::io;
use std::path::{Path, PathBuf};

use figment::providers::{Data, Format, Toml};

use super::error::ConfigError;

/// File that is read, if it exists, when no other is named.
const DEFAULT_FILE: &str = "watersmeet.toml";

/// Returns the path of the named file, or of the default one if it exists.
///
/// # Errors
/// The named file does not exist.
pub fn find(named: Option<&Path>) -> Result<Option<PathBuf>, ConfigError> {
    let default = Path::new(DEFAULT_FILE);
    match named {
        Some(path) if path.is_dir() => Err(ConfigError::Invalid(format!(
            "{} is a folder: `--config` names a file",
            path.display()
        ))),
        Some(path) if !path.is_file() => Err(ConfigError::NoFile(path.to_owned())),
        Some(path) => Ok(Some(path.to_owned())),
        None => Ok(default.is_file().then(|| default.to_owned())),
    }
}

/// Reads a configuration file.
///
/// # Errors
/// The file cannot be read or parsed.
pub fn read(path: &Path) -> Result<Data<Toml>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => ConfigError::Invalid(format!(
            "{} is no text in UTF-8: save it again as such",
            path.display()
        )),
        _ => ConfigError::File {
            path: path.to_owned(),
            error,
        },
    })?;
    if let Err(error) = toml::from_str::<toml::Table>(&text) {
        let before = error.span().and_then(|span| text.get(..span.start));
        return Err(ConfigError::Syntax {
            path: path.to_owned(),
            line: 1 + before.map_or(0, |before| before.matches('\n').count()),
            reason: error.message().replace('\n', ", "),
        });
    }
    Ok(Toml::file_exact(path))
}

/// Returns whether a file that can be parsed sets a key of the top level.
pub fn sets(path: &Path, key: &str) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.contains_key(key))
}
