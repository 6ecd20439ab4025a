//! Payloads of chat, raised hands, reactions, captions and polls.

use serde::{Deserialize, Serialize};

use crate::message::ChatPolicy;

/// `chat`: a message of this participant
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub(crate) struct Chat {
    /// Text of the message.
    pub text: String,
    /// Id of the only receiver; absent means everybody.
    pub to: Option<String>,
    /// Key that the client chooses. A message that is sent again with the same key is not delivered again.
    pub key: Option<String>,
}

/// Reply to `chat`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChatSent {
    /// Id of the message. Later messages and polls have higher ids.
    #[cfg_attr(test, ts(type = "number"))]
    pub message_id: u64,
    /// Time at which the server received it, in milliseconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub sent_at: u64,
}

/// Names a participant, who may have left.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct NamedPeer {
    /// Id of the participant.
    pub peer_id: String,
    /// Name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// `chat` as a notice, and a message in `conversation`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChatMessage {
    /// Id of the message. Later messages and polls have higher ids.
    #[cfg_attr(test, ts(type = "number"))]
    pub message_id: u64,
    /// Time at which the server received it, in milliseconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub sent_at: u64,
    /// Id that the sender had.
    pub peer_id: String,
    /// Name of the sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The message.
    pub text: String,
    /// The only receiver; absent means everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<NamedPeer>,
    /// Present, and true, where this participant has sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<bool>,
    /// Key that this client gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// `getConversation`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub(crate) struct GetConversation {
    /// Id of the latest message that the client has; absent for none.
    #[cfg_attr(test, ts(optional, type = "number"))]
    pub after: Option<u64>,
}

/// `conversation`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conversation {
    /// Messages that this participant may read, oldest first.
    pub messages: Vec<ChatMessage>,
    /// Participants who may write messages and start polls.
    pub chat_policy: ChatPolicy,
    /// Raised hands, first raised first.
    pub hands: Vec<HandRaised>,
    /// Polls, oldest first.
    pub polls: Vec<Poll>,
}

/// `chatPolicyChanged`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct ChatPolicyChanged {
    /// Participants who may write messages and start polls.
    pub policy: ChatPolicy,
}

/// `setHand`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetHand {
    /// True to raise, false to lower.
    pub raised: bool,
    /// Id of the participant whose hand a host lowers; absent means one's own.
    pub peer_id: Option<String>,
}

/// `handRaised`, and a raised hand in `conversation`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct HandRaised {
    /// Id of the owner, perhaps of this participant.
    pub peer_id: String,
    /// Name of the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Place in the order: hands that were raised earlier have lower numbers.
    #[cfg_attr(test, ts(type = "number"))]
    pub number: u64,
}

/// `react`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct React {
    /// One of 👍 👏 ❤️ 😂 😮 🎉 🤔 👎.
    pub reaction: String,
}

/// `reaction`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reaction {
    /// Id of the participant.
    pub peer_id: String,
    /// Name of the participant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Emoji to show for some seconds.
    pub reaction: &'static str,
}

/// `caption`, as it is sent
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendCaption {
    /// Text of the caption.
    pub text: String,
    /// True when the words stay as they are; otherwise the next caption of the speaker replaces them.
    #[serde(rename = "final")]
    pub is_final: Option<bool>,
    /// Id of the participant who speaks, whom only hosts may name; absent means oneself.
    pub peer_id: Option<String>,
}

/// `caption`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Caption {
    /// Id of the participant who speaks, perhaps the receiver's own.
    pub peer_id: String,
    /// Name of that participant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Text of the caption.
    pub text: String,
    /// True when the words stay as they are; otherwise the next caption of the speaker replaces them.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// `openPoll`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct OpenPoll {
    /// Question to answer.
    pub question: String,
    /// Answers to choose from, 2 to 10.
    pub options: Vec<String>,
}

/// `vote`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vote {
    /// Id of the poll.
    #[cfg_attr(test, ts(type = "number"))]
    pub poll_id: u64,
    /// Index of the answer. It replaces an earlier vote.
    pub option: usize,
}

/// `closePoll`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClosePoll {
    /// Id of the poll.
    #[cfg_attr(test, ts(type = "number"))]
    pub poll_id: u64,
}

/// `pollOpened`, and a poll in `conversation`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Poll {
    /// Id of the poll. Later messages and polls have higher ids.
    #[cfg_attr(test, ts(type = "number"))]
    pub poll_id: u64,
    /// Time at which it was started, in milliseconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub sent_at: u64,
    /// Id that its author had.
    pub peer_id: String,
    /// Name of its author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Question to answer.
    pub question: String,
    /// Answers to choose from.
    pub options: Vec<String>,
    /// Number of votes for each answer.
    pub votes: Vec<usize>,
    /// Whether it has ended.
    pub closed: bool,
    /// Present, and true, where this participant has started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<bool>,
    /// Index of the answer that this participant has chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_vote: Option<usize>,
}

/// `pollChanged`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct PollChanged {
    /// Id of the poll.
    #[cfg_attr(test, ts(type = "number"))]
    pub poll_id: u64,
    /// Number of votes for each answer.
    pub votes: Vec<usize>,
    /// Whether it has ended.
    pub closed: bool,
}
