//! URLs of STUN and TURN servers (RFC 7064, RFC 7065).

/// Default port, and default port with TLS.
const PORTS: (u16, u16) = (3478, 5349);

/// URL of a STUN or TURN server.
#[derive(Debug, PartialEq, Eq)]
pub struct IceUrl {
    /// Whether it is a TURN server.
    pub is_turn: bool,
    /// Whether it uses TLS or DTLS.
    pub is_tls: bool,
    /// Whether it is reached over TCP.
    pub is_tcp: bool,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl IceUrl {
    /// Parses `turn:host:port?transport=udp` and the like.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let (is_turn, is_tls) = match scheme {
            "stun" => (false, false),
            "stuns" => (false, true),
            "turn" => (true, false),
            "turns" => (true, true),
            _ => return None,
        };
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(authority) => {
                let (host, rest) = authority.split_once(']')?;
                (host, rest.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let default_port = if is_tls { PORTS.1 } else { PORTS.0 };
        Some(Self {
            is_turn,
            is_tls,
            is_tcp: is_tls || query == "transport=tcp",
            host: Some(host)
                .filter(|host| !host.is_empty() && !host.contains('/'))?
                .to_owned(),
            port: port
                .map_or(Some(default_port), |port| port.parse().ok())
                .filter(|port| *port != 0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_parsed_like_in_browsers() {
        let url = IceUrl::parse("turn:turn.example:80?transport=tcp").unwrap();
        assert!(url.is_turn && url.is_tcp && !url.is_tls);
        assert_eq!((url.host.as_str(), url.port), ("turn.example", 80));
        let url = IceUrl::parse("stun:[2001:db8::1]").unwrap();
        assert!(!url.is_turn && !url.is_tcp);
        assert_eq!((url.host.as_str(), url.port), ("2001:db8::1", 3478));
        let url = IceUrl::parse("turns:turn.example").unwrap();
        assert!(url.is_tls && url.port == 5349);
        for text in ["turn:", "http:a", "turn:a:b", "turn:[::1", "turn"] {
            assert_eq!(IceUrl::parse(text), None, "{text}");
        }
    }
}
