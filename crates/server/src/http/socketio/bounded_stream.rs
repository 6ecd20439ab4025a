//! The connection below one WebSocket of Engine.IO. The library above it reads as fast as it can
//! and waits for ever to write; this stands in between and holds both to our bounds: it reads no
//! further while what was read waits for the hub, fails when the client takes nothing for too
//! long, counts what has left, and says so when the connection is gone.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::engineio_session::{EndReason, EngineIoSession};
use crate::http::websocket::WRITE_TIMEOUT;

/// A connection that carries an Engine.IO session.
pub struct Stream<S> {
    /// The connection.
    inner: S,
    /// The session.
    carrier: Arc<EngineIoSession>,
    /// Ends when there is room for more input, while there is none.
    room: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Ends when the client has taken nothing for too long, while it takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Stream<S> {
    /// Puts the bounds of `carrier` around a connection.
    pub fn new(inner: S, carrier: Arc<EngineIoSession>) -> Self {
        Self {
            inner,
            carrier,
            room: None,
            stalled: None,
        }
    }

    /// Hands on the outcome of writing, or fails once there was none for too long.
    fn unless_stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(stalled.as_mut().poll(cx));
        self.carrier.end(EndReason::NotReading);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S> Drop for Stream<S> {
    fn drop(&mut self) {
        self.carrier.end(EndReason::Gone);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.room.is_none() && !this.carrier.inward.has_room() {
            let carrier = Arc::clone(&this.carrier);
            this.room = Some(Box::pin(async move { carrier.inward.room().await }));
        }
        if let Some(room) = &mut this.room {
            ready!(room.as_mut().poll(cx));
            this.room = None;
        }
        Pin::new(&mut this.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(len)) = outcome {
            self.carrier.outward.give_back(len);
        }
        self.unless_stalled(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        self.unless_stalled(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.unless_stalled(cx, outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_read_while_what_was_read_waits() {
        let (near, mut far) = duplex(100);
        let carrier = Arc::new(EngineIoSession::for_test());
        let mut stream = Stream::new(near, Arc::clone(&carrier));
        far.write_all(b"hello").await.unwrap();
        carrier.inward.force(1 << 20);
        let mut bytes = [0; 5];
        let soon = Duration::from_secs(1);
        assert!(timeout(soon, stream.read_exact(&mut bytes)).await.is_err());
        carrier.inward.give_back(1 << 20);
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"hello");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up_and_one_that_takes_little_is_not() {
        let (near, mut far) = duplex(100);
        let carrier = Arc::new(EngineIoSession::for_test());
        let mut stream = Stream::new(near, Arc::clone(&carrier));
        let taking = tokio::spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(WRITE_TIMEOUT / 2).await;
                far.read_exact(&mut [0; 100]).await.unwrap();
            }
            far
        });
        stream.write_all(&[0; 2_100]).await.unwrap();
        let far = taking.await.unwrap();
        assert!(!carrier.ended());
        let stuck = stream.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(stuck.kind(), io::ErrorKind::TimedOut);
        assert!(carrier.ended());
        drop(far);
    }

    #[tokio::test]
    async fn a_connection_that_is_dropped_ends_its_session() {
        let carrier = Arc::new(EngineIoSession::for_test());
        drop(Stream::new(duplex(1).0, Arc::clone(&carrier)));
        assert!(carrier.ended());
    }

    #[tokio::test]
    async fn what_has_left_makes_room() {
        let (near, _far) = duplex(1_000);
        let carrier = Arc::new(EngineIoSession::for_test());
        let mut stream = Stream::new(near, Arc::clone(&carrier));
        carrier.outward.take(500).await;
        stream.write_all(&[0; 502]).await.unwrap();
        carrier.outward.emptied().await;
    }
}
