//! Error responses of WHIP: a status and a body `{error, code}`, like those of the REST interface.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use watersmeet_wire::sdp::SdpError;

use super::super::json_response;
use super::super::rate_limit::RateLimited;
use super::super::request_body::BodyError;

/// Value of `Retry-After` when the conference is full or does not respond, in seconds.
const RETRY_AFTER_S: &str = "5";

/// Why a request is refused.
#[derive(Debug)]
pub enum WhipError {
    /// A status with a reason.
    Refused {
        /// Status of the response.
        status: StatusCode,
        /// Code of the error, for programs.
        code: Cow<'static, str>,
        /// The error in words, for people.
        error: Cow<'static, str>,
    },
    /// The body is too long or was not received in time.
    Body(BodyError),
    /// A rate limit was exceeded.
    RateLimited(RateLimited),
}

impl WhipError {
    /// No session has this URL, or it has ended.
    pub const NOT_FOUND: Self = Self::constant(
        StatusCode::NOT_FOUND,
        "session-not-found",
        "Session not found",
    );
    /// The conference does not respond.
    pub const UNAVAILABLE: Self = Self::constant(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "The conference does not answer",
    );
    /// The server has as many publishers as it may have.
    pub const TOO_MANY_SESSIONS: Self = Self::constant(
        StatusCode::SERVICE_UNAVAILABLE,
        "limit-reached",
        "Too many WHIP sessions",
    );
    /// A query parameter or `Authorization` is repeated, too long or no text.
    pub const MALFORMED_PARAMETERS: Self = Self::constant(
        StatusCode::BAD_REQUEST,
        "bad-request",
        "a parameter or the header Authorization is repeated, empty, too long or no text",
    );
    /// A request that changes ICE names no state that it changes (RFC 9725 §4.3.1).
    pub const PRECONDITION_REQUIRED: Self = Self::constant(
        StatusCode::PRECONDITION_REQUIRED,
        "if-match-required",
        "If-Match with the ETag of the session is needed, or * for an ICE restart",
    );
    /// The state that a request changes is not the current one (RFC 9725 §4.3.1).
    pub const PRECONDITION_FAILED: Self = Self::constant(
        StatusCode::PRECONDITION_FAILED,
        "etag-mismatch",
        "ICE was restarted since: the ETag is another one",
    );
    /// The room has a waiting room, in which a program cannot wait.
    pub const WAITING_ROOM: Self = Self::constant(
        StatusCode::FORBIDDEN,
        "waiting-room",
        "A host admits people to this room: publish with a token that admits",
    );

    const fn constant(status: StatusCode, code: &'static str, error: &'static str) -> Self {
        Self::Refused {
            status,
            code: Cow::Borrowed(code),
            error: Cow::Borrowed(error),
        }
    }

    /// Returns the error of a malformed request.
    pub fn bad_request(what: impl Into<String>) -> Self {
        Self::with_reason(StatusCode::BAD_REQUEST, "bad-request", what.into())
    }

    /// Returns the error of an offer that is well-formed and not acceptable.
    pub fn unacceptable(what: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::with_reason(status, "unacceptable-offer", what.into())
    }

    /// Returns the error of a missing or invalid token.
    pub const fn unauthorized() -> Self {
        Self::constant(StatusCode::UNAUTHORIZED, "invalid-token", "Invalid token")
    }

    /// Returns the error of a body with another content type than the expected one.
    pub fn content_type(expected: &str) -> Self {
        let what = format!("The body has to be {expected}");
        Self::with_reason(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", what)
    }

    /// Returns the error for a refusal of the conference, by its stable code.
    pub fn refused(code: &str, message: &str) -> Self {
        let status = match code {
            "bad-request" | "cannot-consume" => StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-token" => StatusCode::UNAUTHORIZED,
            "forbidden" | "room-locked" | "banned" => StatusCode::FORBIDDEN,
            "room-not-found" => StatusCode::NOT_FOUND,
            "rate-limited" => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::with_reason(status, code.to_owned(), message.to_owned())
    }

    fn with_reason(status: StatusCode, code: impl Into<Cow<'static, str>>, error: String) -> Self {
        Self::Refused {
            status,
            code: code.into(),
            error: error.into(),
        }
    }
}

impl From<SdpError> for WhipError {
    fn from(error: SdpError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<BodyError> for WhipError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<RateLimited> for WhipError {
    fn from(rate_limited: RateLimited) -> Self {
        Self::RateLimited(rate_limited)
    }
}

impl IntoResponse for WhipError {
    fn into_response(self) -> Response {
        let (status, code, error) = match self {
            Self::Refused {
                status,
                code,
                error,
            } => (status, code, error),
            Self::Body(error) => return error.into_response(),
            Self::RateLimited(rate_limited) => return rate_limited.into_response(),
        };
        let mut response = json_response::json(status, &json!({ "error": error, "code": code }));
        let added = match status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, RETRY_AFTER_S)),
            _ => None,
        };
        if let Some((name, value)) = added {
            let headers = response.headers_mut();
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
