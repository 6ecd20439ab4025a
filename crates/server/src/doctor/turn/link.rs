//! A way to a STUN or TURN server: where its address leads, and questions and answers over UDP or
//! TCP with a short patience. It does not know what is asked.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

use super::message::{Answer, HEADER_LEN, Request};

/// How long a connection or an answer over TCP may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long each of several questions over UDP waits: one packet may be lost, not three.
const TRIES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_millis(1_100),
];

/// The longest answer that is read, in bytes.
const ANSWER_LEN_MAX: usize = 1_500;

/// The port of STUN and TURN, and the one with TLS (RFC 7064, RFC 7065).
const PORTS: (u16, u16) = (3478, 5349);

/// An address as browsers are told it.
#[derive(Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether it is a TURN server.
    pub relays: bool,
    /// Whether it speaks TLS or DTLS.
    pub tls: bool,
    /// Whether it is asked over TCP.
    tcp: bool,
    /// Its name or address.
    host: String,
    /// Its port.
    port: u16,
}

impl Url {
    /// Reads `turn:host:port?transport=udp` and its kin.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let (relays, tls) = match scheme {
            "stun" => (false, false),
            "stuns" => (false, true),
            "turn" => (true, false),
            "turns" => (true, true),
            _ => return None,
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = match place.strip_prefix('[') {
            Some(place) => {
                let (host, rest) = place.split_once(']')?;
                (host, rest.strip_prefix(':'))
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let usual = if tls { PORTS.1 } else { PORTS.0 };
        Some(Self {
            relays,
            tls,
            tcp: tls || query == "transport=tcp",
            host: Some(host).filter(|host| !host.is_empty())?.to_owned(),
            port: port.map_or(Some(usual), |port| port.parse().ok())?,
        })
    }
}

/// A way to a server.
pub enum Link {
    /// Datagrams.
    Udp(UdpSocket),
    /// A connection.
    Tcp(TcpStream),
}

impl Link {
    /// Finds the server and, over TCP, connects.
    ///
    /// # Errors
    /// When it has no address or takes no connection.
    pub fn open(url: &Url) -> io::Result<Self> {
        let mut addresses = (url.host.as_str(), url.port).to_socket_addrs()?;
        let missing = || io::Error::other("its name has no address");
        let address = addresses.next().ok_or_else(missing)?;
        if url.tcp {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            return Ok(Self::Tcp(stream));
        }
        let any = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        Ok(Self::Udp(socket))
    }

    /// Asks, and waits for the answer.
    pub fn ask(&mut self, request: &Request) -> Option<Answer> {
        let mut answer = [0; ANSWER_LEN_MAX];
        match self {
            Self::Udp(socket) => TRIES.iter().find_map(|&patience| {
                socket.set_read_timeout(Some(patience)).ok()?;
                socket.send(&request.bytes).ok()?;
                let len = socket.recv(&mut answer).ok()?;
                request.answer(answer.get(..len)?)
            }),
            Self::Tcp(stream) => {
                stream.write_all(&request.bytes).ok()?;
                let (header, body) = answer.split_at_mut(HEADER_LEN);
                stream.read_exact(header).ok()?;
                let len = header.get(2..4)?.try_into().ok().map(u16::from_be_bytes)?;
                let len = usize::from(len);
                stream.read_exact(body.get_mut(..len)?).ok()?;
                request.answer(answer.get(..HEADER_LEN + len)?)
            }
        }
    }

    /// Says something whose answer does not matter.
    pub fn tell(&mut self, request: &Request) {
        // The server forgets what it gave by itself, only later.
        let _ = match self {
            Self::Udp(socket) => socket.send(&request.bytes).map(drop),
            Self::Tcp(stream) => stream.write_all(&request.bytes),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_browsers_read_them() {
        let url = Url::parse("turn:turn.example:80?transport=tcp").unwrap();
        assert!(url.relays && url.tcp && !url.tls);
        assert_eq!((url.host.as_str(), url.port), ("turn.example", 80));
        let url = Url::parse("stun:[2001:db8::1]").unwrap();
        assert!(!url.relays && !url.tcp);
        assert_eq!((url.host.as_str(), url.port), ("2001:db8::1", 3478));
        let url = Url::parse("turns:turn.example").unwrap();
        assert!(url.tls && url.port == 5349);
        for text in ["turn:", "http:a", "turn:a:b", "turn:[::1", "turn"] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }
}
