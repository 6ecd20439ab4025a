//! Actions of sessions that the caller limits by client address: the conference does not know
//! addresses, so it only reports them.

use std::collections::VecDeque;

use crate::message::{Refusal, Reply, SessionId};

/// Capacity of the queue. Each input adds at most one; when the caller does not drain the queue,
/// new entries are dropped.
const LIMITED_ACTIONS_MAX: usize = 64;

/// Action of a session that the caller limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitedAction {
    /// It connected with an invalid token.
    TokenRefused,
    /// It was refused entry to a room.
    JoinRefused,
    /// It created a room.
    RoomCreated,
}

/// Limited actions that the caller has not seen yet.
#[derive(Debug, Default)]
pub(super) struct LimitedActions {
    /// Oldest first.
    queue: VecDeque<(SessionId, LimitedAction)>,
}

impl LimitedActions {
    /// Takes the oldest action.
    pub(super) fn pop(&mut self) -> Option<(SessionId, LimitedAction)> {
        self.queue.pop_front()
    }

    /// Records an action.
    pub(super) fn record(&mut self, session: SessionId, action: LimitedAction) {
        if self.queue.len() < LIMITED_ACTIONS_MAX {
            self.queue.push_back((session, action));
        }
    }

    /// Records what came of an attempt to join a room, which did not exist before if `is_new`.
    pub(super) fn record_join(
        &mut self,
        session: SessionId,
        is_new: bool,
        outcome: &Result<Option<Reply>, Refusal>,
    ) {
        match outcome {
            Err(Refusal::InvalidToken | Refusal::RoomLocked) => {
                self.record(session, LimitedAction::JoinRefused);
            }
            Ok(_) if is_new => self.record(session, LimitedAction::RoomCreated),
            _ => {}
        }
    }
}
