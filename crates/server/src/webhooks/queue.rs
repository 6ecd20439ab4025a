//! Events that wait to be sent to one webhook, oldest first. Bounded: the oldest make room for new ones, and the
//! receiver is told how many it has lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// Upper bound of events that wait.
pub const EVENTS_MAX: usize = 10_000;

/// Upper bound of their bytes.
pub const BYTES_MAX: usize = 16 << 20;

/// An event that waits.
#[derive(Debug, Clone)]
pub struct QueuedEvent {
    /// JSON object without `numDropped`.
    pub json: Arc<str>,
    /// Time at which it was queued.
    pub queued_at: Instant,
}

/// State of a queue for metrics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct QueueMetrics {
    /// Events that wait, with the one that is being sent.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Age of the oldest, in microseconds.
    pub age_micros: u64,
    /// Events that the receiver has confirmed.
    pub delivered: u64,
    /// Events that were dropped, because the queue was full or the receiver refused them.
    pub dropped: u64,
    /// Requests that failed, of which most are repeated.
    pub failures: u64,
}

/// Queue of one webhook. One task adds, another one sends.
#[derive(Debug, Default)]
pub struct EventQueue {
    state: Mutex<State>,
    /// Wakes the sending task.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<QueuedEvent>,
    /// Event that is being sent. It is not dropped for new ones.
    sending: Option<QueuedEvent>,
    bytes: usize,
    /// Dropped events of which the receiver does not know yet.
    untold: u64,
    is_closed: bool,
    delivered: u64,
    dropped: u64,
    failures: u64,
}

impl State {
    /// Counts an event that is not sent.
    fn record_drop(&mut self, event: &QueuedEvent) {
        self.bytes = self.bytes.saturating_sub(event.json.len());
        self.dropped += 1;
        self.untold += 1;
    }
}

impl EventQueue {
    /// Adds an event. Drops the oldest ones that are too many.
    pub fn push(&self, json: Arc<str>) {
        let mut state = self.lock();
        state.bytes += json.len();
        let queued_at = Instant::now();
        state.waiting.push_back(QueuedEvent { json, queued_at });
        while state.waiting.len() > EVENTS_MAX || state.bytes > BYTES_MAX {
            let Some(oldest) = state.waiting.pop_front() else {
                break;
            };
            state.record_drop(&oldest);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for the oldest event, which is then being sent. Returns `None` when the queue is closed and empty.
    pub async fn next(&self) -> Option<QueuedEvent> {
        loop {
            {
                let mut state = self.lock();
                if let Some(event) = state.waiting.pop_front() {
                    state.sending = Some(event.clone());
                    return Some(event);
                }
                if state.is_closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Returns the number of dropped events that the receiver does not know of.
    pub fn untold(&self) -> u64 {
        self.lock().untold
    }

    /// Records that the receiver has confirmed the event that is being sent, and with it `told` dropped ones.
    pub fn record_delivery(&self, told: u64) {
        let mut state = self.lock();
        state.delivered += 1;
        state.untold = state.untold.saturating_sub(told);
        if let Some(event) = state.sending.take() {
            state.bytes = state.bytes.saturating_sub(event.json.len());
        }
    }

    /// Records that the event that is being sent is given up.
    pub fn give_up(&self) {
        let mut state = self.lock();
        if let Some(event) = state.sending.take() {
            state.record_drop(&event);
        }
    }

    /// Records a request that failed.
    pub fn record_failure(&self) {
        self.lock().failures += 1;
    }

    /// Closes the queue: no event follows, and those that wait are sent once, without waiting for the receiver.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits until the queue is closed.
    pub async fn closed(&self) {
        while !self.is_closed() {
            self.changed.notified().await;
        }
    }

    /// Returns whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Returns the state for metrics.
    pub fn metrics(&self) -> QueueMetrics {
        let state = self.lock();
        let oldest = state.sending.as_ref().or(state.waiting.front());
        let age = oldest.map_or(0, |it| it.queued_at.elapsed().as_micros());
        QueueMetrics {
            events: (state.waiting.len() + usize::from(state.sending.is_some())) as u64,
            bytes: state.bytes as u64,
            age_micros: u64::try_from(age).unwrap_or(u64::MAX),
            delivered: state.delivered,
            dropped: state.dropped,
            failures: state.failures,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn oldest_events_are_dropped_beyond_the_maximum_and_told_once() {
        let queue = EventQueue::default();
        for n in 0..EVENTS_MAX + 2 {
            queue.push(n.to_string().into());
        }
        assert_eq!(&*queue.next().await.unwrap().json, "2");
        assert_eq!(queue.untold(), 2);
        queue.record_delivery(2);
        let metrics = queue.metrics();
        assert_eq!((metrics.delivered, metrics.dropped), (1, 2));
        assert_eq!((metrics.events, queue.untold()), (EVENTS_MAX as u64 - 1, 0));
    }

    #[tokio::test]
    async fn bytes_are_bounded_and_the_event_being_sent_stays() {
        let queue = EventQueue::default();
        let large: Arc<str> = "x".repeat(BYTES_MAX / 2).into();
        queue.push(Arc::clone(&large));
        let sending = queue.next().await.unwrap();
        queue.push("first".into());
        queue.push(Arc::clone(&large));
        assert_eq!(queue.metrics().dropped, 1);
        assert!(queue.metrics().bytes <= BYTES_MAX as u64);
        assert_eq!(sending.json.len(), large.len());
        queue.give_up();
        assert_eq!((queue.untold(), queue.metrics().events), (2, 1));
        queue.close();
        assert!(queue.next().await.is_some() && queue.next().await.is_none());
    }
}
