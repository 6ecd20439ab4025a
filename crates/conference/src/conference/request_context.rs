//! The request that is being handled, and its outcome.

use crate::dialect::RequestTag;
use crate::message::{Refusal, Reply, SessionId};

/// Who made a request, and how its dialect identifies it.
#[derive(Debug, Clone)]
pub(super) struct RequestContext {
    /// Session that made the request. Nothing in a request says who it is from.
    pub session: SessionId,
    /// Identifies the request to the dialect.
    pub tag: RequestTag,
}

/// Outcome of a request: its reply, or none yet when a shard or a transport decides it.
pub(super) type Outcome = Result<Option<Reply>, Refusal>;
