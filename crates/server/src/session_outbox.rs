//! What waits to be sent to one session. The hub puts letters in and never waits; the session's
//! socket takes them out as fast as its browser reads. A browser that does not read costs no more
//! than the bounds below: then its outbox is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};
use watersmeet_conference::conference::LimitedAction;

/// The most letters that wait.
const FRAMES_MAX: usize = 1_000;

/// The most bytes that wait.
const BYTES_MAX: usize = 1 << 20;

/// One thing to send.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text frame.
    Text(String),
    /// Nothing to send: what the client did, to be counted before the frames that follow.
    LimitedAction(LimitedAction),
    /// The end of the connection; nothing after it is sent.
    Close {
        /// WebSocket close code (RFC 6455 §7.4).
        code: u16,
        /// A few words for whoever debugs the client.
        reason: &'static str,
    },
}

/// The hub's end.
#[derive(Debug)]
pub struct Outbox {
    /// To the socket.
    letters: mpsc::Sender<Frame>,
    /// What both ends know.
    shared: Arc<Shared>,
}

/// The socket's end.
#[derive(Debug)]
pub struct OutboxReceiver {
    /// From the hub.
    letters: mpsc::Receiver<Frame>,
    /// What both ends know.
    shared: Arc<Shared>,
}

/// Rings once the bounds of an outbox were passed.
#[derive(Debug)]
pub struct OverflowSignal(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Bytes of the frames that wait.
    bytes: AtomicUsize,
    /// Rings when the bounds were passed.
    overflow: Notify,
}

/// Both ends of a new outbox.
pub fn pair() -> (Outbox, OutboxReceiver) {
    let (sender, receiver) = mpsc::channel(FRAMES_MAX);
    let shared = Arc::new(Shared::default());
    (
        Outbox {
            letters: sender,
            shared: Arc::clone(&shared),
        },
        OutboxReceiver {
            letters: receiver,
            shared,
        },
    )
}

impl Outbox {
    /// Adds a letter. False: the bounds were passed, the letter is lost and the socket was told to
    /// give up.
    pub fn push(&self, letter: Frame) -> bool {
        let len = letter.len();
        let waiting = self.shared.bytes.fetch_add(len, Ordering::Relaxed);
        let fits =
            waiting.saturating_add(len) <= BYTES_MAX && self.letters.try_send(letter).is_ok();
        if !fits {
            self.shared.overflow.notify_one();
        }
        fits
    }
}

impl OutboxReceiver {
    /// The next letter; none once the hub has dropped its end.
    pub async fn next(&mut self) -> Option<Frame> {
        self.letters.recv().await
    }

    /// Notes that a letter has left, or never will.
    pub fn sent(&self, len: usize) {
        self.shared.bytes.fetch_sub(len, Ordering::Relaxed);
    }

    /// The bell that rings when the bounds were passed.
    pub fn overflow(&self) -> OverflowSignal {
        OverflowSignal(Arc::clone(&self.shared))
    }
}

impl OverflowSignal {
    /// Waits until the bounds were passed.
    pub async fn rung(&self) {
        self.0.overflow.notified().await;
    }
}

impl Frame {
    /// How many bytes it counts for.
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
    fn the_thousand_and_first_letter_is_refused() {
        let (outbox, _mailbox) = pair();
        assert!((0..FRAMES_MAX).all(|_| outbox.push(frame(1))));
        assert!(!outbox.push(frame(1)));
    }

    #[test]
    fn the_byte_after_a_mebibyte_is_refused() {
        let (outbox, _mailbox) = pair();
        assert!(outbox.push(frame(BYTES_MAX)));
        assert!(!outbox.push(frame(1)));
    }

    #[tokio::test]
    async fn what_was_sent_makes_room_again() {
        let (outbox, mut mailbox) = pair();
        assert!(outbox.push(frame(BYTES_MAX)));
        let letter = mailbox.next().await.unwrap();
        mailbox.sent(letter.len());
        assert!(outbox.push(frame(BYTES_MAX)));
    }

    #[tokio::test]
    async fn an_overflow_is_heard_even_by_a_socket_that_listens_later() {
        let (outbox, mailbox) = pair();
        assert!(outbox.push(frame(BYTES_MAX)));
        assert!(!outbox.push(frame(1)));
        mailbox.overflow().rung().await;
    }
}
