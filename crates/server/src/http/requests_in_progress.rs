//! Requests of one connection that are handled, so that at shutdown those that were not sent completely
//! do not delay the end of the program.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::sync::watch;

/// Counts the requests of a connection whose handlers run.
#[derive(Debug, Default, Clone)]
pub struct RequestsInProgress(Arc<AtomicUsize>);

/// A request in progress, until it is dropped.
#[derive(Debug)]
pub struct RequestInProgress(RequestsInProgress);

impl RequestsInProgress {
    /// Counts a request.
    pub fn start(&self) -> RequestInProgress {
        self.0.fetch_add(1, Ordering::Relaxed);
        RequestInProgress(self.clone())
    }

    /// Returns whether no handler runs.
    pub fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of a request, which fails at shutdown while it is not received completely.
pub struct StoppableBody {
    /// Body that is received.
    body: Incoming,
    /// Ends at shutdown.
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl StoppableBody {
    /// Wraps a body, unless it is empty.
    pub fn wrap(body: Incoming, stop: &watch::Receiver<bool>) -> Body {
        if body.is_end_stream() {
            return Body::new(body);
        }
        let mut stop = stop.clone();
        let stop = Box::pin(async move {
            // Without a sender the program ends as well.
            let _ = stop.wait_for(|&stop| stop).await;
        });
        Body::new(Self { body, stop })
    }
}

impl HttpBody for StoppableBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::new)));
        }
        match self.stop.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(Error::new("the server shuts down")))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
