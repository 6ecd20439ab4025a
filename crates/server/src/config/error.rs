//! Errors of the configuration. Messages name the key, where it is set, and the fix; they never
//! contain a secret.

use std::path::PathBuf;

use figment::error::Kind;
use thiserror::Error;
use watersmeet_conference::access::WeakSecret;

use super::variable_names::{SOURCE_NAME, variable_name};
use crate::state_directory::StateError;

/// Similarity above which a name counts as misspelt (Jaro-Winkler, 0 to 1).
const SIMILARITY_MIN: f64 = 0.75;

/// Keys whose values are not printed, in any table.
const SECRET_KEYS: [&str; 6] = [
    "jwt_secret",
    "jwt_secret_previous",
    "api_key",
    "turn_secret",
    "credential",
    "secret",
];

/// Why the configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A value has the wrong type, or a key is unknown.
    #[error("{0}")]
    Invalid(String),
    /// The file is not valid TOML.
    #[error("{}: line {line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line of the error.
        line: usize,
        /// Message of the parser.
        reason: String,
    },
    /// The file named by `--config` does not exist.
    #[error("there is no configuration file {}", .0.display())]
    NoFile(PathBuf),
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        error: std::io::Error,
    },
    /// `.env` is malformed.
    #[error(".env: line {line} is not NAME=value")]
    DotEnv {
        /// First malformed line.
        line: usize,
    },
    /// A secret is missing or weak.
    #[error("`{key}` {problem}. {}{sources}", Self::secret_fix(key))]
    Secret {
        /// Key of the secret.
        key: &'static str,
        /// Variable or flag that sets it, in parentheses after a blank; empty for none.
        sources: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// No browser could reach an announced address.
    #[error("{0}")]
    Announced(String),
    /// Values contradict each other or are out of range.
    #[error("{0}")]
    Contradiction(String),
}

impl ConfigError {
    /// Returns how to fix a missing or weak secret.
    pub fn secret_fix(key: &str) -> String {
        match key {
            "jwt_secret" | "jwt_secret_file" => {
                "Make one with `openssl rand -hex 32` and set JWT_SECRET, `jwt_secret` or \
                 `jwt_secret_file`; or start with --dev for development on this machine"
                    .to_owned()
            }
            _ => format!("Make one with `openssl rand -hex 32` and set `{key}`, or remove it"),
        }
    }

    /// Returns an error for values that contradict each other or are out of range.
    pub fn contradiction(text: impl Into<String>) -> Self {
        Self::Contradiction(text.into())
    }

    /// Returns an error for a weak secret.
    pub fn weak(key: &'static str, weak: WeakSecret) -> Self {
        Self::Secret {
            key,
            sources: String::new(),
            problem: weak.weakness.to_string(),
        }
    }

    /// Converts an error of figment, without printing the value of a secret. `variable_of` returns the
    /// variable that sets a key.
    pub(super) fn from_figment(
        error: &figment::Error,
        variable_of: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let origin = origin(error, variable_of);
        let path = error.path.join(".");
        let text = match &error.kind {
            Kind::UnknownField(name, known) => {
                let suggestion = suggestion(name, known.iter().copied());
                format!("{origin}: there is no key `{path}`{suggestion}")
            }
            Kind::UnknownVariant(value, known) => {
                let suggestion = suggestion(value, known.iter().copied());
                let known = known.join("`, `");
                format!("{origin}: `{path}` cannot be `{value}`{suggestion}; it can be `{known}`")
            }
            _ if error.path.last().is_some_and(|key| is_secret(key)) => {
                format!("{origin}: `{path}` must be text, in quotes in a file")
            }
            kind => format!("{origin}: `{path}`: {kind}"),
        };
        Self::Invalid(text)
    }
}

/// Whether the value of a key is secret.
pub(super) fn is_secret(key: &str) -> bool {
    SECRET_KEYS.contains(&key)
}

/// Returns where a value was set: file, variable or flag.
fn origin(error: &figment::Error, variable_of: impl Fn(&str) -> Option<String>) -> String {
    let Some(metadata) = &error.metadata else {
        return "configuration".to_owned();
    };
    match &metadata.source {
        Some(source) => source.to_string(),
        None if metadata.name == SOURCE_NAME => variable_of(&error.path.join("_"))
            .or_else(|| variable_of(error.path.first()?))
            .unwrap_or_else(|| variable_name(&error.path)),
        None => metadata.name.to_string(),
    }
}

/// Returns `; did you mean …?` when a known name is similar to the one written.
pub(super) fn suggestion<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> String {
    let written = written.to_ascii_lowercase();
    known
        .map(|known| (strsim::jaro_winkler(&written, known), known))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map_or_else(String::new, |(_, known)| {
            format!("; did you mean `{known}`?")
        })
}
