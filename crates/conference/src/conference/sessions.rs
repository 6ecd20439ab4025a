//! Registry of sessions and of the connections that carry them. A connection opens a session with its own
//! number; later it may carry an earlier session, whose connection was lost.

use std::collections::VecDeque;
use std::sync::Arc;

use watersmeet_wire::units::Map;

use crate::dialect::{DecodeError, Effect, RequestTag};
use crate::message::{Notice, PeerId, Refusal, Reply, SessionId};
use crate::session::{DialectPanic, Membership, Session};

/// Registry of sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Sessions, by id.
    by_id: Map<SessionId, Session>,
    /// Sessions by the connections that carry them.
    by_connection: Map<SessionId, SessionId>,
    /// Connections by the sessions that they carry.
    connections: Map<SessionId, SessionId>,
    /// Sessions that outlive their connections, by the ids of their participants.
    resumable: Map<PeerId, SessionId>,
    /// Sessions whose dialect has panicked and that are not closed yet. Empty between two inputs.
    failed: VecDeque<SessionId>,
}

impl Sessions {
    /// Adds the session of a new connection.
    pub(super) fn insert(&mut self, id: SessionId, session: Session) {
        self.by_id.insert(id, session);
        self.attach(id, id);
    }

    /// Removes a session.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.detach(id);
        let removed = self.by_id.remove(&id)?;
        if self.resumable(removed.peer().as_str()) == Some(id) {
            self.resumable.remove(removed.peer());
        }
        Some(removed)
    }

    /// Records that a connection carries a session. Returns the connection that did so before.
    pub(super) fn attach(&mut self, connection: SessionId, id: SessionId) -> Option<SessionId> {
        let before = self.detach(id);
        self.by_connection.insert(connection, id);
        self.connections.insert(id, connection);
        before
    }

    /// Records that a session has no connection. Returns the one that it had.
    pub(super) fn detach(&mut self, id: SessionId) -> Option<SessionId> {
        let connection = self.connections.remove(&id)?;
        self.by_connection.remove(&connection);
        Some(connection)
    }

    /// Returns the session that a connection carries.
    pub(super) fn of_connection(&self, connection: SessionId) -> Option<SessionId> {
        self.by_connection.get(&connection).copied()
    }

    /// Returns the connection that carries a session.
    pub(super) fn connection_of(&self, id: SessionId) -> Option<SessionId> {
        self.connections.get(&id).copied()
    }

    /// Returns the number of sessions without a connection.
    pub(super) fn detached_len(&self) -> usize {
        self.by_id.len() - self.connections.len()
    }

    /// Records that a session outlives its connection.
    pub(super) fn record_resumable(&mut self, id: SessionId) {
        if let Some(peer) = self.peer(id) {
            self.resumable.insert(peer, id);
        }
    }

    /// Returns the session of the participant with this id, if it outlives its connection.
    pub(super) fn resumable(&self, peer: &str) -> Option<SessionId> {
        self.resumable.get(peer).copied()
    }

    /// Returns the session with this id.
    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    /// Returns the session with this id, mutably.
    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id)
    }

    /// Returns the number of sessions.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Returns all sessions with their ids.
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
