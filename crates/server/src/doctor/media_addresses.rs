//! Checks the announced media addresses: whether they belong to this machine, whether others can
//! reach them, and whether packets sent to them arrive at the media sockets.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use url::{Host, Url};

use super::finding::Finding;
use crate::config::{Config, is_documentation, is_unreachable};
use crate::private_networks::is_private;
use crate::{current_thread, ip_addresses};

/// Timeout of a packet from this machine to itself.
const LOOP_TIMEOUT: Duration = Duration::from_millis(500);

/// Payload of test packets.
const PROBE: &[u8] = b"watersmeet doctor";

/// Checks the announced addresses.
pub fn check(config: &Config) -> Vec<Finding> {
    let announced = current_thread::block_on(ip_addresses::announced_ips(config));
    let announced = match announced
        .map_err(ip_addresses::AnnounceError::from)
        .flatten()
    {
        Ok(announced) => announced,
        Err(error) => {
            let fix = "Correct the name or its DNS records, or announce an IP address";
            return vec![Finding::wrong("announced", error.to_string(), fix)];
        }
    };
    let own = ip_addresses::local_ips();
    let is_configured = !config.announced_ips.is_empty();
    let mut findings = vec![check_reach(config, &announced)];
    for &ip in &announced {
        if !is_configured && !ip.is_loopback() && !own.contains(&ip) {
            // `ports` has the finding: media cannot listen there.
            continue;
        }
        if is_unreachable(ip) {
            return vec![Finding::wrong(
                "announced",
                format!("`announced_ips`: browsers cannot reach {ip}"),
                "Set it to the address under which browsers reach this machine,\nor remove it: then the \
                 machine's own are announced",
            )];
        }
        if is_documentation(ip) && !own.contains(&ip) {
            findings.push(Finding::wrong(
                "announced",
                format!("`announced_ips`: {ip} is reserved for examples, and leads nowhere"),
                "Set it to the address under which browsers reach this machine",
            ));
        } else if !is_served(config, ip) {
            findings.push(Finding::wrong(
                "reachability",
                format!("`announced_ips`: media does not listen on the address family of {ip}"),
                "Make `media_listen_ip` and `announced_ips` both IPv4 or both IPv6, or listen on `::`",
            ));
        } else if ip.is_loopback() || own.contains(&ip) {
            findings.extend(check_local(config, ip));
        } else {
            findings.push(check_foreign(config, ip));
        }
    }
    findings
}

/// Returns whether media listens on the family of an address.
fn is_served(config: &Config, ip: IpAddr) -> bool {
    let listen = config.media_listen_ips();
    listen.iter().any(|at| at.is_ipv4() == ip.is_ipv4())
}

/// Checks who can reach the announced addresses.
fn check_reach(config: &Config, announced: &[IpAddr]) -> Finding {
    let list: Vec<_> = announced.iter().map(IpAddr::to_string).collect();
    let list = list.join(", ");
    if announced.iter().any(|ip| is_public(*ip)) {
        return Finding::fine("announced", list);
    }
    let (text, fix) = match announced.iter().all(IpAddr::is_loopback) {
        true => (
            format!("{list}: only browsers on this machine can send media"),
            "Fine for development. Otherwise set `announced_ips` to an address that browsers can \
             reach",
        ),
        false => (
            format!("{list}: only private addresses"),
            "Fine inside one network. For participants elsewhere set `announced_ips` \
             to the public address,\nand forward the media ports to this machine",
        ),
    };
    match is_public_service(config) {
        true => Finding::wrong(
            "announced",
            format!("{text}, but `base_url` is a public name"),
            fix,
        ),
        false => Finding::doubtful("announced", text, fix),
    }
}

/// Returns whether `base_url` has a public host.
pub fn is_public_service(config: &Config) -> bool {
    let url = config.base_url.as_deref();
    let url = url.and_then(|url| Url::parse(url).ok());
    match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => {
            let inner = [
                ".local",
                ".lan",
                ".internal",
                ".home.arpa",
                ".test",
                ".localhost",
            ];
            name.contains('.') && !inner.iter().any(|end| name.ends_with(end))
        }
        Some(Host::Ipv4(ip)) => is_public(ip.into()),
        Some(Host::Ipv6(ip)) => is_public(ip.into()),
        None => false,
    }
}

/// Returns whether an address is part of the internet.
fn is_public(ip: IpAddr) -> bool {
    !ip.is_loopback() && !is_private(ip)
}

/// Checks an announced address that this machine does not have.
fn check_foreign(config: &Config, ip: IpAddr) -> Finding {
    let last = config.media_port(config.shard_count().saturating_sub(1));
    let ports = match (config.media_port(0), last) {
        (0, _) => {
            return Finding::wrong(
                "announced",
                format!(
                    "`announced_ips`: {ip} is not this machine's, and the media ports are random"
                ),
                "Set `rtc_port` (MEDIASOUP_MIN_PORT), so that they can be forwarded to this \
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
        format!(
            "`announced_ips`: {ip} is not an address of this machine: whether it leads here cannot be \
             checked"
        ),
        format!("Fine behind NAT if {ports} ({protocols}) of {ip} are forwarded to this machine"),
    )
}

/// Sends a packet to the second address and waits for it at the first.
type LoopTest = fn(IpAddr, IpAddr) -> io::Result<()>;

/// Checks that packets to an address of this machine arrive where media listens.
fn check_local(config: &Config, ip: IpAddr) -> Vec<Finding> {
    let listen = config.media_listen_ips();
    let Some(&at) = listen.iter().find(|at| at.is_ipv4() == ip.is_ipv4()) else {
        return Vec::new();
    };
    let tests: [(&str, bool, LoopTest); 2] = [("UDP", config.udp, udp), ("TCP", config.tcp, tcp)];
    let tests = tests.iter().filter(|(_, wanted, _)| *wanted);
    let found = tests.map(|(name, _, test)| match test(at, ip) {
        Ok(()) => Finding::fine("reachability", format!("{name} to {ip} arrives")),
        Err(error) => Finding::wrong(
            "reachability",
            format!("{name} to {ip} does not arrive at {at}: {error}"),
            "Media must listen on the announced address: remove `media_listen_ip`, or check \
             this machine's firewall (nft list ruleset)",
        ),
    });
    found.collect()
}

fn udp(at: IpAddr, to: IpAddr) -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::new(at, 0))?;
    socket.set_read_timeout(Some(LOOP_TIMEOUT))?;
    let port = socket.local_addr()?.port();
    UdpSocket::bind(SocketAddr::new(to, 0))?.send_to(PROBE, SocketAddr::new(to, port))?;
    let mut packet = [0; PROBE.len()];
    let (len, _) = socket.recv_from(&mut packet)?;
    match packet.get(..len) == Some(PROBE) {
        true => Ok(()),
        false => Err(io::Error::other("another packet arrived")),
    }
}

fn tcp(at: IpAddr, to: IpAddr) -> io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::new(at, 0))?;
    let port = listener.local_addr()?.port();
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(to, port), LOOP_TIMEOUT)?;
    stream.write_all(PROBE)?;
    let (mut accepted, _) = listener.accept()?;
    accepted.set_read_timeout(Some(LOOP_TIMEOUT))?;
    accepted.read_exact(&mut [0; PROBE.len()])
}
