//! What dialects want done beyond sending frames. It waits until the input that led to it is
//! handled, so that no request meets a room that is being changed.

use std::collections::VecDeque;

use crate::dialect::RequestTag;
use crate::message::{Request, SessionId};

/// Something that a dialect wants done.
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

/// What dialects want done, requests before closes. Empty between two inputs.
#[derive(Debug, Default)]
pub(super) struct InternalRequests {
    /// Requests, oldest first.
    requests: VecDeque<(SessionId, RequestTag, Request)>,
    /// Connections to close, oldest first.
    closes: VecDeque<(SessionId, u16, &'static str)>,
}

impl InternalRequests {
    /// Adds a request.
    pub(super) fn push_request(&mut self, session: SessionId, tag: RequestTag, request: Request) {
        self.requests.push_back((session, tag, request));
    }

    /// Adds a connection to close.
    pub(super) fn push_close(&mut self, session: SessionId, code: u16, reason: &'static str) {
        self.closes.push_back((session, code, reason));
    }

    /// Takes the next to carry out.
    pub(super) fn pop(&mut self) -> Option<InternalRequest> {
        if let Some((session, tag, request)) = self.requests.pop_front() {
            return Some(InternalRequest::Request(session, tag, request));
        }
        let (session, code, reason) = self.closes.pop_front()?;
        Some(InternalRequest::Close(session, code, reason))
    }
}
