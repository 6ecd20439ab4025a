//! Checks that the server can start with the configuration: values, secret, certificates and
//! codecs.

use super::finding::Finding;
use super::media_addresses::is_public_service;
use crate::conference_setup;
use crate::config::{Config, ConfigError, ListenerConfig, Loaded, Mount};
use crate::http::tls::{self, ReloadingCertificate};

/// Returns the findings about loading the configuration.
pub fn check(loaded: Result<&Loaded, &ConfigError>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match loaded {
        Ok(loaded) => {
            findings.push(Finding::fine("settings", "valid"));
            findings.extend(loaded.warnings.iter().map(|warning| {
                Finding::doubtful(
                    "settings",
                    warning,
                    "Remove one of them, or set both to the same value",
                )
            }));
            let notes = loaded.notes.iter();
            findings.extend(notes.map(|note| Finding::fine("settings", note)));
            findings.push(secret(loaded));
        }
        // `media_addresses` has the finding.
        Err(ConfigError::Announced(_)) => {
            findings.push(Finding::fine("settings", "can be parsed"));
        }
        Err(ConfigError::Secret {
            key,
            sources,
            problem,
        }) => {
            findings.push(Finding::fine("settings", "can be parsed"));
            findings.push(Finding::wrong(
                "secret",
                format!("`{key}` {problem}{sources}"),
                ConfigError::secret_fix(key),
            ));
        }
        Err(error) => findings.push(Finding::wrong(
            "settings",
            error.to_string(),
            "The server does not start with this; watersmeet.toml.example describes every key",
        )),
    }
    findings
}

/// Checks values beyond what loading them does.
pub fn check_values(config: &Config) -> Vec<Finding> {
    let mut findings = certificates(config);
    findings.extend(proxies(config));
    if let Err(error) = conference_setup::router_capabilities(config) {
        let fix = "Remove the parameters of that codec, or see watersmeet.toml.example";
        findings.push(Finding::wrong("codecs", error.to_string(), fix));
    }
    findings
}

fn secret(loaded: &Loaded) -> Finding {
    if loaded.secret_is_generated {
        return Finding::doubtful(
            "secret",
            "development mode: a random one for each start",
            "For production: set `jwt_secret` and remove `dev`",
        );
    }
    Finding::fine("secret", "long enough and not from an example")
}

/// Checks that certificates can be used, and that listeners without TLS do not need it.
fn certificates(config: &Config) -> Vec<Finding> {
    let listeners = config.effective_listeners();
    let findings = listeners
        .iter()
        .map(|listener| certificate(config, listener));
    findings.flatten().collect()
}

/// Checks the certificate of a listener.
fn certificate(config: &Config, listener: &ListenerConfig) -> Vec<Finding> {
    let loaded = match tls::load(listener, config.certified_url()) {
        Ok(loaded) => loaded,
        Err(error) => {
            let fix = "Name PEM files that this user may read: the chain, and its private key";
            return vec![Finding::wrong("certificate", error.to_string(), fix)];
        }
    };
    if let Some(tls) = loaded {
        let problems = tls
            .certificate
            .iter()
            .flat_map(ReloadingCertificate::problems);
        let fix = "Get another certificate for the host of this server: a running server loads it by itself";
        let wrong: Vec<_> = problems
            .map(|problem| Finding::wrong("certificate", problem, fix))
            .collect();
        if !wrong.is_empty() {
            return wrong;
        }
        let text = format!("port {} can use TLS", listener.port);
        return vec![Finding::fine("certificate", text)];
    }
    if listener.serves(Mount::Page) && is_exposed(config, listener) {
        return vec![Finding::doubtful(
            "certificate",
            format!("port {} uses plain HTTP", listener.port),
            "Browsers on other machines allow cameras only over TLS: set `tls_cert` and \
             `tls_key`,\ntry `--tls-self-signed`, or put a proxy with TLS in front and name \
             it in `trusted_proxies`",
        )];
    }
    Vec::new()
}

/// Checks the proxies in front of the server.
fn proxies(config: &Config) -> Option<Finding> {
    let listeners = config.effective_listeners();
    let mut addresses = listeners
        .iter()
        .flat_map(|listener| config.listener_addresses(listener));
    let is_behind_proxy = addresses.all(|address| address.ip().is_loopback());
    let is_public = is_public_service(config);
    (is_behind_proxy && is_public && config.trusted_proxies.is_empty()).then(|| {
        Finding::doubtful(
            "proxy",
            "`base_url` is public and only this machine can open the page, so a proxy is in front that \
             is not trusted",
            "Name it in `trusted_proxies` (TRUSTED_PROXIES), as 127.0.0.1, and let it write \
             X-Forwarded-For:\notherwise all clients share one limit, or have none",
        )
    })
}

/// Returns whether other machines can reach a listener without a trusted proxy in front.
fn is_exposed(config: &Config, listener: &ListenerConfig) -> bool {
    let mut addresses = config.listener_addresses(listener).into_iter();
    config.trusted_proxies.is_empty() && addresses.any(|address| !address.ip().is_loopback())
}
