//! Frames ⇄ messages. A dialect is pure: it reads what a connection sends into requests and
//! writes replies and notices in that connection's own words. It keeps a few words of state per
//! connection and must never decide anything about rooms or media.

mod json;
pub mod native;

use serde_json::Value;

use crate::message::{Notice, PeerId, Refusal, Reply, Request};

/// Which dialect a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectKind {
    /// JSON `{type, payload, id?}` on a raw WebSocket.
    Native,
}

/// The client's name for one of its requests, echoed as it came. `None` when it gave none.
pub(crate) type RequestId = Option<Value>;

/// A frame that could not be read as a request.
#[derive(Debug, PartialEq)]
pub(crate) struct Reject {
    /// The request's id, if that much could be read.
    pub id: RequestId,
    /// What is wrong with it.
    pub refusal: Refusal,
}

/// One connection's dialect with its state.
#[derive(Debug)]
pub(crate) enum Dialect {
    /// JSON `{type, payload, id?}`.
    Native(native::State),
}

impl Dialect {
    /// A fresh connection's.
    pub(crate) fn new(kind: DialectKind) -> Self {
        match kind {
            DialectKind::Native => Self::Native(native::State::default()),
        }
    }

    /// What a connection is sent first.
    pub(crate) fn greeting(&self, peer: PeerId, options: &native::Options) -> String {
        match self {
            Self::Native(_) => native::greeting(peer, options),
        }
    }

    /// Reads a frame.
    pub(crate) fn decode(&mut self, frame: &str) -> Result<(RequestId, Request), Reject> {
        match self {
            Self::Native(state) => native::decode(state, frame),
        }
    }

    /// Writes the answer to a request.
    pub(crate) fn reply(&self, id: &RequestId, reply: &Reply) -> String {
        match self {
            Self::Native(state) => native::reply(state, id, reply),
        }
    }

    /// Writes the refusal of a request.
    pub(crate) fn refusal(&self, id: &RequestId, refusal: &Refusal) -> String {
        match self {
            Self::Native(_) => native::refusal(id, refusal),
        }
    }

    /// Writes a notice; `None` when this client does not want to know.
    pub(crate) fn notice(&self, notice: &Notice) -> Option<String> {
        match self {
            Self::Native(state) => native::notice(state, notice),
        }
    }
}
