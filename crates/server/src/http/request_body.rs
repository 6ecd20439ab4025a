//! Bounds of request bodies in length and time. A declared length above the bound is refused before
//! a byte is read; a body without one fails where it exceeds the bound. At shutdown a body fails that
//! was not received completely.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Longest body of any request, in bytes.
const LEN_MAX: u64 = 256 << 10;

/// Longest time in which a body must be received.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Error of a body that is refused. It closes the connection, on which the rest would follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyError(StatusCode);

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
        (self.0, close).into_response()
    }
}

/// Bounds the body of a request.
///
/// # Errors
/// The declared length exceeds the bound.
pub fn limit(request: Request<Body>) -> Result<Request<Body>, BodyError> {
    if declared_len(request.headers()).is_some_and(|len| len > LEN_MAX) {
        return Err(BodyError(StatusCode::PAYLOAD_TOO_LARGE));
    }
    Ok(request.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        let deadline = async {
            sleep(TIMEOUT).await;
            "request body not received in time"
        };
        let timed = InterruptibleBody::new(body, deadline);
        // If `usize` is smaller, the size of the memory is the bound.
        Body::new(Limited::new(
            timed,
            usize::try_from(LEN_MAX).unwrap_or(usize::MAX),
        ))
    }))
}

/// Wraps a body such that it fails at shutdown while it is not received completely.
pub fn end_at_shutdown(body: Incoming, stop: &watch::Receiver<bool>) -> Body {
    if body.is_end_stream() {
        return Body::new(body);
    }
    let mut stop = stop.clone();
    Body::new(InterruptibleBody::new(Body::new(body), async move {
        // Without a sender the program ends as well.
        let _ = stop.wait_for(|&stop| stop).await;
        "the server shuts down"
    }))
}

/// Reads a whole body of at most `len_max` bytes.
///
/// # Errors
/// The body is longer, or is not received in time.
pub async fn collect(headers: &HeaderMap, body: Body, len_max: usize) -> Result<Bytes, BodyError> {
    if declared_len(headers).is_some_and(|len| len > len_max as u64) {
        return Err(BodyError(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let collected = timeout(TIMEOUT, Limited::new(body, len_max).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(BodyError(StatusCode::PAYLOAD_TOO_LARGE))
        }
        Ok(Err(_)) | Err(_) => Err(BodyError(StatusCode::REQUEST_TIMEOUT)),
    }
}

/// Returns the declared length. One that cannot be parsed counts as infinite.
fn declared_len(headers: &HeaderMap) -> Option<u64> {
    let len = headers.get(header::CONTENT_LENGTH)?.to_str().ok();
    Some(len.and_then(|len| len.parse().ok()).unwrap_or(u64::MAX))
}

/// A body that fails when a future ends before it is received.
struct InterruptibleBody {
    /// Body that is received.
    body: Body,
    /// Ends with the reason why the body fails.
    interruption: Pin<Box<dyn Future<Output = &'static str> + Send>>,
}

impl InterruptibleBody {
    fn new(body: Body, interruption: impl Future<Output = &'static str> + Send + 'static) -> Self {
        Self {
            body,
            interruption: Box::pin(interruption),
        }
    }
}

impl HttpBody for InterruptibleBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let interrupted = self.interruption.as_mut().poll(cx);
        interrupted.map(|reason| Some(Err(Error::new(reason))))
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

    /// A body that never yields a frame.
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
    async fn declared_length_above_the_bound_is_refused_before_reading() {
        for len in ["262145", "99999999999999999999", "-1", "x"] {
            let refused = limit(post(len, Body::new(Never))).unwrap_err();
            assert_eq!(refused, BodyError(StatusCode::PAYLOAD_TOO_LARGE), "{len}");
        }
        let request = post("65537", Body::new(Never));
        let (parts, body) = request.into_parts();
        let refused = collect(&parts.headers, body, 64 << 10).await.unwrap_err();
        assert_eq!(refused, BodyError(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(
            refused.into_response().headers()[header::CONNECTION],
            "close"
        );
    }

    #[tokio::test]
    async fn body_fails_where_it_exceeds_the_bound() {
        let body = Body::from(vec![0; 100]);
        assert!(collect(&HeaderMap::new(), body, 99).await.is_err());
        let body = Body::from(vec![0; 100]);
        let read = collect(&HeaderMap::new(), body, 100).await.unwrap();
        assert_eq!(read.len(), 100);
        let long = Request::post("/")
            .body(Body::from(vec![0; 300 << 10]))
            .unwrap();
        assert!(limit(long).unwrap().into_body().collect().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn body_that_is_never_received_fails_after_ten_seconds() {
        let start = tokio::time::Instant::now();
        let headers = HeaderMap::new();
        let (slow, slower) = tokio::join!(
            collect(&headers, Body::new(Never), 100),
            limit(post("100", Body::new(Never)))
                .unwrap()
                .into_body()
                .collect(),
        );
        assert_eq!(slow.unwrap_err(), BodyError(StatusCode::REQUEST_TIMEOUT));
        assert!(slower.is_err());
        assert!(start.elapsed() < TIMEOUT + Duration::from_secs(1));
    }
}
