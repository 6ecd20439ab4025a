//! A client of Engine.IO, by polling over plain HTTP and by WebSocket: packets are texts here, and
//! a test writes and reads them itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::program::{Program, split};

/// How long an answer may take that does not wait for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// The packet that asks for a sign of life; the first comes at once.
const PING: &str = "2";

/// Sends a request and reads the whole answer: status, header and body.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    header: &str,
    body: &[u8],
) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let len = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
        Content-Length: {len}\r\n{header}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server may answer and hang up before it has read all of it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    split(&answer)
}

/// A session that is polled.
pub struct Polling {
    /// Where the program is.
    address: SocketAddr,
    /// What the program calls the session.
    pub sid: String,
    /// What it said of itself.
    pub open: Value,
}

impl Polling {
    /// Opens a session. `query` is what the address says besides, beginning with `&`.
    pub fn open(program: &Program, query: &str) -> Self {
        let path = format!("/socket.io/?EIO=4&transport=polling{query}");
        let (status, header, body) = request(program.address, "GET", &path, "", b"");
        assert_eq!(status, 200, "{body}");
        assert!(header.contains("content-type: text/plain"), "{header}");
        let open: Value = serde_json::from_str(body.strip_prefix('0').unwrap()).unwrap();
        Self {
            address: program.address,
            sid: open["sid"].as_str().unwrap().to_owned(),
            open,
        }
    }

    fn path(&self) -> String {
        format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid)
    }

    /// Asks for packets: status and body.
    pub fn poll(&self) -> (u16, String) {
        let (status, _, body) = request(self.address, "GET", &self.path(), "", b"");
        (status, body)
    }

    /// Waits for this many packets, and answers pings.
    pub fn packets(&self, count: usize) -> Vec<String> {
        let mut packets = Vec::new();
        while packets.len() < count {
            let (status, body) = self.poll();
            assert_eq!(status, 200, "{body} after {packets:?}");
            for packet in body.split('\u{1e}') {
                if packet == PING {
                    self.send(&["3"]);
                } else {
                    packets.push(packet.to_owned());
                }
            }
        }
        packets
    }

    /// Sends a payload of packets: status and body.
    pub fn post(&self, payload: &str) -> (u16, String) {
        let (status, _, body) = request(
            self.address,
            "POST",
            &self.path(),
            "Content-Type: text/plain;charset=UTF-8\r\n",
            payload.as_bytes(),
        );
        (status, body)
    }

    /// Sends packets that are taken.
    pub fn send(&self, packets: &[&str]) {
        let (status, body) = self.post(&packets.join("\u{1e}"));
        assert_eq!((status, body.as_str()), (200, "ok"));
    }
}

/// A WebSocket that carries a session.
pub struct Line {
    /// The socket, for tests that misbehave.
    pub socket: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
}

impl Line {
    /// Opens a WebSocket. `query` is what the address says besides, beginning with `&`.
    pub async fn open(program: &Program, query: &str) -> Self {
        let address = program.address;
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket{query}");
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self { socket }
    }

    /// Opens a session and the main namespace in it.
    pub async fn connect(program: &Program) -> Self {
        let mut line = Self::open(program, "").await;
        assert!(line.next().await.starts_with("0{"));
        line.send("40").await;
        let connected = line.next().await;
        assert!(connected.starts_with("40{\"sid\":"), "{connected}");
        line
    }

    /// Goes on with a session that was polled.
    pub async fn upgrade(program: &Program, polling: &Polling) -> Self {
        let mut line = Self::open(program, &format!("&sid={}", polling.sid)).await;
        line.send("2probe").await;
        assert_eq!(line.next().await, "3probe");
        line.send("5").await;
        line
    }

    /// Sends a packet.
    pub async fn send(&mut self, packet: &str) {
        self.socket.send(Message::text(packet)).await.unwrap();
    }

    /// The next packet that is no ping; those are answered.
    pub async fn next(&mut self) -> String {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await;
            match message.expect("a packet comes").unwrap().unwrap() {
                Message::Text(text) if text == PING => self.send("3").await,
                Message::Text(text) => return text.as_str().to_owned(),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until the server has closed the connection: the packets that came before.
    pub async fn closed(&mut self, patience: Duration) -> Vec<String> {
        let mut packets = Vec::new();
        let closed = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => packets.push(text.as_str().to_owned()),
                    Some(Ok(_)) => {}
                    Some(Err(Error::Io(_) | Error::Protocol(_) | Error::ConnectionClosed))
                    | None => return,
                    Some(Err(error)) => panic!("{error}"),
                }
            }
        };
        timeout(patience, closed)
            .await
            .expect("the server closes the connection");
        packets
    }
}
