//! Generates `watersmeet.toml.example` and `.env.example` from the descriptions of the keys, so that
//! they match the program. `UPDATE_SAMPLES=1` rewrites the files; without it a stale file fails the
//! test.

use std::fmt::Write as _;
use std::path::Path;

use super::aliases::ALIASES;
use super::flags::Flags;
use super::load::extract;
use super::settings::Config;
use super::variable_names::variable_name;
use super::variables::Environment;

const TOML_HEAD: &str = "\
# Settings of Watersmeet. Copy this file to `watersmeet.toml` next to the program, remove the # in
# front of the settings you change, and check them with `watersmeet doctor`.
# Environment variables override this file, and flags override both.
";

const ENV_HEAD: &str = "\
# Settings of Watersmeet as environment variables. Copy this file to `.env` in the directory where
# the program is started, or set them in its environment, which overrides `.env`. Every key of
# `watersmeet.toml` can also be set as WATERSMEET_<KEY>.
";

const LOG_NAMES: &str = "\
# RUST_LOG and WATERSMEET_LOG accept filters and override it. MEDIASOUP_LOG_LEVEL and
# WORKER_LOG_LEVEL set the level of the media engine only, and DEBUG=mediasoup:* enables everything.
";

/// A key as described in the source.
struct Key {
    /// Name of the key.
    name: &'static str,
    /// Lines of its description.
    description: Vec<&'static str>,
    /// Sample line for the file; `None` for a table.
    sample: Option<&'static str>,
}

/// Returns the public fields of a struct with their comments.
fn keys(source: &'static str, name: &str) -> Vec<Key> {
    let start = source.find(&format!("pub struct {name} {{")).unwrap();
    let mut keys = Vec::new();
    let mut description = Vec::new();
    for line in source[start..].lines().skip(1).map(str::trim) {
        if line == "}" {
            break;
        }
        if let Some(text) = line.strip_prefix("/// ") {
            description.push(text);
        } else if let Some(field) = line.strip_prefix("pub ") {
            let name = field.split(':').next().unwrap();
            let sample = description
                .last()
                .and_then(|line| line.strip_prefix('`')?.strip_suffix('`'))
                .filter(|line| line.starts_with(&format!("{name} = ")));
            description.truncate(description.len() - usize::from(sample.is_some()));
            keys.push(Key {
                name,
                description: std::mem::take(&mut description),
                sample,
            });
        }
    }
    assert!(!keys.is_empty(), "{name} has fields");
    keys
}

fn top() -> Vec<Key> {
    keys(include_str!("settings.rs"), "Config")
}

/// Returns the tables with their keys, and whether there can be several.
fn tables() -> [(&'static str, bool, Vec<Key>); 4] {
    let caps = include_str!("../../../conference/src/limits.rs");
    let limits = include_str!("limits.rs");
    [
        ("caps", false, keys(caps, "ConferenceLimits")),
        ("limits", false, keys(limits, "LimitsTable")),
        (
            "listeners",
            true,
            keys(include_str!("listener.rs"), "ListenerConfig"),
        ),
        (
            "webhooks",
            true,
            keys(include_str!("webhook.rs"), "WebhookConfig"),
        ),
    ]
}

fn describe(text: &mut String, key: &Key) {
    text.push('\n');
    for line in &key.description {
        writeln!(text, "# {line}").unwrap();
    }
}

fn toml_sample() -> String {
    let mut text = TOML_HEAD.to_owned();
    for key in top().iter().filter(|key| key.sample.is_some()) {
        describe(&mut text, key);
        writeln!(text, "#{}", key.sample.unwrap()).unwrap();
    }
    for (table, several, keys) in tables() {
        let described = top().into_iter().find(|key| key.name == table).unwrap();
        describe(&mut text, &described);
        match several {
            true => writeln!(text, "#[[{table}]]").unwrap(),
            false => writeln!(text, "[{table}]").unwrap(),
        }
        for key in keys {
            describe(&mut text, &key);
            writeln!(text, "#{}", key.sample.unwrap()).unwrap();
        }
    }
    text
}

fn env_sample() -> String {
    let mut text = ENV_HEAD.to_owned();
    for key in top().iter().filter(|key| key.sample.is_some()) {
        describe(&mut text, key);
        let mut names: Vec<_> = ALIASES
            .iter()
            .filter(|(_, meant)| *meant == key.name)
            .map(|(name, _)| (*name).to_owned())
            .collect();
        if key.name == "log" {
            text.push_str(LOG_NAMES);
            names = vec!["LOG_LEVEL".to_owned()];
        }
        let own = variable_name(&[key.name.to_owned()]);
        let name = names.pop().unwrap_or(own);
        if !names.is_empty() {
            writeln!(text, "# Other names: {}", names.join(", ")).unwrap();
        }
        writeln!(text, "#{name}={}", env_value(key)).unwrap();
    }
    for (table, _, keys) in tables().into_iter().filter(|(_, several, _)| !several) {
        let described = top().into_iter().find(|key| key.name == table).unwrap();
        describe(&mut text, &described);
        for key in keys {
            describe(&mut text, &key);
            let name = variable_name(&[table.to_owned(), key.name.to_owned()]);
            writeln!(text, "#{name}={}", env_value(&key)).unwrap();
        }
    }
    text
}

/// Returns the sample value of a key in the form of a variable.
fn env_value(key: &Key) -> String {
    let table: toml::Table = toml::from_str(key.sample.unwrap()).unwrap();
    let text = |value: &toml::Value| value.as_str().map(str::to_owned);
    let value = &table[key.name];
    let plain = match value {
        toml::Value::Array(entries) => entries.iter().map(text).collect::<Option<Vec<_>>>(),
        value => Some(vec![text(value).unwrap_or_else(|| value.to_string())]),
    };
    match plain {
        Some(entries) => entries.join(","),
        None => format!("'{}'", serde_json::to_string(value).unwrap()),
    }
}

/// Returns a sample with all settings enabled.
fn uncomment(sample: &str) -> String {
    let lines = sample.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn sample_files_match_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, text) in [
        ("watersmeet.toml.example", toml_sample()),
        (".env.example", env_sample()),
    ] {
        let path = root.join(name);
        if std::env::var_os("UPDATE_SAMPLES").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == text,
            "{name} is stale: UPDATE_SAMPLES=1 cargo test -p watersmeet-server samples"
        );
    }
}

#[test]
fn unchanged_sample_files_mean_the_defaults() {
    let config: Config = toml::from_str(&toml_sample()).unwrap();
    assert_eq!(config, Config::default());
    let environment = Environment::from_text(&env_sample()).unwrap();
    let config = extract(&Flags::default(), &environment).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn both_sample_files_agree_with_all_settings_enabled() {
    let mut of_file: Config = toml::from_str(&uncomment(&toml_sample())).unwrap();
    assert_eq!(of_file.listeners.len(), 1);
    of_file.listeners.clear();
    assert_eq!(of_file.webhooks.len(), 1);
    of_file.webhooks.clear();
    // Empty variables count as missing.
    of_file.jwt_secret = None;
    of_file.jwt_secret_previous = None;
    of_file.api_key = None;
    of_file.turn_secret = None;
    let environment = Environment::from_text(&uncomment(&env_sample())).unwrap();
    assert!(environment.warnings().is_empty());
    let of_environment = extract(&Flags::default(), &environment).unwrap();
    assert_eq!(of_file, of_environment);
}

#[test]
fn every_key_describes_its_default() {
    for key in top() {
        let description = key.description.join(" ");
        let is_table = key.sample.is_none();
        let phrases = ["Default", "No default", "belongs to", "With `tls_key`"];
        assert!(
            is_table || phrases.iter().any(|word| description.contains(word)),
            "{} describes no default",
            key.name
        );
    }
    // Where the default is a value, the sample line has it.
    for (name, line) in top().iter().filter_map(|key| Some((key.name, key.sample?))) {
        let with: Config = toml::from_str(line).unwrap();
        let differs = with != Config::default();
        let differs_by_design = [
            "dev",
            "domains",
            "port",
            "redirect_port",
            "one_port",
            "listen_ip",
            "media_listen_ip",
            "announced_ips",
            "rtc_port_max",
            "shards",
            "jwt_secret",
            "jwt_secret_previous",
            "jwt_secret_file",
            "jwt_issuer",
            "jwt_audience",
            "api_key",
            "operators_port",
            "operators_listen_ip",
            "cors_origins",
            "embed_origins",
            "host_names",
            "site",
            "trusted_proxies",
            "base_url",
            "ice_servers",
            "turn_port",
            "turn_tls_port",
            "turn_listen_ip",
            "turn_host",
            "turn_urls",
            "turn_secret",
            "codecs",
            "video_codec",
            "max_incoming_bitrate",
            "tls_cert",
            "tls_key",
            "acme_contact",
            "acme_ca_file",
            "history_file",
        ];
        assert_eq!(differs, differs_by_design.contains(&name), "{name}");
    }
    for (table, several, keys) in tables().into_iter().filter(|(_, several, _)| !several) {
        for key in keys {
            let text = format!("[{table}]\n{}", key.sample.unwrap());
            let with: Config = toml::from_str(&text).unwrap();
            assert_eq!(with, Config::default(), "{table}.{} {several}", key.name);
        }
    }
}
