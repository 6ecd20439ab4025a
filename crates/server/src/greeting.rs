//! What is printed at start: the addresses to open, and what keeps cameras from working there.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::addresses;
use crate::config::Config;

/// The text for a page that listens on `listening`.
pub fn text(config: &Config, listening: &[SocketAddr]) -> String {
    let own = addresses::own();
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut text, config.tls(), listening, &own);
    text
}

fn write(text: &mut String, tls: bool, listening: &[SocketAddr], own: &[IpAddr]) -> fmt::Result {
    let scheme = if tls { "https" } else { "http" };
    writeln!(text, "\n  Watersmeet {}\n", env!("CARGO_PKG_VERSION"))?;
    let mut network = false;
    for (label, host, port) in places(listening, own) {
        writeln!(text, "  {label:<9}{scheme}://{host}:{port}/")?;
        network |= label == NETWORK;
    }
    if network && !tls {
        let hint = "On other machines browsers give cameras to TLS pages only: --tls-self-signed";
        writeln!(text, "\n  {hint}")?;
    }
    writeln!(text)
}

/// Label of an address that only this machine can open.
const LOCAL: &str = "Local:";

/// Label of an address that other machines can open.
const NETWORK: &str = "Network:";

/// Every address to open, as label, host and port.
fn places(listening: &[SocketAddr], own: &[IpAddr]) -> Vec<(&'static str, String, u16)> {
    let mut places: Vec<(&'static str, String, u16)> = Vec::new();
    let mut add = |label, host: String, port| {
        if !places.iter().any(|(_, known, _)| *known == host) {
            places.push((label, host, port));
        }
    };
    for address in listening {
        let port = address.port();
        match address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
                add(LOCAL, "localhost".to_owned(), port);
                let same_family = own.iter().filter(|ip| ip.is_ipv4() == address.is_ipv4());
                same_family.for_each(|&ip| add(NETWORK, host(ip), port));
            }
            ip => add(
                if ip.is_loopback() { LOCAL } else { NETWORK },
                host(ip),
                port,
            ),
        }
    }
    places
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

    fn greeting(tls: bool, listening: &[&str]) -> String {
        let listening: Vec<_> = listening.iter().map(|text| text.parse().unwrap()).collect();
        let own = [IpAddr::from([192, 0, 2, 1]), "2001:db8::1".parse().unwrap()];
        let mut text = String::new();
        write(&mut text, tls, &listening, &own).unwrap();
        text
    }

    #[test]
    fn every_address_is_listed_once_with_a_hint_about_cameras() {
        let text = greeting(false, &["0.0.0.0:3000", "[::]:3000"]);
        assert_eq!(text.matches("http://localhost:3000/").count(), 1);
        assert!(text.contains("Network: http://192.0.2.1:3000/"));
        assert!(text.contains("Network: http://[2001:db8::1]:3000/"));
        assert!(text.contains("--tls-self-signed"));
    }

    #[test]
    fn with_tls_or_on_loopback_alone_there_is_nothing_to_hint_at() {
        assert!(!greeting(true, &["0.0.0.0:1"]).contains("--tls"));
        let text = greeting(false, &["127.0.0.1:1"]);
        assert!(
            text.contains("Local:   http://127.0.0.1:1/") && !text.contains("--tls"),
            "{text}"
        );
    }
}
