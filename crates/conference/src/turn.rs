//! STUN and TURN servers for clients. A TURN server relays for every client that knows its secret,
//! so a client only gets a password that expires: the REST scheme that coturn calls
//! `use-auth-secret` (draft-uberti-behave-turn-rest-00 §2.2). The secret is never sent and never
//! appears in `Debug`.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A STUN or TURN server, as `RTCPeerConnection` takes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct IceServer {
    /// Addresses, as `stun:` or `turn:` URLs.
    pub urls: Vec<String>,
    /// User name for the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Password for the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// STUN and TURN servers for all clients.
#[derive(Debug, Clone, Default)]
pub struct IceServers {
    /// Servers whose credentials are the same for all clients.
    pub fixed: Vec<IceServer>,
    /// Server whose passwords expire.
    pub turn: Option<TurnServer>,
}

/// A TURN server that shares a secret with this program.
#[derive(Clone)]
pub struct TurnServer {
    /// Addresses, as `turn:` URLs.
    urls: Vec<String>,
    /// Shared secret as an HMAC-SHA-1 key; the scheme has no other hash.
    key: hmac::Key,
    /// Lifetime of a password, in seconds.
    ttl_s: u64,
}

impl IceServers {
    /// Returns the servers for a client at `unix_s`, in seconds since 1970. `name` appears in the
    /// TURN server's log, and should be meaningless elsewhere.
    #[must_use]
    pub fn for_client(&self, name: &str, unix_s: u64) -> Vec<IceServer> {
        let turn = self
            .turn
            .as_ref()
            .map(|turn| turn.issue_credentials(name, unix_s));
        self.fixed.iter().cloned().chain(turn).collect()
    }
}

impl TurnServer {
    /// Returns a TURN server at `urls` that shares `secret`. Its passwords are valid for `ttl_s`
    /// seconds.
    #[must_use]
    pub fn new(urls: Vec<String>, secret: &[u8], ttl_s: u64) -> Self {
        Self {
            urls,
            key: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret),
            ttl_s,
        }
    }

    /// Returns the server with a password issued at `unix_s`, in seconds since 1970. It cannot be
    /// revoked, and allocations made with it last as long as they are refreshed.
    #[must_use]
    pub fn issue_credentials(&self, name: &str, unix_s: u64) -> IceServer {
        let username = format!("{}:{name}", unix_s.saturating_add(self.ttl_s));
        IceServer {
            urls: self.urls.clone(),
            credential: Some(self.password_of(&username)),
            username: Some(username),
        }
    }

    /// Returns the password that belongs to a user name, whoever issued it.
    #[must_use]
    pub fn password_of(&self, username: &str) -> String {
        STANDARD.encode(hmac::sign(&self.key, username.as_bytes()))
    }

    /// Returns when a user name expires, in seconds since 1970; `None` when it does not have the form
    /// `time:name` or `time`.
    #[must_use]
    pub fn expiry_of(username: &str) -> Option<u64> {
        let time = username.split_once(':').map_or(username, |(time, _)| time);
        time.parse().ok()
    }
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("has_credential", &self.credential.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TurnServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnServer")
            .field("urls", &self.urls)
            .field("ttl_s", &self.ttl_s)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn() -> TurnServer {
        let urls = vec!["turn:turn.example.org:3478?transport=udp".to_owned()];
        TurnServer::new(urls, b"north-wind-and-the-sun", 86_400)
    }

    /// The expected credential comes from OpenSSL:
    /// `printf 1800086400:alice | openssl dgst -sha1 -hmac north-wind-and-the-sun -binary | base64`
    #[test]
    fn password_is_the_one_that_coturn_expects() {
        let server = turn().issue_credentials("alice", 1_800_000_000);
        assert_eq!(server.urls, ["turn:turn.example.org:3478?transport=udp"]);
        assert_eq!(server.username.as_deref(), Some("1800086400:alice"));
        assert_eq!(
            server.credential.as_deref(),
            Some("jIcWLPXic9Oemkp+cvU+mGG4C/g=")
        );
    }

    #[test]
    fn issued_user_name_has_its_expiry_and_password() {
        let issued = turn().issue_credentials("alice", 1_800_000_000);
        let username = issued.username.unwrap();
        assert_eq!(TurnServer::expiry_of(&username), Some(1_800_086_400));
        assert_eq!(turn().password_of(&username), issued.credential.unwrap());
        assert_eq!(TurnServer::expiry_of("1800000000"), Some(1_800_000_000));
        for username in ["", ":", "alice", "alice:1800000000", "-1:alice"] {
            assert_eq!(TurnServer::expiry_of(username), None, "{username}");
        }
    }

    #[test]
    fn password_differs_by_client_and_by_time() {
        let credential = |name, unix_s| turn().issue_credentials(name, unix_s).credential.unwrap();
        let first = credential("alice", 1_800_000_000);
        assert_ne!(first, credential("bob", 1_800_000_000));
        assert_ne!(first, credential("alice", 1_800_000_001));
        assert_eq!(first, credential("alice", 1_800_000_000));
    }

    #[test]
    fn fixed_servers_come_first_and_turn_is_optional() {
        let fixed = IceServer {
            urls: vec!["stun:stun.example.org".to_owned()],
            username: None,
            credential: None,
        };
        let mut servers = IceServers {
            fixed: vec![fixed.clone()],
            turn: None,
        };
        assert_eq!(servers.for_client("alice", 0), std::slice::from_ref(&fixed));
        servers.turn = Some(turn());
        assert_eq!(
            servers.for_client("alice", 0),
            [fixed, turn().issue_credentials("alice", 0)]
        );
        assert_eq!(IceServers::default().for_client("alice", 0), []);
    }

    #[test]
    fn expiry_saturates_at_the_end_of_time() {
        let username = turn()
            .issue_credentials("alice", u64::MAX)
            .username
            .unwrap();
        assert_eq!(username, format!("{}:alice", u64::MAX));
    }

    #[test]
    fn server_serializes_as_a_browser_expects() {
        let server = serde_json::to_value(turn().issue_credentials("alice", 0)).unwrap();
        let server = server.as_object().unwrap();
        assert_eq!(
            server.keys().collect::<Vec<_>>(),
            ["credential", "urls", "username"]
        );
    }

    #[test]
    fn debug_shows_neither_secret_nor_password() {
        let servers = IceServers {
            fixed: vec![turn().issue_credentials("alice", 0)],
            turn: Some(turn()),
        };
        let credential = turn().issue_credentials("alice", 0).credential.unwrap();
        let shown = format!("{servers:?}");
        assert!(!shown.contains("north-wind") && !shown.contains(&credential));
        assert!(!shown.contains("alice"), "{shown}");
    }
}
