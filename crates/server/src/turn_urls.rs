//! URLs of the embedded TURN server (RFC 7065), which browsers get with their credentials.

use std::net::IpAddr;

use url::Url;

use crate::config::{AnnouncedAddress, Config};
use crate::ip_addresses;

/// Returns the URLs of the embedded server, best first; none when it is off.
pub fn embedded(config: &Config) -> Vec<String> {
    let mut urls = Vec::new();
    if let Some(port) = config.turn_port {
        let host = media_host(config);
        for transport in ["udp", "tcp"] {
            urls.push(format!("turn:{host}:{port}?transport={transport}"));
        }
    }
    let shared = config.shared_turn_port().filter(|port| *port != 0);
    for port in config.turn_tls_port.into_iter().chain(shared) {
        let host = certified_host(config);
        urls.push(format!("turns:{host}:{port}?transport=tcp"));
    }
    urls
}

/// Returns the host that browsers reach: the configured one, else the best address announced for media.
fn media_host(config: &Config) -> String {
    if let Some(host) = &config.turn_host {
        return host.clone();
    }
    match config.announced_ips.first() {
        Some(AnnouncedAddress::Name(name)) => name.clone(),
        Some(AnnouncedAddress::Ip(ip)) => literal(*ip),
        None => match (
            config.domains.first(),
            ip_addresses::own_ips(config).first(),
        ) {
            (Some(domain), _) => domain.clone(),
            (None, Some(ip)) => literal(*ip),
            (None, None) => "localhost".to_owned(),
        },
    }
}

/// Returns the host that the certificate is made for: the configured one, else that of the base URL.
fn certified_host(config: &Config) -> String {
    let base = config.certified_url().and_then(|url| Url::parse(url).ok());
    let base = base.filter(|url| url.scheme() == "https");
    let host = base.as_ref().and_then(|url| url.host_str());
    match (&config.turn_host, host) {
        (None, Some(host)) => host.to_owned(),
        _ => media_host(config),
    }
}

fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_the_announced_address_and_the_name_of_the_certificate() {
        let mut config = Config {
            turn_port: Some(3478),
            turn_tls_port: Some(5349),
            announced_ips: vec![AnnouncedAddress::Ip("2001:db8::1".parse().unwrap())],
            base_url: Some("https://meet.example.org/path".to_owned()),
            ..Config::default()
        };
        assert_eq!(
            embedded(&config),
            [
                "turn:[2001:db8::1]:3478?transport=udp",
                "turn:[2001:db8::1]:3478?transport=tcp",
                "turns:meet.example.org:5349?transport=tcp",
            ]
        );
        config.turn_host = Some("turn.example.org".to_owned());
        config.turn_port = None;
        assert_eq!(
            embedded(&config),
            ["turns:turn.example.org:5349?transport=tcp"]
        );
        assert_eq!(embedded(&Config::default()), Vec::<String>::new());
    }

    #[test]
    fn turn_shares_the_port_of_a_page_with_a_domain() {
        let mut config = Config {
            domains: vec!["meet.example.org".to_owned()],
            ..Config::default()
        };
        let shared = ["turns:meet.example.org:443?transport=tcp"];
        assert_eq!(embedded(&config), shared);
        config.turn_urls = vec!["turn:turn.example.org".to_owned()];
        assert_eq!(embedded(&config), Vec::<String>::new());
    }
}
