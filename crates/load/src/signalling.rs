//! WebSocket of the native protocol, restricted to its oldest version: requests carry no identifiers,
//! and a response is recognised by its type and contents. Unknown frames and fields are ignored.

pub mod peer;
mod responses;

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longest wait for a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// Frames kept while a response is awaited.
const PENDING_REQUESTS_MAX: usize = 100_000;

/// Reason why signalling failed.
#[derive(Debug, Error)]
pub enum SignallingError {
    /// Connecting failed, or the connection broke.
    #[error("{0}")]
    Socket(Box<tungstenite::Error>),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// There was no response within [`RESPONSE_TIMEOUT`].
    #[error("no response to {0}")]
    NoResponse(&'static str),
    /// The server refused a request.
    #[error("{request}: {message}")]
    Refused {
        /// Type of the request.
        request: &'static str,
        /// Message of the server.
        message: String,
    },
    /// A response lacks a valid field.
    #[error("a response without a valid {0}")]
    Malformed(&'static str),
    /// Connecting a transport failed.
    #[error("transport: {0}")]
    Transport(String),
}

impl From<tungstenite::Error> for SignallingError {
    fn from(error: tungstenite::Error) -> Self {
        Self::Socket(Box::new(error))
    }
}

/// A frame of the protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Type of the frame.
    pub kind: String,
    /// Payload of the frame.
    pub payload: Value,
}

/// A WebSocket connection.
pub struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Frames received while a response was awaited.
    pending: VecDeque<Frame>,
}

impl Connection {
    /// Connects to the server.
    ///
    /// # Errors
    /// Fails when the server is unreachable or refuses the connection.
    pub async fn open(url: &str, token: Option<&str>) -> Result<Self, SignallingError> {
        let url = match token {
            Some(token) => format!("{url}?token={token}"),
            None => url.to_owned(),
        };
        let connected = timeout(RESPONSE_TIMEOUT, connect_async(url)).await;
        let (socket, _) = connected.map_err(|_| SignallingError::NoResponse("connecting"))??;
        Ok(Self {
            socket,
            pending: VecDeque::new(),
        })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// Fails when the connection is closed.
    pub async fn send(&mut self, kind: &str, payload: Value) -> Result<(), SignallingError> {
        let frame = json!({ "type": kind, "payload": payload });
        Ok(self.socket.send(Message::text(frame.to_string())).await?)
    }

    /// Sends a request with an identifier, which newer request types require.
    ///
    /// # Errors
    /// Fails when the connection is closed.
    pub async fn send_with_id(
        &mut self,
        id: u64,
        kind: &str,
        payload: Value,
    ) -> Result<(), SignallingError> {
        let frame = json!({ "id": id, "type": kind, "payload": payload });
        Ok(self.socket.send(Message::text(frame.to_string())).await?)
    }

    /// Returns the next frame, pending ones first. The future can be dropped without losing a frame.
    ///
    /// # Errors
    /// Fails when the connection is closed.
    pub async fn next(&mut self) -> Result<Frame, SignallingError> {
        match self.pending.pop_front() {
            Some(frame) => Ok(frame),
            None => self.read().await,
        }
    }

    /// Sends a request and returns the payload of its response: the first frame of type
    /// `response_kind` for which `is_response` holds. Other frames are kept for [`next`](Self::next).
    ///
    /// # Errors
    /// Fails when the request is refused, or there is no response in time.
    pub async fn request(
        &mut self,
        request: &'static str,
        payload: Value,
        response_kind: &str,
        is_response: impl Fn(&Value) -> bool,
    ) -> Result<Value, SignallingError> {
        self.send(request, payload).await?;
        let response = async {
            loop {
                let frame = self.read().await?;
                if frame.kind == response_kind && is_response(&frame.payload) {
                    return Ok(frame.payload);
                }
                if frame.kind == "error" {
                    let message = text(&frame.payload, "message").unwrap_or("no message");
                    return Err(SignallingError::Refused {
                        request,
                        message: message.to_owned(),
                    });
                }
                if self.pending.len() < PENDING_REQUESTS_MAX {
                    self.pending.push_back(frame);
                }
            }
        };
        let response = timeout(RESPONSE_TIMEOUT, response).await;
        response.unwrap_or(Err(SignallingError::NoResponse(request)))
    }

    /// Closes the connection.
    pub async fn close(mut self) {
        // The connection may be closed already.
        let _ = self.socket.close(None).await;
    }

    /// Reads the next frame, and ignores messages that are not frames.
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

/// Parses a frame.
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

/// Returns a string field of a payload.
pub fn text<'a>(payload: &'a Value, name: &str) -> Option<&'a str> {
    payload.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_with_unknown_fields_are_parsed() {
        let frame = parse(r#"{"type":"newPeer","payload":{"peerId":"a"},"more":1}"#).unwrap();
        assert_eq!(frame.kind, "newPeer");
        assert_eq!(text(&frame.payload, "peerId"), Some("a"));
        assert_eq!(parse(r#"{"type":"ping"}"#).unwrap().payload, Value::Null);
        assert_eq!(parse("[]"), None);
        assert_eq!(parse("{"), None);
    }
}
