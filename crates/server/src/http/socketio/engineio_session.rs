//! State of an Engine.IO session, shared by its transports, requests and task. A session uses one
//! WebSocket, polling requests, or polling and then a WebSocket; received packets are queued in
//! order in one bounded queue.

use std::sync::{Arc, Mutex, PoisonError};

use engineioxide::Str;
use tokio::sync::{mpsc, watch};

use super::byte_window::ByteWindow;
use crate::http::abuse::AbuseTracker;
use crate::http::connection_limit::ConnectionPermit;
use crate::http::query_params::QueryParams;

/// Capacity of the queue of received packets: more than a read of 4 KiB can add when the queue has
/// reached its bound in bytes.
const QUEUE_LEN_MAX: usize = 2_048;

/// Bytes of queued packets at which reading pauses.
const RECEIVE_WINDOW_LEN: usize = 128 << 10;

/// Memory of a queued packet besides its text, in bytes.
const PACKET_COST: usize = 256;

/// Bytes in flight to the client at which sending pauses. A poll returns up to 64 KiB
/// (`PAYLOAD_LEN_MAX`): all of them and a ping fit into one, so that none is left over when the
/// session moves to a WebSocket.
pub const SEND_WINDOW_LEN: usize = 60 << 10;

/// Bytes of a packet in flight besides its text: its type and the separator.
const PACKET_FRAME_LEN: usize = 2;

/// Reason why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The client closed the connection or is unreachable.
    Disconnected,
    /// The client sent an invalid packet, or one with attachments.
    Malformed,
    /// The client exceeded the frame rate for too long.
    TooFast,
    /// The client does not read what it is sent.
    NotReading,
    /// The client exceeded a rate limit.
    RateLimited,
    /// The client connected to no namespace for too long.
    NoNamespace,
    /// The conference closed it with this code.
    Closed(u16),
    /// The server shuts down.
    GoingAway,
}

impl EndReason {
    /// Returns the WebSocket close code that tells the client why (RFC 6455 §7.4.1 and IANA's
    /// registry); `None` when the client itself has ended the session.
    pub const fn close_code(self) -> Option<u16> {
        match self {
            Self::Disconnected => None,
            Self::Malformed => Some(1_002),
            Self::TooFast | Self::NoNamespace => Some(1_008),
            Self::NotReading | Self::RateLimited => Some(1_013),
            Self::Closed(code) => Some(code),
            Self::GoingAway => Some(1_001),
        }
    }
}

/// State of an Engine.IO session.
#[derive(Debug)]
pub struct EngineIoSession {
    /// Query of the first request.
    pub query: QueryParams,
    /// Counts rate-limited actions of the client.
    pub abuse: AbuseTracker,
    /// Bytes of queued packets of the client.
    pub receive_window: ByteWindow,
    /// Bytes in flight to the client.
    pub send_window: ByteWindow,
    /// Held while the packets of a POST request are queued, so that those of two do not mix.
    pub post_lock: tokio::sync::Mutex<()>,
    /// Sending end of the queue of received packets.
    sender: mpsc::Sender<Str>,
    /// Receiving end of the queue, until the session's task takes it.
    receiver: Mutex<Option<mpsc::Receiver<Str>>>,
    /// Connection permit; `None` only in tests.
    permit: Mutex<Option<Arc<ConnectionPermit>>>,
    /// Whether a WebSocket was opened for the session.
    on_websocket: Mutex<bool>,
    /// Reason why the session ended, once it has.
    end: watch::Sender<Option<EndReason>>,
}

impl EngineIoSession {
    /// Creates a session with a connection permit.
    pub fn new(query: QueryParams, abuse: AbuseTracker, permit: Arc<ConnectionPermit>) -> Self {
        let session = Self::without_permit(query, abuse);
        session.set_permit(permit);
        session
    }

    fn without_permit(query: QueryParams, abuse: AbuseTracker) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_LEN_MAX);
        Self {
            query,
            abuse,
            receive_window: ByteWindow::new(RECEIVE_WINDOW_LEN),
            send_window: ByteWindow::new(SEND_WINDOW_LEN),
            post_lock: tokio::sync::Mutex::default(),
            sender,
            receiver: Mutex::new(Some(receiver)),
            permit: Mutex::default(),
            on_websocket: Mutex::default(),
            end: watch::Sender::new(None),
        }
    }

    /// Creates a session without a permit.
    #[cfg(test)]
    pub fn for_test() -> Self {
        Self::without_permit(QueryParams::default(), AbuseTracker::for_test())
    }

    /// Replaces the permit by that of the WebSocket that carries the session from now on.
    pub fn set_permit(&self, permit: Arc<ConnectionPermit>) {
        let before = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        drop({ before }.replace(permit));
    }

    /// Claims the session for a WebSocket. Returns false when one has claimed it before.
    pub fn claim_websocket(&self) -> bool {
        let mut on_websocket = self
            .on_websocket
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut *on_websocket, true)
    }

    /// Returns the receiving end of the packet queue; `None` the second time.
    pub fn take_receiver(&self) -> Option<mpsc::Receiver<Str>> {
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.take()
    }

    /// Queues a received packet. A full queue ends the session.
    pub fn queue_packet(&self, text: Str) {
        self.receive_window.add(text.len() + PACKET_COST);
        if self.sender.try_send(text).is_err() {
            self.end(EndReason::TooFast);
        }
    }

    /// Frees the bytes of a packet that was handled.
    pub fn packet_handled(&self, len: usize) {
        self.receive_window.release(len + PACKET_COST);
    }

    /// Waits until a packet of `len` bytes may be sent.
    pub async fn reserve_send(&self, len: usize) {
        self.send_window.reserve(len + PACKET_FRAME_LEN).await;
    }

    /// Ends the session. Only the first reason is kept.
    pub fn end(&self, reason: EndReason) {
        self.end.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(reason);
            is_first
        });
    }

    /// Returns the close code for the client, once the session has ended.
    pub fn close_code(&self) -> Option<u16> {
        self.end.borrow().and_then(EndReason::close_code)
    }

    /// Returns whether the session has ended.
    #[cfg(test)]
    pub fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Waits until the session has ended and returns the reason.
    pub async fn wait_until_ended(&self) -> EndReason {
        let mut reason = self.end.subscribe();
        let ended = reason.wait_for(Option::is_some).await;
        ended
            .ok()
            .and_then(|reason| *reason)
            .unwrap_or(EndReason::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn full_queue_ends_the_session_with_the_first_reason() {
        let session = EngineIoSession::for_test();
        for _ in 0..QUEUE_LEN_MAX {
            session.queue_packet(Str::from("2[]"));
        }
        assert!(!session.has_ended());
        assert!(!session.receive_window.has_room());
        session.queue_packet(Str::from("2[]"));
        session.end(EndReason::Disconnected);
        assert_eq!(session.wait_until_ended().await, EndReason::TooFast);
    }

    #[test]
    fn session_has_one_websocket_and_one_task() {
        let session = EngineIoSession::for_test();
        assert!(session.claim_websocket());
        assert!(!session.claim_websocket());
        assert!(session.take_receiver().is_some());
        assert!(session.take_receiver().is_none());
    }
}
