//! The native protocol's WebSocket, as a client that knows its oldest words only: requests carry no
//! ids, and each answer is known by its type and by what it names. What it does not know it passes
//! over.

mod answers;
pub mod peer;

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Frames kept while another is waited for.
const ASIDE_MAX: usize = 100_000;

/// Why a peer cannot go on.
#[derive(Debug, Error)]
pub enum SignallingError {
    /// The connection broke, or there was none.
    #[error("{0}")]
    Socket(Box<tungstenite::Error>),
    /// The server closed it.
    #[error("the server closed the connection")]
    Closed,
    /// An answer did not come.
    #[error("no answer to {0}")]
    Silence(&'static str),
    /// The server refused.
    #[error("{request}: {message}")]
    Refused {
        /// What was asked.
        request: &'static str,
        /// What it said.
        message: String,
    },
    /// An answer lacks something.
    #[error("an answer without a valid {0}")]
    Malformed(&'static str),
    /// The transport could not be connected.
    #[error("transport: {0}")]
    Transport(String),
}

impl From<tungstenite::Error> for SignallingError {
    fn from(error: tungstenite::Error) -> Self {
        Self::Socket(Box::new(error))
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// What it is.
    pub kind: String,
    /// What it says.
    pub payload: Value,
}

/// One connection.
pub struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Frames that came while another was waited for.
    aside: VecDeque<Frame>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody is there, or nobody is let in.
    pub async fn open(url: &str, token: Option<&str>) -> Result<Self, SignallingError> {
        let url = match token {
            Some(token) => format!("{url}?token={token}"),
            None => url.to_owned(),
        };
        let connected = timeout(PATIENCE, connect_async(url)).await;
        let (socket, _) = connected.map_err(|_| SignallingError::Silence("connecting"))??;
        Ok(Self {
            socket,
            aside: VecDeque::new(),
        })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, kind: &str, payload: Value) -> Result<(), SignallingError> {
        let frame = json!({ "type": kind, "payload": payload });
        Ok(self.socket.send(Message::text(frame.to_string())).await?)
    }

    /// Sends a request with an id, which our own server's younger words need.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send_with_id(
        &mut self,
        id: u64,
        kind: &str,
        payload: Value,
    ) -> Result<(), SignallingError> {
        let frame = json!({ "id": id, "type": kind, "payload": payload });
        Ok(self.socket.send(Message::text(frame.to_string())).await?)
    }

    /// The next frame, of those set aside first. May be dropped while it waits.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn next(&mut self) -> Result<Frame, SignallingError> {
        match self.aside.pop_front() {
            Some(frame) => Ok(frame),
            None => self.read().await,
        }
    }

    /// Sends a request and waits for its answer: the payload of the first frame of that type for
    /// which `is_mine` holds. Other frames are kept for [`next`](Self::next).
    ///
    /// # Errors
    /// When it is refused, or nothing comes.
    pub async fn ask(
        &mut self,
        request: &'static str,
        payload: Value,
        answer: &str,
        is_mine: impl Fn(&Value) -> bool,
    ) -> Result<Value, SignallingError> {
        self.send(request, payload).await?;
        let answered = async {
            loop {
                let frame = self.read().await?;
                if frame.kind == answer && is_mine(&frame.payload) {
                    return Ok(frame.payload);
                }
                if frame.kind == "error" {
                    let message = text(&frame.payload, "message").unwrap_or("no message");
                    return Err(SignallingError::Refused {
                        request,
                        message: message.to_owned(),
                    });
                }
                if self.aside.len() < ASIDE_MAX {
                    self.aside.push_back(frame);
                }
            }
        };
        let answered = timeout(PATIENCE, answered).await;
        answered.unwrap_or(Err(SignallingError::Silence(request)))
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        // Whoever is gone already needs no goodbye.
        let _ = self.socket.close(None).await;
    }

    /// The next frame off the wire; what is no frame is passed over.
    async fn read(&mut self) -> Result<Frame, SignallingError> {
        loop {
            let message = self.socket.next().await.ok_or(SignallingError::Closed)??;
            match message {
                Message::Text(text) => {
                    if let Some(frame) = parse(&text) {
                        return Ok(frame);
                    }
                }
                Message::Close(_) => return Err(SignallingError::Closed),
                _ => {}
            }
        }
    }
}

/// Reads a frame.
fn parse(text: &str) -> Option<Frame> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    Some(Frame {
        kind: value.get("type")?.as_str()?.to_owned(),
        payload: value
            .get_mut("payload")
            .map(Value::take)
            .unwrap_or_default(),
    })
}

/// A text in a payload.
pub fn text<'a>(payload: &'a Value, name: &str) -> Option<&'a str> {
    payload.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_with_what_nobody_knows_in_them() {
        let frame = parse(r#"{"type":"newPeer","payload":{"peerId":"a"},"more":1}"#).unwrap();
        assert_eq!(frame.kind, "newPeer");
        assert_eq!(text(&frame.payload, "peerId"), Some("a"));
        assert_eq!(parse(r#"{"type":"ping"}"#).unwrap().payload, Value::Null);
        assert_eq!(parse("[]"), None);
        assert_eq!(parse("{"), None);
    }
}
