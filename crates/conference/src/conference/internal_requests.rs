//! Queue of requests and closes that dialects ask for. They wait until the current input is
//! handled, so that no request runs while a room is being changed.

use std::collections::VecDeque;

use crate::dialect::RequestTag;
use crate::message::{Request, SessionId};

/// Action that a dialect asks for.
#[expect(
    clippy::large_enum_variant,
    reason = "taken from its queue and handled at once; most are requests"
)]
#[derive(Debug)]
pub(super) enum InternalRequest {
    /// Carry out a request, as if the client had sent it.
    Request(SessionId, RequestTag, Request),
    /// Close the connection with this code and reason.
    Close(SessionId, u16, &'static str),
}

/// Queue of requests and closes of dialects, requests first. Empty between two inputs.
#[derive(Debug, Default)]
pub(super) struct InternalRequests {
    /// Requests, oldest first.
    requests: VecDeque<(SessionId, RequestTag, Request)>,
    /// Connections to close, oldest first.
    closes: VecDeque<(SessionId, u16, &'static str)>,
}

impl InternalRequests {
    /// Adds a request at the end of the queue.
    pub(super) fn push_request(&mut self, session: SessionId, tag: RequestTag, request: Request) {
        self.requests.push_back((session, tag, request));
    }

    /// Adds a connection to close.
    pub(super) fn push_close(&mut self, session: SessionId, code: u16, reason: &'static str) {
        self.closes.push_back((session, code, reason));
    }

    /// Takes the oldest request, or the oldest close when no request is left.
    pub(super) fn pop(&mut self) -> Option<InternalRequest> {
        if let Some((session, tag, request)) = self.requests.pop_front() {
            return Some(InternalRequest::Request(session, tag, request));
        }
        let (session, code, reason) = self.closes.pop_front()?;
        Some(InternalRequest::Close(session, code, reason))
    }
}
