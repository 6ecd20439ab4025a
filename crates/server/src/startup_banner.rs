//! What is printed at start: the addresses to open, and what keeps cameras from working there.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::{ListenerConfig, Loaded, Mount};
use crate::ip_addresses;
use crate::listeners::BoundListener;

/// The text for doors that are open.
pub fn text(loaded: &Loaded, doors: &[BoundListener]) -> String {
    let own = ip_addresses::own();
    let mut text = String::new();
    let doors: Vec<_> = doors
        .iter()
        .map(|door| (&door.listener, door.addresses()))
        .collect();
    // Writing into a String cannot fail.
    let _ = write(&mut text, loaded.secret_is_made, &doors, &own);
    text
}

fn write(
    text: &mut String,
    secret_is_made: bool,
    doors: &[(&ListenerConfig, Vec<SocketAddr>)],
    own: &[IpAddr],
) -> fmt::Result {
    writeln!(text, "\n  Watersmeet {}\n", env!("CARGO_PKG_VERSION"))?;
    let mut blind = false;
    for (door, listening) in doors {
        let scheme = if door.tls() { "https" } else { "http" };
        let rest = behind(door);
        for (label, host, port) in places(listening, own) {
            writeln!(text, "  {label:<9}{scheme}://{host}:{port}/{rest}")?;
            blind |= label == NETWORK && !door.tls() && door.serves(Mount::Page);
        }
    }
    if blind {
        let hint = "On other machines browsers give cameras to TLS pages only: --tls-self-signed";
        writeln!(text, "\n  {hint}")?;
    }
    if secret_is_made {
        writeln!(text, "\n  {DEVELOPMENT}")?;
    }
    let mut all = doors.iter().flat_map(|(_, listening)| listening);
    if secret_is_made && all.all(|address| address.ip().is_loopback()) {
        writeln!(text, "  {ALONE}")?;
    }
    writeln!(text)
}

/// Said when the secret was made at start.
const DEVELOPMENT: &str =
    "Development: tokens are signed with a random secret and hold until the program ends.";

/// Said when nobody else can come.
const ALONE: &str =
    "Only this machine can connect. For others add: --listen-ip 0.0.0.0 --tls-self-signed";

/// What is behind a door that has not everything behind it.
fn behind(door: &ListenerConfig) -> String {
    let missing = Mount::ALL.iter().any(|&mount| !door.serves(mount));
    if !missing {
        return String::new();
    }
    let names: Vec<_> = door.mounts.iter().map(|mount| mount.name()).collect();
    format!("  ({})", names.join(", "))
}

/// Label of an address that only this machine can open.
const LOCAL: &str = "Local:";

/// Label of an address that other machines can open.
const NETWORK: &str = "Network:";

/// Every address to open, as label, host and port.
fn places(listening: &[SocketAddr], own: &[IpAddr]) -> Vec<(&'static str, String, u16)> {
    let mut places: Vec<(&'static str, String, u16)> = Vec::new();
    let both: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    if both
        .iter()
        .all(|ip| listening.iter().any(|it| it.ip() == *ip))
    {
        let port = listening.first().map_or(0, SocketAddr::port);
        return vec![(LOCAL, "localhost".to_owned(), port)];
    }
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
        let door = ListenerConfig {
            mounts: Mount::ALL.to_vec(),
            tls_self_signed: tls,
            ..ListenerConfig::default()
        };
        greeting_of(&door, listening)
    }

    fn greeting_of(door: &ListenerConfig, listening: &[&str]) -> String {
        let listening: Vec<_> = listening.iter().map(|text| text.parse().unwrap()).collect();
        let own = [IpAddr::from([192, 0, 2, 1]), "2001:db8::1".parse().unwrap()];
        let mut text = String::new();
        write(&mut text, true, &[(door, listening)], &own).unwrap();
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
        assert!(text.contains("Local:   http://127.0.0.1:1/"), "{text}");
        assert!(!text.contains("On other machines"), "{text}");
    }

    #[test]
    fn in_development_it_says_so_and_who_can_connect() {
        let text = greeting(false, &["127.0.0.1:1", "[::1]:1"]);
        assert!(text.contains("Local:   http://localhost:1/\n"), "{text}");
        assert!(text.contains(DEVELOPMENT) && text.contains(ALONE), "{text}");
        assert!(!greeting(false, &["0.0.0.0:1"]).contains(ALONE));
    }

    #[test]
    fn a_door_with_less_behind_it_says_what() {
        let door = ListenerConfig {
            mounts: vec![Mount::Api, Mount::Metrics],
            ..ListenerConfig::default()
        };
        let text = greeting_of(&door, &["0.0.0.0:9"]);
        assert!(
            text.contains("http://localhost:9/  (api, metrics)"),
            "{text}"
        );
        assert!(!text.contains("cameras"), "{text}");
    }
}
