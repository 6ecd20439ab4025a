//! A client of the native dialect: sends requests, waits for frames by their type.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::program::Program;

/// How long a frame may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection.
pub struct Client {
    /// The socket, for tests that misbehave.
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Its own name, as the others see it.
    pub peer: String,
    /// The payload of the first frame.
    pub connected: Value,
    /// Frames that came while another was waited for.
    aside: Vec<Value>,
}

impl Client {
    /// Connects and reads the first frame.
    pub async fn connect(program: &Program) -> Self {
        let url = format!("ws://{}/ws", program.address);
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut client = Self {
            socket,
            peer: String::new(),
            connected: Value::Null,
            aside: Vec::new(),
        };
        client.connected = client.expect("connected").await;
        client.peer = client.connected["peerId"].as_str().unwrap().to_owned();
        client
    }

    /// Connects and enters a room.
    pub async fn join(program: &Program, room: &str) -> Self {
        let mut client = Self::connect(program).await;
        client
            .ask("joinRoom", json!({ "roomId": room }), "roomJoined")
            .await;
        client
    }

    /// Sends a frame.
    pub async fn send(&mut self, kind: &str, payload: Value) {
        let frame = json!({ "type": kind, "payload": payload });
        self.socket
            .send(Message::text(frame.to_string()))
            .await
            .unwrap();
    }

    /// The payload of the next frame of a type, whatever comes before it.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let known = self.aside.iter().position(|frame| frame["type"] == kind);
        if let Some(known) = known {
            return self.aside.remove(known)["payload"].take();
        }
        loop {
            let mut frame = self.next().await;
            if frame["type"] == kind {
                return frame["payload"].take();
            }
            self.aside.push(frame);
        }
    }

    /// Sends a frame and waits for its answer.
    pub async fn ask(&mut self, kind: &str, payload: Value, answer: &str) -> Value {
        self.send(kind, payload).await;
        self.expect(answer).await
    }

    /// The next frame.
    async fn next(&mut self) -> Value {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await;
            let message =
                message.unwrap_or_else(|_| panic!("no frame; set aside: {:?}", self.aside));
            match message.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}; set aside: {:?}", self.aside),
            }
        }
    }

    /// The code with which the server closes; none when it just hangs up.
    pub async fn close_code(&mut self, patience: Duration) -> Option<u16> {
        let code = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Close(frame))) => return frame.map(|it| it.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(Error::Io(_) | Error::Protocol(_))) | None => return None,
                    Some(Err(error)) => panic!("{error}"),
                }
            }
        };
        timeout(patience, code)
            .await
            .expect("the server closes the connection")
    }

    /// Makes a transport: its whole description.
    pub async fn transport(&mut self, direction: &str) -> Value {
        self.ask(
            "createTransport",
            json!({ "direction": direction }),
            "transportCreated",
        )
        .await
    }

    /// Announces a microphone on a new transport: the producer's id.
    pub async fn produce_audio(&mut self) -> String {
        let transport = self.transport("send").await["transportId"].clone();
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
        let produced = self.ask("produce", request, "produced").await;
        assert_eq!(produced["kind"], "audio");
        produced["producerId"].as_str().unwrap().to_owned()
    }
}
