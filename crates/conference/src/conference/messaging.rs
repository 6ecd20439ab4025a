//! Messages between participants: relayed messages, states of devices, and display names.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::Conference;
use super::request_context::Outcome;
use crate::message::{Applicant, Notice, Refusal, Reply, SessionId};
use crate::names::clean_name;
use crate::session::Membership;

impl Conference {
    /// Notifies the other participants whether microphone and camera are on.
    pub(super) fn share_media_state(&mut self, id: SessionId, audio: bool, video: bool) -> Outcome {
        let membership = self.sessions.member(id)?;
        let peer = self.rooms.participant(&membership)?.peer.clone();
        self.charge_for_all(id, &membership, &())?;
        let notice = Notice::MediaState { peer, audio, video };
        self.notify_viewers_of(&membership.room, id, &notice);
        Ok(Some(Reply::Done))
    }

    /// Changes the name that others see.
    pub(super) fn change_display_name(&mut self, id: SessionId, display_name: String) -> Outcome {
        let membership = self.sessions.member(id)?;
        if display_name.len() > self.config.limits.name_len_max {
            return Err(Refusal::BadRequest("displayName is too long".to_owned()));
        }
        let display_name = Some(clean_name(&display_name)).filter(|it| !it.is_empty());
        let display_name: Option<Arc<str>> = display_name.map(Arc::from);
        let participant = self.rooms.participant(&membership)?;
        let before = participant.display_name.clone();
        if participant.has_signed_name {
            return Err(Refusal::Forbidden);
        }
        let peer = participant.peer.clone();
        self.charge_for_all(
            id,
            &membership,
            &(before.as_deref(), display_name.as_deref()),
        )?;
        let room = self.rooms.get_mut(&membership.room);
        let room = room.ok_or(Refusal::Internal)?;
        let before = room.set_display_name(membership.number, display_name.clone());
        let before = before.ok_or(Refusal::NotInRoom)?;
        if before != display_name {
            let notice = Notice::DisplayNameChanged {
                peer,
                before,
                display_name,
            };
            self.notify_viewers_of(&membership.room, id, &notice);
        }
        Ok(Some(Reply::Done))
    }

    /// Relays a message in the client's own format to one participant, or to all others.
    pub(super) fn relay(&mut self, id: SessionId, to: Option<&str>, body: Value) -> Outcome {
        let membership = self.sessions.member(id)?;
        let receiver = match to {
            None => {
                self.charge_for_all(id, &membership, &body)?;
                None
            }
            Some(peer) => {
                let receiver = self.rooms.participant_named(&membership.room, peer)?;
                let receiver = receiver.session;
                self.charge(id, &body, 1)?;
                Some(receiver)
            }
        };
        let sender = self.rooms.participant(&membership)?;
        let notice = Notice::Relayed {
            from: sender.peer.clone(),
            user: sender.user.clone(),
            body: Arc::new(body),
        };
        match receiver {
            None => self.notify_others(&membership.room, id, &notice),
            Some(receiver) => {
                self.flush_presence(&membership.room);
                self.notify(receiver, &notice);
            }
        }
        Ok(Some(Reply::Done))
    }

    /// Counts content that a participant sends to all others of its room against its budget.
    ///
    /// # Errors
    /// The session is no participant, or its budget is used up.
    pub(super) fn charge_for_all(
        &mut self,
        id: SessionId,
        membership: &Membership,
        content: &impl Serialize,
    ) -> Result<(), Refusal> {
        self.rooms.participant(membership)?;
        let room = self.rooms.get(&membership.room);
        let others = room.map_or(0, |it| it.participants_len().saturating_sub(1));
        self.charge(id, content, others)
    }

    /// Counts content against the budget of its sender.
    pub(super) fn charge(
        &mut self,
        id: SessionId,
        content: &impl Serialize,
        receivers: usize,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let session = self.sessions.get_mut(id).ok_or(Refusal::Internal)?;
        session.relay_budget().charge(now, content, receivers)
    }

    /// Notifies the hosts that a viewer requests the role of a speaker.
    pub(super) fn request_to_speak(&mut self, id: SessionId) -> Outcome {
        let membership = self.sessions.member(id)?;
        let requester = self.rooms.participant(&membership)?;
        let notice = Notice::SpeakRequested(Applicant {
            peer: requester.peer.clone(),
            user: requester.known_as(),
            display_name: requester.display_name.clone(),
        });
        self.notify_hosts(&membership.room, &notice);
        Ok(Some(Reply::Done))
    }
}
