//! Origin and outcome of the request that is being handled.

use crate::dialect::RequestTag;
use crate::message::{Refusal, Reply, SessionId};

/// Session that made a request, and the tag by which its dialect identifies it.
#[derive(Debug, Clone)]
pub(super) struct RequestContext {
    /// Session that made the request. The request itself does not name its sender.
    pub session: SessionId,
    /// Identifies the request to the dialect.
    pub tag: RequestTag,
}

/// Outcome of a request. `None` when the reply waits for a shard or a transport.
pub(super) type Outcome = Result<Option<Reply>, Refusal>;
