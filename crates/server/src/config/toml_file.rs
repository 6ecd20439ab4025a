//! The configuration file. It is parsed here before anything else sees it, so that a slip in it is
//! named by its line and the line itself, which may hold a secret, is not repeated.

use std::path::{Path, PathBuf};

use figment::providers::{Data, Format, Toml};

use super::ConfigError;

/// The file that is read when no other is named and it exists.
const FILE: &str = "watersmeet.toml";

/// The values of the named file, or of the usual one if it is there.
pub fn read(named: Option<PathBuf>) -> Result<Option<Data<Toml>>, ConfigError> {
    let path = match named {
        Some(path) if !path.is_file() => return Err(ConfigError::NoFile(path)),
        Some(path) => path,
        None if Path::new(FILE).is_file() => PathBuf::from(FILE),
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
