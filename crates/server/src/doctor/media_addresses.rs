//! Whether media finds its way: whether what is announced is an address of this machine, whether
//! the world can reach such an address, and whether a packet sent to it arrives where media
//! listens.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use super::Finding;
use crate::config::Config;
use crate::ip_addresses;

/// How long a packet may take from this machine to itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is sent to see whether it arrives.
const PROBE: &[u8] = b"watersmeet doctor";

/// What is found about the addresses.
pub fn check(config: &Config) -> Vec<Finding> {
    let announced = ip_addresses::announced(config);
    let own = ip_addresses::own();
    let mut findings = vec![audience(config, &announced)];
    for &ip in &announced {
        if ip.is_loopback() || own.contains(&ip) {
            findings.extend(arrivals(config, ip));
        } else {
            findings.push(elsewhere(config, ip));
        }
    }
    findings
}

/// For whom the announced addresses are good.
fn audience(config: &Config, announced: &[IpAddr]) -> Finding {
    let list: Vec<_> = announced.iter().map(IpAddr::to_string).collect();
    let list = list.join(", ");
    if announced.iter().all(IpAddr::is_loopback) {
        return Finding::doubtful(
            "announced",
            format!("{list}: only browsers on this machine can send media"),
            "Fine for development. Otherwise set `announced_ips` to an address that browsers can \
             reach",
        );
    }
    let is_public = |ip: &IpAddr| !ip.is_loopback() && !is_private(*ip);
    if announced.iter().any(is_public) {
        return Finding::fine("announced", list);
    }
    let fix = "Fine inside one network. For people elsewhere set `announced_ips` (PUBLIC_IP) to \
        the public address,\nand let the media ports through to this machine";
    let text = format!("{list}: private addresses alone");
    match expects_the_world(config) {
        true => Finding::wrong(
            "announced",
            format!("{text}, but `base_url` is a public name"),
            fix,
        ),
        false => Finding::doubtful("announced", text, fix),
    }
}

/// Whether the links that are handed out point to a public address.
fn expects_the_world(config: &Config) -> bool {
    let url = config.base_url.as_deref();
    let uri = url.and_then(|url| url.parse::<axum::http::Uri>().ok());
    let Some(host) = uri.as_ref().and_then(axum::http::Uri::host) else {
        return false;
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => !is_private(ip) && !ip.is_loopback(),
        Err(_) => {
            let inner = [
                ".local",
                ".lan",
                ".internal",
                ".home.arpa",
                ".test",
                ".localhost",
            ];
            host.contains('.') && !inner.iter().any(|end| host.ends_with(end))
        }
    }
}

/// Addresses that the world cannot reach (RFC 1918, 6598, 4193, 3927, 4291).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let carrier = u32::from(Ipv4Addr::new(100, 64, 0, 0)) >> 22;
            ip.is_private() || ip.is_link_local() || u32::from(ip) >> 22 == carrier
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// An address that is not this machine's.
fn elsewhere(config: &Config, ip: IpAddr) -> Finding {
    let last = config.media_port(config.shard_count().saturating_sub(1));
    let ports = match (config.media_port(0), last) {
        (0, _) => {
            return Finding::wrong(
                "announced",
                format!("{ip} is not this machine's, and the media ports are left to chance"),
                "Set `rtc_port` (MEDIASOUP_MIN_PORT), so that they can be let through to this \
                 machine",
            );
        }
        (first, last) if first == last => format!("port {first}"),
        (first, last) => format!("ports {first} to {last}"),
    };
    let protocols = match (config.udp, config.tcp) {
        (true, true) => "UDP and TCP",
        (true, false) => "UDP",
        _ => "TCP",
    };
    Finding::doubtful(
        "announced",
        format!("{ip} is not this machine's own: whether it leads here cannot be seen from here"),
        format!("Right behind NAT, when {ports} ({protocols}) of {ip} are let through to it"),
    )
}

/// Sends something to the second address and waits for it at the first.
type Way = fn(IpAddr, IpAddr) -> io::Result<()>;

/// Whether what is sent to an address of this machine arrives where media listens.
fn arrivals(config: &Config, ip: IpAddr) -> Vec<Finding> {
    let listen = config.media_listen_ips();
    let Some(&at) = listen.iter().find(|at| at.is_ipv4() == ip.is_ipv4()) else {
        let text = format!("{ip} is announced, but media does not listen on its kind");
        let fix = "Make `media_listen_ip` and `announced_ips` both IPv4 or both IPv6";
        return vec![Finding::wrong("reachability", text, fix)];
    };
    let ways: [(&str, bool, Way); 2] = [("UDP", config.udp, udp), ("TCP", config.tcp, tcp)];
    let ways = ways.iter().filter(|(_, wanted, _)| *wanted);
    let found = ways.map(|(name, _, way)| match way(at, ip) {
        Ok(()) => Finding::fine("reachability", format!("{name} to {ip} arrives")),
        Err(error) => Finding::wrong(
            "reachability",
            format!("{name} to {ip} does not arrive at {at}: {error}"),
            "MediaSockets must listen on what is announced: leave `media_listen_ip` away, or look at \
             this machine's firewall (nft list ruleset)",
        ),
    });
    found.collect()
}

fn udp(at: IpAddr, to: IpAddr) -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::new(at, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let port = socket.local_addr()?.port();
    UdpSocket::bind(SocketAddr::new(to, 0))?.send_to(PROBE, SocketAddr::new(to, port))?;
    let mut packet = [0; PROBE.len()];
    let (len, _) = socket.recv_from(&mut packet)?;
    match packet.get(..len) == Some(PROBE) {
        true => Ok(()),
        false => Err(io::Error::other("something else arrived")),
    }
}

fn tcp(at: IpAddr, to: IpAddr) -> io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::new(at, 0))?;
    let port = listener.local_addr()?.port();
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(to, port), PATIENCE)?;
    stream.write_all(PROBE)?;
    let (mut accepted, _) = listener.accept()?;
    accepted.set_read_timeout(Some(PATIENCE))?;
    accepted.read_exact(&mut [0; PROBE.len()])
}
