//! Actions of sessions that the caller limits by client address. The conference only reports them,
//! because it does not know addresses.

use std::collections::VecDeque;

use crate::message::{Refusal, Reply, SessionId};

/// Capacity of the queue. Each input adds at most one; when the caller does not drain the queue,
/// new entries are dropped.
const LIMITED_ACTIONS_MAX: usize = 64;

/// Action of a session that the caller limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitedAction {
    /// The session connected with an invalid token.
    TokenRefused,
    /// The session was refused entry to a room.
    JoinRefused,
    /// The session created a room.
    RoomCreated,
}

/// Limited actions that the caller has not taken yet.
#[derive(Debug, Default)]
pub(super) struct LimitedActions {
    /// Sessions and their actions, oldest first.
    queue: VecDeque<(SessionId, LimitedAction)>,
}

impl LimitedActions {
    /// Takes the oldest action with its session.
    pub(super) fn pop(&mut self) -> Option<(SessionId, LimitedAction)> {
        self.queue.pop_front()
    }

    /// Adds an action, or drops it when the queue is full.
    pub(super) fn record(&mut self, session: SessionId, action: LimitedAction) {
        if self.queue.len() < LIMITED_ACTIONS_MAX {
            self.queue.push_back((session, action));
        }
    }

    /// Records the outcome of a join request. `is_new` says that the room did not exist before.
    pub(super) fn record_join(
        &mut self,
        session: SessionId,
        is_new: bool,
        outcome: &Result<Option<Reply>, Refusal>,
    ) {
        match outcome {
            Err(Refusal::InvalidToken | Refusal::RoomLocked | Refusal::Banned) => {
                self.record(session, LimitedAction::JoinRefused);
            }
            Ok(_) if is_new => self.record(session, LimitedAction::RoomCreated),
            _ => {}
        }
    }
}
