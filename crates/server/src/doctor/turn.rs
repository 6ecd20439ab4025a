//! Checks that the STUN and TURN servers announced to browsers respond: a Binding request (RFC 8489)
//! to a STUN server; an allocation with the browsers' credentials (RFC 8656) at a TURN server, which
//! is released at once. The embedded server is asked only if it runs.

use std::net::SocketAddr;
use std::time::SystemTime;

use watersmeet_conference::turn::IceServer;

use super::finding::Finding;
use super::ports;
use crate::conference_setup;
use crate::config::Config;
use crate::ice_url::IceUrl;
use crate::turn_urls;

mod connection;
mod message;

use connection::Connection;
use message::{Credentials, Request, Response};

/// User name of the allocation, where credentials are generated.
const USER_ID: &str = "doctor";

/// Checks all configured STUN and TURN servers.
pub fn check(config: &Config) -> Vec<Finding> {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let unix_s = unix.map_or(0, |unix| unix.as_secs());
    let servers = conference_setup::ice_servers(config).for_client(USER_ID, unix_s);
    let embedded = turn_urls::embedded(config);
    let mut findings = Vec::new();
    for server in &servers {
        // `settings` has the finding about an address that cannot be read.
        let urls = server.urls.iter();
        let urls = urls.filter_map(|text| Some((text, IceUrl::parse(text)?)));
        findings.extend(urls.map(|(text, url)| {
            match embedded.contains(text) && is_free(config, &url) {
                true => Finding::fine("turn", format!("{text} starts with the server")),
                false => check_url(text, &url, server),
            }
        }));
    }
    if config.turn_secret.is_none() {
        findings.extend(embedded.iter().map(|text| {
            let text = format!("{text} starts with the server, with a random secret");
            Finding::fine("turn", text)
        }));
    }
    findings
}

/// Returns whether the port of a URL of the embedded server is free.
fn is_free(config: &Config, url: &IceUrl) -> bool {
    let ips = config.turn_listen_ips();
    let address = ips.first().map(|ip| SocketAddr::new(*ip, url.port));
    address.is_some_and(|address| match url.is_tcp {
        true => ports::tcp(address).is_ok(),
        false => ports::udp(address).is_ok(),
    })
}

fn check_url(text: &str, url: &IceUrl, server: &IceServer) -> Finding {
    let about = if url.is_turn { "turn" } else { "stun" };
    let mut connection = match Connection::open(url) {
        Ok(connection) => connection,
        Err(error) => {
            let fix = "Check the host name, that the server runs, and firewalls in between";
            return Finding::wrong(about, format!("{text} cannot be reached: {error}"), fix);
        }
    };
    if url.is_tls {
        return Finding::fine(
            about,
            format!("{text} accepts connections (TLS is not tried)"),
        );
    }
    if !url.is_turn {
        return match connection.exchange(&Request::binding()) {
            Some(_) => Finding::fine(about, format!("{text} responds")),
            None => no_response(about, text),
        };
    }
    let (Some(username), Some(password)) = (&server.username, &server.credential) else {
        return Finding::wrong(
            about,
            format!("{text} has no credentials"),
            "Set `turn_secret` to coturn's static-auth-secret, or `username` and `credential`",
        );
    };
    check_allocation(about, text, &mut connection, username, password)
}

fn check_allocation(
    about: &'static str,
    text: &str,
    connection: &mut Connection,
    username: &str,
    password: &str,
) -> Finding {
    let credentials = match connection.exchange(&Request::allocate(None)) {
        None => return no_response(about, text),
        Some(Response::Success) => {
            return Finding::doubtful(
                about,
                format!("{text} relays without credentials"),
                "Require credentials: use-auth-secret and static-auth-secret of coturn",
            );
        }
        Some(Response::Challenge { realm, nonce }) => Credentials {
            username: username.to_owned(),
            password: password.to_owned(),
            realm,
            nonce,
        },
        Some(Response::Refused(code)) => return refused(about, text, code),
    };
    match connection.exchange(&Request::allocate(Some(&credentials))) {
        None => no_response(about, text),
        Some(Response::Success) => {
            connection.send(&Request::release(&credentials));
            Finding::fine(about, format!("{text} relays with our credentials"))
        }
        Some(Response::Challenge { .. }) => Finding::wrong(
            about,
            format!("{text} does not accept our credentials"),
            "`turn_secret` must be coturn's static-auth-secret, and both clocks must agree \
             (timedatectl)",
        ),
        Some(Response::Refused(code)) => refused(about, text, code),
    }
}

fn no_response(about: &'static str, text: &str) -> Finding {
    let fix = "Check that the server runs (systemctl status coturn) and that its port is open";
    Finding::wrong(about, format!("{text} does not respond"), fix)
}

fn refused(about: &'static str, text: &str, code: u16) -> Finding {
    let fix = match code {
        403 => "The server forbids it: see its denied-peer-ip and allowed-peer-ip",
        437 | 486 | 508 => {
            "The server is full: see its user-quota, total-quota and port range, or \
             `turn_allocations_max`"
        }
        _ => "See the server's log",
    };
    Finding::wrong(about, format!("{text} refuses with {code}"), fix)
}
