//! Latest chat messages of a room, for those who come later and for those who lost their connection.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::limits::{CHAT_HISTORY_BYTES_MAX, CHAT_HISTORY_LEN_MAX};
use crate::message::{ChatMessage, ReadMessage};

use super::people::PersonId;

/// A chat message and the people whom it concerns.
#[derive(Debug)]
pub(crate) struct ChatEntry {
    /// The message.
    pub message: Arc<ChatMessage>,
    /// Sender.
    pub from: PersonId,
    /// The only receiver. `None` means everybody, also people who come later.
    pub to: Option<PersonId>,
    /// Key that the sender's client chose.
    pub key: Option<Arc<str>>,
    /// Length on the wire, in bytes.
    pub len: usize,
}

/// Chat messages of a room, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ChatHistory {
    /// Messages. The oldest are given up for new ones.
    entries: VecDeque<ChatEntry>,
    /// Length of all messages on the wire, in bytes.
    len: usize,
}

impl ChatHistory {
    /// Adds a message.
    pub(crate) fn record(&mut self, entry: ChatEntry) {
        self.len += entry.len;
        self.entries.push_back(entry);
        while self.entries.len() > CHAT_HISTORY_LEN_MAX || self.len > CHAT_HISTORY_BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else {
                return;
            };
            self.len -= oldest.len;
        }
    }

    /// Returns the message that a person has sent with this key.
    pub(crate) fn sent_with(&self, from: PersonId, key: &str) -> Option<&Arc<ChatMessage>> {
        let mut latest_first = self.entries.iter().rev();
        let sent = latest_first.find(|it| it.from == from && it.key.as_deref() == Some(key));
        sent.map(|it| &it.message)
    }

    /// Returns the messages with ids above `after` that a person may read.
    pub(crate) fn read(&self, reader: PersonId, after: u64) -> Vec<ReadMessage> {
        let newer = self.entries.iter().filter(|it| it.message.id > after);
        let readable = newer.filter(|it| {
            let is_party = it.from == reader || it.to == Some(reader);
            it.to.is_none() || is_party
        });
        let read = readable.map(|it| {
            let is_own = it.from == reader;
            ReadMessage {
                message: Arc::clone(&it.message),
                is_own,
                key: it.key.clone().filter(|_| is_own),
            }
        });
        read.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Author, PeerId};
    use crate::room::conversation::People;
    use crate::seats::Identity;

    fn entry(id: u64, from: PersonId, len: usize) -> ChatEntry {
        let author = Author {
            peer: PeerId::from_user_id("ana"),
            display_name: None,
        };
        ChatEntry {
            message: Arc::new(ChatMessage {
                id,
                sent_at_ms: id,
                from: author,
                to: None,
                text: "hello".into(),
            }),
            from,
            to: None,
            key: None,
            len,
        }
    }

    fn ids(history: &ChatHistory, reader: PersonId) -> Vec<u64> {
        let read = history.read(reader, 0);
        read.iter().map(|it| it.message.id).collect()
    }

    #[test]
    fn the_oldest_messages_are_given_up_by_count_and_by_bytes() {
        let ana = People::default().recognise(&Identity::default());
        let mut history = ChatHistory::default();
        for id in 0..=u64::try_from(CHAT_HISTORY_LEN_MAX).unwrap() {
            history.record(entry(id + 1, ana, 1));
        }
        assert_eq!(history.entries.len(), CHAT_HISTORY_LEN_MAX);
        assert_eq!(ids(&history, ana).first(), Some(&2));
        history.record(entry(9_000, ana, CHAT_HISTORY_BYTES_MAX - 1));
        assert_eq!(ids(&history, ana).len(), 2);
        history.record(entry(9_001, ana, CHAT_HISTORY_BYTES_MAX));
        assert_eq!(ids(&history, ana), [9_001]);
        assert_eq!(history.len, CHAT_HISTORY_BYTES_MAX);
    }
}
