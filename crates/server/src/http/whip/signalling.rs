//! A session of the hub that this program holds for a publisher: sends requests of the native dialect and
//! waits for their replies. Knows no SDP.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;
use watersmeet_conference::turn::IceServer;
use watersmeet_conference::{ConnectRequest, SessionId};

use super::super::abuse::AbuseTracker;
use super::error::WhipError;
use crate::hub::HubHandle;
use crate::session_outbox::{self, Frame, OutboxReceiver};

/// Longest wait for a reply. The conference answers each request earlier.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// Close code of a connection whose token is invalid, and of others that break a rule.
const CLOSE_POLICY: u16 = 1008;

/// An open session.
pub struct SignallingSession {
    /// The hub.
    hub: HubHandle,
    /// Accounting of the client.
    abuse: AbuseTracker,
    /// Id of the session.
    session: SessionId,
    /// Frames for the client.
    frames: OutboxReceiver,
    /// Id of the next request.
    next_request: u64,
    /// Id of the participant.
    peer: String,
    /// Whether a notice has ended the publication.
    is_over: bool,
}

/// Payload of `connected`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connected {
    /// Id of the participant.
    peer_id: String,
    /// STUN and TURN servers.
    #[serde(default)]
    ice_servers: Vec<IceServer>,
}

/// A frame of the conference.
#[derive(Debug, Default, Deserialize)]
pub struct Message {
    /// Type of the frame.
    #[serde(rename = "type")]
    pub kind: String,
    /// Id of the request that it answers.
    #[serde(default)]
    id: Option<u64>,
    /// Content.
    #[serde(default)]
    pub payload: Value,
}

impl Message {
    /// Reads the content.
    ///
    /// # Errors
    /// It has another form, which is an error of this program.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, WhipError> {
        serde_json::from_value(self.payload).map_err(|_| WhipError::UNAVAILABLE)
    }
}

impl SignallingSession {
    /// Opens a session. Returns it with the STUN and TURN servers for its client.
    ///
    /// # Errors
    /// The token is invalid, or the hub has ended.
    pub async fn open(
        hub: HubHandle,
        abuse: AbuseTracker,
        connect: ConnectRequest,
    ) -> Result<(Self, Vec<IceServer>), WhipError> {
        let (outbox, frames) = session_outbox::channel();
        let session = hub.open_session(outbox, connect).await;
        let session = session.ok_or(WhipError::UNAVAILABLE)?;
        tracing::info!(session = session.0, "WHIP session opened");
        let mut opened = Self {
            hub,
            abuse,
            session,
            frames,
            next_request: 1,
            peer: String::new(),
            is_over: false,
        };
        let first = opened.receive_in_time().await;
        match first.and_then(|it| it.read::<Connected>()) {
            Ok(connected) => {
                opened.peer = connected.peer_id;
                Ok((opened, connected.ice_servers))
            }
            Err(error) => {
                opened.close().await;
                Err(error)
            }
        }
    }

    /// Sends a request and returns the reply. Notices that arrive before it are skipped.
    ///
    /// # Errors
    /// The request is refused, not answered in time, or the session has ended.
    pub async fn request(&mut self, kind: &str, payload: Value) -> Result<Message, WhipError> {
        let id = self.next_request;
        self.next_request += 1;
        let frame = json!({ "type": kind, "id": id, "payload": payload }).to_string();
        if !self.hub.send_frame(self.session, frame.into()).await {
            return Err(WhipError::UNAVAILABLE);
        }
        loop {
            let message = self.receive_in_time().await?;
            if message.id != Some(id) {
                continue;
            }
            if message.kind == "error" {
                let text = |name| message.payload.get(name).and_then(Value::as_str);
                let (code, reason) = (text("code"), text("message"));
                return Err(WhipError::refused(
                    code.unwrap_or_default(),
                    reason.unwrap_or_default(),
                ));
            }
            return Ok(message);
        }
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    /// The session or the publication has ended.
    pub async fn receive(&mut self) -> Result<Message, WhipError> {
        loop {
            if self.is_over {
                return Err(WhipError::NOT_FOUND);
            }
            match self.frames.next().await {
                Some(Frame::Text(text) | Frame::DroppableText(text)) => {
                    self.frames.release(text.len());
                    let message = serde_json::from_str::<Message>(&text);
                    let message = message.map_err(|_| WhipError::UNAVAILABLE)?;
                    self.is_over = self.is_end(&message);
                    if !self.is_over {
                        return Ok(message);
                    }
                }
                Some(Frame::LimitedAction(action)) => self.abuse.record_action(action)?,
                Some(Frame::Close { code, .. }) => {
                    return Err(match code {
                        CLOSE_POLICY => WhipError::unauthorized(),
                        _ => WhipError::UNAVAILABLE,
                    });
                }
                None => return Err(WhipError::UNAVAILABLE),
            }
        }
    }

    /// Returns whether a notice ends the publication: the participant was removed or moved, may not send any more,
    /// or its transport was closed, because the client has closed it or nothing arrives from it.
    fn is_end(&self, message: &Message) -> bool {
        let field = |name| message.payload.get(name).and_then(Value::as_str);
        match message.kind.as_str() {
            "removed" | "transportClosed" | "workerLost" | "moved" => true,
            "roleChanged" => field("peerId") == Some(&self.peer) && field("role") == Some("viewer"),
            _ => false,
        }
    }

    async fn receive_in_time(&mut self) -> Result<Message, WhipError> {
        let received = timeout(REPLY_TIMEOUT, self.receive()).await;
        received.unwrap_or(Err(WhipError::UNAVAILABLE))
    }

    /// Closes the session: its participant leaves.
    pub async fn close(self) {
        self.hub.close_session(self.session).await;
        tracing::info!(session = self.session.0, "WHIP session closed");
    }
}
