//! Outgoing queue of one session. The hub pushes frames and never waits; the session's socket
//! takes them as fast as the client reads. When the bounds are exceeded, the session ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};
use watersmeet_conference::conference::LimitedAction;

/// Upper bound of queued frames.
const FRAMES_MAX: usize = 1_000;

/// Upper bound of queued bytes.
const BYTES_MAX: usize = 1 << 20;

/// An entry of the queue.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text frame to send.
    Text(String),
    /// A rate-limited action of the client, counted before the frames behind it are sent. Nothing
    /// is sent for it.
    LimitedAction(LimitedAction),
    /// Closes the connection; nothing behind it is sent.
    Close {
        /// WebSocket close code (RFC 6455 §7.4).
        code: u16,
        /// Reason, for developers of the client.
        reason: &'static str,
    },
}

/// The hub's end of the queue.
#[derive(Debug)]
pub struct Outbox {
    /// Sending end.
    frames: mpsc::Sender<Frame>,
    /// State that both ends share.
    shared: Arc<Shared>,
}

/// The socket's end of the queue.
#[derive(Debug)]
pub struct OutboxReceiver {
    /// Receiving end.
    frames: mpsc::Receiver<Frame>,
    /// State that both ends share.
    shared: Arc<Shared>,
}

/// Signals that the bounds of an outbox were exceeded.
#[derive(Debug)]
pub struct OverflowSignal(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Bytes of the queued frames.
    bytes: AtomicUsize,
    /// Notified when the bounds were exceeded.
    overflow: Notify,
}

/// Creates an outbox and returns both ends.
pub fn channel() -> (Outbox, OutboxReceiver) {
    let (sender, receiver) = mpsc::channel(FRAMES_MAX);
    let shared = Arc::new(Shared::default());
    (
        Outbox {
            frames: sender,
            shared: Arc::clone(&shared),
        },
        OutboxReceiver {
            frames: receiver,
            shared,
        },
    )
}

impl Outbox {
    /// Queues a frame. Returns false when the bounds are exceeded: the frame is dropped and the
    /// socket is signalled to close.
    pub fn push(&self, frame: Frame) -> bool {
        let len = frame.len();
        let queued = self.shared.bytes.fetch_add(len, Ordering::Relaxed);
        let fits = queued.saturating_add(len) <= BYTES_MAX && self.frames.try_send(frame).is_ok();
        if !fits {
            self.shared.overflow.notify_one();
        }
        fits
    }
}

impl OutboxReceiver {
    /// Waits for the next frame; `None` once the hub has dropped its end.
    pub async fn next(&mut self) -> Option<Frame> {
        self.frames.recv().await
    }

    /// Frees the bytes of a frame that was sent or discarded.
    pub fn release(&self, len: usize) {
        self.shared.bytes.fetch_sub(len, Ordering::Relaxed);
    }

    /// Returns the signal that the bounds were exceeded.
    pub fn overflow(&self) -> OverflowSignal {
        OverflowSignal(Arc::clone(&self.shared))
    }
}

impl OverflowSignal {
    /// Waits until the bounds were exceeded.
    pub async fn wait(&self) {
        self.0.overflow.notified().await;
    }
}

impl Frame {
    /// Bytes that count against the bound.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::LimitedAction(_) | Self::Close { .. } => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize) -> Frame {
        Frame::Text("x".repeat(len))
    }

    #[test]
    fn frame_is_refused_when_a_thousand_are_queued() {
        let (outbox, _receiver) = channel();
        assert!((0..FRAMES_MAX).all(|_| outbox.push(frame(1))));
        assert!(!outbox.push(frame(1)));
    }

    #[test]
    fn frame_is_refused_when_a_mebibyte_is_queued() {
        let (outbox, _receiver) = channel();
        assert!(outbox.push(frame(BYTES_MAX)));
        assert!(!outbox.push(frame(1)));
    }

    #[tokio::test]
    async fn released_bytes_can_be_queued_again() {
        let (outbox, mut receiver) = channel();
        assert!(outbox.push(frame(BYTES_MAX)));
        let frame = receiver.next().await.unwrap();
        receiver.release(frame.len());
        assert!(outbox.push(self::frame(BYTES_MAX)));
    }

    #[tokio::test]
    async fn overflow_is_signalled_to_a_socket_that_waits_later() {
        let (outbox, receiver) = channel();
        assert!(outbox.push(frame(BYTES_MAX)));
        assert!(!outbox.push(frame(1)));
        receiver.overflow().wait().await;
    }
}
