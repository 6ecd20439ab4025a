//! Passes events of rooms from the hub to the parts of the program that follow them. The hub never waits for
//! them: one that does not keep up loses the oldest events, which are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::broadcast::{self, error::RecvError};
use watersmeet_conference::room_event::RoomEvent;

/// Capacity of the queue of events, which all subscribers share. A shutdown of 10,000 participants causes more,
/// but subscribers only move events to queues of their own.
const EVENTS_MAX: usize = 16_384;

/// Sends the events of rooms to all subscribers.
#[derive(Debug)]
pub struct RoomEventSender {
    /// Sending end of the queue.
    sender: broadcast::Sender<Arc<RoomEvent>>,
    /// Number of events that subscribers have lost.
    lost: Arc<AtomicU64>,
}

/// A subscription to the events of all rooms.
#[derive(Debug)]
pub struct RoomEventReceiver {
    /// Receiving end of the queue.
    receiver: broadcast::Receiver<Arc<RoomEvent>>,
    /// Number of events that subscribers have lost.
    lost: Arc<AtomicU64>,
}

impl Default for RoomEventSender {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(EVENTS_MAX),
            lost: Arc::default(),
        }
    }
}

impl RoomEventSender {
    /// Sends an event to all subscribers. Without any, it is dropped.
    pub fn send(&self, event: RoomEvent) {
        let _ = self.sender.send(Arc::new(event));
    }

    /// Returns a subscription to the events from this moment on.
    pub fn subscribe(&self) -> RoomEventReceiver {
        RoomEventReceiver {
            receiver: self.sender.subscribe(),
            lost: Arc::clone(&self.lost),
        }
    }

    /// Returns the counter of events that subscribers have lost.
    pub fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }
}

impl RoomEventReceiver {
    /// Waits for the next event. Returns `None` when the hub has ended and all events are received.
    pub async fn recv(&mut self) -> Option<Arc<RoomEvent>> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(count)) => {
                    self.lost.fetch_add(count, Ordering::Relaxed);
                    tracing::warn!(count, "events of rooms lost: a subscriber does not keep up");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use watersmeet_conference::room_event::{RoomEventKind, RoomRecord};
    use watersmeet_wire::units::Time;

    use super::*;

    fn event(participants: usize) -> RoomEvent {
        RoomEvent {
            at: Time::ZERO,
            room: RoomRecord {
                name: "room".into(),
                session: "RM_1".into(),
                title: None,
                main: None,
                started_at: Time::ZERO,
                participants,
            },
            kind: RoomEventKind::RoomStarted,
        }
    }

    #[tokio::test]
    async fn subscriber_that_does_not_keep_up_loses_the_oldest_events_and_they_are_counted() {
        let sender = RoomEventSender::default();
        sender.send(event(0));
        let mut receiver = sender.subscribe();
        for n in 0..EVENTS_MAX + 3 {
            sender.send(event(n));
        }
        let first = receiver.recv().await.unwrap();
        assert_eq!(first.room.participants, 3);
        assert_eq!(sender.lost().load(Ordering::Relaxed), 3);
        drop(sender);
        let mut rest = 0;
        while receiver.recv().await.is_some() {
            rest += 1;
        }
        assert_eq!(rest, EVENTS_MAX - 1);
    }
}
