//! Connection tests: a session that is in no room sends a voice, and receives it again, for some seconds.
//!
//! A test is a room of its own that only its session is in, with one audio producer, one consumer and a
//! transport for each direction. Anybody may start one, also where rooms need tokens, so that number, time and
//! bytes are bounded, and a test counts like a created room for the client's network
//! (docs/decisions/0042-connection-test.md).

use std::sync::Arc;

use watersmeet_engine::command::TransportOptions;
use watersmeet_wire::params::MediaKind;

use super::Conference;
use super::limited_actions::LimitedAction;
use super::request_context::Outcome;
use super::timers::Timer;
use crate::limits::{CONNECTION_TEST_BYTES_MAX, CONNECTION_TEST_TIMEOUT, CONNECTION_TESTS_MAX};
use crate::message::{PeerId, Refusal, RemovalReason, Reply, Role, SessionId};
use crate::room::{Participant, PersonId, Presence, Room};
use crate::session::Membership;

impl Conference {
    /// Enters a room of its own for some seconds.
    pub(super) fn start_connection_test(&mut self, id: SessionId) -> Outcome {
        let session = self.sessions.get(id).ok_or(Refusal::Internal)?;
        if session.membership().is_some() || session.lobby().is_some() {
            return Err(Refusal::BadRequest("already in a room".to_owned()));
        }
        self.check_opening()?;
        let tests = self.rooms.iter();
        let tests = tests.filter(|(_, room)| room.is_connection_test());
        if tests.count() >= CONNECTION_TESTS_MAX {
            return Err(Refusal::LimitReached("connection tests"));
        }
        let participant = Participant {
            session: id,
            peer: session.peer().clone(),
            display_name: None,
            user: None,
            has_signed_name: false,
            has_claimed_id: session.has_claimed_id(),
            claimed_user: None,
            device: None,
            role: Role::Speaker,
            is_interrupted: false,
            can_subscribe: true,
            resume: None,
            presence: Presence::LISTED,
            person: PersonId::default(),
            stay: None,
        };
        let name: Arc<str> = PeerId::generate(&mut self.rng, "test_").as_str().into();
        let until = self.now + CONNECTION_TEST_TIMEOUT;
        let mut room = Room::for_connection_test(self.now, until);
        let number = room.enter(participant, self.config.limits.presence_max);
        self.rooms.insert(Arc::clone(&name), room);
        let membership = Membership {
            room: Arc::clone(&name),
            number,
        };
        let session = self.sessions.get_mut(id).ok_or(Refusal::Internal)?;
        session.enter(membership);
        self.timers.schedule(until, Timer::ConnectionTest(name));
        self.limited_actions.record(id, LimitedAction::RoomCreated);
        Ok(Some(Reply::Done))
    }

    /// Ends a connection test whose time is over.
    pub(super) fn end_connection_test(&mut self, name: &str) {
        let sessions = self.rooms.get(name).map(Room::sessions);
        for session in sessions.unwrap_or_default() {
            self.remove_from_room(session, RemovalReason::Ended);
        }
    }

    /// Cancels the timer that ends the connection test in a room.
    pub(super) fn cancel_test_timer(&mut self, name: &str) {
        if let Some(until) = self.rooms.get(name).and_then(Room::test_until) {
            self.timers
                .cancel(until, Timer::ConnectionTest(name.into()));
        }
    }

    /// Returns whether a membership is that of a connection test.
    pub(super) fn is_testing(&self, membership: Option<&Membership>) -> bool {
        let room = membership.and_then(|it| self.rooms.get(&it.room));
        room.is_some_and(Room::is_connection_test)
    }

    /// Returns the options of transports in a room.
    pub(super) fn transport_options(&self, room: &str) -> TransportOptions {
        let is_test = self.rooms.get(room).is_some_and(Room::is_connection_test);
        TransportOptions {
            incoming_bytes_max: is_test.then_some(CONNECTION_TEST_BYTES_MAX),
            ..self.config.transport_options.clone()
        }
    }

    /// Counts a transport of a connection test, also those that are closed later: the bytes of each are bounded.
    /// Other rooms have no such limit.
    pub(super) fn count_test_transport(&mut self, room: &str) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(room);
        match room.is_none_or(Room::take_test_transport) {
            true => Ok(()),
            false => Err(Refusal::LimitReached("transports")),
        }
    }

    /// Checks that a connection test has only one producer, of audio. Other rooms have no such limit.
    pub(super) fn check_test_producer(
        &self,
        id: SessionId,
        kind: MediaKind,
    ) -> Result<(), Refusal> {
        let membership = self.sessions.membership(id);
        if !self.is_testing(membership.as_ref()) {
            return Ok(());
        }
        if kind != MediaKind::Audio {
            return Err(Refusal::Forbidden);
        }
        match self.media.producers_len_of(id) {
            0 => Ok(()),
            _ => Err(Refusal::LimitReached("producers")),
        }
    }
}
