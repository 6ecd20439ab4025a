//! The listener of the operators' page: `operators_port`, or an entry of `listeners` with the mount `operators`.

use std::net::{IpAddr, Ipv4Addr};

use super::error::ConfigError;
use super::listener::{ListenerConfig, Mount};
use super::settings::Config;

impl Config {
    /// Returns the listener of `operators_port`. On loopback it has no HTTPS, since no certificate names such
    /// addresses.
    pub(super) fn operators_listener(&self) -> Option<ListenerConfig> {
        let port = self.operators_port?;
        let ip = self.operators_listen_ip;
        let ip = ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let is_remote = !ip.is_loopback();
        Some(ListenerConfig {
            port,
            listen_ip: Some(ip),
            mounts: vec![Mount::Operators],
            tls_cert: self.tls_cert.clone().filter(|_| is_remote),
            tls_key: self.tls_key.clone().filter(|_| is_remote),
            tls_self_signed: is_remote && self.tls_self_signed,
            tls_acme: is_remote && !self.domains.is_empty(),
            token_required: false,
        })
    }

    /// Returns whether a listener serves the operators' page.
    pub(super) fn has_operators_page(&self) -> bool {
        let listeners = self.effective_listeners();
        listeners.iter().any(|it| it.serves(Mount::Operators))
    }

    /// Checks that the operators' page has a key, except in development, where one is generated.
    ///
    /// # Errors
    /// There is no key, or a setting has no effect.
    pub(super) fn check_operators_page(&self) -> Result<(), ConfigError> {
        if self.operators_listen_ip.is_some() && self.operators_port.is_none() {
            return Err(ConfigError::contradiction(
                "`operators_listen_ip` has no effect without `operators_port`",
            ));
        }
        if self.has_operators_page() && self.api_key.is_none() && !self.dev {
            return Err(ConfigError::contradiction(
                "the operators' page needs `api_key`: make one with `openssl rand -hex 32`, or remove \
                 `operators_port`",
            ));
        }
        Ok(())
    }

    /// Returns a warning when the key of the operators' page passes a network without encryption.
    pub(super) fn operators_warning(&self) -> Option<String> {
        let listeners = self.effective_listeners();
        let is_open = |it: &ListenerConfig| {
            let addresses = self.listener_addresses(it);
            !it.uses_tls() && addresses.iter().any(|it| !it.ip().is_loopback())
        };
        let mut pages = listeners.iter().filter(|it| it.serves(Mount::Operators));
        pages.any(is_open).then(|| {
            "the operators' page is served without HTTPS to other machines, so their network can read `api_key`: \
             use 127.0.0.1 with an SSH tunnel, or a certificate"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    const KEY: &str = "f4b0c2d97a1e4c6f8b3d5e7092a4c6e8f1b3d5a7c9e0f2b4d6a8c0e2f4b6d8a0";

    fn config(listen_ip: Option<&str>) -> Config {
        Config {
            api_key: Some(Secret::new(KEY.to_owned())),
            operators_port: Some(3_001),
            operators_listen_ip: listen_ip.map(|ip| ip.parse().unwrap()),
            tls_self_signed: true,
            ..Config::default()
        }
    }

    #[test]
    fn operators_page_has_a_listener_of_its_own_on_loopback() {
        let [page, operators] = &config(None).effective_listeners()[..] else {
            panic!("there are two listeners");
        };
        assert!(page.uses_tls() && !page.serves(Mount::Operators));
        assert_eq!(operators.mounts, [Mount::Operators]);
        assert_eq!(operators.listen_ip, Some([127, 0, 0, 1].into()));
        assert!(!operators.uses_tls());
        assert!(!Config::default().has_operators_page());
    }

    #[test]
    fn operators_page_of_other_machines_uses_https_or_is_warned_of() {
        let encrypted = config(Some("0.0.0.0"));
        assert!(encrypted.effective_listeners()[1].uses_tls());
        assert_eq!(encrypted.operators_warning(), None);
        let open = Config {
            tls_self_signed: false,
            ..encrypted
        };
        assert!(open.operators_warning().is_some());
        assert_eq!(config(None).operators_warning(), None);
    }

    #[test]
    fn operators_page_needs_a_key_except_in_development() {
        config(None).check_operators_page().unwrap();
        let keyless = Config {
            api_key: None,
            ..config(None)
        };
        assert!(keyless.check_operators_page().is_err());
        let development = Config {
            dev: true,
            ..keyless
        };
        development.check_operators_page().unwrap();
        let without_port = Config {
            operators_port: None,
            ..config(Some("127.0.0.1"))
        };
        assert!(without_port.check_operators_page().is_err());
    }

    #[test]
    fn operators_page_shares_no_listener_with_the_public_one() {
        for (mounts, is_valid) in [
            (vec![Mount::Operators], true),
            (vec![Mount::Operators, Mount::Metrics], true),
            (vec![Mount::Operators, Mount::Page], false),
            (vec![Mount::Api, Mount::Operators], false),
        ] {
            let listener = ListenerConfig {
                mounts,
                ..ListenerConfig::default()
            };
            let config = Config {
                operators_port: None,
                tls_self_signed: false,
                listeners: vec![listener],
                ..config(None)
            };
            assert_eq!(config.check().is_ok(), is_valid, "{config:?}");
        }
    }
}
