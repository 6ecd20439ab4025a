//! Which destinations have something to send now, in the order in which they came to have it.

use std::collections::VecDeque;
use std::time::Duration;

use watersmeet_wire::units::Time;

use super::window::{EgressOptions, Window};
use crate::slots::TransportKey;

/// One destination's place in the schedule.
#[derive(Debug, Default)]
pub struct SendQueueEntry {
    /// Whether it stands in the list.
    is_ready: bool,
    /// Whether something else than media may be waiting.
    has_control: bool,
}

/// Who sends next.
#[derive(Debug)]
pub struct SendQueue {
    /// How long media may be gathered.
    window: Window,
    /// Destinations with something to send.
    ready: VecDeque<TransportKey>,
}

impl SendQueue {
    /// Nobody has anything to send.
    pub fn new(options: EgressOptions) -> Self {
        Self {
            window: Window::new(options),
            ready: VecDeque::new(),
        }
    }

    /// A destination may have something else than media to send.
    pub fn enqueue_control(&mut self, key: TransportKey, turn: &mut SendQueueEntry) {
        turn.has_control = true;
        self.note(key, turn);
    }

    /// A destination has one more media packet to send.
    #[inline]
    pub fn enqueue_media(&mut self, now: Time, key: TransportKey, turn: &mut SendQueueEntry) {
        self.window.record_packet(now);
        self.note(key, turn);
    }

    #[inline]
    fn note(&mut self, key: TransportKey, turn: &mut SendQueueEntry) {
        if !turn.is_ready {
            turn.is_ready = true;
            self.ready.push_back(key);
        }
    }

    /// The next destination with something to send.
    pub fn first_ready(&self) -> Option<TransportKey> {
        self.ready.front().copied()
    }

    /// The first of those with something to send has nothing more.
    pub fn pop_ready(&mut self) {
        self.ready.pop_front();
    }

    /// A destination is no more. Its place may be given to another before the list is next walked.
    pub fn remove(&mut self, key: TransportKey) {
        self.ready.retain(|ready| *ready != key);
    }

    /// The most bytes of padding for one packet now.
    pub const fn padding_max(&self) -> u8 {
        self.window.padding_max()
    }

    /// How long media may be gathered now.
    pub const fn window(&self) -> Duration {
        self.window.length()
    }
}

impl SendQueueEntry {
    /// Whether something else than media may be waiting. Media alone does not look for it.
    #[inline]
    pub const fn has_control(&self) -> bool {
        self.has_control
    }

    /// All that was to be sent has left.
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

    #[test]
    fn whoever_has_something_to_send_stands_in_the_list_once() {
        let mut schedule = SendQueue::new(EgressOptions::default());
        let mut turns = [SendQueueEntry::default(), SendQueueEntry::default()];
        let now = Time::from_millis(1);
        schedule.enqueue_media(now, key(1), &mut turns[1]);
        schedule.enqueue_control(key(0), &mut turns[0]);
        assert!(turns[0].has_control() && !turns[1].has_control());
        schedule.enqueue_media(now, key(1), &mut turns[1]);
        assert_eq!(schedule.first_ready(), Some(key(1)));
        schedule.pop_ready();
        turns[1].end();
        schedule.enqueue_media(now, key(1), &mut turns[1]);
        assert_eq!(schedule.first_ready(), Some(key(0)));
        schedule.remove(key(0));
        assert_eq!(schedule.first_ready(), Some(key(1)));
    }
}
