//! Checks that the server can start with the configuration: values, secret, certificates and
//! codecs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::acme;
use super::finding::Finding;
use super::media_addresses::is_public_service;
use crate::conference_setup;
use crate::config::{CodecChoice, Config, ConfigError, ListenerConfig, Loaded, Mount};
use crate::http::tls::{self, ReloadingCertificate};

/// Addresses of the internet that no proxy has (RFC 6890): who trusts them trusts everybody.
const EVERYBODY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

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
    findings.extend(untrusted_proxy(config));
    findings.extend(trust_in_everybody(config));
    findings.extend(base_url(config));
    let is_video = |it: &CodecChoice| it.codec.mime_type().starts_with("video/");
    if config.codecs.iter().all(is_video) {
        findings.push(Finding::doubtful(
            "codecs",
            "`codecs` has no audio codec: rooms have no sound",
            "Add `opus`",
        ));
    }
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
    if loaded.secret_is_new {
        return Finding::fine(
            "secret",
            "one is generated at the first start, for all starts",
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
    if listener.tls_acme {
        return vec![acme::check(config)];
    }
    let loaded = match tls::load(listener, config.certified_url(), None) {
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

/// Checks that not everybody is a trusted proxy.
fn trust_in_everybody(config: &Config) -> Option<Finding> {
    let mut proxies = config.trusted_proxies.iter();
    let is_everybody = proxies.any(|network| EVERYBODY.iter().any(|ip| network.contains(*ip)));
    is_everybody.then(|| {
        Finding::doubtful(
            "proxy",
            "`trusted_proxies` trusts the whole internet: everybody can choose an address and escape \
             the limits",
            "List only the addresses or networks of your proxies",
        )
    })
}

/// Checks that the server is reached as `base_url` says.
fn base_url(config: &Config) -> Option<Finding> {
    let url = config.base_url.as_deref()?;
    let listeners = config.effective_listeners();
    let has_tls = listeners.iter().any(ListenerConfig::uses_tls);
    if url.starts_with("https://") && !has_tls && config.trusted_proxies.is_empty() {
        return Some(Finding::doubtful(
            "base_url",
            "`base_url` has HTTPS, but no listener uses TLS and no proxy is trusted",
            "Set `tls_cert` and `tls_key`, or name the proxy with TLS in `trusted_proxies`",
        ));
    }
    (url.starts_with("http://") && is_public_service(config)).then(|| {
        Finding::doubtful(
            "base_url",
            "`base_url` has HTTP and a public name: browsers allow no cameras there",
            "Use HTTPS: set `tls_cert` and `tls_key`, or put a proxy with TLS in front",
        )
    })
}

/// Looks for a proxy in front of the server that is not trusted.
fn untrusted_proxy(config: &Config) -> Option<Finding> {
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
