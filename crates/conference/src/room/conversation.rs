//! Conversation in a room beside its media: chat, raised hands and polls. All is bounded, and ends
//! with the room.

mod chat_history;
mod people;
mod polls;
mod raised_hands;

use crate::message::ChatPolicy;

pub(crate) use self::chat_history::{ChatEntry, ChatHistory};
pub(crate) use self::people::{People, PersonId};
pub(crate) use self::polls::{NewPoll, Polls};
pub(crate) use self::raised_hands::RaisedHands;

/// Conversation in one room.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// People who have been in the room, who keep what is theirs over a lost connection.
    pub people: People,
    /// Chat messages.
    pub chat: ChatHistory,
    /// Participants who may write.
    pub chat_policy: ChatPolicy,
    /// Raised hands.
    pub hands: RaisedHands,
    /// Polls.
    pub polls: Polls,
    /// Id of the latest message or poll.
    last_id: u64,
}

impl Conversation {
    /// Returns the id of a new message or poll. Ids start at the time in milliseconds, so that they
    /// grow also when the room, or the server, starts anew.
    pub(crate) fn next_id(&mut self, unix_ms: u64) -> u64 {
        self.last_id = unix_ms.max(self.last_id.saturating_add(1));
        self.last_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_within_a_millisecond_and_when_the_clock_stands_still() {
        let mut conversation = Conversation::default();
        let ids = [1_000, 1_000, 1_000, 1_001, 1_500].map(|now| conversation.next_id(now));
        assert_eq!(ids, [1_000, 1_001, 1_002, 1_003, 1_500]);
    }
}
