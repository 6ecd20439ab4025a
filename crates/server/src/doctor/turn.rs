//! Whether the STUN and TURN servers that browsers are told answer: a Binding request (RFC 8489)
//! to a STUN server, an allocation with the credentials browsers get (RFC 8656) at a TURN server,
//! given back at once.

use std::time::SystemTime;

use watersmeet_conference::turn::IceServer;

use super::Finding;
use crate::conference_setup;
use crate::config::Config;

mod link;
mod message;

use link::{Link, Url};
use message::{Allocation, Answer};

/// Who the allocation is asked as, where names are ours to choose.
const NAME: &str = "doctor";

/// What is found about the servers.
pub fn check(config: &Config) -> Vec<Finding> {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let unix_s = unix.map_or(0, |unix| unix.as_secs());
    let servers = conference_setup::ice_servers(config).for_client(NAME, unix_s);
    let mut findings = Vec::new();
    for server in &servers {
        findings.extend(server.urls.iter().map(|url| examine(url, server)));
    }
    findings
}

fn examine(text: &str, server: &IceServer) -> Finding {
    let Some(url) = Url::parse(text) else {
        let fix = "Write it as turn:HOST:PORT?transport=udp or stun:HOST:PORT";
        return Finding::wrong("turn", format!("{text} cannot be understood"), fix);
    };
    let about = if url.relays { "turn" } else { "stun" };
    let mut link = match Link::open(&url) {
        Ok(link) => link,
        Err(error) => {
            let fix = "Is the name right, does the server run, does a firewall stand between?";
            return Finding::wrong(about, format!("{text} cannot be reached: {error}"), fix);
        }
    };
    if url.tls {
        return Finding::fine(
            about,
            format!("{text} takes connections (TLS is not tried)"),
        );
    }
    if !url.relays {
        return match link.ask(&message::binding()) {
            Some(_) => Finding::fine(about, format!("{text} answers")),
            None => silent(about, text),
        };
    }
    let (Some(username), Some(credential)) = (&server.username, &server.credential) else {
        return Finding::wrong(
            about,
            format!("{text} has no credentials"),
            "Set `turn_secret` to coturn's static-auth-secret, or `username` and `credential`",
        );
    };
    allocate(about, text, &mut link, username, credential)
}

fn allocate(
    about: &'static str,
    text: &str,
    link: &mut Link,
    username: &str,
    credential: &str,
) -> Finding {
    let challenge = match link.ask(&message::allocate(None)) {
        None => return silent(about, text),
        Some(Answer::Success) => {
            return Finding::doubtful(
                about,
                format!("{text} relays for anybody"),
                "Make it ask for credentials: use-auth-secret and static-auth-secret of coturn",
            );
        }
        Some(Answer::Challenge { realm, nonce }) => Allocation {
            username,
            credential,
            realm,
            nonce,
        },
        Some(Answer::Refused(code)) => return refused(about, text, code),
    };
    match link.ask(&message::allocate(Some(&challenge))) {
        None => silent(about, text),
        Some(Answer::Success) => {
            link.tell(&message::release(&challenge));
            Finding::fine(about, format!("{text} relays with our credentials"))
        }
        Some(Answer::Challenge { .. }) => Finding::wrong(
            about,
            format!("{text} does not take our credentials"),
            "`turn_secret` must be coturn's static-auth-secret, and both clocks must agree \
             (timedatectl)",
        ),
        Some(Answer::Refused(code)) => refused(about, text, code),
    }
}

fn silent(about: &'static str, text: &str) -> Finding {
    let fix = "Does the server run (systemctl status coturn), and is its port let through?";
    Finding::wrong(about, format!("{text} does not answer"), fix)
}

fn refused(about: &'static str, text: &str, code: u16) -> Finding {
    let fix = match code {
        403 => "The server forbids it: see its denied-peer-ip and allowed-peer-ip",
        437 | 486 | 508 => "The server is full: see its user-quota, total-quota and port range",
        _ => "See the server's log",
    };
    Finding::wrong(about, format!("{text} refuses with {code}"), fix)
}
