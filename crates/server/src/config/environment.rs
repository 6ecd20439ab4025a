//! The environment, and `.env` below it. Every key can be set as `WATERSMEET_<KEY>`; some also
//! under the names that mediasoup servers use. A value of another program's variable is never
//! read, and a `WATERSMEET_` variable that names no key is refused with the rest.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::ConfigError;

/// What every variable of our own begins with.
const PREFIX: &str = "WATERSMEET_";

/// Names from mediasoup servers and from habit, and the keys they mean. A later one outranks an
/// earlier one, and a name of our own outranks them all.
const ALIASES: [(&str, &str); 12] = [
    ("PORT", "port"),
    ("LISTEN_IP", "listen_ip"),
    ("MEDIASOUP_LISTEN_IP", "media_listen_ip"),
    ("PUBLIC_IP", "announced_ips"),
    ("ANNOUNCED_IP", "announced_ips"),
    ("MEDIASOUP_ANNOUNCED_IP", "announced_ips"),
    ("MEDIASOUP_MIN_PORT", "rtc_port"),
    ("MEDIASOUP_LISTEN_PORT", "rtc_port"),
    ("MEDIASOUP_MAX_PORT", "rtc_port_max"),
    ("LOG_LEVEL", "log"),
    ("RUST_LOG", "log"),
    ("LOG_FORMAT", "log_format"),
];

/// Keys whose values are whole numbers.
const NUMBERS: [&str; 5] = [
    "port",
    "rtc_port",
    "rtc_port_max",
    "shards",
    "initial_outgoing_bitrate",
];

/// Keys whose values are yes or no.
const SWITCHES: [&str; 3] = ["udp", "tcp", "tls_self_signed"];

/// Keys whose values are lists, parted by commas.
const LISTS: [&str; 1] = ["announced_ips"];

/// Variables, whoever set them.
#[derive(Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's variables, above those of a `.env` in the working directory.
    pub fn of_process() -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        match dotenvy::from_path_iter(".env") {
            Ok(lines) => {
                for line in lines {
                    let (name, value) = line.map_err(ConfigError::DotEnv)?;
                    variables.insert(name, value);
                }
            }
            Err(error) if error.not_found() => {}
            Err(error) => return Err(ConfigError::DotEnv(error)),
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

    fn keys(&self) -> impl Iterator<Item = (String, &str)> {
        let aliases = ALIASES.iter().filter_map(|&(name, key)| {
            self.0
                .get(name)
                .map(|value| (key.to_owned(), value.as_str()))
        });
        let own = self.0.iter().filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX)?;
            Some((key.to_ascii_lowercase(), value.as_str()))
        });
        aliases
            .chain(own)
            .filter(|(_, value)| !value.trim().is_empty())
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("the environment")
            .interpolater(|_, keys| keys.join(".").to_ascii_uppercase())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let keys = self.keys().map(|(key, text)| {
            let value = value(&key, text);
            (key, value)
        });
        Ok(Profile::Default.collect(keys.collect()))
    }
}

fn value(key: &str, text: &str) -> Value {
    let text = text.trim();
    if LISTS.contains(&key) {
        let entries = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        return entries.collect::<Vec<_>>().into();
    }
    if NUMBERS.contains(&key) {
        return text
            .parse::<u64>()
            .map_or_else(|_| text.into(), Value::from);
    }
    if SWITCHES.contains(&key) {
        return match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true.into(),
            "0" | "false" | "no" | "off" => false.into(),
            _ => text.into(),
        };
    }
    text.into()
}
