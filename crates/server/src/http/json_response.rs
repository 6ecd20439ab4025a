//! Answers in JSON, and the one shape of all that go wrong: `{error, code}`. Nothing that is
//! answered here may be kept by a cache: it is about people, or about this very moment.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use watersmeet_conference::message::Refusal;

use super::rate_limit::RateLimited;

/// How long to wait before the conference, or a place in it, is asked for again, in seconds.
const RETRY_AFTER_S: &str = "5";

/// Why a request is not carried out. Each has a status, words and a stable code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// Nothing is here.
    NotFound,
    /// Something is here, but not by this method.
    MethodNotAllowed,
    /// The body is longer than is read.
    TooLong,
    /// The body did not come in time.
    TooSlow,
    /// The body is something else than JSON.
    NotJson,
    /// A page of another site asks, and was not allowed to.
    ForeignPage,
    /// Nobody is known by what was shown, or nothing was shown where something is needed.
    InvalidToken,
    /// It was too often.
    RateLimited(RateLimited),
    /// The conference does not answer.
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
    /// Something in the request makes no sense.
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
    fn from(too_often: RateLimited) -> Self {
        Self::RateLimited(too_often)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = json(status, &self.problem());
        let headers = response.headers_mut();
        match self {
            Self::RateLimited(too_often) => {
                headers.insert(header::RETRY_AFTER, too_often.seconds().into());
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
            }
            _ if status == StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // What still comes on this connection is the rest of a body nobody wants.
            Self::TooLong | Self::TooSlow => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// An answer in JSON that nobody keeps.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let Ok(text) = serde_json::to_string(body) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}

/// An answer without a body.
pub fn done() -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// A wall clock in milliseconds since 1970, as ISO 8601 writes it.
pub fn iso(unix_ms: u64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    let text = moment.ok().and_then(|it| it.format(&Rfc3339).ok());
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_in_the_documents() {
        assert_eq!(iso(1_733_738_400_000), "2024-12-09T10:00:00Z");
        assert_eq!(iso(1_733_738_400_120), "2024-12-09T10:00:00.12Z");
    }

    #[test]
    fn a_refusal_that_is_for_later_says_when() {
        let busy = ApiError::Refused(Refusal::LimitReached("rooms")).into_response();
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers()[header::RETRY_AFTER], RETRY_AFTER_S);
        let stranger = ApiError::from(Refusal::InvalidToken).into_response();
        assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(stranger.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }
}
