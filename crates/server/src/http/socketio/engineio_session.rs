//! One Engine.IO session: what its transports, its requests and its task share. It may live on one
//! WebSocket, on many polls, or begin with polls and move to a WebSocket; whatever carries it, what
//! comes in waits in one bounded queue, in order.

use std::sync::{Arc, Mutex, PoisonError};

use engineioxide::Str;
use tokio::sync::{mpsc, watch};

use super::byte_window::ByteWindow;
use crate::http::abuse::AbuseTracker;
use crate::http::connection_limit::ConnectionPermit;
use crate::http::query_params::QueryParams;

/// The most packets that wait for the hub: more than a read of 4 KiB can hold while the queue has
/// its bytes already.
const INBOX_MAX: usize = 2_048;

/// The most bytes that wait for the hub before nothing more is read.
const INWARD_LEN_MAX: usize = 128 << 10;

/// What a waiting packet costs besides its bytes.
const PACKET_COST: usize = 256;

/// The most bytes on their way to the client. A poll brings 64 KiB (`PAYLOAD_LEN_MAX`): all of them
/// fit into one, with a ping, so that none stays behind when the session moves to a WebSocket.
pub const OUTWARD_LEN_MAX: usize = 60 << 10;

/// What a packet on its way costs besides its text: its type, and what parts it from the next.
const PACKET_FRAME_LEN: usize = 2;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The client said goodbye or is gone.
    Gone,
    /// It sent what is no packet, or one with attachments.
    Malformed,
    /// It pressed against its pace for too long.
    TooFast,
    /// It did not take what it was sent.
    NotReading,
    /// It did something too often.
    RateLimited,
    /// It asked for no namespace for too long.
    Silent,
    /// The conference closed it.
    Closed,
    /// The program ends.
    GoingAway,
}

/// What all sides of an Engine.IO session share.
#[derive(Debug)]
pub struct EngineIoSession {
    /// What the first request said.
    pub query: QueryParams,
    /// What is held against the client.
    pub account: AbuseTracker,
    /// Bytes that were received and wait for the hub.
    pub inward: ByteWindow,
    /// Bytes that are on their way to the client.
    pub outward: ByteWindow,
    /// Held while a request's packets are read, so that those of two do not mix.
    pub posting: tokio::sync::Mutex<()>,
    /// Where packets wait for the hub.
    inbox: mpsc::Sender<Str>,
    /// The other end of it, until the session's task has it.
    packets: Mutex<Option<mpsc::Receiver<Str>>>,
    /// Its seat; none only in tests.
    seat: Mutex<Option<Arc<ConnectionPermit>>>,
    /// Whether a WebSocket carries it, or tries to.
    on_websocket: Mutex<bool>,
    /// Why it ended, once it has.
    fault: watch::Sender<Option<EndReason>>,
}

impl EngineIoSession {
    /// A session that has not begun, in its own seat.
    pub fn new(query: QueryParams, account: AbuseTracker, seat: Arc<ConnectionPermit>) -> Self {
        let carrier = Self::unseated(query, account);
        carrier.sit(seat);
        carrier
    }

    fn unseated(query: QueryParams, account: AbuseTracker) -> Self {
        let (inbox, packets) = mpsc::channel(INBOX_MAX);
        Self {
            query,
            account,
            inward: ByteWindow::new(INWARD_LEN_MAX),
            outward: ByteWindow::new(OUTWARD_LEN_MAX),
            posting: tokio::sync::Mutex::default(),
            inbox,
            packets: Mutex::new(Some(packets)),
            seat: Mutex::default(),
            on_websocket: Mutex::default(),
            fault: watch::Sender::new(None),
        }
    }

    /// A session that nobody opened.
    #[cfg(test)]
    pub fn for_test() -> Self {
        Self::unseated(QueryParams::default(), AbuseTracker::for_test())
    }

    /// Takes another seat and gives its own back: that of the WebSocket that carries it from now.
    pub fn sit(&self, seat: Arc<ConnectionPermit>) {
        let before = self.seat.lock().unwrap_or_else(PoisonError::into_inner);
        drop({ before }.replace(seat));
    }

    /// Whether a WebSocket may try to carry it: one, once.
    pub fn move_to_websocket(&self) -> bool {
        let mut on_websocket = self
            .on_websocket
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut *on_websocket, true)
    }

    /// The packets, for the task of the session; none the second time.
    pub fn packets(&self) -> Option<mpsc::Receiver<Str>> {
        let mut packets = self.packets.lock().unwrap_or_else(PoisonError::into_inner);
        packets.take()
    }

    /// Lets a packet wait for the hub.
    pub fn receive(&self, text: Str) {
        self.inward.force(text.len() + PACKET_COST);
        if self.inbox.try_send(text).is_err() {
            self.end(EndReason::TooFast);
        }
    }

    /// Notes that a packet waits no more.
    pub fn received(&self, len: usize) {
        self.inward.give_back(len + PACKET_COST);
    }

    /// Waits until a packet of this length may be sent.
    pub async fn room_for(&self, len: usize) {
        self.outward.take(len + PACKET_FRAME_LEN).await;
    }

    /// Ends the session, unless it has ended before.
    pub fn end(&self, fault: EndReason) {
        self.fault.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(fault);
            is_first
        });
    }

    /// Whether it has ended.
    #[cfg(test)]
    pub fn ended(&self) -> bool {
        self.fault.borrow().is_some()
    }

    /// Waits until it has ended, and says why.
    pub async fn over(&self) -> EndReason {
        let mut fault = self.fault.subscribe();
        let over = fault.wait_for(Option::is_some).await;
        over.ok()
            .and_then(|fault| *fault)
            .unwrap_or(EndReason::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_inbox_ends_the_session_and_the_first_reason_counts() {
        let carrier = EngineIoSession::for_test();
        for _ in 0..INBOX_MAX {
            carrier.receive(Str::from("2[]"));
        }
        assert!(!carrier.ended());
        assert!(!carrier.inward.has_room());
        carrier.receive(Str::from("2[]"));
        carrier.end(EndReason::Gone);
        assert_eq!(carrier.over().await, EndReason::TooFast);
    }

    #[test]
    fn one_websocket_may_carry_it_and_one_task_reads_it() {
        let carrier = EngineIoSession::for_test();
        assert!(carrier.move_to_websocket());
        assert!(!carrier.move_to_websocket());
        assert!(carrier.packets().is_some());
        assert!(carrier.packets().is_none());
    }
}
