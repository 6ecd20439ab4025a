//! Results of dialects: frames to send, requests to carry out, and errors of decoding.

use serde_json::Value;

use crate::close_codes::{CLOSE_NORMAL, CLOSE_RESTART};
use crate::message::{Refusal, Request};

/// Matches the reply or refusal of a request to the frame or the reason that it came from.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RequestTag {
    /// Id that the client gave the request, echoed unchanged. `None` when it gave none.
    pub id: Option<Value>,
    /// Name of the client's event, or the dialect's own name for a request that it makes by
    /// itself.
    pub event: &'static str,
}

impl RequestTag {
    /// Returns the tag of a request that the dialect makes by itself, or that has no id.
    pub(crate) const fn internal(event: &'static str) -> Self {
        Self { id: None, event }
    }
}

/// An action that a dialect asks the conference to take.
#[expect(
    clippy::large_enum_variant,
    reason = "effects live no longer than the frame that led to them, and most are requests"
)]
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Send a frame to the client.
    SendFrame(String),
    /// Carry out a request.
    Request(RequestTag, Request),
    /// Close the connection.
    Close {
        /// WebSocket close code.
        code: u16,
        /// Reason for people.
        reason: &'static str,
    },
}

impl Effect {
    /// Closes a connection whose media worker failed. Its client reconnects and starts afresh.
    pub(crate) const CLOSE_MEDIA_LOST: Self = Self::Close {
        code: CLOSE_RESTART,
        reason: "all media is lost",
    };
    /// Closes a connection whose participant is no longer in the room.
    pub(crate) const CLOSE_REMOVED: Self = Self::Close {
        code: CLOSE_NORMAL,
        reason: "no longer in the room",
    };

    /// Returns the tags of all requests among `effects`, or one empty tag if there are none.
    pub(crate) fn request_tags(effects: Vec<Self>) -> Vec<RequestTag> {
        let tags = effects.into_iter().filter_map(|effect| match effect {
            Self::Request(tag, _) => Some(tag),
            Self::SendFrame(_) | Self::Close { .. } => None,
        });
        let tags: Vec<_> = tags.collect();
        match tags.is_empty() {
            true => vec![RequestTag::default()],
            false => tags,
        }
    }
}

/// A frame that could not be decoded as a request.
#[derive(Debug, PartialEq)]
pub(crate) struct DecodeError {
    /// Tag with what could be read of the request.
    pub tag: RequestTag,
    /// Reason for the client.
    pub refusal: Refusal,
}
