//! Reactions: a sign of a fixed set that pages show for some seconds. Nothing of them is kept.

use super::super::Conference;
use super::super::request_context::Outcome;
use super::author;
use crate::message::{Notice, REACTIONS, Refusal, Reply, SessionId};

impl Conference {
    /// Shows a reaction of a participant to the others.
    pub(in super::super) fn react(&mut self, id: SessionId, reaction: &str) -> Outcome {
        let membership = self.sessions.member(id)?;
        let from = author(self.rooms.participant(&membership)?);
        let mut known = REACTIONS.into_iter();
        let Some(reaction) = known.find(|it| *it == reaction) else {
            return Err(Refusal::BadRequest("no such reaction".to_owned()));
        };
        let now = self.now;
        let session = self.sessions.get_mut(id).ok_or(Refusal::Internal)?;
        if !session.may_react(now) {
            return Err(Refusal::RateLimited);
        }
        self.charge_for_all(id, &membership, &from.display_name.as_deref())?;
        self.notify_others(&membership.room, id, &Notice::Reaction { from, reaction });
        Ok(Some(Reply::Done))
    }
}
