//! From all sources to one configuration, with its secrets at hand.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use figment::Figment;
use figment::providers::Serialized;
use watersmeet_conference::access::TokenKeys;

use super::environment::Environment;
use super::{Config, ConfigError, Flags, Secret, toml_file};

/// Bytes of a secret made at start.
const SECRET_LEN: usize = 32;

/// Permissions that nobody but its owner may have on a file with a secret.
const OTHERS: u32 = 0o077;

/// A configuration and what its reader should know about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Whether `jwt_secret` was made at start, so that no token outlives the program.
    pub secret_is_made: bool,
    /// What the operator should know, one sentence each.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// Reads every source of the process.
    ///
    /// # Errors
    /// When a source cannot be read, or what they say cannot be used.
    pub fn of_process(flags: &Flags) -> Result<Self, ConfigError> {
        Self::gather(flags, &Environment::of_process()?)
    }

    /// What can be read, and whether it can be used.
    pub fn examine(flags: &Flags) -> (Option<Config>, Result<Self, ConfigError>) {
        match Environment::of_process() {
            Ok(environment) => {
                let config = extract(flags, &environment).ok();
                (config, Self::gather(flags, &environment))
            }
            Err(error) => (None, Err(error)),
        }
    }

    pub(super) fn gather(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let config = extract(flags, environment)?;
        config.check()?;
        let mut loaded = Self {
            config,
            secret_is_made: false,
            warnings: environment.warnings(),
        };
        loaded.settle_secret()?;
        Ok(loaded)
    }

    /// Fetches the secret from its file, and in development makes one where there is none.
    fn settle_secret(&mut self) -> Result<(), ConfigError> {
        let config = &mut self.config;
        let mut key = "jwt_secret";
        if let Some(path) = &config.jwt_secret_file {
            config.jwt_secret = Some(read_secret(path)?);
            key = "jwt_secret_file";
        }
        match (config.keys(), config.dev) {
            (Ok(_), _) => return Ok(()),
            (Err(problem), true) => {
                if config.jwt_secret.is_some() {
                    self.warnings.push(format!(
                        "`{key}` {problem}: in development another one is made"
                    ));
                }
            }
            (Err(problem), false) => return Err(ConfigError::Secret { key, problem }),
        }
        config.jwt_secret = Some(made_secret()?);
        self.secret_is_made = true;
        Ok(())
    }
}

impl Config {
    /// The keys that tokens are signed and checked with.
    ///
    /// # Errors
    /// What is wrong with `jwt_secret`; `check` has looked at the previous one.
    pub fn keys(&self) -> Result<TokenKeys, String> {
        let current = self.jwt_secret.as_ref().map_or("", Secret::expose);
        let previous = self.jwt_secret_previous.as_ref().map(Secret::expose);
        TokenKeys::new(current.as_bytes(), previous.map(str::as_bytes))
            .map(|keys| {
                keys.with_issuer_and_audience(
                    self.jwt_issuer.as_deref(),
                    self.jwt_audience.as_deref(),
                )
            })
            .map_err(|weak| weak.weakness.to_string())
    }
}

/// What the sources say, whether or not it goes together.
pub(super) fn extract(flags: &Flags, environment: &Environment) -> Result<Config, ConfigError> {
    let mut sources = Figment::new();
    if let Some(file) = toml_file::read(flags.config.clone())? {
        sources = sources.merge(file);
    }
    let sources = sources
        .merge(environment)
        .merge(Serialized::defaults(flags));
    let mut config: Config = sources
        .extract()
        .map_err(|error| ConfigError::of_figment(&error))?;
    // The sample file has places for them, and an empty place is none.
    for secret in [
        &mut config.jwt_secret,
        &mut config.jwt_secret_previous,
        &mut config.api_key,
        &mut config.turn_secret,
    ] {
        *secret = secret.take().filter(|secret| !secret.expose().is_empty());
    }
    Ok(config)
}

fn read_secret(path: &Path) -> Result<Secret, ConfigError> {
    let failed = |error| ConfigError::File {
        path: path.to_owned(),
        error,
    };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.permissions().mode() & OTHERS != 0 {
        return Err(ConfigError::contradiction(format!(
            "`jwt_secret_file`: others may read {0}; take that away with `chmod 600 {0}`",
            path.display()
        )));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Ok(Secret::new(text.trim().to_owned()))
}

fn made_secret() -> Result<Secret, ConfigError> {
    let mut bytes = [0; SECRET_LEN];
    getrandom::fill(&mut bytes)
        .map_err(|error| ConfigError::contradiction(format!("no randomness: {error}")))?;
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    Ok(Secret::new(digits.collect()))
}
