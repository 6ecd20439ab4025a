//! Messages about the conversation in a room beside its media: chat, raised hands, reactions, captions and polls.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::PeerId;

/// Reactions that a participant may send. All pages can draw them, and a tile has room for one.
pub const REACTIONS: [&str; 8] = ["👍", "👏", "❤️", "😂", "😮", "🎉", "🤔", "👎"];

/// Participants who may write chat messages and start polls.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum ChatPolicy {
    /// Every participant.
    #[default]
    Everybody,
    /// Hosts. Others may still write to a host alone.
    Hosts,
}

/// Request to send a chat message.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ChatRequest {
    /// Text of the message.
    pub text: String,
    /// Id of the only receiver. `None` means all other participants.
    pub to: Option<String>,
    /// Key that the client has chosen. A message that is sent again with the same key is not
    /// delivered again.
    pub key: Option<String>,
}

/// A participant, as a chat message or a poll names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Id of the participant.
    pub peer: PeerId,
    /// Name that it had.
    pub display_name: Option<Arc<str>>,
}

/// A chat message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Id of the message. Later messages and polls of the room have higher ids.
    pub id: u64,
    /// Time at which the server received it, in milliseconds since 1970.
    pub sent_at_ms: u64,
    /// Sender.
    pub from: Author,
    /// The only receiver. `None` means all participants.
    pub to: Option<Author>,
    /// Text of the message.
    pub text: Arc<str>,
}

/// A chat message for one of its readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadMessage {
    /// The message.
    pub message: Arc<ChatMessage>,
    /// Whether the reader has sent it.
    pub is_own: bool,
    /// Key that the client of the reader gave it.
    pub key: Option<Arc<str>>,
}

/// Request to show a caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionRequest {
    /// Text of the caption.
    pub text: String,
    /// Whether the words stay as they are. Otherwise the next caption of the speaker replaces them.
    pub is_final: bool,
    /// Id of the participant who speaks, whom only hosts may name. `None` means the sender.
    pub speaker: Option<String>,
}

/// Caption: the words of a participant as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// Participant who speaks.
    pub speaker: Author,
    /// Text of the caption.
    pub text: Arc<str>,
    /// Whether the words stay as they are. Otherwise the next caption of the speaker replaces them.
    pub is_final: bool,
}

/// A raised hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaisedHand {
    /// Participant who raised it.
    pub owner: Author,
    /// Place in the order in which hands were raised. Earlier ones have lower numbers.
    pub number: u64,
}

/// Request about a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PollRequest {
    /// Starts a poll.
    Open {
        /// Question to answer.
        question: String,
        /// Answers to choose from.
        options: Vec<String>,
    },
    /// Chooses an answer, or another one than before.
    Vote {
        /// Id of the poll.
        poll: u64,
        /// Index of the answer.
        option: usize,
    },
    /// Ends a poll; its results stay.
    Close {
        /// Id of the poll.
        poll: u64,
    },
}

/// A poll for one of its readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollState {
    /// Id of the poll. Later messages and polls of the room have higher ids.
    pub id: u64,
    /// Time at which it was started, in milliseconds since 1970.
    pub sent_at_ms: u64,
    /// Participant who started it.
    pub author: Author,
    /// Question to answer.
    pub question: Arc<str>,
    /// Answers to choose from.
    pub options: Arc<[Arc<str>]>,
    /// Number of votes for each answer.
    pub votes: Vec<usize>,
    /// Whether it has ended.
    pub is_closed: bool,
    /// Whether the reader has started it.
    pub is_own: bool,
    /// Index of the answer that the reader has chosen.
    pub own_vote: Option<usize>,
}

/// The conversation in a room for one of its participants.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ConversationSnapshot {
    /// Chat messages that the participant may read, oldest first.
    pub messages: Vec<ReadMessage>,
    /// Participants who may write.
    pub chat_policy: ChatPolicy,
    /// Raised hands, first raised first.
    pub hands: Vec<RaisedHand>,
    /// Polls, oldest first.
    pub polls: Vec<PollState>,
}
