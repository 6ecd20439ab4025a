//! Chat messages to all participants or to one.

use std::sync::Arc;

use super::super::Conference;
use super::super::request_context::Outcome;
use super::{author, wire_len};
use crate::limits::{CHAT_KEY_LEN_MAX, CHAT_LEN_MAX};
use crate::message::{Author, ChatMessage, ChatRequest, Notice, Refusal, Reply, Role, SessionId};
use crate::names::clean_message;
use crate::room::{ChatEntry, PersonId};
use crate::session::Membership;

/// The only receiver of a message.
struct Receiver {
    /// Session of its connection.
    session: SessionId,
    /// The receiver, as the sender sees it.
    author: Author,
    /// The receiver, as the room recognises it.
    person: PersonId,
    /// Role of the receiver.
    role: Role,
}

impl Conference {
    /// Sends a chat message to all other participants of the room, or to one.
    pub(in super::super) fn chat(&mut self, id: SessionId, request: ChatRequest) -> Outcome {
        let membership = self.sessions.member(id)?;
        let ChatRequest { text, to, key } = request;
        let text = checked_text(&text)?;
        if key.as_ref().is_some_and(|it| it.len() > CHAT_KEY_LEN_MAX) {
            return Err(Refusal::BadRequest("key is too long".to_owned()));
        }
        let sender = self.rooms.participant(&membership)?;
        let (from, person, role) = (author(sender), sender.person, sender.role);
        let room = self.rooms.get(&membership.room).ok_or(Refusal::Internal)?;
        let sent = key
            .as_deref()
            .and_then(|key| room.conversation.chat.sent_with(person, key));
        if let Some(sent) = sent {
            return Ok(Some(chat_sent(sent)));
        }
        let receiver = to.map(|it| self.find_receiver(id, &membership, &it));
        let receiver = receiver.transpose()?;
        let is_for_host = receiver.as_ref().is_some_and(|it| it.role == Role::Host);
        if !is_for_host && !self.may_write(&membership, role) {
            return Err(Refusal::Forbidden);
        }
        match &receiver {
            None => self.charge_for_all(id, &membership, &text.as_ref())?,
            Some(_) => self.charge(id, &text.as_ref(), 1)?,
        }
        let sent_at_ms = self.unix_ms();
        let room = self.rooms.get_mut(&membership.room);
        let conversation = &mut room.ok_or(Refusal::Internal)?.conversation;
        let message = Arc::new(ChatMessage {
            id: conversation.next_id(sent_at_ms),
            sent_at_ms,
            from,
            to: receiver.as_ref().map(|it| it.author.clone()),
            text: Arc::clone(&text),
        });
        conversation.chat.record(ChatEntry {
            message: Arc::clone(&message),
            from: person,
            to: receiver.as_ref().map(|it| it.person),
            key: key.map(Arc::from),
            len: wire_len(&text),
        });
        let reply = chat_sent(&message);
        let notice = Notice::Chat(message);
        match receiver {
            None => self.notify_others(&membership.room, id, &notice),
            Some(receiver) => {
                self.flush_presence(&membership.room);
                self.notify(receiver.session, &notice);
            }
        }
        Ok(Some(reply))
    }

    /// Sends a chat message of a participant to all others in several rooms of its meeting.
    ///
    /// # Errors
    /// The text is empty or too long, or the budget of the sender is used up.
    pub(in super::super) fn chat_in_all(
        &mut self,
        id: SessionId,
        rooms: &[Arc<str>],
        text: &str,
    ) -> Result<(), Refusal> {
        let text = checked_text(text)?;
        let sender = self.rooms.participant(&self.sessions.member(id)?)?;
        let (from, identity) = (author(sender), sender.identity());
        let receivers = rooms.iter().filter_map(|it| self.rooms.get(it));
        let receivers = receivers.map(|it| it.participants_len()).sum();
        self.charge(id, &text.as_ref(), receivers)?;
        let sent_at_ms = self.unix_ms();
        for name in rooms {
            let Some(room) = self.rooms.get_mut(name) else {
                continue;
            };
            let conversation = &mut room.conversation;
            let message = Arc::new(ChatMessage {
                id: conversation.next_id(sent_at_ms),
                sent_at_ms,
                from: from.clone(),
                to: None,
                text: Arc::clone(&text),
            });
            conversation.chat.record(ChatEntry {
                message: Arc::clone(&message),
                from: conversation.people.recognise(&identity),
                to: None,
                key: None,
                len: wire_len(&text),
            });
            self.notify_others(name, id, &Notice::Chat(message));
        }
        Ok(())
    }

    /// Returns the participant to whom alone a message is sent.
    fn find_receiver(
        &self,
        id: SessionId,
        membership: &Membership,
        peer: &str,
    ) -> Result<Receiver, Refusal> {
        let receiver = self.rooms.participant_named(&membership.room, peer)?;
        if receiver.session == id {
            return Err(Refusal::BadRequest("to is the sender".to_owned()));
        }
        let session = self.sessions.get(receiver.session);
        if !session.is_some_and(|it| it.has_private_messages()) {
            return Err(Refusal::NoPrivateMessages);
        }
        Ok(Receiver {
            session: receiver.session,
            author: author(receiver),
            person: receiver.person,
            role: receiver.role,
        })
    }
}

/// Returns the text of a message without characters that are not seen.
///
/// # Errors
/// It is empty or too long.
fn checked_text(text: &str) -> Result<Arc<str>, Refusal> {
    let text = clean_message(text);
    match text.trim().is_empty() || text.len() > CHAT_LEN_MAX {
        true => Err(Refusal::BadRequest("text is empty or too long".to_owned())),
        false => Ok(text.into()),
    }
}

/// Returns the reply to the sender of a message.
fn chat_sent(message: &ChatMessage) -> Reply {
    Reply::ChatSent {
        message: message.id,
        sent_at_ms: message.sent_at_ms,
    }
}
