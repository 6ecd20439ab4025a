//! Sessions that go on without a connection for a while, until their client resumes them over another one.
//!
//! Such a session stays a participant with all its media. Frames for it are kept, and follow when the client has
//! shown its secret (docs/decisions/0040-resuming-signalling.md).

use watersmeet_wire::units::Time;

use super::Conference;
use super::outputs::Output;
use super::request_context::Outcome;
use super::timers::Timer;
use crate::close_codes::CLOSE_NORMAL;
use crate::dialect::{Effect, RequestTag};
use crate::limits::DETACHED_SESSIONS_MAX;
use crate::message::{Refusal, Reply, ResumeRequest, SessionId};
use crate::resumption::end_of_session;
use crate::room_event::DepartureReason;
use crate::seats::ResumeKey;
use crate::session::Session;

impl Conference {
    /// Makes a session outlive its connection, if its client supports that.
    pub(super) fn start_resumption(&mut self, id: SessionId, secret: &str) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        session.start_resumption(ResumeKey::new(secret));
        self.sessions.record_resumable(id);
    }

    /// Handles the loss of a connection. The session goes on without one if it is in a room or a lobby and its
    /// client can resume it; otherwise it ends.
    pub(super) fn lose_connection(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let is_inside = session.membership().or(session.lobby()).is_some();
        let ends_at = end_of_session(session.liveness().last_frame());
        let has_ended = !is_inside || ends_at <= self.now || session.resumption().is_none();
        if has_ended || self.sessions.detached_len() >= DETACHED_SESSIONS_MAX {
            return self.remove_session(id, DepartureReason::ConnectionLost);
        }
        tracing::info!(
            session = id.0,
            "connection lost: session waits for its client"
        );
        self.sessions.detach(id);
        self.set_session_end(id, Some(ends_at));
    }

    /// Sets or cancels the timer that ends a session without a connection.
    fn set_session_end(&mut self, id: SessionId, at: Option<Time>) {
        let session = self.sessions.get_mut(id).and_then(Session::resumption_mut);
        if let Some(before) = session.and_then(|it| it.set_end(at)) {
            self.timers.cancel(before, Timer::SessionEnd(id));
        }
        if let Some(at) = at {
            self.timers.schedule(at, Timer::SessionEnd(id));
        }
    }

    /// Removes a session, which is in no room any more, with its timers. Returns its connection, if it has one.
    pub(super) fn forget_session(&mut self, id: SessionId) -> Option<SessionId> {
        self.set_token_expiry(id, None);
        self.set_session_end(id, None);
        let connection = self.sessions.connection_of(id);
        self.sessions.remove(id).and(connection)
    }

    /// Goes on with the session that a client had before, over the connection of the session `fresh`. Replies, and
    /// sends the frames that the client has not received.
    ///
    /// # Errors
    /// There is no such session, the secret is another one, or frames are missing that the client has not
    /// received. All have the same refusal, so that it reveals nothing.
    pub(super) fn resume(
        &mut self,
        fresh: SessionId,
        tag: &RequestTag,
        request: &ResumeRequest,
    ) -> Outcome {
        let opened = self.sessions.get(fresh).ok_or(Refusal::Internal)?;
        if opened.membership().or(opened.lobby()).is_some() {
            return Err(Refusal::BadRequest("already in a room".to_owned()));
        }
        let client = opened.client();
        let key = ResumeKey::new(&request.secret);
        let id = self.sessions.resumable(&request.peer);
        let id = id.ok_or(Refusal::SessionNotFound)?;
        let resumption = self.sessions.get(id).and_then(Session::resumption);
        let resumption = resumption.filter(|it| it.is_key(&key));
        let resumption = resumption.ok_or(Refusal::SessionNotFound)?;
        let missed = resumption.frames_after(request.seq);
        let missed = missed.ok_or(Refusal::SessionNotFound)?;
        let last_request = resumption.last_request().cloned();

        let connection = self.forget_session(fresh).ok_or(Refusal::Internal)?;
        if let Some(before) = self.sessions.attach(connection, id) {
            self.outputs.push(Output::Close {
                session: before,
                code: CLOSE_NORMAL,
                reason: "resumed on another connection",
            });
        }
        self.set_session_end(id, None);
        if let Some(session) = self.sessions.get_mut(id) {
            session.set_client(client);
            if let Some(resumption) = session.resumption_mut() {
                resumption.confirm(request.seq);
            }
        }
        tracing::info!(session = id.0, connection = connection.0, "session resumed");
        let reply = Ok(Reply::Resumed { last_request });
        for effect in self.sessions.encode_response(id, tag, &reply) {
            if let Effect::SendFrame(text) = effect {
                self.outputs.push_frame(connection, text);
            }
        }
        for text in missed {
            self.outputs.push_frame(connection, text);
        }
        self.record_frame(id);
        Ok(None)
    }

    /// Sends a frame to the client of a session, or keeps it while the session has no connection. `droppable` says
    /// whether the client can do without it.
    pub(super) fn send_frame(&mut self, id: SessionId, text: String, droppable: bool) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let text = session.record_sent(now, text);
        if let Some(connection) = self.sessions.connection_of(id) {
            self.outputs.push(Output::Frame {
                session: connection,
                text,
                droppable,
            });
        }
    }
}
