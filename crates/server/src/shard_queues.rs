//! Queues between shards: one bounded queue for each shard, into which all others push. A shard
//! that does not keep up loses messages; senders never wait.
//!
//! Control messages and packets share a queue, so that their order is kept. Dropped messages are
//! counted: packets are like those that a network loses, and control messages are repeated (see
//! `watersmeet_engine::shard_message`).

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use watersmeet_engine::shard_message::ShardMessage;
use watersmeet_net::Waker;

/// Capacity of a shard's queue: about 20 ms of what a busy core can receive. An entry takes about
/// 40 bytes.
const QUEUE_LEN_MAX: usize = 8_192;

/// The queues as one shard sees them: its own to read from, those of all shards to write to.
pub struct ShardQueues {
    /// Messages for this shard, with the number of the sender.
    inbox: Receiver<(u8, ShardMessage)>,
    /// Queues of all shards, itself included, by number.
    outboxes: Vec<ShardOutbox>,
    /// Number of this shard.
    shard: u8,
    /// Messages dropped because the queue of the recipient was full.
    dropped: u64,
}

/// Sending end of one shard's queue.
#[derive(Clone)]
struct ShardOutbox {
    /// Sending end of the queue.
    sender: SyncSender<(u8, ShardMessage)>,
    /// Ends the shard's wait.
    waker: Waker,
    /// Whether a message was queued since the shard was last woken.
    needs_wake: bool,
}

impl ShardQueues {
    /// Creates the queues of all shards, given the waker of each by number.
    pub fn connect(wakers: impl IntoIterator<Item = Waker>) -> Vec<Self> {
        let mut outboxes = Vec::new();
        let mut inboxes = Vec::new();
        for waker in wakers {
            let (sender, inbox) = sync_channel(QUEUE_LEN_MAX);
            outboxes.push(ShardOutbox {
                sender,
                waker,
                needs_wake: false,
            });
            inboxes.push(inbox);
        }
        let queues = (0..=u8::MAX).zip(inboxes);
        queues
            .map(|(shard, inbox)| Self {
                inbox,
                outboxes: outboxes.clone(),
                shard,
                dropped: 0,
            })
            .collect()
    }

    /// Takes the next message from another shard, with the number of the sender.
    pub fn pop(&self) -> Option<(u8, ShardMessage)> {
        // The shard itself holds a sender, so the channel can be empty but never disconnected.
        self.inbox.try_recv().ok()
    }

    /// Queues a message for another shard, or drops it when the queue is full. The recipient is
    /// woken by `wake_recipients`.
    pub fn push(&mut self, shard: u8, message: ShardMessage) {
        let sent = self
            .outboxes
            .get_mut(usize::from(shard))
            .filter(|outbox| outbox.sender.try_send((self.shard, message)).is_ok());
        match sent {
            Some(outbox) => outbox.needs_wake = true,
            None => self.dropped += 1,
        }
    }

    /// Wakes every shard for which messages were queued since the last call.
    pub fn wake_recipients(&mut self) {
        for outbox in self.outboxes.iter_mut().filter(|it| it.needs_wake) {
            outbox.needs_wake = false;
            if let Err(error) = outbox.waker.wake() {
                // It wakes by itself within 250 ms.
                tracing::warn!(%error, "cannot wake a shard");
            }
        }
    }

    /// Messages dropped so far because the queue of the recipient was full.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use watersmeet_engine::command::ProducerId;
    use watersmeet_net::Poller;

    use super::*;

    fn message(stream: u8) -> ShardMessage {
        let producer = ProducerId::parse("00000000-0000-0000-0000-000000000001").unwrap();
        ShardMessage::Keyframe { producer, stream }
    }

    fn three_shards() -> (Vec<Poller>, Vec<ShardQueues>) {
        let pollers: Vec<_> = (0..3).map(|_| Poller::new().unwrap()).collect();
        let queues = ShardQueues::connect(pollers.iter().map(Poller::waker));
        (pollers, queues)
    }

    #[test]
    fn messages_arrive_in_order_with_the_number_of_their_sender() {
        let (_pollers, mut queues) = three_shards();
        queues[0].push(2, message(1));
        queues[1].push(2, message(2));
        queues[0].push(2, message(3));
        let mut received = Vec::new();
        while let Some((from, ShardMessage::Keyframe { stream, .. })) = queues[2].pop() {
            received.push((from, stream));
        }
        assert_eq!(received, [(0, 1), (1, 2), (0, 3)]);
        assert!(queues[0].pop().is_none());
    }

    #[test]
    fn messages_to_a_full_queue_are_dropped_and_counted() {
        let (_pollers, mut queues) = three_shards();
        for _ in 0..QUEUE_LEN_MAX + 3 {
            queues[0].push(1, message(0));
        }
        assert_eq!(queues[0].dropped(), 3);
        assert_eq!(
            std::iter::from_fn(|| queues[1].pop()).count(),
            QUEUE_LEN_MAX
        );
    }

    #[test]
    fn message_to_an_unknown_shard_is_dropped() {
        let (_pollers, mut queues) = three_shards();
        queues[0].push(9, message(0));
        assert_eq!(queues[0].dropped(), 1);
    }
}
