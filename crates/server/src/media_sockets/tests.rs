//! Ports and protocols of media sockets.

use super::*;

fn config() -> Config {
    Config {
        rtc_port: 0,
        listen_ip: Some([127, 0, 0, 1].into()),
        ..Config::default()
    }
}

fn announced(config: &Config) -> Vec<(Protocol, IpAddr)> {
    let sockets = MediaSockets::open(config, Clock::start(), 0, &[]).unwrap();
    let announced = [IpAddr::from([192, 0, 2, 1]), "2001:db8::1".parse().unwrap()];
    let addresses = sockets.listen_addresses(&announced);
    assert!(
        addresses
            .iter()
            .all(|it| it.port == addresses[0].port && it.port != 0)
    );
    addresses
        .into_iter()
        .map(|it| (it.protocol, it.ip))
        .collect()
}

#[test]
fn udp_and_tcp_share_a_port_and_only_served_families_are_announced() {
    let ip = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(
        announced(&config()),
        [(Protocol::Udp, ip), (Protocol::Tcp, ip)]
    );
}

#[test]
fn disabled_protocols_are_not_announced() {
    let without_udp = Config {
        udp: false,
        ..config()
    };
    assert!(
        announced(&without_udp)
            .iter()
            .all(|it| it.0 == Protocol::Tcp)
    );
    let without_tcp = Config {
        tcp: false,
        ..config()
    };
    assert!(
        announced(&without_tcp)
            .iter()
            .all(|it| it.0 == Protocol::Udp)
    );
}

#[test]
fn page_port_is_announced_for_tcp_where_media_shares_it() {
    let config = Config {
        one_port: Some(true),
        ..config()
    };
    let page = [SocketAddr::from(([127, 0, 0, 1], 443))];
    let sockets = MediaSockets::open(&config, Clock::start(), 0, &page).unwrap();
    let announced = sockets.listen_addresses(&[IpAddr::from([192, 0, 2, 1])]);
    let port = |protocol| announced.iter().find(|it| it.protocol == protocol);
    assert_eq!(port(Protocol::Tcp).unwrap().port, 443);
    assert_ne!(port(Protocol::Udp).unwrap().port, 443);
    assert_eq!(announced.len(), 2);
}

#[test]
fn error_names_the_port_that_is_in_use() {
    let first = MediaSockets::open(&config(), Clock::start(), 0, &[]).unwrap();
    let rtc_port = first.addresses[0].address.port();
    let Err(error) = MediaSockets::open(
        &Config {
            rtc_port,
            ..config()
        },
        Clock::start(),
        0,
        &[],
    ) else {
        panic!("two shards on one port")
    };
    assert!(error.to_string().contains(&rtc_port.to_string()), "{error}");
}
