//! Conversation in a room beside its media: chat, raised hands, reactions, captions and polls, and their state
//! for a participant that enters or comes back.

mod captions;
mod chat;
mod hands;
mod polls;
mod reactions;

use super::Conference;
use super::request_context::Outcome;
use crate::message::{
    Author, ChatPolicy, ConversationSnapshot, Notice, RaisedHand, Refusal, Reply, Role, SessionId,
};
use crate::relay_budget::json_len;
use crate::room::{Participant, PersonId, Room};
use crate::session::Membership;

impl Conference {
    /// Returns the conversation for a participant: the messages with ids above `after`, the raised
    /// hands and the polls. It counts against the participant's budget like a message to one.
    pub(super) fn read_conversation(&mut self, id: SessionId, after: u64) -> Outcome {
        let membership = self.sessions.member(id)?;
        let person = self.rooms.participant(&membership)?.person;
        let room = self.rooms.get(&membership.room).ok_or(Refusal::Internal)?;
        let conversation = &room.conversation;
        let snapshot = ConversationSnapshot {
            messages: conversation.chat.read(person, after),
            chat_policy: conversation.chat_policy,
            hands: raised_hands(room),
            polls: conversation.polls.read(Some(person)),
        };
        let texts: Vec<&str> = snapshot
            .messages
            .iter()
            .map(|it| &*it.message.text)
            .collect();
        self.charge(id, &texts, 1)?;
        Ok(Some(Reply::Conversation(Box::new(snapshot))))
    }

    /// Sets who may write in a room.
    pub(super) fn set_chat_policy(
        &mut self,
        name: &str,
        policy: ChatPolicy,
    ) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        if room.conversation.chat_policy != policy {
            room.conversation.chat_policy = policy;
            self.notify_everybody(name, &Notice::ChatPolicyChanged { policy });
        }
        Ok(())
    }

    /// Returns whether a participant may write to everybody.
    fn may_write(&self, membership: &Membership, role: Role) -> bool {
        let room = self.rooms.get(&membership.room);
        let policy = room.map(|it| it.conversation.chat_policy);
        policy == Some(ChatPolicy::Everybody) || role == Role::Host
    }

    /// Returns the wall clock time, in milliseconds since 1970.
    fn unix_ms(&self) -> u64 {
        let since_1970 = self.config.unix_epoch + self.now.since_origin();
        u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Returns a participant as messages name it.
fn author(participant: &Participant) -> Author {
    Author {
        peer: participant.peer.clone(),
        display_name: participant.display_name.clone(),
    }
}

/// Returns the raised hands of those who are in the room, first raised first.
fn raised_hands(room: &Room) -> Vec<RaisedHand> {
    let hands = room.conversation.hands.iter();
    let present = hands.filter_map(|(person, number)| {
        let owner = author(participant_of(room, person)?);
        Some(RaisedHand { owner, number })
    });
    present.collect()
}

/// Returns the participant that is this person.
fn participant_of(room: &Room, person: PersonId) -> Option<&Participant> {
    let mut participants = room.participants().map(|(_, it)| it);
    participants.find(|it| it.person == person)
}

/// Returns the length of a text in a frame, in bytes.
fn wire_len(text: &str) -> usize {
    /// Bytes of a message around its text: id, time, names.
    const AROUND_TEXT_LEN: usize = 200;
    json_len(&text).saturating_add(AROUND_TEXT_LEN)
}
