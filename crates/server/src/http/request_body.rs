//! What a request may bring: so many bytes, in so much time. A length that is announced and too
//! long is refused before a byte of it is read; one that is not announced is cut where it passes
//! the bound. Nobody is waited for who sends a byte a second.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep, timeout};

/// The largest body of any request, in bytes.
const LEN_MAX: u64 = 256 << 10;

/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A body that is not taken. The connection ends too: what still comes on it is the rest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(StatusCode);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
        (self.0, close).into_response()
    }
}

/// Bounds the body of a request.
///
/// # Errors
/// When it says itself that it is too long.
pub fn bound(request: Request<Body>) -> Result<Request<Body>, Refused> {
    if announced(request.headers()).is_some_and(|len| len > LEN_MAX) {
        return Err(Refused(StatusCode::PAYLOAD_TOO_LARGE));
    }
    Ok(request.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        let late = Box::pin(sleep(TIMEOUT));
        let timed = Timed { body, late };
        // The bound fits wherever it is compared with what memory can hold.
        Body::new(Limited::new(
            timed,
            usize::try_from(LEN_MAX).unwrap_or(usize::MAX),
        ))
    }))
}

/// All of a body of at most `len_max` bytes.
///
/// # Errors
/// When it is longer, or too slow.
pub async fn collect(headers: &HeaderMap, body: Body, len_max: usize) -> Result<Bytes, Refused> {
    if announced(headers).is_some_and(|len| len > len_max as u64) {
        return Err(Refused(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let collected = timeout(TIMEOUT, Limited::new(body, len_max).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Refused(StatusCode::PAYLOAD_TOO_LARGE))
        }
        Ok(Err(_)) | Err(_) => Err(Refused(StatusCode::REQUEST_TIMEOUT)),
    }
}

/// The length a client announces; one that cannot be read is as long as can be.
fn announced(headers: &HeaderMap) -> Option<u64> {
    let len = headers.get(header::CONTENT_LENGTH)?.to_str().ok();
    Some(len.and_then(|len| len.parse().ok()).unwrap_or(u64::MAX))
}

/// A body that fails when it comes too late.
struct Timed {
    /// What the client sends.
    body: Body,
    /// When it is too late.
    late: Pin<Box<Sleep>>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.late.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::new("the body came too slowly"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(len: &str, body: Body) -> Request<Body> {
        let request = Request::post("/").header(header::CONTENT_LENGTH, len);
        request.body(body).unwrap()
    }

    /// A body of which nothing ever comes.
    struct Never;

    impl HttpBody for Never {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn an_announced_length_is_refused_before_it_is_read() {
        for len in ["262145", "99999999999999999999", "-1", "x"] {
            let refused = bound(post(len, Body::new(Never))).unwrap_err();
            assert_eq!(refused, Refused(StatusCode::PAYLOAD_TOO_LARGE), "{len}");
        }
        let request = post("65537", Body::new(Never));
        let (parts, body) = request.into_parts();
        let refused = collect(&parts.headers, body, 64 << 10).await.unwrap_err();
        assert_eq!(refused, Refused(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(
            refused.into_response().headers()[header::CONNECTION],
            "close"
        );
    }

    #[tokio::test]
    async fn a_longer_body_than_announced_is_cut() {
        let body = Body::from(vec![0; 100]);
        assert!(collect(&HeaderMap::new(), body, 99).await.is_err());
        let body = Body::from(vec![0; 100]);
        let read = collect(&HeaderMap::new(), body, 100).await.unwrap();
        assert_eq!(read.len(), 100);
        let long = Request::post("/")
            .body(Body::from(vec![0; 300 << 10]))
            .unwrap();
        assert!(bound(long).unwrap().into_body().collect().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_given_up_after_ten_seconds() {
        let start = tokio::time::Instant::now();
        let headers = HeaderMap::new();
        let (slow, slower) = tokio::join!(
            collect(&headers, Body::new(Never), 100),
            bound(post("100", Body::new(Never)))
                .unwrap()
                .into_body()
                .collect(),
        );
        assert_eq!(slow.unwrap_err(), Refused(StatusCode::REQUEST_TIMEOUT));
        assert!(slower.is_err());
        assert!(start.elapsed() < TIMEOUT + Duration::from_secs(1));
    }
}
