//! Frames of the native dialect.

use serde::Serialize;
use serde_json::Value;

/// Frame `{type, payload, id?}` for a client.
#[derive(Serialize)]
struct Frame<'a, T> {
    /// Type of the payload.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Payload of this type.
    payload: T,
    /// Id of the request that this answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
}

/// Adds the number `seq` to a frame, which is a JSON object with fields.
pub(crate) fn number_frame(frame: &str, seq: u64) -> String {
    match frame.strip_prefix('{') {
        Some(fields) => format!("{{\"seq\":{seq},{fields}"),
        None => frame.to_owned(),
    }
}

/// Writes a frame. Every payload can be written as JSON, so the fallback is never used.
pub(super) fn frame(kind: &'static str, id: &Option<Value>, payload: impl Serialize) -> String {
    let frame = Frame {
        kind,
        payload,
        id: id.as_ref(),
    };
    serde_json::to_string(&frame).unwrap_or_default()
}
