//! Connection below a WebSocket of Engine.IO. The library reads as fast as it can and waits for ever
//! to write; this wrapper bounds both: it pauses reading while received packets are queued, fails
//! when the client reads nothing for 10 s, counts sent bytes, and reports a lost connection.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::engineio_session::{EndReason, EngineIoSession};
use crate::http::websocket::WRITE_TIMEOUT;

/// Connection of an Engine.IO session, bounded by the session's windows.
pub struct BoundedStream<S> {
    /// Underlying connection.
    inner: S,
    /// Session of the connection.
    session: Arc<EngineIoSession>,
    /// Completes when there is room for more input; set while there is none.
    room: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Deadline for the client to read; set while writing is blocked.
    write_deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes of the close frame that are written already.
    close_written: usize,
}

/// Close frame of a server without a code, which is the last thing that the library writes
/// (RFC 6455 §5.5.1). No text ends like this.
const EMPTY_CLOSE: [u8; 2] = [0x88, 0x00];

impl<S> BoundedStream<S> {
    /// Bounds a connection by the windows of `session`.
    pub fn new(inner: S, session: Arc<EngineIoSession>) -> Self {
        Self {
            inner,
            session,
            room: None,
            write_deadline: None,
            close_written: 0,
        }
    }

    /// Returns the outcome of a write, or an error when writing was blocked for too long.
    fn check_deadline<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_deadline = None;
            return outcome;
        }
        let write_deadline = self
            .write_deadline
            .get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(write_deadline.as_mut().poll(cx));
        self.session.end(EndReason::NotReading);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S> Drop for BoundedStream<S> {
    fn drop(&mut self) {
        self.session.end(EndReason::Disconnected);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for BoundedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.room.is_none() && !this.session.receive_window.has_room() {
            let session = Arc::clone(&this.session);
            this.room = Some(Box::pin(async move {
                session.receive_window.wait_for_room().await
            }));
        }
        if let Some(room) = &mut this.room {
            ready!(room.as_mut().poll(cx));
            this.room = None;
        }
        Pin::new(&mut this.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BoundedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let buf = match (buf.strip_suffix(&EMPTY_CLOSE), self.session.close_code()) {
            (Some([]), Some(code)) => return self.poll_write_close(cx, code),
            (Some(before), Some(_)) => before,
            _ => buf,
        };
        let outcome = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(len)) = outcome {
            self.session.send_window.release(len);
        }
        self.check_deadline(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        self.check_deadline(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.check_deadline(cx, outcome)
    }
}

impl<S: AsyncWrite + Unpin> BoundedStream<S> {
    /// Writes a close frame with a code in place of the one without.
    fn poll_write_close(&mut self, cx: &mut Context<'_>, code: u16) -> Poll<io::Result<usize>> {
        let [high, low] = code.to_be_bytes();
        let frame = [0x88, 0x02, high, low];
        while let Some(rest) = frame.get(self.close_written..).filter(|it| !it.is_empty()) {
            let outcome = Pin::new(&mut self.inner).poll_write(cx, rest);
            let written = ready!(self.check_deadline(cx, outcome))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.close_written += written;
        }
        Poll::Ready(Ok(EMPTY_CLOSE.len()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reading_pauses_while_received_packets_are_queued() {
        let (near, mut far) = duplex(100);
        let session = Arc::new(EngineIoSession::for_test());
        let mut stream = BoundedStream::new(near, Arc::clone(&session));
        far.write_all(b"hello").await.unwrap();
        session.receive_window.add(1 << 20);
        let mut bytes = [0; 5];
        let soon = Duration::from_secs(1);
        assert!(timeout(soon, stream.read_exact(&mut bytes)).await.is_err());
        session.receive_window.release(1 << 20);
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"hello");
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_reads_nothing_is_disconnected_and_a_slow_one_is_not() {
        let (near, mut far) = duplex(100);
        let session = Arc::new(EngineIoSession::for_test());
        let mut stream = BoundedStream::new(near, Arc::clone(&session));
        let taking = tokio::spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(WRITE_TIMEOUT / 2).await;
                far.read_exact(&mut [0; 100]).await.unwrap();
            }
            far
        });
        stream.write_all(&[0; 2_100]).await.unwrap();
        let far = taking.await.unwrap();
        assert!(!session.has_ended());
        let stuck = stream.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(stuck.kind(), io::ErrorKind::TimedOut);
        assert!(session.has_ended());
        drop(far);
    }

    #[tokio::test]
    async fn dropped_connection_ends_its_session() {
        let session = Arc::new(EngineIoSession::for_test());
        drop(BoundedStream::new(duplex(1).0, Arc::clone(&session)));
        assert!(session.has_ended());
    }

    #[tokio::test]
    async fn sent_bytes_free_the_send_window() {
        let (near, _far) = duplex(1_000);
        let session = Arc::new(EngineIoSession::for_test());
        let mut stream = BoundedStream::new(near, Arc::clone(&session));
        session.send_window.reserve(500).await;
        stream.write_all(&[0; 502]).await.unwrap();
        session.send_window.wait_until_empty().await;
    }

    #[tokio::test]
    async fn close_frame_tells_the_client_why_the_session_ended() {
        for (reason, expected) in [
            (EndReason::Closed(1_008), &[0x88, 2, 0x03, 0xf0][..]),
            (EndReason::TooFast, &[0x88, 2, 0x03, 0xf0]),
            (EndReason::GoingAway, &[0x88, 2, 0x03, 0xe9]),
            (EndReason::Disconnected, &EMPTY_CLOSE),
        ] {
            // One byte at a time, so that every partial write occurs.
            let (near, mut far) = duplex(1);
            let session = Arc::new(EngineIoSession::for_test());
            let mut stream = BoundedStream::new(near, Arc::clone(&session));
            session.end(reason);
            let sent = tokio::spawn(async move {
                stream.write_all(b"\x81\x01x\x88\x00").await.unwrap();
            });
            let mut received = Vec::new();
            far.read_to_end(&mut received).await.unwrap();
            sent.await.unwrap();
            let (before, close) = received.split_at(3);
            assert_eq!(before, b"\x81\x01x");
            assert_eq!(close, expected, "{reason:?}");
        }
    }
}
