//! Where keys are set: the variable that the operator wrote, the flag, or the file. Messages say it, so that
//! the operator finds the line to change.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::ConfigError;
use super::flags::Flags;
use super::toml_file;
use super::variables::Environment;

/// Flags whose name is not that of their key.
const FLAGS: [(&str, &str); 6] = [
    ("domains", "--domain"),
    ("announced_ips", "--announced-ip"),
    ("udp", "--no-udp"),
    ("tcp", "--no-tcp"),
    ("bandwidth_adaptation", "--no-bandwidth-adaptation"),
    ("redundant_audio", "--no-redundant-audio"),
];

/// Where keys are set.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Flags and variables, by key; keys of tables as `caps_rooms_max`.
    setters: BTreeMap<String, String>,
    /// The configuration file.
    file: Option<PathBuf>,
}

impl Sources {
    /// Finds the sources of all keys. A file that does not exist is reported by those who read it.
    pub fn new(flags: &Flags, environment: &Environment) -> Self {
        let mut setters: BTreeMap<_, _> = environment
            .setters()
            .map(|(key, name)| (key, environment.describe(name)))
            .collect();
        if let Ok(serde_json::Value::Object(set)) = serde_json::to_value(flags) {
            setters.extend(set.into_iter().map(|(key, _)| {
                let flag = flag_of(&key);
                (key, flag)
            }));
        }
        let file = toml_file::find(flags.config.as_deref()).ok().flatten();
        Self { setters, file }
    }

    /// Returns the flag or variable that sets a key; `None` for the file and for defaults.
    fn setter(&self, key: &str) -> Option<&str> {
        let setter = self.setters.get(&key.replace('.', "_"));
        setter.map(String::as_str)
    }

    /// Returns how the operator sets a key of the top level: by the flag or variable that sets it now,
    /// else in the file if that has it, else by the flag of this name.
    pub fn setting(&self, key: &str, flag: &str) -> String {
        let in_file = self.file.as_ref().filter(|file| toml_file::sets(file, key));
        match (self.setter(key), in_file) {
            (Some(setter), _) => setter.to_owned(),
            (None, Some(file)) => format!("`{key}` in {}", file.display()),
            (None, None) => flag.to_owned(),
        }
    }

    /// Returns how the operator sets the first of two keys that is set, else the flag of this name.
    pub fn setting_of_first(&self, keys: [&str; 2], flag: &str) -> String {
        let set = keys.iter().find(|key| !self.setting(key, "").is_empty());
        self.setting(set.unwrap_or(&""), flag)
    }

    /// Adds to a text, at its end, where the keys in backticks are set. File and defaults are not named.
    pub fn annotate(&self, text: String) -> String {
        annotate(text, |key| self.setter(key).map(str::to_owned))
    }

    /// Returns the error with the source of each key that it names, at its end.
    pub fn name_in(&self, error: ConfigError) -> ConfigError {
        match error {
            ConfigError::Contradiction(text) => ConfigError::Contradiction(self.annotate(text)),
            ConfigError::Announced(text) => ConfigError::Announced(self.annotate(text)),
            ConfigError::Secret { key, problem, .. } => ConfigError::Secret {
                key,
                sources: self
                    .annotate(format!("`{key}`"))
                    .replacen(&format!("`{key}`"), "", 1),
                problem,
            },
            other => other,
        }
    }
}

/// Returns the flag of a key.
fn flag_of(key: &str) -> String {
    let named = FLAGS.iter().find(|(other, _)| *other == key);
    let plain = || format!("--{}", key.replace('_', "-"));
    named.map_or_else(plain, |(_, flag)| (*flag).to_owned())
}

/// Adds the sources of the keys in backticks to the end of a text.
fn annotate(mut text: String, source: impl Fn(&str) -> Option<String>) -> String {
    let mut sources: Vec<String> = Vec::new();
    for quoted in text.split('`').skip(1).step_by(2) {
        let set_by = source(quoted).map(|source| format!("`{quoted}` is set by {source}"));
        if let Some(set_by) = set_by.filter(|set_by| !sources.contains(set_by)) {
            sources.push(set_by);
        }
    }
    if !sources.is_empty() {
        text.push_str(" (");
        text.push_str(&sources.join(", "));
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_keys_stand_at_the_end_once() {
        let source = |key: &str| (key != "a b").then(|| key.to_uppercase());
        let text = "`port` and `a b`: `port` is above `shards`".to_owned();
        assert_eq!(
            annotate(text.clone(), source),
            format!("{text} (`port` is set by PORT, `shards` is set by SHARDS)")
        );
        assert_eq!(annotate(text.clone(), |_| None), text);
    }
    #[test]
    fn setting_is_named_as_the_operator_wrote_it() {
        use clap::Parser as _;
        let path = std::env::temp_dir().join(format!("watersmeet-set-{}.toml", std::process::id()));
        std::fs::write(&path, "port = 1\nrtc_port = 2\nshards = 3\n").unwrap();
        let file = path.to_str().unwrap();
        let flags = [
            "watersmeet",
            "--config",
            file,
            "--shards",
            "4",
            "--announced-ip",
            "a",
        ];
        let flags = Flags::try_parse_from(flags).unwrap();
        let variables = [("MEDIASOUP_MIN_PORT", "5"), ("NUM_WORKERS", "6")];
        let sources = Sources::new(&flags, &Environment::from_pairs(&variables));
        for (key, expected) in [
            ("port", format!("`port` in {file}")),
            ("rtc_port", "MEDIASOUP_MIN_PORT".to_owned()),
            ("shards", "--shards".to_owned()),
            ("announced_ips", "--announced-ip".to_owned()),
            ("listen_ip", "--listen-ip".to_owned()),
        ] {
            assert_eq!(sources.setting(key, "--listen-ip"), expected);
        }
        let first = sources.setting_of_first(["listen_ip", "rtc_port"], "--x");
        assert_eq!(first, "MEDIASOUP_MIN_PORT");
        assert_eq!(
            sources.setting_of_first(["listen_ip", "site"], "--x"),
            "--x"
        );
        std::fs::remove_file(&path).unwrap();
    }
}
