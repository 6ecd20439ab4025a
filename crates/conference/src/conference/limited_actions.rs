//! What connections do that costs much, or that somebody does often who guesses. The conference
//! only says so, before it answers; whoever knows where a connection comes from counts.

use super::Conference;
use super::requests::Outcome;
use crate::message::{Refusal, SessionId};

/// The most deeds that wait to be told. One input causes one; a caller that does not want to know
/// them loses the later ones.
const DEEDS_MAX: usize = 64;

/// What a connection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It opened with a token that is none.
    TokenRefused,
    /// It asked for a room into which it may not come.
    EntryRefused,
    /// It entered a room that was not there before.
    RoomMade,
}

impl Conference {
    /// What a connection did that is to be counted, until there is nothing more. To be drained
    /// before the outputs: what is one too many must not be answered.
    pub fn poll_deed(&mut self) -> Option<(SessionId, Deed)> {
        self.deeds.pop_front()
    }

    /// Notes a deed.
    pub(super) fn note(&mut self, session: SessionId, deed: Deed) {
        if self.deeds.len() < DEEDS_MAX {
            self.deeds.push_back((session, deed));
        }
    }

    /// Notes what an attempt to enter a room was. `is_new`: the room was not there before.
    pub(super) fn note_entry(&mut self, session: SessionId, is_new: bool, outcome: &Outcome) {
        match outcome {
            Err(Refusal::InvalidToken | Refusal::RoomLocked) => {
                self.note(session, Deed::EntryRefused);
            }
            Ok(_) if is_new => self.note(session, Deed::RoomMade),
            _ => {}
        }
    }
}
