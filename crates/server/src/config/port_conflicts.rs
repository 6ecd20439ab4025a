//! Checks that no two sockets of the configuration need the same port: the system would refuse the
//! second one, as if another process had it.

use std::net::SocketAddr;

use super::error::ConfigError;
use super::settings::Config;

/// A port that the configuration uses.
struct UsedPort {
    /// Setting of the port, with its key in backticks.
    setting: String,
    /// Addresses that listen on it. No port is 0.
    addresses: Vec<SocketAddr>,
}

/// Checks that listeners, media and the TURN server use different ports, or different addresses.
///
/// # Errors
/// Names both settings.
pub fn check(config: &Config) -> Result<(), ConfigError> {
    let tcp = media_ports(config)
        .filter(|_| config.tcp && !config.shares_page_port())
        .chain(listener_ports(config))
        .chain(redirect_port(config))
        .chain(turn_ports(config, "turn_port", config.turn_port))
        .chain(turn_ports(config, "turn_tls_port", config.turn_tls_port));
    check_protocol("TCP", tcp)?;
    let udp = media_ports(config).filter(|_| config.udp).chain(turn_ports(
        config,
        "turn_port",
        config.turn_port,
    ));
    check_protocol("UDP", udp)
}

fn check_protocol(
    protocol: &str,
    ports: impl Iterator<Item = UsedPort>,
) -> Result<(), ConfigError> {
    let mut used: Vec<UsedPort> = Vec::new();
    for port in ports {
        let overlap = |other: &&UsedPort| overlap(&port.addresses, &other.addresses);
        if let Some(other) = used.iter().find(overlap) {
            let number = port.addresses.first().map_or(0, SocketAddr::port);
            return Err(ConfigError::contradiction(format!(
                "{} and {} both need {protocol} port {number}: change one of them",
                port.setting, other.setting
            )));
        }
        used.push(port);
    }
    Ok(())
}

/// Returns the ports of media.
fn media_ports(config: &Config) -> impl Iterator<Item = UsedPort> {
    let shards = 0..config.shard_count();
    let first = config.media_port(0);
    let last = config.media_port(shards.end.saturating_sub(1));
    let setting = match first == last {
        true => "`rtc_port`".to_owned(),
        false => format!("`rtc_port` (media uses {first} to {last}, one for each shard)"),
    };
    let ports = shards.map(|shard| config.media_port(shard));
    let ports = ports.filter(|port| *port != 0);
    ports.map(move |port| {
        let ips = config.media_listen_ips().into_iter();
        UsedPort {
            setting: setting.clone(),
            addresses: ips.map(|ip| SocketAddr::new(ip, port)).collect(),
        }
    })
}

/// Returns a port of the TURN server.
fn turn_ports(config: &Config, key: &str, port: Option<u16>) -> impl Iterator<Item = UsedPort> {
    let used = port.map(|port| {
        let ips = config.turn_listen_ips().into_iter();
        UsedPort {
            setting: format!("`{key}`"),
            addresses: ips.map(|ip| SocketAddr::new(ip, port)).collect(),
        }
    });
    used.into_iter()
}

/// Returns the ports of the page and of signalling.
fn listener_ports(config: &Config) -> impl Iterator<Item = UsedPort> {
    let listeners = config.effective_listeners().into_iter().enumerate();
    let fixed = listeners.filter(|(_, listener)| listener.port != 0);
    fixed.map(|(index, listener)| UsedPort {
        setting: config
            .listener_setting(index)
            .unwrap_or_else(|| "`port`".to_owned()),
        addresses: config.listener_addresses(&listener),
    })
}

/// Returns the port of plain HTTP.
fn redirect_port(config: &Config) -> Option<UsedPort> {
    let port = config.effective_redirect_port().filter(|port| *port != 0)?;
    Some(UsedPort {
        setting: "`redirect_port`".to_owned(),
        addresses: config.redirect_addresses(port),
    })
}

/// Returns whether two sets of addresses have one in common. The address of all interfaces has every
/// address of its family.
fn overlap(ours: &[SocketAddr], theirs: &[SocketAddr]) -> bool {
    let is_same = |one: &SocketAddr, other: &SocketAddr| {
        let is_wildcard = one.ip().is_unspecified() || other.ip().is_unspecified();
        one.port() == other.port()
            && one.is_ipv4() == other.is_ipv4()
            && (is_wildcard || one.ip() == other.ip())
    };
    ours.iter()
        .any(|one| theirs.iter().any(|it| is_same(one, it)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ListenerConfig;

    fn config(port: u16, rtc_port: u16, shards: u8) -> Config {
        Config {
            port: Some(port),
            rtc_port,
            shards: Some(shards),
            ..Config::default()
        }
    }

    fn listener(port: u16, ip: &str) -> ListenerConfig {
        ListenerConfig {
            port,
            listen_ip: Some(ip.parse().unwrap()),
            ..ListenerConfig::default()
        }
    }

    #[test]
    fn page_and_media_need_different_tcp_ports() {
        for (port, is_free) in [(4000, false), (4001, false), (4002, true), (3999, true)] {
            let outcome = check(&config(port, 4000, 2));
            assert_eq!(outcome.is_ok(), is_free, "{port}");
            let Err(error) = outcome else { continue };
            let error = error.to_string();
            assert!(
                error.contains("`port`") && error.contains("`rtc_port`"),
                "{error}"
            );
            assert!(error.contains(&port.to_string()), "{error}");
        }
        let udp_only = Config {
            tcp: false,
            ..config(4000, 4000, 2)
        };
        check(&udp_only).unwrap();
        check(&config(0, 0, 2)).unwrap();
        let shared = Config {
            one_port: Some(true),
            ..config(4000, 4000, 2)
        };
        check(&shared).unwrap();
        let apart = Config {
            listen_ip: Some([127, 0, 0, 1].into()),
            media_listen_ip: Some([127, 0, 0, 2].into()),
            ..config(4000, 4000, 2)
        };
        check(&apart).unwrap();
    }

    #[test]
    fn page_and_redirect_need_different_ports() {
        let config = Config {
            domains: vec!["meet.example.org".to_owned()],
            ..config(80, 4000, 1)
        };
        let error = check(&config).unwrap_err().to_string();
        assert!(
            error.contains("`redirect_port`") && error.contains("port 80"),
            "{error}"
        );
    }

    #[test]
    fn turn_server_needs_ports_of_its_own() {
        for (turn, tls, words) in [
            (4001, 5349, "UDP port 4001"),
            (3000, 5349, "TCP port 3000"),
            (3478, 3478, "TCP port 3478"),
            (3478, 4000, "TCP port 4000"),
        ] {
            let config = Config {
                turn_port: Some(turn),
                turn_tls_port: Some(tls),
                tcp: turn != 4001,
                ..config(3000, 4000, 2)
            };
            let error = check(&config).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("`turn_"), "{error}");
        }
        let apart = Config {
            turn_port: Some(3478),
            turn_tls_port: Some(5349),
            ..config(3000, 4000, 2)
        };
        check(&apart).unwrap();
    }

    #[test]
    fn listeners_of_one_port_need_different_addresses() {
        for (one, other, is_free) in [
            ("127.0.0.1", "127.0.0.2", true),
            ("127.0.0.1", "::1", true),
            ("127.0.0.1", "127.0.0.1", false),
            ("127.0.0.1", "0.0.0.0", false),
            ("0.0.0.0", "127.0.0.1", false),
            ("::", "127.0.0.1", false),
            ("::1", "::", false),
        ] {
            let config = Config {
                listeners: vec![
                    listener(5000, one),
                    listener(5001, one),
                    listener(5000, other),
                ],
                ..config(3000, 4000, 1)
            };
            let outcome = check(&config).map_err(|error| error.to_string());
            assert_eq!(outcome.is_ok(), is_free, "{one} {other}");
            let Err(error) = outcome else { continue };
            for word in ["listener 3", "listener 1", "port 5000"] {
                assert!(error.contains(word), "{word}: {error}");
            }
        }
        let with_media = Config {
            listeners: vec![listener(5000, "127.0.0.1"), listener(4001, "127.0.0.1")],
            ..config(3000, 4000, 2)
        };
        let error = check(&with_media).unwrap_err().to_string();
        assert!(
            error.contains("listener 2") && error.contains("`rtc_port`"),
            "{error}"
        );
    }
}
