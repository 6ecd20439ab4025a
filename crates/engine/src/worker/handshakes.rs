//! Limits handshakes, so that many at once delay neither media nor one another: how many datagrams of
//! them a loop iteration processes, and how many run at the same time. Others wait in order of arrival.
//!
//! A handshake whose peer is silent for [`HANDSHAKE_STALL`] gives its place to one that waits, and
//! queues again with the peer's next datagram: peers that begin and never continue delay others by a
//! tenth of a second for each [`HANDSHAKES_MAX`] of them.

use std::time::Duration;

use watersmeet_wire::units::Time;

use crate::slots::TransportKey;
use crate::ticket_queue::{Ticket, TicketQueue};

/// Upper bound of the handshake datagrams processed in one loop iteration: each takes up to 0.15 ms,
/// during which media waits.
pub const HANDSHAKES_PER_ITERATION_MAX: usize = 4;

/// Upper bound of the handshakes that run at the same time.
pub const HANDSHAKES_MAX: usize = 64;

/// Silence of a peer after which its handshake does not count as running while others wait.
pub const HANDSHAKE_STALL: Duration = Duration::from_millis(100);

/// Transports with handshakes.
#[derive(Default)]
pub struct HandshakeQueue {
    /// Those with datagrams to process, each once, served round-robin.
    pub(super) ready: TicketQueue<TransportKey>,
    /// Those that wait until another handshake ends or stalls, oldest first.
    pub(super) waiting: TicketQueue<TransportKey>,
    /// Those that run, by the time of their last progress.
    pub(super) running: TicketQueue<(TransportKey, Time)>,
}

/// Places of one transport in the [`HandshakeQueue`].
#[derive(Debug, Default)]
pub struct HandshakePlace {
    pub(super) ready: Option<Ticket>,
    pub(super) waiting: Option<Ticket>,
    pub(super) running: Option<Ticket>,
}

impl HandshakeQueue {
    /// Returns when handshakes are next to be advanced.
    pub fn poll_timeout(&self) -> Time {
        if !self.ready.is_empty() {
            return Time::ZERO;
        }
        let oldest = self.running.front().filter(|_| !self.waiting.is_empty());
        oldest.map_or(Time::FAR_FUTURE, |&(_, at)| at + HANDSHAKE_STALL)
    }

    /// Removes a transport.
    pub fn remove(&mut self, place: &HandshakePlace) {
        if let Some(ticket) = place.ready {
            self.ready.remove(ticket);
        }
        if let Some(ticket) = place.waiting {
            self.waiting.remove(ticket);
        }
        if let Some(ticket) = place.running {
            self.running.remove(ticket);
        }
    }

    /// Queues a transport that has datagrams to process. Only a handshake `is_limited`; datagrams
    /// after it are not.
    pub(super) fn enqueue(
        &mut self,
        now: Time,
        key: TransportKey,
        place: &mut HandshakePlace,
        is_limited: bool,
    ) {
        if is_limited && place.running.is_none() {
            if self.running.len() >= HANDSHAKES_MAX {
                if place.waiting.is_none() {
                    place.waiting = Some(self.waiting.push_back(key));
                }
                return;
            }
            place.running = Some(self.running.push_back((key, now)));
        }
        if place.ready.is_none() {
            place.ready = Some(self.ready.push_back(key));
        }
    }

    /// Records that a datagram of a transport was processed.
    pub(super) fn record_progress(
        &mut self,
        now: Time,
        key: TransportKey,
        place: &mut HandshakePlace,
        is_over: bool,
        has_more: bool,
    ) {
        if let Some(ticket) = place.running.take() {
            self.running.remove(ticket);
            if !is_over {
                place.running = Some(self.running.push_back((key, now)));
            }
        }
        place.ready = has_more.then(|| self.ready.push_back(key));
    }
}
