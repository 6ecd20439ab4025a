//! Why a configuration cannot be used, in words that name the key, the place and the fix. They
//! must never repeat a secret.

use std::path::PathBuf;

use figment::error::Kind;
use thiserror::Error;
use watersmeet_conference::access::WeakSecret;

use super::environment;

/// How alike two names must be for one to be a slip of the other (Jaro-Winkler, 0 to 1).
const LIKENESS_MIN: f64 = 0.75;

/// Keys whose values are not repeated, wherever they stand.
const SECRETS: [&str; 5] = [
    "jwt_secret",
    "jwt_secret_previous",
    "api_key",
    "turn_secret",
    "credential",
];

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A value in a file, the environment or a flag cannot be read, or a key is unknown.
    #[error("{0}")]
    Unreadable(String),
    /// The file is not TOML.
    #[error("{}: line {line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where it stops making sense.
        line: usize,
        /// Why.
        reason: String,
    },
    /// The file named by `--config` is not there.
    #[error("there is no configuration file {}", .0.display())]
    NoFile(PathBuf),
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// `.env` cannot be read.
    #[error(".env: line {line} is not NAME=value")]
    DotEnv {
        /// The first line that cannot be read.
        line: usize,
    },
    /// Nobody could trust a token of this server.
    #[error("`{key}` {problem}. {}", Self::SECRET_FIX)]
    Secret {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Values that do not go together.
    #[error("{0}")]
    Contradiction(String),
}

impl ConfigError {
    /// What to do about a secret.
    pub const SECRET_FIX: &str = "Make one with `openssl rand -hex 32` and set JWT_SECRET, `jwt_secret` or \
         `jwt_secret_file`; or start with --dev to try things out on this machine";

    /// Values that do not go together.
    pub fn contradiction(text: impl Into<String>) -> Self {
        Self::Contradiction(text.into())
    }

    /// A secret that will not do.
    pub fn weak(key: &'static str, weak: WeakSecret) -> Self {
        Self::Secret {
            key,
            problem: weak.weakness.to_string(),
        }
    }

    /// What figment found, without the value of a secret.
    pub(super) fn of_figment(error: &figment::Error) -> Self {
        let place = place(error);
        let path = error.path.join(".");
        let text = match &error.kind {
            Kind::UnknownField(name, known) => {
                let suggestion = suggestion(name, known.iter().copied());
                format!("{place}: there is no key `{path}`{suggestion}")
            }
            Kind::UnknownVariant(value, known) => {
                let suggestion = suggestion(value, known.iter().copied());
                let known = known.join("`, `");
                format!("{place}: `{path}` cannot be `{value}`{suggestion}; it can be `{known}`")
            }
            _ if error.path.last().is_some_and(|key| is_secret(key)) => {
                format!("{place}: `{path}` must be text, in quotes in a file")
            }
            kind => format!("{place}: `{path}`: {kind}"),
        };
        Self::Unreadable(text)
    }
}

/// Whether a key's value is to be kept to oneself.
pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

/// Where a value stands, as its writer would say.
fn place(error: &figment::Error) -> String {
    let Some(metadata) = &error.metadata else {
        return "configuration".to_owned();
    };
    match &metadata.source {
        Some(source) => source.to_string(),
        None if metadata.name == environment::NAME => environment::variable(&error.path),
        None => metadata.name.to_string(),
    }
}

/// `; did you mean …?` when one of the known names is like the one that was written.
pub(super) fn suggestion<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> String {
    let written = written.to_ascii_lowercase();
    known
        .map(|known| (strsim::jaro_winkler(&written, known), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map_or_else(String::new, |(_, known)| {
            format!("; did you mean `{known}`?")
        })
}
