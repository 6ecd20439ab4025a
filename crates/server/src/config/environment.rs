//! Values from the environment. Every key can be set as `WATERSMEET_<KEY>`, keys of tables as
//! `WATERSMEET_CAPS_<KEY>` and `WATERSMEET_LIMITS_<KEY>`; many also by the variables of mediasoup
//! servers. Variables of other programs are ignored; a `WATERSMEET_` variable that names no key is
//! refused.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::aliases::ALIASES;
use super::log_filter;
use super::variable_names::{PREFIX, SOURCE_NAME};
use super::variables::Environment;

/// Tables whose keys can be set by variables.
const TABLES: [&str; 2] = ["caps", "limits"];

/// Type of a key's value in a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueType {
    /// Plain text.
    Text,
    /// An integer.
    Number,
    /// A boolean: `1`, `true`, `yes`, `on`, or their opposites.
    Switch,
    /// A list separated by commas.
    List,
    /// A JSON array of tables, or a list separated by commas.
    Json,
}

impl Environment {
    /// Returns the variables that set a key, as variable, key and value; later ones take precedence.
    fn named(&self) -> impl Iterator<Item = (&str, String, &str)> {
        let aliases = ALIASES
            .iter()
            .filter_map(|&(name, key)| Some((name, key.to_owned(), self.get(name)?)));
        let own = self.names().filter_map(|name| {
            let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
            Some((name, key, self.get(name)?))
        });
        aliases.chain(own)
    }

    /// Returns the variable that sets a key, `caps_rooms_max` for one of a table.
    pub fn variable_of(&self, key: &str) -> Option<&str> {
        let mut variables = self.named().filter(|(_, named, _)| named == key);
        let last = variables.by_ref().last();
        last.map(|(name, _, _)| name)
            .or_else(|| log_filter::variable(self).filter(|_| key == "log"))
    }

    /// Returns all keys that are set, each with the variable that sets it.
    pub fn setters(&self) -> impl Iterator<Item = (String, &str)> {
        let log = log_filter::variable(self).map(|name| ("log".to_owned(), name));
        let named = self.named().map(|(name, key, _)| (key, name));
        log.into_iter().chain(named)
    }

    /// Returns warnings about variables that set the same key to different values. Values are not
    /// printed, since some are secret.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut effective: BTreeMap<String, (&str, &str)> = BTreeMap::new();
        for (name, key, value) in self.named() {
            let Some((other, other_value)) = effective.insert(key.clone(), (name, value)) else {
                continue;
            };
            if other_value != value {
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
        Metadata::named(SOURCE_NAME)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut keys = Dict::new();
        if let Some(filter) = log_filter::from_environment(self) {
            keys.insert("log".to_owned(), filter.into());
        }
        for (_, key, text) in self.named() {
            let table = TABLES.iter().find_map(|table| {
                let rest = key.strip_prefix(table)?.strip_prefix('_')?;
                Some((*table, rest))
            });
            let Some((table, inner)) = table else {
                let value = value(value_type(&key), text);
                keys.insert(key, value);
                continue;
            };
            let value_type = match inner {
                "loopback" => ValueType::Switch,
                _ => ValueType::Number,
            };
            let entry = keys
                .entry(table.to_owned())
                .or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, entries) = entry {
                entries.insert(inner.to_owned(), value(value_type, text));
            }
        }
        Ok(Profile::Default.collect(keys))
    }
}

fn value_type(key: &str) -> ValueType {
    match key {
        "port"
        | "operators_port"
        | "redirect_port"
        | "rtc_port"
        | "rtc_port_max"
        | "shards"
        | "egress_padding"
        | "busy_poll_us"
        | "media_receive_buffer"
        | "media_send_buffer"
        | "spread_above_percent"
        | "turn_allocations_max"
        | "turn_port"
        | "turn_tls_port"
        | "turn_ttl_s"
        | "shutdown_notice_s"
        | "history_days"
        | "history_size_max_mb"
        | "history_interval_s"
        | "initial_outgoing_bitrate"
        | "max_incoming_bitrate"
        | "last_n_video"
        | "top_n_audio" => ValueType::Number,
        "dev"
        | "history"
        | "history_names"
        | "one_port"
        | "udp"
        | "tcp"
        | "pin_cores"
        | "tls_self_signed"
        | "token_required"
        | "redundant_audio"
        | "bandwidth_adaptation" => ValueType::Switch,
        "announced_ips" | "cors_origins" | "domains" | "embed_origins" | "host_names"
        | "trusted_proxies" | "turn_urls" => ValueType::List,
        "codecs" | "ice_servers" | "listeners" | "webhooks" => ValueType::Json,
        _ => ValueType::Text,
    }
}

fn value(value_type: ValueType, text: &str) -> Value {
    match value_type {
        ValueType::Text => text.into(),
        ValueType::Number => text
            .parse::<u64>()
            .map_or_else(|_| text.into(), Value::from),
        ValueType::Switch => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true.into(),
            "0" | "false" | "no" | "off" => false.into(),
            _ => text.into(),
        },
        ValueType::List => list(text),
        ValueType::Json if text.starts_with('[') => serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .and_then(|json| Value::serialize(json).ok())
            .unwrap_or_else(|| text.into()),
        ValueType::Json => list(text),
    }
}

fn list(text: &str) -> Value {
    let entries = text.split(',').map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty());
    entries.collect::<Vec<_>>().into()
}
