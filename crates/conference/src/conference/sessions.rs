//! Registry of connections.

use std::collections::VecDeque;
use std::sync::Arc;

use watersmeet_wire::units::Map;

use crate::dialect::{DecodeError, Effect, RequestTag};
use crate::message::{Notice, PeerId, Refusal, Reply, SessionId};
use crate::session::{DialectPanic, Membership, Session};

/// Registry of connections.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Connections, by id.
    by_id: Map<SessionId, Session>,
    /// Sessions whose dialect has panicked and that are not closed yet. Empty between two inputs.
    failed: VecDeque<SessionId>,
}

impl Sessions {
    /// Adds a connection.
    pub(super) fn insert(&mut self, id: SessionId, session: Session) {
        self.by_id.insert(id, session);
    }

    /// Removes a connection.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.by_id.remove(&id)
    }

    /// Returns the connection with this id.
    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    /// Returns the connection with this id, mutably.
    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id)
    }

    /// Returns the number of connections.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Returns all connections with their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.by_id.iter().map(|(id, session)| (*id, session))
    }

    /// Returns the public name of a session.
    pub(super) fn peer(&self, id: SessionId) -> Option<PeerId> {
        self.get(id).map(|it| it.peer().clone())
    }

    /// Returns the membership of a session in its room.
    pub(super) fn membership(&self, id: SessionId) -> Option<Membership> {
        self.get(id)?.membership().cloned()
    }

    /// Returns the membership of a session in its room.
    ///
    /// # Errors
    /// The session is in no room.
    pub(super) fn member(&self, id: SessionId) -> Result<Membership, Refusal> {
        let session = self.get(id).ok_or(Refusal::Internal)?;
        session.membership().cloned().ok_or(Refusal::NotInRoom)
    }

    /// Returns the name of the room that a session is in or waits for.
    ///
    /// # Errors
    /// The session is in no room and waits for none.
    pub(super) fn room_or_lobby(&self, id: SessionId) -> Result<Arc<str>, Refusal> {
        let session = self.get(id).ok_or(Refusal::Internal)?;
        let membership = session.membership().or(session.lobby());
        Ok(Arc::clone(&membership.ok_or(Refusal::NotInRoom)?.room))
    }

    /// Decodes a frame of a session. The result is empty when the dialect panics.
    pub(super) fn decode(
        &mut self,
        id: SessionId,
        frame: &str,
    ) -> Option<Result<Vec<Effect>, DecodeError>> {
        let decoded = self.get_mut(id)?.decode(frame);
        self.record_failure(id, decoded)
    }

    /// Encodes the response to a request. The result is empty when the dialect panics.
    pub(super) fn encode_response(
        &mut self,
        id: SessionId,
        tag: &RequestTag,
        outcome: &Result<Reply, Refusal>,
    ) -> Vec<Effect> {
        let Some(session) = self.get_mut(id) else {
            return Vec::new();
        };
        let encoded = session.encode_response(tag, outcome);
        self.record_failure(id, encoded).unwrap_or_default()
    }

    /// Encodes a notice. The result is empty when the dialect panics.
    pub(super) fn encode_notice(&mut self, id: SessionId, notice: &Notice) -> Vec<Effect> {
        let Some(session) = self.get_mut(id) else {
            return Vec::new();
        };
        let encoded = session.encode_notice(notice);
        self.record_failure(id, encoded).unwrap_or_default()
    }

    /// Takes the next session whose dialect has panicked.
    pub(super) fn pop_failed(&mut self) -> Option<SessionId> {
        self.failed.pop_front()
    }

    /// Records a panic of a dialect, whose session closes once the input is handled.
    fn record_failure<T>(&mut self, id: SessionId, called: Result<T, DialectPanic>) -> Option<T> {
        if called.is_err() {
            self.failed.push_back(id);
        }
        called.ok()
    }
}
