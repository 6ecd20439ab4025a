//! Client of the native dialect: sends requests and waits for frames by type.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::program::Program;

/// Longest wait for a frame.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Receive buffer of a client that reads slowly, in bytes; the kernel doubles it.
const SLOW_RECEIVE_BUFFER: u32 = 8 << 10;

/// A connection of the native dialect.
pub struct Client {
    /// WebSocket, for tests that send invalid frames.
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Peer id of the client.
    pub peer: String,
    /// Payload of the first frame, `connected`.
    pub connected: Value,
    /// Frames received while waiting for another type.
    pending: Vec<Value>,
}

impl Client {
    /// Connects and reads the first frame.
    pub async fn connect(program: &Program) -> Self {
        let stream = TcpStream::connect(program.address).await.unwrap();
        Self::connect_over(program, stream).await
    }

    /// Connects with a small receive buffer, so that frames which are not read wait in the server.
    pub async fn connect_slowly(program: &Program) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(SLOW_RECEIVE_BUFFER).unwrap();
        let stream = socket.connect(program.address).await.unwrap();
        Self::connect_over(program, stream).await
    }

    async fn connect_over(program: &Program, stream: TcpStream) -> Self {
        let url = format!("ws://{}/ws", program.address);
        let stream = MaybeTlsStream::Plain(stream);
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        let mut client = Self {
            socket,
            peer: String::new(),
            connected: Value::Null,
            pending: Vec::new(),
        };
        client.connected = client.expect("connected").await;
        client.peer = client.connected["peerId"].as_str().unwrap().to_owned();
        client
    }

    /// Connects and joins a room.
    pub async fn join(program: &Program, room: &str) -> Self {
        let mut client = Self::connect(program).await;
        client
            .request("joinRoom", json!({ "roomId": room }), "roomJoined")
            .await;
        client
    }

    /// Sends a frame.
    pub async fn send(&mut self, kind: &str, payload: Value) {
        self.send_frame(&json!({ "type": kind, "payload": payload }))
            .await;
    }

    /// Sends a request with an id, which only clients of newer versions do.
    pub async fn send_with_id(&mut self, id: u64, kind: &str, payload: Value) {
        self.send_frame(&json!({ "id": id, "type": kind, "payload": payload }))
            .await;
    }

    async fn send_frame(&mut self, frame: &Value) {
        let text = Message::text(frame.to_string());
        self.socket.send(text).await.unwrap();
    }

    /// Waits for the next frame of a type and returns its payload. Other frames are kept.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let known = self.pending.iter().position(|frame| frame["type"] == kind);
        if let Some(known) = known {
            return self.pending.remove(known)["payload"].take();
        }
        loop {
            let mut frame = self.next().await;
            if frame["type"] == kind {
                return frame["payload"].take();
            }
            self.pending.push(frame);
        }
    }

    /// Sends a request and waits for the response of the given type.
    pub async fn request(&mut self, kind: &str, payload: Value, response: &str) -> Value {
        self.send(kind, payload).await;
        self.expect(response).await
    }

    /// Waits for the next frame.
    pub async fn next(&mut self) -> Value {
        loop {
            let message = timeout(TIMEOUT, self.socket.next()).await;
            let message =
                message.unwrap_or_else(|_| panic!("no frame; pending: {:?}", self.pending));
            match message.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}; pending: {:?}", self.pending),
            }
        }
    }

    /// Waits for the server to close the connection and returns the close code; `None` without a close
    /// frame.
    pub async fn close_code(&mut self, limit: Duration) -> Option<u16> {
        close_code(&mut self.socket, limit).await
    }

    /// Creates a transport and returns its description.
    pub async fn create_transport(&mut self, direction: &str) -> Value {
        self.request(
            "createTransport",
            json!({ "direction": direction }),
            "transportCreated",
        )
        .await
    }

    /// Creates an audio producer on a new transport and returns its id.
    pub async fn produce_audio(&mut self) -> String {
        let transport = self.create_transport("send").await["transportId"].clone();
        let rtp = json!({
            "mid": "0",
            "codecs": [{
                "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48_000, "channels": 2,
                "parameters": { "useinbandfec": 1 }, "rtcpFeedback": [],
            }],
            "headerExtensions": [{ "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4 }],
            "encodings": [{ "ssrc": 1_234_567 }],
            "rtcp": { "cname": "", "reducedSize": true },
        });
        let request = json!({ "transportId": transport, "kind": "audio", "rtpParameters": rtp });
        let produced = self.request("produce", request, "produced").await;
        assert_eq!(produced["kind"], "audio");
        produced["producerId"].as_str().unwrap().to_owned()
    }
}

/// Waits for the server to close a WebSocket and returns the close code; `None` without a close frame.
pub async fn close_code(
    socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>,
    limit: Duration,
) -> Option<u16> {
    let code = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|it| it.code.into()),
                Some(Ok(_)) => {}
                Some(Err(Error::Io(_) | Error::Protocol(_))) | None => return None,
                Some(Err(error)) => panic!("{error}"),
            }
        }
    };
    timeout(limit, code)
        .await
        .expect("the server closes the connection")
}
