//! JSON responses, and the error type of REST handlers with its body `{error, code}`. Responses
//! must not be cached: they concern people or the current state.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use watersmeet_conference::message::Refusal;

use super::rate_limit::RateLimited;

/// Value of `Retry-After` when the conference is full or does not respond, in seconds.
const RETRY_AFTER_S: &str = "5";

/// Error of a REST request. Each has a status, a message and a stable code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// No such path.
    NotFound,
    /// The path does not support the method.
    MethodNotAllowed,
    /// The body exceeds its bound.
    TooLong,
    /// The body was not received in time.
    TooSlow,
    /// The body is not JSON.
    NotJson,
    /// The request comes from a page whose origin is not allowed.
    ForeignPage,
    /// The token or key is invalid, or one is required and missing.
    InvalidToken,
    /// A rate limit was exceeded.
    RateLimited(RateLimited),
    /// The conference does not respond.
    Unavailable,
    /// The conference refuses.
    Refused(Refusal),
}

/// What is said of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// What is wrong, for people.
    #[schema(example = "Room not found")]
    pub error: String,
    /// What is wrong, for programs: it never changes.
    #[schema(example = "room-not-found")]
    pub code: &'static str,
}

impl ApiError {
    /// Returns the error of a malformed request.
    pub fn bad_request(what: impl Into<String>) -> Self {
        Self::Refused(Refusal::BadRequest(what.into()))
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ForeignPage => StatusCode::FORBIDDEN,
            Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused(refusal) => match refusal {
                Refusal::BadRequest(_) => StatusCode::BAD_REQUEST,
                Refusal::RoomNotFound | Refusal::ParticipantNotFound => StatusCode::NOT_FOUND,
                Refusal::Forbidden => StatusCode::FORBIDDEN,
                Refusal::InvalidToken => StatusCode::UNAUTHORIZED,
                Refusal::RoomExists => StatusCode::CONFLICT,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            },
        }
    }

    fn problem(&self) -> Problem {
        let (error, code) = match self {
            Self::NotFound => ("Not found", "not-found"),
            Self::MethodNotAllowed => ("Method not allowed", "method-not-allowed"),
            Self::TooLong => ("The body is too long", "too-long"),
            Self::TooSlow => ("The body did not come in time", "too-slow"),
            Self::NotJson => ("The body has to be application/json", "not-json"),
            Self::ForeignPage => ("This page may not ask here", "foreign-page"),
            Self::InvalidToken => ("Invalid token", "invalid-token"),
            Self::RateLimited(_) => ("Too often", "rate-limited"),
            Self::Unavailable => ("The conference does not answer", "unavailable"),
            Self::Refused(refusal) => {
                return Problem {
                    error: refusal.to_string(),
                    code: refusal.code(),
                };
            }
        };
        Problem {
            error: error.to_owned(),
            code,
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InvalidToken => Self::InvalidToken,
            other => Self::Refused(other),
        }
    }
}

impl From<RateLimited> for ApiError {
    fn from(rate_limited: RateLimited) -> Self {
        Self::RateLimited(rate_limited)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = json(status, &self.problem());
        let headers = response.headers_mut();
        match self {
            Self::RateLimited(rate_limited) => {
                headers.insert(header::RETRY_AFTER, rate_limited.retry_after_s().into());
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
            }
            _ if status == StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // The connection cannot be reused: the rest of the body would be read as a request.
            Self::TooLong | Self::TooSlow => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// Returns an uncacheable JSON response.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let Ok(text) = serde_json::to_string(body) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    json_text(status, text)
}

/// Returns an uncacheable response with a body that is JSON already.
pub fn json_text(status: StatusCode, text: impl Into<Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text.into()).into_response()
}

/// Returns an uncacheable response without a body.
pub fn no_content() -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Formats a time in milliseconds since 1970 by RFC 3339 (ISO 8601).
pub fn format_time(unix_ms: u64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    let text = time.ok().and_then(|it| it.format(&Rfc3339).ok());
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_formatted_as_in_the_documentation() {
        assert_eq!(format_time(1_733_738_400_000), "2024-12-09T10:00:00Z");
        assert_eq!(format_time(1_733_738_400_120), "2024-12-09T10:00:00.12Z");
    }

    #[test]
    fn error_response_names_retry_time_or_authentication_scheme() {
        let busy = ApiError::Refused(Refusal::LimitReached("rooms")).into_response();
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers()[header::RETRY_AFTER], RETRY_AFTER_S);
        let stranger = ApiError::from(Refusal::InvalidToken).into_response();
        assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(stranger.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }
}
