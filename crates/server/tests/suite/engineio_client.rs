//! Engine.IO client, by polling over plain HTTP and by WebSocket. Packets are texts that tests write
//! and parse themselves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::program::{Program, split_response};

/// Longest wait for a packet.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Ping packet; the first is sent at once.
const PING: &str = "2";

/// Sends a request and returns status, header and body of the response.
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
    // The server may respond and close the connection before it has read all of it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    split_response(&answer)
}

/// A session that uses polling.
pub struct Polling {
    /// Address of the program.
    address: SocketAddr,
    /// Id of the session.
    pub sid: String,
    /// Payload of the open packet.
    pub open: Value,
}

impl Polling {
    /// Opens a session. `query` is appended to the URL and begins with `&`.
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

    /// Polls once; returns status and body.
    pub fn poll(&self) -> (u16, String) {
        let (status, _, body) = request(self.address, "GET", &self.path(), "", b"");
        (status, body)
    }

    /// Polls until this many packets were received. Pings are answered.
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

    /// Posts a payload of packets; returns status and body.
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

    /// Posts packets and asserts that they are accepted.
    pub fn send(&self, packets: &[&str]) {
        let (status, body) = self.post(&packets.join("\u{1e}"));
        assert_eq!((status, body.as_str()), (200, "ok"));
    }
}

/// A WebSocket of a session.
pub struct EngineIoSocket {
    /// WebSocket, for tests that send invalid frames.
    pub socket: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
}

impl EngineIoSocket {
    /// Opens a WebSocket. `query` is appended to the URL and begins with `&`.
    pub async fn open(program: &Program, query: &str) -> Self {
        let address = program.address;
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket{query}");
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self { socket }
    }

    /// Opens a session and connects to its main namespace.
    pub async fn connect(program: &Program) -> Self {
        let mut socket = Self::open(program, "").await;
        assert!(socket.next().await.starts_with("0{"));
        socket.send("40").await;
        let connected = socket.next().await;
        assert!(connected.starts_with("40{\"sid\":"), "{connected}");
        socket
    }

    /// Upgrades a session from polling to a WebSocket.
    pub async fn upgrade(program: &Program, polling: &Polling) -> Self {
        let mut socket = Self::open(program, &format!("&sid={}", polling.sid)).await;
        socket.send("2probe").await;
        assert_eq!(socket.next().await, "3probe");
        socket.send("5").await;
        socket
    }

    /// Sends a packet.
    pub async fn send(&mut self, packet: &str) {
        self.socket.send(Message::text(packet)).await.unwrap();
    }

    /// Waits for the next packet that is no ping. Pings are answered.
    pub async fn next(&mut self) -> String {
        let packet = timeout(TIMEOUT, self.answer_pings()).await;
        packet.expect("a packet is received")
    }

    /// Answers pings until another packet is received, which it returns.
    pub async fn answer_pings(&mut self) -> String {
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Text(text) if text == PING => self.send("3").await,
                Message::Text(text) => return text.as_str().to_owned(),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until the server has closed the connection; returns the packets received before.
    pub async fn wait_until_closed(&mut self, limit: Duration) -> Vec<String> {
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
        timeout(limit, closed)
            .await
            .expect("the server closes the connection");
        packets
    }
}
