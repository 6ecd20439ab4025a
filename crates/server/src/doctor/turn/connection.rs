//! Connection to a STUN or TURN server: requests and responses over UDP or TCP with short timeouts.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::message::{HEADER_LEN, Request, Response};
use crate::ice_url::IceUrl;
use crate::{current_thread, host_names};

/// Timeout of a connection attempt or response over TCP.
const TCP_TIMEOUT: Duration = Duration::from_secs(2);

/// Timeouts of the attempts over UDP. One packet may be lost, but hardly three.
const UDP_TIMEOUTS: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_millis(1_100),
];

/// Longest response, in bytes.
const RESPONSE_LEN_MAX: usize = 1_500;

/// Connection to a server.
pub enum Connection {
    /// Over UDP.
    Udp(UdpSocket),
    /// Over TCP.
    Tcp(TcpStream),
}

impl Connection {
    /// Resolves the host and, over TCP, connects.
    ///
    /// # Errors
    /// The host has no address or does not accept the connection.
    pub fn open(url: &IceUrl) -> io::Result<Self> {
        let ips = current_thread::block_on(host_names::resolve(&url.host))??;
        let missing = || io::Error::other("the host name has no address");
        let ip = ips.first().copied().ok_or_else(missing)?;
        let address = SocketAddr::new(ip, url.port);
        if url.is_tcp {
            let stream = TcpStream::connect_timeout(&address, TCP_TIMEOUT)?;
            stream.set_read_timeout(Some(TCP_TIMEOUT))?;
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

    /// Sends a request and waits for its response.
    pub fn exchange(&mut self, request: &Request) -> Option<Response> {
        let mut response = [0; RESPONSE_LEN_MAX];
        match self {
            Self::Udp(socket) => UDP_TIMEOUTS.iter().find_map(|&timeout| {
                socket.set_read_timeout(Some(timeout)).ok()?;
                socket.send(request.as_bytes()).ok()?;
                let len = socket.recv(&mut response).ok()?;
                request.parse_response(response.get(..len)?)
            }),
            Self::Tcp(stream) => {
                stream.write_all(request.as_bytes()).ok()?;
                let (header, body) = response.split_at_mut(HEADER_LEN);
                stream.read_exact(header).ok()?;
                let len = header.get(2..4)?.try_into().ok().map(u16::from_be_bytes)?;
                let len = usize::from(len);
                stream.read_exact(body.get_mut(..len)?).ok()?;
                request.parse_response(response.get(..HEADER_LEN + len)?)
            }
        }
    }

    /// Sends a request without waiting for its response.
    pub fn send(&mut self, request: &Request) {
        // If the release is lost, the allocation expires by itself.
        let _ = match self {
            Self::Udp(socket) => socket.send(request.as_bytes()).map(drop),
            Self::Tcp(stream) => stream.write_all(request.as_bytes()),
        };
    }
}
