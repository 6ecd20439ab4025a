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

/// Part of both bounds that frames which may be dropped can fill, in percent. The rest is kept for
/// frames that the client cannot do without.
const DROPPABLE_PERCENT: usize = 25;

/// An entry of the queue.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text frame to send.
    Text(String),
    /// A text frame that is dropped when the client does not keep up: a message of another
    /// participant, which must not cost the client its connection.
    DroppableText(String),
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
    /// Frame that was taken from the queue and is next.
    next: Option<Frame>,
    /// State that both ends share.
    shared: Arc<Shared>,
}

/// Outcome of pushing a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The frame is queued.
    Queued,
    /// The client does not keep up and the frame was dropped; the session goes on.
    Dropped,
    /// The bounds are exceeded: the frame was dropped and the socket is signalled to close.
    Overflow,
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
            next: None,
            shared,
        },
    )
}

impl Outbox {
    /// Queues a frame, as far as the bounds allow.
    pub fn push(&self, frame: Frame) -> Pushed {
        let len = frame.len();
        if matches!(frame, Frame::DroppableText(_)) && !self.has_room_for_droppable(len) {
            return Pushed::Dropped;
        }
        let queued = self.shared.bytes.fetch_add(len, Ordering::Relaxed);
        let fits = queued.saturating_add(len) <= BYTES_MAX && self.frames.try_send(frame).is_ok();
        if fits {
            return Pushed::Queued;
        }
        self.shared.overflow.notify_one();
        Pushed::Overflow
    }

    /// Returns whether a frame of this length that may be dropped can be queued.
    fn has_room_for_droppable(&self, len: usize) -> bool {
        let bytes = self.shared.bytes.load(Ordering::Relaxed);
        let frames = FRAMES_MAX.saturating_sub(self.frames.capacity());
        bytes.saturating_add(len) <= BYTES_MAX * DROPPABLE_PERCENT / 100
            && frames < FRAMES_MAX * DROPPABLE_PERCENT / 100
    }
}

impl OutboxReceiver {
    /// Waits for the next frame; `None` once the hub has dropped its end.
    pub async fn next(&mut self) -> Option<Frame> {
        match self.next.take() {
            Some(frame) => Some(frame),
            None => self.frames.recv().await,
        }
    }

    /// Takes the next frame, if it is queued already and is a text.
    pub fn take_text(&mut self) -> Option<String> {
        if self.next.is_none() {
            self.next = self.frames.try_recv().ok();
        }
        match self.next.take() {
            Some(Frame::Text(text) | Frame::DroppableText(text)) => Some(text),
            other => {
                self.next = other;
                None
            }
        }
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
            Self::Text(text) | Self::DroppableText(text) => text.len(),
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
        assert!((0..FRAMES_MAX).all(|_| outbox.push(frame(1)) == Pushed::Queued));
        assert_eq!(outbox.push(frame(1)), Pushed::Overflow);
    }

    #[test]
    fn frame_is_refused_when_a_mebibyte_is_queued() {
        let (outbox, _receiver) = channel();
        assert_eq!(outbox.push(frame(BYTES_MAX)), Pushed::Queued);
        assert_eq!(outbox.push(frame(1)), Pushed::Overflow);
    }

    #[test]
    fn droppable_frames_leave_room_for_others() {
        for len in [1, 24 << 10] {
            let (outbox, _receiver) = channel();
            let droppable = || Frame::DroppableText("x".repeat(len));
            let mut queued = 0;
            while outbox.push(droppable()) == Pushed::Queued {
                queued += 1;
            }
            assert!(queued >= 10, "{queued} of {len} bytes");
            assert_eq!(outbox.push(droppable()), Pushed::Dropped);
            assert!((0..700).all(|_| outbox.push(frame(1_000)) == Pushed::Queued));
        }
    }

    #[tokio::test]
    async fn released_bytes_can_be_queued_again() {
        let (outbox, mut receiver) = channel();
        assert_eq!(outbox.push(frame(BYTES_MAX)), Pushed::Queued);
        let frame = receiver.next().await.unwrap();
        receiver.release(frame.len());
        assert_eq!(outbox.push(self::frame(BYTES_MAX)), Pushed::Queued);
    }

    #[tokio::test]
    async fn texts_are_taken_up_to_the_next_frame_of_another_kind() {
        let (outbox, mut receiver) = channel();
        let close = || Frame::Close {
            code: 1000,
            reason: "",
        };
        for frame in [frame(1), frame(2), close()] {
            assert_eq!(outbox.push(frame), Pushed::Queued);
        }
        assert_eq!(receiver.next().await, Some(frame(1)));
        assert_eq!(receiver.take_text(), Some("xx".to_owned()));
        assert_eq!(receiver.take_text(), None);
        assert_eq!(receiver.next().await, Some(close()));
        assert_eq!(receiver.take_text(), None);
    }

    #[tokio::test]
    async fn overflow_is_signalled_to_a_socket_that_waits_later() {
        let (outbox, receiver) = channel();
        assert_eq!(outbox.push(frame(BYTES_MAX)), Pushed::Queued);
        assert_eq!(outbox.push(frame(1)), Pushed::Overflow);
        receiver.overflow().wait().await;
    }
}
