//! Reads request bodies: strict JSON, one object.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_json::Value;
use watersmeet_conference::dialect::json;

use super::super::json_response::ApiError;
use super::super::request_body;

/// Longest body, in bytes: enough for names and settings.
const BODY_LEN_MAX: usize = 16 << 10;

/// Reads a body as one JSON object. An empty body counts as an empty object.
///
/// # Errors
/// The body is too long or too slow, not JSON, or not of the expected form.
pub async fn read<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let (parts, content) = request.into_parts();
    let bytes = request_body::collect(&parts.headers, content, BODY_LEN_MAX).await;
    let bytes = bytes.map_err(|error| match error.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLong,
        StatusCode::REQUEST_TIMEOUT => ApiError::TooSlow,
        _ => ApiError::bad_request("the body cannot be read"),
    })?;
    if !bytes.is_empty() && !is_json(&parts.headers) {
        return Err(ApiError::NotJson);
    }
    parse(&bytes)
}

/// Parses a body as one JSON object.
///
/// # Errors
/// The body is not UTF-8, not strict JSON, or not of the expected form.
pub fn parse<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ApiError> {
    let text = str::from_utf8(bytes).map_err(|_| ApiError::bad_request("the body is not UTF-8"))?;
    let text = if text.trim().is_empty() { "{}" } else { text };
    let value = json::parse(text).map_err(ApiError::bad_request)?;
    if !matches!(value, Value::Object(_)) {
        return Err(ApiError::bad_request("the body has to be one JSON object"));
    }
    serde_json::from_value(value).map_err(|error| ApiError::bad_request(error.to_string()))
}

/// Returns whether the content type is JSON. A missing one counts as JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(content_type) = types.next() else {
        return true;
    };
    let content_type = content_type.to_str().unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    types.next().is_none() && content_type.eq_ignore_ascii_case("application/json")
}
