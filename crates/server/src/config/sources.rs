//! Adds to an error where its keys are set: the variable that the operator wrote, or the flag. File and
//! defaults are not named.

use super::error::ConfigError;
use super::flags::Flags;
use super::variables::Environment;

/// Flags whose name is not that of their key.
const FLAGS: [(&str, &str); 5] = [
    ("announced_ips", "--announced-ip"),
    ("udp", "--no-udp"),
    ("tcp", "--no-tcp"),
    ("bandwidth_adaptation", "--no-bandwidth-adaptation"),
    ("redundant_audio", "--no-redundant-audio"),
];

/// Returns the error with the source of each key that it names, at its end.
pub fn name_sources(error: ConfigError, flags: &Flags, environment: &Environment) -> ConfigError {
    let source = |key: &str| source_of(key, flags, environment);
    match error {
        ConfigError::Contradiction(text) => ConfigError::Contradiction(annotate(text, source)),
        ConfigError::Announced(text) => ConfigError::Announced(annotate(text, source)),
        ConfigError::Secret { key, problem, .. } => ConfigError::Secret {
            key,
            sources: annotate(format!("`{key}`"), source).replacen(&format!("`{key}`"), "", 1),
            problem,
        },
        other => other,
    }
}

/// Returns the flag or variable that sets a key; `None` for the file and for defaults.
fn source_of(key: &str, flags: &Flags, environment: &Environment) -> Option<String> {
    let set = serde_json::to_value(flags).ok()?;
    if set.get(key).is_some() {
        let named = FLAGS.iter().find(|(flag, _)| *flag == key);
        let plain = || format!("--{}", key.replace('_', "-"));
        return Some(named.map_or_else(plain, |(_, flag)| (*flag).to_owned()));
    }
    let variable = environment.variable_of(&key.replace('.', "_"));
    variable.map(str::to_owned)
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
}
