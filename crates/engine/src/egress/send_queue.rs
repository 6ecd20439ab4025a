//! Queue of transports that have something to send, ordered by due time. Transports that are due are
//! served in the order in which they were queued; [`SendQueue::poll_timeout`] returns when the next of
//! the others becomes due.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use watersmeet_wire::units::Time;

use super::window::{EgressOptions, Window};
use crate::slots::TransportKey;

/// State of one transport in the send queue.
#[derive(Debug)]
pub struct SendQueueEntry {
    /// Time at which it is due to send; `FAR_FUTURE` while it is not queued.
    due: Time,
    /// Whether STUN, DTLS or RTCP datagrams may wait besides media.
    has_control: bool,
}

impl Default for SendQueueEntry {
    fn default() -> Self {
        Self {
            due: Time::FAR_FUTURE,
            has_control: false,
        }
    }
}

/// Transports with something to send.
#[derive(Debug)]
pub struct SendQueue {
    /// Window for which media may be collected before it is sent.
    window: Window,
    /// Transports that are due. A key may be stale: of a closed transport, or one whose slot was
    /// given to another, which then has nothing to send.
    ready: VecDeque<TransportKey>,
    /// Transports that are due later.
    later: BTreeSet<(Time, TransportKey)>,
}

impl SendQueue {
    /// Creates an empty queue.
    pub fn new(options: EgressOptions) -> Self {
        Self {
            window: Window::new(options),
            ready: VecDeque::new(),
            later: BTreeSet::new(),
        }
    }

    /// Queues a transport that may have STUN, DTLS or RTCP datagrams to send; these are due now.
    pub fn enqueue_control(&mut self, now: Time, key: TransportKey, entry: &mut SendQueueEntry) {
        entry.mark_control();
        self.enqueue(now, now, key, entry);
    }

    /// Queues a transport for one more media packet, which is due at `due`.
    #[inline]
    pub fn enqueue_media(
        &mut self,
        now: Time,
        due: Time,
        key: TransportKey,
        entry: &mut SendQueueEntry,
    ) {
        self.window.record_packet(now);
        self.enqueue(now, due, key, entry);
    }

    /// Queues a transport whose packets have waited, for `due`.
    pub fn enqueue_again(
        &mut self,
        now: Time,
        due: Time,
        key: TransportKey,
        entry: &mut SendQueueEntry,
    ) {
        self.enqueue(now, due, key, entry);
    }

    /// Queues a transport for `due`, unless it is queued for that time or an earlier one.
    #[inline]
    fn enqueue(&mut self, now: Time, due: Time, key: TransportKey, entry: &mut SendQueueEntry) {
        if entry.due <= due {
            return;
        }
        if entry.due == Time::FAR_FUTURE && due <= now {
            entry.due = due;
            self.ready.push_back(key);
        } else {
            self.advance(now, due, key, entry);
        }
    }

    /// Queues a transport for `due`, which is earlier than its queued time, or is later than now.
    fn advance(&mut self, now: Time, due: Time, key: TransportKey, entry: &mut SendQueueEntry) {
        let former = std::mem::replace(&mut entry.due, due);
        if former != Time::FAR_FUTURE && !self.later.remove(&(former, key)) {
            // It was due and is in the ready list already.
            return;
        }
        if due <= now {
            self.ready.push_back(key);
        } else {
            self.later.insert((due, key));
        }
    }

    /// Moves the transports that have become due to the end of the ready list, in order of due time.
    pub fn release_due(&mut self, now: Time) {
        while let Some(&(due, key)) = self.later.first()
            && due <= now
        {
            self.later.pop_first();
            self.ready.push_back(key);
        }
    }

    /// Returns the next transport that is due.
    pub fn first_ready(&self) -> Option<TransportKey> {
        self.ready.front().copied()
    }

    /// Removes the next transport that is due, because everything of it was sent.
    pub fn pop_ready(&mut self) {
        self.ready.pop_front();
    }

    /// Returns when the next waiting transport becomes due. Those in the ready list do not count: they
    /// are sent before the loop waits.
    pub fn poll_timeout(&self) -> Time {
        self.later.first().map_or(Time::FAR_FUTURE, |(due, _)| *due)
    }

    /// Removes a closed transport. Its key may remain in the ready list until that is next emptied.
    pub fn remove(&mut self, key: TransportKey, entry: &SendQueueEntry) {
        self.later.remove(&(entry.due, key));
    }

    /// Returns the upper bound of the padding of one packet now, in bytes.
    pub const fn padding_max(&self) -> u8 {
        self.window.padding_max()
    }

    /// Returns how long media may be collected now before it is sent.
    pub const fn window(&self) -> Duration {
        self.window.length()
    }
}

impl SendQueueEntry {
    /// Records that STUN, DTLS or RTCP datagrams may wait.
    pub fn mark_control(&mut self) {
        self.has_control = true;
    }

    /// Returns whether STUN, DTLS or RTCP datagrams may wait besides media.
    #[inline]
    pub const fn has_control(&self) -> bool {
        self.has_control
    }

    /// Marks the transport as not queued, because everything of it was sent.
    #[inline]
    pub fn end(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Key as _;

    fn key(index: usize) -> TransportKey {
        TransportKey::from_index(index)
    }

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn drain(queue: &mut SendQueue, now: Time) -> Vec<TransportKey> {
        queue.release_due(now);
        let mut drained = Vec::new();
        while let Some(key) = queue.first_ready() {
            drained.push(key);
            queue.pop_ready();
        }
        drained
    }

    #[test]
    fn queue_holds_a_transport_once() {
        let mut queue = SendQueue::new(EgressOptions::default());
        let mut entries = [SendQueueEntry::default(), SendQueueEntry::default()];
        let now = at(1);
        queue.enqueue_media(now, now, key(1), &mut entries[1]);
        queue.enqueue_control(now, key(0), &mut entries[0]);
        assert!(entries[0].has_control() && !entries[1].has_control());
        queue.enqueue_media(now, now, key(1), &mut entries[1]);
        assert_eq!(queue.first_ready(), Some(key(1)));
        queue.pop_ready();
        entries[1].end();
        queue.enqueue_media(now, now, key(1), &mut entries[1]);
        assert_eq!(drain(&mut queue, now), [key(0), key(1)]);
    }

    #[test]
    fn transports_due_later_are_released_in_order_of_due_time() {
        let mut queue = SendQueue::new(EgressOptions::default());
        let mut entries = [0, 1, 2].map(|_| SendQueueEntry::default());
        let now = at(1);
        queue.enqueue_media(now, at(30), key(0), &mut entries[0]);
        queue.enqueue_media(now, at(20), key(1), &mut entries[1]);
        queue.enqueue_media(now, at(10), key(2), &mut entries[2]);
        assert_eq!(queue.poll_timeout(), at(10));
        assert_eq!(drain(&mut queue, at(9)), []);
        assert_eq!(drain(&mut queue, at(20)), [key(2), key(1)]);
        assert_eq!(queue.poll_timeout(), at(30));
    }

    #[test]
    fn transport_moves_forward_when_something_earlier_is_due() {
        let mut queue = SendQueue::new(EgressOptions::default());
        let mut entry = SendQueueEntry::default();
        queue.enqueue_media(at(1), at(30), key(0), &mut entry);
        queue.enqueue_media(at(2), at(20), key(0), &mut entry);
        assert_eq!(queue.poll_timeout(), at(20));
        queue.enqueue_media(at(3), at(40), key(0), &mut entry);
        queue.enqueue_control(at(3), key(0), &mut entry);
        assert_eq!(queue.poll_timeout(), Time::FAR_FUTURE);
        assert_eq!(drain(&mut queue, at(3)), [key(0)]);
        assert_eq!(drain(&mut queue, at(50)), []);
    }

    #[test]
    fn released_transport_is_not_queued_again_before_it_is_sent() {
        let mut queue = SendQueue::new(EgressOptions::default());
        let mut entry = SendQueueEntry::default();
        queue.enqueue_media(at(1), at(10), key(0), &mut entry);
        queue.release_due(at(10));
        queue.enqueue_control(at(5), key(0), &mut entry);
        assert_eq!(drain(&mut queue, at(10)), [key(0)]);
    }

    #[test]
    fn closed_transport_is_no_longer_due() {
        let mut queue = SendQueue::new(EgressOptions::default());
        let mut entry = SendQueueEntry::default();
        queue.enqueue_media(at(1), at(10), key(0), &mut entry);
        queue.remove(key(0), &entry);
        assert_eq!(queue.poll_timeout(), Time::FAR_FUTURE);
    }
}
