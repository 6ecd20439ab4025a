//! What connections do that costs much, or that somebody does often who guesses. The conference
//! only says so, before it answers; whoever knows where a connection comes from counts.

use super::Conference;
use super::requests::Outcome;
use crate::message::{Refusal, SessionId};

/// The most limited actions that wait to be told. One input causes one; a caller that does not want to know
/// them loses the later ones.
const LIMITED_ACTIONS_MAX: usize = 64;

/// What a connection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitedAction {
    /// It opened with a token that is none.
    TokenRefused,
    /// It asked for a room into which it may not come.
    JoinRefused,
    /// It entered a room that was not there before.
    RoomCreated,
}

impl Conference {
    /// What a connection did that is to be counted, until there is nothing more. To be drained
    /// before the outputs: what is one too many must not be answered.
    pub fn poll_limited_action(&mut self) -> Option<(SessionId, LimitedAction)> {
        self.limited_actions.pop_front()
    }

    /// Notes a deed.
    pub(super) fn note(&mut self, session: SessionId, deed: LimitedAction) {
        if self.limited_actions.len() < LIMITED_ACTIONS_MAX {
            self.limited_actions.push_back((session, deed));
        }
    }

    /// Notes what an attempt to enter a room was. `is_new`: the room was not there before.
    pub(super) fn note_entry(&mut self, session: SessionId, is_new: bool, outcome: &Outcome) {
        match outcome {
            Err(Refusal::InvalidToken | Refusal::RoomLocked) => {
                self.note(session, LimitedAction::JoinRefused);
            }
            Ok(_) if is_new => self.note(session, LimitedAction::RoomCreated),
            _ => {}
        }
    }
}
