//! Renders the text printed at start: the addresses to open, and a hint when browsers would refuse
//! camera access there.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::{ListenerConfig, Loaded, Mount, Secret};
use crate::ip_addresses;
use crate::listeners::BoundListener;

/// Printed when the signing secret was generated at start.
const DEVELOPMENT: &str =
    "Development: tokens are signed with a random secret and expire when the program ends.";

/// Printed in development when every listener is on loopback.
const LOOPBACK_ONLY: &str =
    "Only this machine can connect. For others add: --listen-ip 0.0.0.0 --tls-self-signed";

/// Printed when the page is served without TLS to other machines.
const NEEDS_TLS: &str =
    "Browsers on other machines allow cameras only over TLS: add --tls-self-signed";

/// Printed before the key of operators, when that was generated at start.
const KEY: &str = "Key of the operators' page, for this start:";

/// Label of an address that only this machine can open.
const LOCAL: &str = "Local:";

/// Label of an address that other machines can open.
const NETWORK: &str = "Network:";

/// Label of an address that certificates name.
const DOMAIN: &str = "Domain:";

/// Secrets that were generated at start.
#[derive(Default)]
struct GeneratedSecrets<'a> {
    /// Whether the secret that signs tokens is one.
    signs_tokens: bool,
    /// Key of operators, if it is one. It is in no configuration, so the banner has to name it.
    api_key: Option<&'a Secret>,
}

/// Returns the banner for listeners that are bound.
pub fn render(loaded: &Loaded, bound: &[BoundListener]) -> String {
    let local_ips = ip_addresses::local_ips();
    let mut text = String::new();
    let listeners: Vec<_> = bound
        .iter()
        .map(|bound| (&bound.config, bound.addresses()))
        .collect();
    // Writing into a String cannot fail.
    let generated = GeneratedSecrets {
        signs_tokens: loaded.secret_is_generated,
        api_key: loaded
            .config
            .api_key
            .as_ref()
            .filter(|_| loaded.api_key_is_generated),
    };
    let _ = write(
        &mut text,
        &generated,
        &loaded.config.certificate_names(),
        &listeners,
        &local_ips,
    );
    text
}

fn write(
    text: &mut String,
    generated: &GeneratedSecrets<'_>,
    domains: &[String],
    listeners: &[(&ListenerConfig, Vec<SocketAddr>)],
    local_ips: &[IpAddr],
) -> fmt::Result {
    writeln!(text, "\n  Watersmeet {}\n", env!("CARGO_PKG_VERSION"))?;
    let mut needs_tls = false;
    for (listener, addresses) in listeners {
        let scheme = if listener.uses_tls() { "https" } else { "http" };
        let mounts = mounts_suffix(listener);
        let port = addresses.first().map_or(listener.port, SocketAddr::port);
        for domain in domains.iter().filter(|_| listener.tls_acme) {
            writeln!(text, "  {DOMAIN:<9}{}{mounts}", https_url(domain, port))?;
        }
        for (label, host, port) in urls(addresses, local_ips) {
            writeln!(text, "  {label:<9}{scheme}://{host}:{port}/{mounts}")?;
            needs_tls |= label == NETWORK && !listener.uses_tls() && listener.serves(Mount::Page);
        }
    }
    if needs_tls {
        writeln!(text, "\n  {NEEDS_TLS}")?;
    }
    if let Some(key) = generated.api_key {
        writeln!(text, "\n  {KEY} {}", key.expose())?;
    }
    if generated.signs_tokens {
        writeln!(text, "\n  {DEVELOPMENT}")?;
    }
    let mut all = listeners.iter().flat_map(|(_, addresses)| addresses);
    if generated.signs_tokens && all.all(|address| address.ip().is_loopback()) {
        writeln!(text, "  {LOOPBACK_ONLY}")?;
    }
    writeln!(text)
}

/// Returns the URL of a page by HTTPS.
fn https_url(domain: &str, port: u16) -> String {
    match port {
        443 => format!("https://{domain}/"),
        port => format!("https://{domain}:{port}/"),
    }
}

/// Returns the names of the mounts in parentheses, or nothing for a listener that serves all.
fn mounts_suffix(listener: &ListenerConfig) -> String {
    if Mount::ALL.iter().all(|&mount| listener.serves(mount)) {
        return String::new();
    }
    let names: Vec<_> = listener.mounts.iter().map(|mount| mount.name()).collect();
    format!("  ({})", names.join(", "))
}

/// Returns the addresses to open as label, host and port, each host once.
fn urls(listening: &[SocketAddr], local_ips: &[IpAddr]) -> Vec<(&'static str, String, u16)> {
    let mut urls: Vec<(&'static str, String, u16)> = Vec::new();
    let both: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    if both
        .iter()
        .all(|ip| listening.iter().any(|it| it.ip() == *ip))
    {
        let port = listening.first().map_or(0, SocketAddr::port);
        return vec![(LOCAL, "localhost".to_owned(), port)];
    }
    let mut add = |label, host: String, port| {
        if !urls.iter().any(|(_, known, _)| *known == host) {
            urls.push((label, host, port));
        }
    };
    for address in listening {
        let port = address.port();
        match address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
                add(LOCAL, "localhost".to_owned(), port);
                let same_family = local_ips
                    .iter()
                    .filter(|ip| ip.is_ipv4() == address.is_ipv4());
                same_family.for_each(|&ip| add(NETWORK, host(ip), port));
            }
            ip => add(
                if ip.is_loopback() { LOCAL } else { NETWORK },
                host(ip),
                port,
            ),
        }
    }
    urls
}

fn host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner(tls: bool, addresses: &[&str]) -> String {
        let listener = ListenerConfig {
            mounts: Mount::ALL.to_vec(),
            tls_self_signed: tls,
            ..ListenerConfig::default()
        };
        banner_for(&listener, addresses)
    }

    fn banner_for(listener: &ListenerConfig, addresses: &[&str]) -> String {
        let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let local_ips = [IpAddr::from([192, 0, 2, 1]), "2001:db8::1".parse().unwrap()];
        let mut text = String::new();
        let domains = ["meet.example.org".to_owned()];
        let key = Secret::new("generated-key".to_owned());
        let generated = GeneratedSecrets {
            signs_tokens: true,
            api_key: Some(&key),
        };
        write(
            &mut text,
            &generated,
            &domains,
            &[(listener, addresses)],
            &local_ips,
        )
        .unwrap();
        text
    }

    #[test]
    fn banner_lists_each_address_once_and_recommends_tls() {
        let text = banner(false, &["0.0.0.0:3000", "[::]:3000"]);
        assert_eq!(text.matches("http://localhost:3000/").count(), 1);
        assert!(text.contains("Network: http://192.0.2.1:3000/"));
        assert!(text.contains("Network: http://[2001:db8::1]:3000/"));
        assert!(text.contains("--tls-self-signed"));
    }

    #[test]
    fn banner_names_the_domains_of_the_listener_with_their_certificate() {
        assert!(!banner(true, &["0.0.0.0:443"]).contains("meet.example.org"));
        let listener = ListenerConfig {
            mounts: Mount::ALL.to_vec(),
            tls_acme: true,
            ..ListenerConfig::default()
        };
        for (address, url) in [
            ("0.0.0.0:443", "Domain:  https://meet.example.org/\n"),
            ("0.0.0.0:8443", "Domain:  https://meet.example.org:8443/\n"),
        ] {
            let text = banner_for(&listener, &[address]);
            assert!(text.contains(url), "{text}");
        }
    }

    #[test]
    fn banner_has_no_tls_hint_with_tls_or_on_loopback() {
        assert!(!banner(true, &["0.0.0.0:1"]).contains("--tls"));
        let text = banner(false, &["127.0.0.1:1"]);
        assert!(text.contains("Local:   http://127.0.0.1:1/"), "{text}");
        assert!(!text.contains(NEEDS_TLS), "{text}");
    }

    #[test]
    fn banner_names_development_mode_and_who_can_connect() {
        let text = banner(false, &["127.0.0.1:1", "[::1]:1"]);
        assert!(text.contains("Local:   http://localhost:1/\n"), "{text}");
        assert!(
            text.contains(DEVELOPMENT) && text.contains(LOOPBACK_ONLY),
            "{text}"
        );
        assert!(!banner(false, &["0.0.0.0:1"]).contains(LOOPBACK_ONLY));
    }

    #[test]
    fn banner_names_a_generated_key() {
        let text = banner(false, &["127.0.0.1:1"]);
        assert!(text.contains(&format!("{KEY} generated-key\n")), "{text}");
    }

    #[test]
    fn banner_names_the_mounts_of_a_listener_that_serves_only_some() {
        let listener = ListenerConfig {
            mounts: vec![Mount::Api, Mount::Metrics],
            ..ListenerConfig::default()
        };
        let text = banner_for(&listener, &["0.0.0.0:9"]);
        assert!(
            text.contains("http://localhost:9/  (api, metrics)"),
            "{text}"
        );
        assert!(!text.contains("cameras"), "{text}");
    }
}
