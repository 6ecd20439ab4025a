//! What shards have for one another: one bounded queue for each, into which all others put. A shard
//! that does not keep up is sent less; nobody waits for it.
//!
//! Words and packets share the queue, so that they keep their order. What is dropped is counted:
//! packets are like those that a network loses, and words are said again (see the engine's
//! crossings).

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use watersmeet_engine::shard_message::ShardMessage;
use watersmeet_net::Waker;

/// The most values that wait for one shard: some 20 ms of all that a busy core can receive. Each
/// place takes some 40 bytes.
const INBOX_MAX: usize = 8_192;

/// A shard's place at the exchange.
pub struct ShardQueues {
    /// What others have for it, and who.
    inbox: Receiver<(u8, ShardMessage)>,
    /// To each shard, itself included, by number.
    outboxes: Vec<Outbox>,
    /// Which shard it is.
    shard: u8,
    /// Values for which another shard had no room.
    dropped: u64,
}

/// The way to one shard.
#[derive(Clone)]
struct Outbox {
    /// Its queue.
    sender: SyncSender<(u8, ShardMessage)>,
    /// Ends its wait.
    waker: Waker,
    /// Whether something was put there since it was last woken.
    is_fresh: bool,
}

impl ShardQueues {
    /// A desk for each shard, given what wakes them, by number.
    pub fn connect(wakers: impl IntoIterator<Item = Waker>) -> Vec<Self> {
        let mut outboxes = Vec::new();
        let mut inboxes = Vec::new();
        for waker in wakers {
            let (sender, inbox) = sync_channel(INBOX_MAX);
            outboxes.push(Outbox {
                sender,
                waker,
                is_fresh: false,
            });
            inboxes.push(inbox);
        }
        let desks = (0..=u8::MAX).zip(inboxes);
        desks
            .map(|(shard, inbox)| Self {
                inbox,
                outboxes: outboxes.clone(),
                shard,
                dropped: 0,
            })
            .collect()
    }

    /// The next value from another shard, and from which.
    pub fn take(&self) -> Option<(u8, ShardMessage)> {
        // The shard itself holds a sender: its inbox is empty at most, and never closes.
        self.inbox.try_recv().ok()
    }

    /// Puts a value where another shard finds it; it is woken by `wake`.
    pub fn put(&mut self, shard: u8, crossing: ShardMessage) {
        let sent = self
            .outboxes
            .get_mut(usize::from(shard))
            .filter(|outbox| outbox.sender.try_send((self.shard, crossing)).is_ok());
        match sent {
            Some(outbox) => outbox.is_fresh = true,
            None => self.dropped += 1,
        }
    }

    /// Wakes every shard that was given something since this was last asked.
    pub fn wake(&mut self) {
        for outbox in self.outboxes.iter_mut().filter(|it| it.is_fresh) {
            outbox.is_fresh = false;
            if let Err(error) = outbox.waker.wake() {
                // It wakes by itself soon.
                tracing::warn!(%error, "a shard could not be woken");
            }
        }
    }

    /// Values for which other shards had no room.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use watersmeet_engine::command::ProducerId;
    use watersmeet_net::Poller;

    use super::*;

    fn word(stream: u8) -> ShardMessage {
        let producer = ProducerId::parse("00000000-0000-0000-0000-000000000001").unwrap();
        ShardMessage::Keyframe { producer, stream }
    }

    fn desks() -> (Vec<Poller>, Vec<ShardQueues>) {
        let pollers: Vec<_> = (0..3).map(|_| Poller::new().unwrap()).collect();
        let desks = ShardQueues::connect(pollers.iter().map(Poller::waker));
        (pollers, desks)
    }

    #[test]
    fn values_arrive_in_order_and_say_whose_they_are() {
        let (_pollers, mut desks) = desks();
        desks[0].put(2, word(1));
        desks[1].put(2, word(2));
        desks[0].put(2, word(3));
        let mut taken = Vec::new();
        while let Some((from, ShardMessage::Keyframe { stream, .. })) = desks[2].take() {
            taken.push((from, stream));
        }
        assert_eq!(taken, [(0, 1), (1, 2), (0, 3)]);
        assert!(desks[0].take().is_none());
    }

    #[test]
    fn a_full_inbox_takes_no_more_and_that_is_counted() {
        let (_pollers, mut desks) = desks();
        for _ in 0..INBOX_MAX + 3 {
            desks[0].put(1, word(0));
        }
        assert_eq!(desks[0].dropped(), 3);
        assert_eq!(std::iter::from_fn(|| desks[1].take()).count(), INBOX_MAX);
    }

    #[test]
    fn a_shard_that_is_not_there_is_sent_nothing() {
        let (_pollers, mut desks) = desks();
        desks[0].put(9, word(0));
        assert_eq!(desks[0].dropped(), 1);
    }
}
