//! Results of dialects: frames to send, requests to carry out, and errors of decoding.

use serde_json::Value;

use crate::close_codes::{CLOSE_NORMAL, CLOSE_RESTART};
use crate::message::{Refusal, Request};

/// Identifies a request to its dialect, which uses it to encode the reply or refusal.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RequestTag {
    /// Id that the client gave the request, echoed unchanged. `None` without one.
    pub id: Option<Value>,
    /// Name of the client's event, or the dialect's name for a request of its own.
    pub event: &'static str,
}

impl RequestTag {
    /// Returns a tag without id, such as that of a request of the dialect itself.
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
        /// Reason in plain text.
        reason: &'static str,
    },
}

impl Effect {
    /// Closes a connection whose media worker failed. Its client reconnects and joins again.
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
    /// Tag with the id of the request, if that could be read.
    pub tag: RequestTag,
    /// Reason for the client.
    pub refusal: Refusal,
}
