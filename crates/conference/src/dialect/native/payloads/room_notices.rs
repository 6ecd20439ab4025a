//! Payloads of notices about the room as a whole.

use serde::Serialize;

/// `participantCount`: how many participants a room has in which not all of them are listed
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct ParticipantCount {
    /// Participants in the room, the receiver included.
    pub count: usize,
}

/// `serverClosing`: the server restarts, and the client is to connect again when it is closed
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct ServerClosing {
    /// Seconds until the connection is closed.
    pub seconds: u32,
}

/// `activeSpeaker`: another participant is speaking, perhaps the receiver, or nobody is any more
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActiveSpeaker {
    /// Id of the participant; absent when nobody speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<String>,
}
