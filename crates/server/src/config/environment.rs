//! The environment, and `.env` below it. Every key can be set as `WATERSMEET_<KEY>`, those of the
//! tables as `WATERSMEET_CAPS_<KEY>` and `WATERSMEET_LIMITS_<KEY>`; many also under the names that
//! mediasoup servers use. A value of another program's variable is never read, and a `WATERSMEET_`
//! variable that names no key is refused.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::aliases::ALIASES;
use super::{ConfigError, log_filter};

/// What this source is called.
pub const NAME: &str = "the environment";

/// What every variable of our own begins with.
const PREFIX: &str = "WATERSMEET_";

/// Tables whose keys are named after them.
const TABLES: [&str; 2] = ["caps", "limits"];

/// How a key's value is written in a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// As it is.
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Switch,
    /// Entries parted by commas.
    List,
    /// JSON: entries that have parts, or a list by commas where there are none.
    Json,
}

/// Variables, whoever set them.
#[derive(Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's variables, above those of a `.env` in the working directory.
    pub fn of_process() -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        match std::fs::read_to_string(".env") {
            Ok(text) => variables.extend(parse(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let path = ".env".into();
                return Err(ConfigError::File { path, error });
            }
        }
        let process = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        variables.extend(process);
        Ok(Self(variables))
    }

    /// A made-up environment.
    #[cfg(test)]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        Self(
            variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// The environment that a `.env` describes.
    #[cfg(test)]
    pub fn of_text(text: &str) -> Result<Self, ConfigError> {
        Ok(Self(parse(text)?.into_iter().collect()))
    }

    /// A variable that says something.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Every variable that means a key, with the key; for each key the one that holds comes last.
    fn named(&self) -> impl Iterator<Item = (&str, String, &str)> {
        let aliases = ALIASES
            .iter()
            .filter_map(|&(name, key)| Some((name, key.to_owned(), self.get(name)?)));
        let own = self.0.keys().filter_map(|name| {
            let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
            Some((name.as_str(), key, self.get(name)?))
        });
        aliases.chain(own)
    }

    /// What to tell the operator: names of one key that disagree. Values are not repeated, since
    /// some are secret.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut holding: BTreeMap<String, (&str, &str)> = BTreeMap::new();
        for (name, key, value) in self.named() {
            let Some((other, theirs)) = holding.insert(key.clone(), (name, value)) else {
                continue;
            };
            if theirs != value {
                warnings.push(format!(
                    "{other} and {name} disagree about `{key}`: {name} holds"
                ));
            }
        }
        warnings.extend(log_filter::warnings(self));
        warnings
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(NAME)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut keys = Dict::new();
        if let Some(filter) = log_filter::of(self) {
            keys.insert("log".to_owned(), filter.into());
        }
        for (_, key, text) in self.named() {
            let table = TABLES.iter().find_map(|table| {
                let rest = key.strip_prefix(table)?.strip_prefix('_')?;
                Some((*table, rest))
            });
            let Some((table, inner)) = table else {
                let value = value(shape(&key), text);
                keys.insert(key, value);
                continue;
            };
            let shape = match inner {
                "loopback" => Shape::Switch,
                _ => Shape::Number,
            };
            let entry = keys
                .entry(table.to_owned())
                .or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, entries) = entry {
                entries.insert(inner.to_owned(), value(shape, text));
            }
        }
        Ok(Profile::Default.collect(keys))
    }
}

/// The variables of a `.env`.
fn parse(text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let broken = |known: usize| {
        // The library names no line; a prefix that can be read ends before the broken one.
        let lines: Vec<&str> = text.lines().collect();
        let good = |count: usize| {
            let part = lines.get(..count).unwrap_or_default().join("\n");
            dotenvy::from_read_iter(part.as_bytes()).all(|line| line.is_ok())
        };
        let line = (1..=lines.len()).find(|&count| !good(count));
        ConfigError::DotEnv {
            line: line.unwrap_or(known),
        }
    };
    let mut variables = Vec::new();
    for line in dotenvy::from_read_iter(text.as_bytes()) {
        variables.push(line.map_err(|_| broken(variables.len()))?);
    }
    Ok(variables)
}

/// What the variable of a key is called.
pub fn variable(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("_").to_ascii_uppercase())
}

fn shape(key: &str) -> Shape {
    match key {
        "port"
        | "rtc_port"
        | "rtc_port_max"
        | "shards"
        | "egress_padding"
        | "busy_poll_us"
        | "media_receive_buffer"
        | "media_send_buffer"
        | "spread_above_percent"
        | "turn_ttl_s"
        | "initial_outgoing_bitrate"
        | "max_incoming_bitrate" => Shape::Number,
        "dev" | "udp" | "tcp" | "pin_cores" | "tls_self_signed" | "token_required" => Shape::Switch,
        "announced_ips" | "cors_origins" | "trusted_proxies" | "turn_urls" => Shape::List,
        "codecs" | "ice_servers" | "listeners" => Shape::Json,
        _ => Shape::Text,
    }
}

fn value(shape: Shape, text: &str) -> Value {
    match shape {
        Shape::Text => text.into(),
        Shape::Number => text
            .parse::<u64>()
            .map_or_else(|_| text.into(), Value::from),
        Shape::Switch => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true.into(),
            "0" | "false" | "no" | "off" => false.into(),
            _ => text.into(),
        },
        Shape::List => list(text),
        Shape::Json if text.starts_with('[') => serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .and_then(|json| Value::serialize(json).ok())
            .unwrap_or_else(|| text.into()),
        Shape::Json => list(text),
    }
}

fn list(text: &str) -> Value {
    let entries = text.split(',').map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty());
    entries.collect::<Vec<_>>().into()
}
