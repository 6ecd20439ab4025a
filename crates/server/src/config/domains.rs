//! Settings that `domains` decides: ports, certificates by ACME, and media on the port of the page.

use std::net::SocketAddr;

use url::{Host, Url};

use super::error::ConfigError;
use super::listener::{ListenerConfig, Mount};
use super::settings::Config;
use crate::state_directory::StateDirectory;

/// Port of the page, unless it has domains or is set.
const PORT: u16 = 3_000;

/// Port of HTTPS, and of the page where it has domains.
const HTTPS_PORT: u16 = 443;

/// Port of plain HTTP, where the page has domains.
const HTTP_PORT: u16 = 80;

/// Upper bound of domains: certificate authorities sign up to 100 names, and each is validated.
const DOMAINS_MAX: usize = 64;

impl Config {
    /// Returns the port of the page: as configured, else 443 with `domains`, else 3000.
    pub fn page_port(&self) -> u16 {
        let default = if self.domains.is_empty() {
            PORT
        } else {
            HTTPS_PORT
        };
        self.port.unwrap_or(default)
    }

    /// Returns the port on which plain HTTP is redirected: as configured, else 80 with `domains`.
    pub fn effective_redirect_port(&self) -> Option<u16> {
        let default = (!self.domains.is_empty()).then_some(HTTP_PORT);
        self.redirect_port.or(default)
    }

    /// Returns the addresses on which plain HTTP is redirected: those of the page, with another port.
    pub fn redirect_addresses(&self, port: u16) -> Vec<SocketAddr> {
        let mut addresses = self.listener_addresses(&self.page_listener());
        addresses
            .iter_mut()
            .for_each(|address| address.set_port(port));
        addresses
    }

    /// Returns whether media over TCP shares the port of the page: as configured, else with `domains`.
    pub fn shares_page_port(&self) -> bool {
        self.tcp && self.one_port.unwrap_or(!self.domains.is_empty())
    }

    /// Returns the port of the page where that has TURN over TLS too: where media shares it, unless the page has no
    /// TLS or another TURN server is configured.
    pub fn shared_turn_port(&self) -> Option<u16> {
        let listener = self.page_listener();
        let is_shared = self.shares_page_port() && listener.uses_tls();
        let is_wanted = self.udp && self.turn_urls.is_empty();
        (is_shared && is_wanted).then_some(listener.port)
    }

    /// Returns the listener whose port media over TCP shares and to which plain HTTP is redirected: the first
    /// one with HTTPS, else the first one.
    pub fn page_listener(&self) -> ListenerConfig {
        let mut listeners = self.effective_listeners();
        listeners.retain(|it| !it.serves(Mount::Operators));
        let first = listeners.iter().find(|it| it.uses_tls());
        first.or(listeners.first()).cloned().unwrap_or_default()
    }

    /// Returns the state directory, which need not exist.
    pub fn state_directory(&self) -> StateDirectory {
        StateDirectory::new(self.state_dir.clone())
    }

    /// Returns the domains as certificates name them: in lower case, internationalised ones encoded
    /// (RFC 5890), each once.
    pub fn certificate_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.domains.iter().filter_map(|it| domain(it)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Checks `domains` and what depends on it.
    ///
    /// # Errors
    /// Names the first value that cannot be used.
    pub(super) fn check_domains(&self) -> Result<(), ConfigError> {
        let contradiction = |text: String| Err(ConfigError::contradiction(text));
        if self.domains.len() > DOMAINS_MAX {
            return contradiction(format!("`domains` has more than {DOMAINS_MAX} entries"));
        }
        if let Some(bad) = self.domains.iter().find(|it| domain(it).is_none()) {
            return contradiction(format!(
                "`domains`: `{bad}` is no host name such as `meet.example.org`"
            ));
        }
        let listeners = self.effective_listeners();
        let uses_acme = listeners.iter().any(|it| it.tls_acme);
        if self.domains.is_empty() && uses_acme {
            return contradiction("`tls_acme` needs `domains`".to_owned());
        }
        if !self.domains.is_empty() && !uses_acme {
            return contradiction(
                "`domains` has no effect: set `tls_acme` in the listener that has the page"
                    .to_owned(),
            );
        }
        if self.one_port == Some(true) && !self.tcp {
            return contradiction(
                "`one_port` is about media over TCP, but `tcp` is off".to_owned(),
            );
        }
        if self.redirect_port.is_some() && !listeners.iter().any(ListenerConfig::uses_tls) {
            return contradiction(
                "`redirect_port` redirects to HTTPS, which no listener has".to_owned(),
            );
        }
        self.check_acme().or_else(contradiction)
    }

    fn check_acme(&self) -> Result<(), String> {
        let url = Url::parse(&self.acme_directory_url).ok();
        if url.is_none_or(|url| url.scheme() != "https") {
            return Err(format!(
                "`acme_directory_url`: `{}` is no URL with HTTPS",
                self.acme_directory_url
            ));
        }
        match &self.acme_contact {
            Some(contact) if !is_mail_address(contact) => Err(format!(
                "`acme_contact`: `{contact}` is no mail address such as `admin@example.org`"
            )),
            _ => Ok(()),
        }
    }
}

/// Returns a domain in the form that certificates have; `None` when it is none.
fn domain(text: &str) -> Option<String> {
    let is_plain = |character: char| character.is_alphanumeric() || "-.".contains(character);
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() || !text.chars().all(is_plain) {
        return None;
    }
    match Host::parse(text).ok()? {
        Host::Domain(name) => Some(name),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// Returns whether a text may be a mail address, as certificate authorities accept it.
fn is_mail_address(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?,;<>\"".contains(&byte);
    let parts = text.split_once('@');
    parts.is_some_and(|(user, host)| !user.is_empty() && domain(host).is_some())
        && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(domains: &[&str]) -> Config {
        Config {
            domains: domains.iter().map(|&it| it.to_owned()).collect(),
            ..Config::default()
        }
    }

    #[test]
    fn domain_sets_ports_certificate_and_one_port() {
        let plain = Config::default();
        assert_eq!(
            (plain.page_port(), plain.effective_redirect_port()),
            (3_000, None)
        );
        assert!(!plain.shares_page_port() && !plain.page_listener().uses_tls());
        let config = config(&["meet.example.org"]);
        config.check_domains().unwrap();
        assert_eq!(
            (config.page_port(), config.effective_redirect_port()),
            (443, Some(80))
        );
        assert!(config.shares_page_port() && config.page_listener().tls_acme);
        let other = Config {
            port: Some(8_443),
            redirect_port: Some(8_080),
            one_port: Some(false),
            ..config
        };
        assert_eq!(
            (other.page_port(), other.effective_redirect_port()),
            (8_443, Some(8_080))
        );
        assert!(!other.shares_page_port());
    }

    #[test]
    fn domains_are_named_as_in_certificates() {
        let config = config(&["Meet.Example.org.", "bücher.example", "meet.example.org"]);
        config.check_domains().unwrap();
        assert_eq!(
            config.certificate_names(),
            ["meet.example.org", "xn--bcher-kva.example"]
        );
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for bad in [
            "",
            "192.0.2.1",
            "https://meet.example.org",
            "*.example.org",
            "a b",
            "[::1]",
            "a:1",
        ] {
            assert!(config(&[bad]).check_domains().is_err(), "{bad}");
        }
        let acme = |change: fn(&mut Config)| {
            let mut config = config(&["meet.example.org"]);
            change(&mut config);
            config.check_domains().unwrap_err().to_string()
        };
        let text = acme(|it| "http://ca.example".clone_into(&mut it.acme_directory_url));
        assert!(text.contains("acme_directory_url"), "{text}");
        let text = acme(|it| it.acme_contact = Some("mailto:a@b.example, c".to_owned()));
        assert!(text.contains("acme_contact"), "{text}");
        let text = acme(|it| {
            it.one_port = Some(true);
            it.tcp = false;
        });
        assert!(text.contains("one_port"), "{text}");
        let text = acme(|it| it.listeners = vec![ListenerConfig::default()]);
        assert!(text.contains("tls_acme"), "{text}");
    }
}
