//! Limits handshakes, so that many at once delay neither media nor one another: how many datagrams of
//! them a loop iteration processes, and how many run at the same time. Others wait in order of arrival.
//!
//! A handshake whose peer is silent for [`HANDSHAKE_STALL`] gives its place to one that waits, and
//! queues again with the peer's next datagram: peers that begin and never continue delay others by a
//! tenth of a second for each [`HANDSHAKES_MAX`] of them.

use std::time::Duration;

use watersmeet_wire::units::Time;

use super::Worker;
use crate::slots::TransportKey;
use crate::ticket_queue::{Ticket, TicketQueue};
use crate::transport_state::DtlsState;

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
    ready: TicketQueue<TransportKey>,
    /// Those that wait until another handshake ends or stalls, oldest first.
    waiting: TicketQueue<TransportKey>,
    /// Those that run, by the time of their last progress.
    running: TicketQueue<(TransportKey, Time)>,
}

/// Places of one transport in the [`HandshakeQueue`].
#[derive(Debug, Default)]
pub struct HandshakePlace {
    ready: Option<Ticket>,
    waiting: Option<Ticket>,
    running: Option<Ticket>,
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
    fn enqueue(
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
    fn record_progress(
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

impl Worker {
    /// Queues a transport whose handshake has datagrams to process.
    pub(super) fn enqueue_handshake(&mut self, now: Time, key: TransportKey) {
        if let Some(entry) = self.transports.get_mut(key) {
            let is_limited = entry.transport.dtls_state() == DtlsState::Connecting;
            self.handshakes
                .enqueue(now, key, &mut entry.handshake, is_limited);
        }
    }

    /// Processes one datagram of each of the next handshakes.
    pub(super) fn advance_handshakes(&mut self, now: Time) {
        self.admit_handshakes(now);
        for _ in 0..HANDSHAKES_PER_ITERATION_MAX {
            let Some(key) = self.handshakes.ready.pop_front() else {
                return;
            };
            self.contain_fault(now, key, |worker| {
                if let Some(entry) = worker.transports.get_mut(key) {
                    let has_more = entry.transport.advance(now);
                    let is_over = entry.transport.dtls_state() != DtlsState::Connecting;
                    let place = &mut entry.handshake;
                    worker
                        .handshakes
                        .record_progress(now, key, place, is_over, has_more);
                }
                worker.apply_transport_events(now, key);
            });
        }
    }

    /// Starts waiting handshakes in the place of those that ended or stalled.
    fn admit_handshakes(&mut self, now: Time) {
        for _ in 0..HANDSHAKES_MAX {
            if self.handshakes.waiting.is_empty() {
                return;
            }
            if self.handshakes.running.len() >= HANDSHAKES_MAX && !self.suspend_stalled(now) {
                return;
            }
            let Some(key) = self.handshakes.waiting.pop_front() else {
                return;
            };
            if let Some(entry) = self.transports.get_mut(key) {
                entry.handshake.waiting = None;
                self.enqueue_handshake(now, key);
            }
        }
    }

    /// Takes its place from the handshake whose peer is silent for longest. Returns false when none
    /// is silent for long enough.
    fn suspend_stalled(&mut self, now: Time) -> bool {
        for _ in 0..HANDSHAKES_MAX {
            let oldest = self.handshakes.running.front().copied();
            let Some((key, at)) = oldest.filter(|(_, at)| now.since(*at) >= HANDSHAKE_STALL) else {
                return false;
            };
            debug_assert!(at <= now);
            self.handshakes.running.pop_front();
            let Some(entry) = self.transports.get_mut(key) else {
                return true;
            };
            if entry.handshake.ready.is_none() {
                entry.handshake.running = None;
                return true;
            }
            // It waits for us, not for its peer.
            let ticket = self.handshakes.running.push_back((key, now));
            entry.handshake.running = Some(ticket);
        }
        false
    }
}
