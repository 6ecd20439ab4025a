//! Merges all sources into one configuration and loads its secrets.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use figment::Figment;
use figment::providers::Serialized;
use watersmeet_conference::access::TokenKeys;

use super::dot_env::BYTE_ORDER_MARK;
use super::error::ConfigError;
use super::flags::Flags;
use super::secret::Secret;
use super::settings::Config;
use super::sources::Sources;
use super::toml_file;
use super::variables::Environment;
use super::webhook;
use crate::state_directory::StateError;

/// File of the state directory with the generated secret.
const SECRET_FILE: &str = "jwt-secret";

/// Bytes of a generated secret.
const SECRET_LEN: usize = 32;

/// Permission bits that a file with a secret must not have: those of group and others.
const GROUP_AND_OTHERS: u32 = 0o077;

/// A configuration that was loaded, with warnings.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Whether `jwt_secret` was generated at start, so that tokens expire with the program.
    pub secret_is_generated: bool,
    /// Whether `jwt_secret` was generated and is to be stored in the state directory.
    pub secret_is_new: bool,
    /// Whether `api_key` was generated at start, for the operators' page.
    pub api_key_is_generated: bool,
    /// Warnings for the operator, one sentence each.
    pub warnings: Vec<String>,
    /// Notes for the operator that need no action, one sentence each.
    pub notes: Vec<String>,
    /// Where keys are set.
    pub sources: Sources,
}

impl Loaded {
    /// Loads the configuration from all sources of the process.
    ///
    /// # Errors
    /// A source cannot be read, or the configuration cannot be used.
    pub fn from_process(flags: &Flags) -> Result<Self, ConfigError> {
        Self::load(flags, &Environment::from_process()?)
    }

    /// Returns the configuration if it can be parsed, where its keys are set, and the outcome of loading
    /// it. For `doctor`, which also checks configurations that cannot be used.
    pub fn parse_and_load(flags: &Flags) -> (Option<(Config, Sources)>, Result<Self, ConfigError>) {
        match Environment::from_process() {
            Ok(environment) => {
                let config = extract(flags, &environment).ok();
                let parsed = config.map(|config| (config, Sources::new(flags, &environment)));
                (parsed, Self::load(flags, &environment))
            }
            Err(error) => (None, Err(error)),
        }
    }

    /// Loads the configuration from a file, an environment and flags.
    ///
    /// # Errors
    /// A source cannot be read, or the configuration cannot be used.
    pub(super) fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let sources = Sources::new(flags, environment);
        Self::load_checked(flags, environment, &sources).map_err(|error| sources.name_in(error))
    }

    fn load_checked(
        flags: &Flags,
        environment: &Environment,
        sources: &Sources,
    ) -> Result<Self, ConfigError> {
        let config = extract(flags, environment)?;
        config.check()?;
        config.check_announced()?;
        let mut loaded = Self {
            config,
            secret_is_generated: false,
            secret_is_new: false,
            api_key_is_generated: false,
            warnings: environment.warnings(),
            notes: environment.ignored_note().into_iter().collect(),
            sources: sources.clone(),
        };
        loaded.load_secret()?;
        loaded.config.load_webhook_secrets()?;
        let config = &mut loaded.config;
        if config.has_operators_page() {
            loaded.warnings.extend(config.operators_warning());
            if config.api_key.is_none() {
                config.api_key = Some(generate_secret()?);
                loaded.api_key_is_generated = true;
            }
        }
        if config.has_turn_server() && config.turn_secret.is_none() {
            config.turn_secret = Some(generate_secret()?);
        }
        Ok(loaded)
    }

    /// Stores a secret that was generated for all starts.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub fn store_new_secret(&self) -> Result<(), StateError> {
        match self
            .config
            .jwt_secret
            .as_ref()
            .filter(|_| self.secret_is_new)
        {
            Some(secret) => self
                .config
                .state_directory()
                .write(SECRET_FILE, secret.expose()),
            None => Ok(()),
        }
    }

    /// Reads the secret from its file, or with `domains` from the state directory, where a missing one is
    /// generated. In development mode a missing or weak one is generated for this start.
    fn load_secret(&mut self) -> Result<(), ConfigError> {
        let config = &mut self.config;
        let mut key = "jwt_secret";
        if let Some(path) = &config.jwt_secret_file {
            config.jwt_secret = Some(read_secret(path, "jwt_secret_file")?);
            key = "jwt_secret_file";
        } else if config.jwt_secret.is_none() && !config.domains.is_empty() {
            match config.state_directory().read(SECRET_FILE)? {
                Some(text) => config.jwt_secret = Some(Secret::new(text.trim().to_owned())),
                None => {
                    config.jwt_secret = Some(generate_secret()?);
                    self.secret_is_new = true;
                }
            }
        }
        match (config.keys(), config.dev) {
            (Ok(_), _) => return Ok(()),
            (Err(problem), true) => {
                if config.jwt_secret.is_some() {
                    self.warnings.push(format!(
                        "`{key}` {problem}: development mode uses a generated secret instead"
                    ));
                }
            }
            (Err(problem), false) => {
                return Err(ConfigError::Secret {
                    key,
                    sources: String::new(),
                    problem,
                });
            }
        }
        config.jwt_secret = Some(generate_secret()?);
        self.secret_is_generated = true;
        Ok(())
    }
}

impl Config {
    /// Returns the keys that sign and verify tokens.
    ///
    /// # Errors
    /// What is wrong with `jwt_secret`. The previous secret was checked by `check`.
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

impl Config {
    /// Reads the secrets of webhooks from their files.
    fn load_webhook_secrets(&mut self) -> Result<(), ConfigError> {
        for (index, webhook) in self.webhooks.iter_mut().enumerate() {
            let Some(path) = &webhook.secret_file else {
                continue;
            };
            let key = "secret_file";
            let secret = read_secret(path, key)
                .map_err(|error| webhook::in_webhook(index, &error.to_string()))?;
            webhook::check_secret(key, &secret)
                .map_err(|text| webhook::in_webhook(index, &text))?;
            webhook.secret = Some(secret);
        }
        Ok(())
    }
}

/// Parses all sources, without checking whether values fit together.
///
/// # Errors
/// A source cannot be read or parsed.
pub(super) fn extract(flags: &Flags, environment: &Environment) -> Result<Config, ConfigError> {
    let mut sources = Figment::new();
    let file = toml_file::find(flags.config.as_deref())?;
    if let Some(file) = &file {
        sources = sources.merge(toml_file::read(file)?);
    }
    let sources = sources
        .merge(environment)
        .merge(Serialized::defaults(flags));
    let variable_of = |key: &str| {
        let name = environment.variable_of(key)?;
        Some(environment.describe(name))
    };
    let mut config: Config = sources
        .extract()
        .map_err(|error| ConfigError::from_figment(&error, variable_of))?;
    config.file = file;
    // The sample file has empty strings for them, which count as missing.
    for secret in [
        &mut config.jwt_secret,
        &mut config.jwt_secret_previous,
        &mut config.api_key,
        &mut config.turn_secret,
    ] {
        *secret = secret.take().filter(|secret| !secret.expose().is_empty());
    }
    for webhook in &mut config.webhooks {
        let secret = webhook.secret.take();
        webhook.secret = secret.filter(|secret| !secret.expose().is_empty());
    }
    Ok(config)
}

/// Reads the secret in the file that this key names.
fn read_secret(path: &Path, key: &str) -> Result<Secret, ConfigError> {
    let shown = path.display();
    let refused =
        |problem: String| ConfigError::contradiction(format!("`{key}`: {shown} {problem}"));
    let make = format!("make one with `(umask 077; openssl rand -hex 32 > {shown})`");
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => refused(format!("does not exist: {make}")),
        io::ErrorKind::InvalidData => refused(format!("is no text: {make}")),
        _ => refused(format!("cannot be read by this user: {error}")),
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(refused(
            "is no file: name the file that has the secret".to_owned(),
        ));
    }
    if metadata.permissions().mode() & GROUP_AND_OTHERS != 0 {
        return Err(refused(format!(
            "can be read by its group or others; fix it with `chmod 600 {shown}`"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(Secret::new(
        text.trim_start_matches(BYTE_ORDER_MARK).trim().to_owned(),
    ))
}

fn generate_secret() -> Result<Secret, ConfigError> {
    let mut bytes = [0; SECRET_LEN];
    getrandom::fill(&mut bytes)
        .map_err(|error| ConfigError::contradiction(format!("no randomness: {error}")))?;
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    Ok(Secret::new(digits.collect()))
}
