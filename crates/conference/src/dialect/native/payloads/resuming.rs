//! Payloads about sessions that go on over another connection.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `resumeSession`: the client goes on with the session that it had over another connection
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResumeSession {
    /// Id of the participant in that session.
    pub peer_id: String,
    /// Secret with which the client joined.
    pub resume: String,
    /// Number of the last frame that arrived; 0 without any.
    #[cfg_attr(test, ts(type = "number"))]
    pub seq: u64,
}

/// `resumed`: the frames after the number that the client named follow
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resumed {
    /// Id of the last request that arrived; the client sends later ones again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "string | number"))]
    pub last_request: Option<Value>,
}

/// `ping`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub(crate) struct Ping {
    /// Number of the last frame that arrived. The server need not keep it any more.
    #[cfg_attr(test, ts(optional, type = "number"))]
    pub seq: Option<u64>,
}
