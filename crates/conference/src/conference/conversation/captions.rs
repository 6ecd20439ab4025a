//! Captions: what somebody says, as text that pages show for some seconds. Nothing of them is kept.

use super::super::Conference;
use super::super::request_context::Outcome;
use super::author;
use crate::limits::CAPTION_LEN_MAX;
use crate::message::{Caption, CaptionRequest, Notice, Refusal, Reply, Role, SessionId};
use crate::names::clean_message;

impl Conference {
    /// Shows a caption of a participant to the others. Only hosts send captions of what others say, so that nobody
    /// puts words into the mouth of another.
    pub(in super::super) fn caption(&mut self, id: SessionId, request: CaptionRequest) -> Outcome {
        let membership = self.sessions.member(id)?;
        let sender = self.rooms.participant(&membership)?;
        let role = sender.role;
        let speaker = match &request.speaker {
            Some(peer) if peer != sender.peer.as_str() => {
                if role != Role::Host {
                    return Err(Refusal::Forbidden);
                }
                author(self.rooms.participant_named(&membership.room, peer)?)
            }
            _ => author(sender),
        };
        if !self.may_write(&membership, role) {
            return Err(Refusal::Forbidden);
        }
        let text = clean_message(&request.text);
        let text = text.trim();
        if text.is_empty() || text.len() > CAPTION_LEN_MAX {
            return Err(Refusal::BadRequest("text is empty or too long".to_owned()));
        }
        let now = self.now;
        let session = self.sessions.get_mut(id).ok_or(Refusal::Internal)?;
        if !session.may_caption(now) {
            return Err(Refusal::RateLimited);
        }
        self.charge_for_all(id, &membership, &text)?;
        let notice = Notice::Caption(Caption {
            speaker,
            text: text.into(),
            is_final: request.is_final,
        });
        self.notify_others(&membership.room, id, &notice);
        Ok(Some(Reply::Done))
    }
}
