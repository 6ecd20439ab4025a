//! Tells the protocols of one TCP port apart by the first bytes of a connection: TLS, plain HTTP, and
//! ICE checks over TCP (RFC 6544), which go on in the shard of their transport. Inside TLS: HTTP, TURN
//! (RFC 7443) and validations of a certificate authority (RFC 8737).
//!
//! A TLS record begins with 22, an HTTP request with a letter, and a frame of RFC 4571 with its length,
//! which for an ICE check is far below 0x1000.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use watersmeet_engine::ufrag::shard_of_check;

use crate::acme::ACME_TLS_ALPN;
use crate::media_sockets::{ConnectionSender, MediaConnection};

/// First byte of every TLS connection: a handshake record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Longest frame accepted before its shard is known, in bytes. Browsers' checks have about 120.
const CHECK_LEN_MAX: u16 = 1_024;

/// Shortest STUN message: its header (RFC 8489 §5).
const CHECK_LEN_MIN: u16 = 20;

/// Bytes of the length before a frame (RFC 4571 §2).
const LENGTH_LEN: usize = 2;

/// ALPN protocol of STUN and TURN over TLS (RFC 7443 §3).
pub const TURN_ALPN: &[u8] = b"stun.turn";

/// Magic cookie of STUN messages, from their fifth byte on (RFC 8489 §5).
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Protocol of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstProtocol {
    /// A TLS handshake.
    Tls,
    /// A frame that may have an ICE check.
    IceTcp,
    /// A plain HTTP request, or garbage that the HTTP server answers.
    Http,
}

impl FirstProtocol {
    /// Tells the protocol by the first byte of a connection.
    pub const fn of(first: u8) -> Self {
        let [frame_first_max, _] = CHECK_LEN_MAX.to_be_bytes();
        match first {
            TLS_HANDSHAKE => Self::Tls,
            first if first <= frame_first_max => Self::IceTcp,
            _ => Self::Http,
        }
    }
}

/// Protocol inside a TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsProtocol {
    /// HTTP/1.1.
    Http,
    /// STUN or TURN.
    Turn,
    /// Validation of a certificate authority, which the handshake has answered.
    AcmeValidation,
}

impl TlsProtocol {
    /// Tells the protocol by the negotiated ALPN protocol, else by the first bytes that the client sends,
    /// which stay unread.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn detect(stream: &mut TlsStream<TcpStream>) -> io::Result<Self> {
        let (_, session) = stream.get_ref();
        match session.alpn_protocol() {
            Some(protocol) if protocol == ACME_TLS_ALPN => return Ok(Self::AcmeValidation),
            Some(protocol) if protocol == TURN_ALPN => return Ok(Self::Turn),
            Some(_) => return Ok(Self::Http),
            None => {}
        }
        Ok(match is_stun(stream.fill_buf().await?) {
            true => Self::Turn,
            false => Self::Http,
        })
    }
}

/// Returns whether bytes begin a STUN message: two zero bits and the magic cookie (RFC 8489 §5).
fn is_stun(bytes: &[u8]) -> bool {
    let cookie = bytes.get(4..8);
    bytes.first().is_some_and(|first| first >> 6 == 0) && cookie == Some(&MAGIC_COOKIE)
}

/// Hands ICE over TCP to the shards, where media shares the port of the page.
#[derive(Clone)]
pub struct MediaPort(Arc<[ConnectionSender]>);

impl MediaPort {
    /// Takes a sender for each shard, in their order.
    pub fn new(shards: Vec<ConnectionSender>) -> Self {
        Self(shards.into())
    }

    /// Reads the first frame of a connection and hands both to the shard that the ICE check in it is for.
    /// Anything else closes the connection.
    ///
    /// # Errors
    /// The connection failed, or its first frame is no ICE check for a shard of ours.
    pub async fn accept(&self, mut stream: TcpStream, remote: SocketAddr) -> io::Result<()> {
        let len = stream.read_u16().await?;
        if !(CHECK_LEN_MIN..=CHECK_LEN_MAX).contains(&len) {
            return Err(invalid("first frame has not the length of an ICE check"));
        }
        let mut received = vec![0; LENGTH_LEN + usize::from(len)];
        let (length, check) = received.split_at_mut(LENGTH_LEN);
        length.copy_from_slice(&len.to_be_bytes());
        stream.read_exact(check).await?;
        let shard = shard_of_check(check).and_then(|shard| self.0.get(usize::from(shard)));
        let shard = shard.ok_or_else(|| invalid("first frame is no ICE check for a transport"))?;
        let connection = MediaConnection {
            stream: stream.into_std()?,
            remote,
            received,
        };
        match shard.send(connection) {
            true => Ok(()),
            false => Err(io::Error::other("the shard has too many new connections")),
        }
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_differ_in_their_first_byte() {
        assert_eq!(FirstProtocol::of(0x16), FirstProtocol::Tls);
        for method in ["GET", "POST", "HEAD", "OPTIONS", "PRI"] {
            let first = method.as_bytes()[0];
            assert_eq!(FirstProtocol::of(first), FirstProtocol::Http);
        }
        for len in [CHECK_LEN_MIN, 120, 256, CHECK_LEN_MAX] {
            let [first, _] = len.to_be_bytes();
            assert_eq!(FirstProtocol::of(first), FirstProtocol::IceTcp);
        }
    }

    #[test]
    fn stun_is_told_by_its_cookie() {
        let allocate = [0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1];
        assert!(is_stun(&allocate));
        assert!(!is_stun(&allocate[..7]));
        assert!(!is_stun(b"GET / HTTP/1.1"));
        assert!(!is_stun(&[0x40, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42]));
        assert!(!is_stun(&[]));
    }
}
