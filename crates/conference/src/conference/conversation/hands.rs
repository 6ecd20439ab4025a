//! Raised hands. A hand keeps its place over a lost connection; it is lowered by its owner or a host,
//! and when its owner leaves.

use super::super::Conference;
use super::super::request_context::Outcome;
use super::{author, participant_of};
use crate::message::{Notice, RaisedHand, Refusal, Reply, Role, SessionId};
use crate::room::Participant;

impl Conference {
    /// Raises or lowers the hand of a participant. A host may lower that of another one.
    pub(in super::super) fn raise_hand(
        &mut self,
        id: SessionId,
        raised: bool,
        peer: Option<&str>,
    ) -> Outcome {
        let membership = self.sessions.member(id)?;
        let requester = self.rooms.participant(&membership)?;
        let owner = match peer {
            None => requester,
            Some(peer) => self.rooms.participant_named(&membership.room, peer)?,
        };
        let is_own = owner.session == id;
        if !is_own && (raised || requester.role != Role::Host) {
            return Err(Refusal::Forbidden);
        }
        let (owner, person) = (author(owner), owner.person);
        self.charge_for_all(id, &membership, &owner.display_name.as_deref())?;
        let room = self.rooms.get_mut(&membership.room);
        let hands = &mut room.ok_or(Refusal::Internal)?.conversation.hands;
        let before = hands.number_of(person);
        let notice = if raised {
            let number = hands.raise(person);
            let number = number.ok_or(Refusal::LimitReached("raised hands"))?;
            Notice::HandRaised(RaisedHand { owner, number })
        } else {
            hands.lower(person);
            Notice::HandLowered { peer: owner.peer }
        };
        if before.is_some() != raised {
            self.notify_everybody(&membership.room, &notice);
        }
        Ok(Some(Reply::Done))
    }

    /// Notifies the others that a participant who has come back has its hand raised.
    pub(in super::super) fn show_raised_hand(&mut self, name: &str, number: u64) {
        let room = self.rooms.get(name);
        let shown = room.and_then(|room| {
            let participant = room.participant(number)?;
            let number = room.conversation.hands.number_of(participant.person)?;
            let owner = author(participant);
            Some((participant.session, RaisedHand { owner, number }))
        });
        if let Some((session, hand)) = shown {
            self.notify_others(name, session, &Notice::HandRaised(hand));
        }
    }

    /// Lowers the hand of a participant who has left. The room remembers it while a seat waits for
    /// the participant, and as long as the same person is there on another connection.
    pub(in super::super) fn withdraw_hand(&mut self, name: &str, left: &Participant) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let person = left.person;
        let Some(number) = room.conversation.hands.number_of(person) else {
            return;
        };
        let elsewhere = participant_of(room, person).map(author);
        let has_seat = room.seats.role_of(&left.identity()).is_some();
        if elsewhere.is_none() && !has_seat {
            room.conversation.hands.lower(person);
        }
        let peer = left.peer.clone();
        self.notify_everybody(name, &Notice::HandLowered { peer });
        if let Some(owner) = elsewhere {
            let hand = RaisedHand { owner, number };
            self.notify_everybody(name, &Notice::HandRaised(hand));
        }
    }

    /// Forgets the hands of people whose seats were given up.
    pub(in super::super) fn forget_hands(&mut self, name: &str) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let gone: Vec<_> = room.conversation.hands.iter().map(|(it, _)| it).collect();
        let gone = gone.into_iter().filter(|it| {
            let identity = room.conversation.people.identity_of(*it);
            let has_seat = identity.is_some_and(|it| room.seats.role_of(it).is_some());
            !has_seat && participant_of(room, *it).is_none()
        });
        let gone: Vec<_> = gone.collect();
        room.conversation.hands.retain(|it| !gone.contains(&it));
    }
}
