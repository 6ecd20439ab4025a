//! Advances the handshakes of a worker within the limits of its queue.

use watersmeet_wire::units::Time;

use super::Worker;
use super::handshakes::{HANDSHAKE_STALL, HANDSHAKES_MAX, HANDSHAKES_PER_ITERATION_MAX};
use crate::slots::TransportKey;
use crate::transport_state::DtlsState;

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
