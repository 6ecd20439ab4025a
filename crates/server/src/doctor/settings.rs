//! Whether the program could start with this configuration: its values, its secret, its
//! certificates, its codecs, its log filter.

use tracing_subscriber::EnvFilter;

use super::Finding;
use crate::conference_setup;
use crate::config::{Config, ConfigError, Loaded, Mount};
use crate::http::tls;

/// What is found about the values.
pub fn check(config: Option<&Config>, loaded: Result<&Loaded, &ConfigError>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match loaded {
        Ok(loaded) => {
            findings.push(Finding::fine("settings", "can be read and go together"));
            findings.extend(loaded.warnings.iter().map(|warning| {
                Finding::doubtful("settings", warning, "Keep one of them, or make them agree")
            }));
            findings.push(secret(loaded));
        }
        Err(ConfigError::Secret { key, problem }) => {
            findings.push(Finding::fine("settings", "can be read"));
            findings.push(Finding::wrong(
                "secret",
                format!("`{key}` {problem}"),
                ConfigError::SECRET_FIX,
            ));
        }
        Err(error) => findings.push(Finding::wrong(
            "settings",
            error.to_string(),
            "watersmeet.toml.example describes every key; the program does not start like this",
        )),
    }
    let Some(config) = config else {
        return findings;
    };
    findings.extend(certificates(config));
    if let Err(error) = conference_setup::capabilities(config) {
        let fix = "Take the parameters of that codec away, or see watersmeet.toml.example";
        findings.push(Finding::wrong("codecs", error.to_string(), fix));
    }
    if let Err(error) = EnvFilter::builder().parse(&config.log) {
        let fix = "Use a level such as `info`, or a filter such as `info,watersmeet_engine=debug`";
        findings.push(Finding::wrong("log", error.to_string(), fix));
    }
    findings
}

fn secret(loaded: &Loaded) -> Finding {
    if loaded.secret_is_made {
        return Finding::doubtful(
            "secret",
            "development: a random one for each start",
            "Before others rely on it: set `jwt_secret` and leave `dev` away",
        );
    }
    Finding::fine("secret", "is long enough and nobody's example")
}

/// Whether doors that speak TLS can, and those that do not need not.
fn certificates(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for door in config.doors() {
        if let Err(error) = tls::acceptor(&door) {
            let fix = "Name PEM files that this user may read: the chain, and its private key";
            findings.push(Finding::wrong("certificate", error.to_string(), fix));
        } else if door.tls() {
            let text = format!("port {} can speak TLS", door.port);
            findings.push(Finding::fine("certificate", text));
        } else if door.serves(Mount::Page) && is_bare(config, &door) {
            findings.push(Finding::doubtful(
                "certificate",
                format!("port {} speaks plain HTTP", door.port),
                "Browsers give cameras to other machines' pages over TLS only: set `tls_cert` and \
                 `tls_key`,\ntry `--tls-self-signed`, or put a proxy with TLS in front and name \
                 it in `trusted_proxies`",
            ));
        }
    }
    findings
}

/// Whether other machines come to a door that has no proxy in front.
fn is_bare(config: &Config, door: &crate::config::ListenerConfig) -> bool {
    let mut addresses = config.door_addresses(door).into_iter();
    config.trusted_proxies.is_empty() && addresses.any(|address| !address.ip().is_loopback())
}
