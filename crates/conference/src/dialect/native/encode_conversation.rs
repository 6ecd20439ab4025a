//! Encodes chat, raised hands, reactions, captions and polls as frames.

use std::sync::Arc;

use super::frame::frame;
use super::payloads::*;
use crate::message::{self, Author, ConversationSnapshot, Notice, PollState, RaisedHand};

/// Encodes a notice about the conversation. Returns `None` for any other.
pub(super) fn encode_conversation_notice(notice: &Notice) -> Option<String> {
    let id = &None;
    Some(match notice {
        Notice::Chat(message) => frame("chat", id, chat_message(message)),
        Notice::ChatPolicyChanged { policy } => {
            let policy = *policy;
            frame("chatPolicyChanged", id, ChatPolicyChanged { policy })
        }
        Notice::HandRaised(hand) => frame("handRaised", id, hand_raised(hand)),
        Notice::HandLowered { peer } => {
            let peer_id = peer.to_string();
            frame("handLowered", id, PeerRef { peer_id })
        }
        Notice::Reaction { from, reaction } => {
            let (peer_id, display_name) = id_and_name(from);
            let payload = Reaction {
                peer_id,
                display_name,
                reaction,
            };
            frame("reaction", id, payload)
        }
        Notice::Caption(caption) => {
            let (peer_id, display_name) = id_and_name(&caption.speaker);
            let payload = Caption {
                peer_id,
                display_name,
                text: caption.text.to_string(),
                is_final: caption.is_final,
            };
            frame("caption", id, payload)
        }
        Notice::PollOpened(state) => frame("pollOpened", id, poll(state)),
        Notice::PollChanged {
            poll,
            votes,
            is_closed,
        } => {
            let payload = PollChanged {
                poll_id: *poll,
                votes: votes.to_vec(),
                closed: *is_closed,
            };
            frame("pollChanged", id, payload)
        }
        _ => return None,
    })
}

/// Returns the payload of `conversation`.
pub(super) fn conversation(snapshot: &ConversationSnapshot) -> Conversation {
    let messages = snapshot.messages.iter().map(|read| ChatMessage {
        own: read.is_own.then_some(true),
        key: read.key.as_deref().map(str::to_owned),
        ..chat_message(&read.message)
    });
    Conversation {
        messages: messages.collect(),
        chat_policy: snapshot.chat_policy,
        hands: snapshot.hands.iter().map(hand_raised).collect(),
        polls: snapshot.polls.iter().map(poll).collect(),
    }
}

/// Returns a message for somebody who has not sent it.
fn chat_message(message: &Arc<message::ChatMessage>) -> ChatMessage {
    let (peer_id, display_name) = id_and_name(&message.from);
    ChatMessage {
        message_id: message.id,
        sent_at: message.sent_at_ms,
        peer_id,
        display_name,
        text: message.text.to_string(),
        to: message.to.as_ref().map(named_peer),
        own: None,
        key: None,
    }
}

/// Returns a raised hand.
fn hand_raised(hand: &RaisedHand) -> HandRaised {
    let (peer_id, display_name) = id_and_name(&hand.owner);
    HandRaised {
        peer_id,
        display_name,
        number: hand.number,
    }
}

/// Returns a poll.
fn poll(state: &PollState) -> Poll {
    let (peer_id, display_name) = id_and_name(&state.author);
    Poll {
        poll_id: state.id,
        sent_at: state.sent_at_ms,
        peer_id,
        display_name,
        question: state.question.to_string(),
        options: state.options.iter().map(ToString::to_string).collect(),
        votes: state.votes.clone(),
        closed: state.is_closed,
        own: state.is_own.then_some(true),
        own_vote: state.own_vote,
    }
}

/// Returns a participant that a message names.
fn named_peer(author: &Author) -> NamedPeer {
    let (peer_id, display_name) = id_and_name(author);
    NamedPeer {
        peer_id,
        display_name,
    }
}

/// Returns the id and the name of a participant.
fn id_and_name(author: &Author) -> (String, Option<String>) {
    let name = author.display_name.as_deref();
    (author.peer.to_string(), name.map(str::to_owned))
}
