//! Recovery from a panic, in two steps:
//!
//! 1. The session whose input led to the panic is closed normally, and the others are notified. A
//!    panic inside a dialect changes only the state of that dialect, so this step is enough.
//! 2. All records are compared. A room with inconsistent records is dropped: its routers and all of
//!    its connections are closed, without calling a dialect or following an index. Pages rejoin by
//!    themselves.
//!
//! All other rooms continue.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use watersmeet_engine::command::Command;

use super::Conference;
use super::panic_scope::PanicScope;
use super::timers::Timer;
use crate::close_codes::{CLOSE_INTERNAL, CLOSE_RESTART};
#[cfg(feature = "faults")]
use crate::faults::PanicStage;
use crate::message::SessionId;
use crate::room_event::DepartureReason;
use crate::session::Membership;

/// Reason of the close of a session whose input led to a panic.
const SESSION_FAILED: &str = "internal error";

/// Reason of the close of the sessions of a dropped room.
const ROOM_FAILED: &str = "room restarts";

/// Rooms and sessions whose records contradict each other.
#[derive(Debug, Default)]
struct Inconsistencies {
    /// Names of rooms with inconsistent records.
    rooms: BTreeSet<Arc<str>>,
    /// Sessions with inconsistent records.
    sessions: BTreeSet<SessionId>,
}

impl Conference {
    /// Closes a session whose dialect has panicked.
    pub(super) fn close_failed_session(&mut self, session: SessionId) {
        tracing::error!(session = session.0, "panic in a dialect: session closed");
        self.metrics.record_panic();
        self.close_scope(&PanicScope::Session(session));
    }

    /// Makes all records consistent after a panic.
    pub(super) fn recover(&mut self, scope: &PanicScope) {
        tracing::error!(?scope, "panic while an input was handled");
        self.metrics.record_panic();
        self.close_scope(scope);
    }

    /// Closes the session or room in the scope of a panic, and drops inconsistent records.
    fn close_scope(&mut self, scope: &PanicScope) {
        let recovered = catch_unwind(AssertUnwindSafe(|| match scope {
            PanicScope::Session(session) => {
                #[cfg(feature = "faults")]
                self.faults.panic_in_cleanup(*session);
                self.close_session(*session, CLOSE_INTERNAL, SESSION_FAILED);
            }
            PanicScope::Room(room) => self.drop_room(room),
            PanicScope::Unknown => {}
        }));
        let recovered = recovered.is_ok();
        let dropped = catch_unwind(AssertUnwindSafe(|| {
            if let (false, PanicScope::Session(session)) = (recovered, scope) {
                self.drop_rooms_of(*session);
                self.purge_session(*session, CLOSE_INTERNAL, SESSION_FAILED);
            }
            self.drop_inconsistent();
        }));
        if dropped.is_err() {
            tracing::error!("panic while an inconsistent room was dropped");
        }
    }

    /// Drops the rooms that a session is in or waits for, by the records of the session or the
    /// room.
    fn drop_rooms_of(&mut self, session: SessionId) {
        let mut rooms = BTreeSet::new();
        if let Some(session) = self.sessions.get(session) {
            let memberships = session.membership().into_iter().chain(session.lobby());
            rooms.extend(memberships.map(|it| Arc::clone(&it.room)));
        }
        let named = self.rooms.iter();
        let named = named.filter(|(_, room)| room.everyone().contains(&session));
        rooms.extend(named.map(|(name, _)| Arc::clone(name)));
        for room in rooms {
            self.drop_room(&room);
        }
    }

    /// Drops rooms and sessions until all records are consistent. Each round removes at least one
    /// of them.
    fn drop_inconsistent(&mut self) {
        loop {
            let found = self.inconsistencies();
            if found.rooms.is_empty() && found.sessions.is_empty() {
                return;
            }
            for room in &found.rooms {
                self.drop_room(room);
            }
            for session in found.sessions {
                self.drop_rooms_of(session);
                self.purge_session(session, CLOSE_RESTART, ROOM_FAILED);
            }
        }
    }

    /// Compares all records and returns the inconsistent rooms and sessions.
    fn inconsistencies(&self) -> Inconsistencies {
        let mut found = Inconsistencies::default();
        let membership = |session| self.sessions.get(session).and_then(|it| it.membership());
        let lobby = |session| self.sessions.get(session).and_then(|it| it.lobby());
        for (name, room) in self.rooms.iter() {
            let names = |membership: Option<&Membership>, number| {
                membership.is_some_and(|it| it.room == *name && it.number == number)
            };
            let has_main = room.main().is_none_or(|main| {
                let breakouts = self.rooms.get(main).and_then(|it| it.breakouts.as_ref());
                breakouts.is_some_and(|it| it.rooms().contains(name))
            });
            let is_away = |session| self.sessions.membership(session).is_some();
            let breakouts = room.breakouts.as_ref();
            let is_consistent = !room.is_unused()
                && has_main
                && breakouts.is_none_or(|it| it.sessions_away().all(is_away))
                && room
                    .participants()
                    .all(|(number, it)| names(membership(it.session), number))
                && room
                    .unseen()
                    .all(|(number, it)| names(membership(it), number))
                && room
                    .waiting()
                    .all(|(number, it)| names(lobby(it.session), number));
            if !is_consistent {
                found.rooms.insert(Arc::clone(name));
            }
        }
        let is_empty = |name: &str| self.rooms.get(name).is_none_or(|it| it.is_empty());
        let orphans = self.placement.rooms().filter(|it| is_empty(it));
        found.rooms.extend(orphans.cloned());
        for (id, session) in self.sessions.iter() {
            let is_member = session.membership().is_none_or(|it| {
                let room = self.rooms.get(&it.room);
                room.is_some_and(|room| {
                    room.participant(it.number).is_some() || room.is_unseen(it.number)
                })
            });
            let is_waiting = session.lobby().is_none_or(|it| {
                let room = self.rooms.get(&it.room);
                room.is_some_and(|room| room.waiting().any(|(number, _)| number == it.number))
            });
            if !is_member || !is_waiting {
                found.sessions.insert(id);
            }
        }
        let owners = self.media.sessions().chain(self.commands.sessions());
        found
            .sessions
            .extend(owners.filter(|it| self.sessions.membership(*it).is_none()));
        found.sessions.extend(self.media.inconsistent_sessions());
        found
    }

    /// Drops a room: closes its routers and all of its connections.
    fn drop_room(&mut self, name: &Arc<str>) {
        let mut sessions: BTreeSet<_> = BTreeSet::new();
        if let Some(room) = self.rooms.get(name) {
            sessions.extend(room.everyone());
        }
        let is_named =
            |membership: Option<&Membership>| membership.is_some_and(|it| it.room == *name);
        let members = self.sessions.iter();
        let members = members.filter(|(_, it)| is_named(it.membership()) || is_named(it.lobby()));
        sessions.extend(members.map(|(id, _)| id));
        tracing::error!(sessions = sessions.len(), "room dropped after a panic");
        let inside = self.rooms.participants_of(name);
        for session in sessions {
            self.purge_session(session, CLOSE_RESTART, ROOM_FAILED);
        }
        for left in inside {
            self.report_departure(name, &left, DepartureReason::Disconnected, true);
        }
        for router in self.placement.take_routers(name) {
            let command = Command::CloseRouter { router: router.id };
            self.send_command(router.shard, command);
        }
        self.remove_room(name);
        let is_of_room = |timer: &Timer| match timer {
            Timer::Reservation(room)
            | Timer::Seats(room)
            | Timer::ConnectionTest(room)
            | Timer::Breakouts(room)
            | Timer::Presence(room) => room == name,
            Timer::Command(_)
            | Timer::HeldConsume(_)
            | Timer::TokenExpiry(_)
            | Timer::SessionEnd(_)
            | Timer::Silence(_)
            | Timer::ProducerScore(_) => false,
        };
        self.timers.cancel_all(is_of_room);
        self.reservations.remove(name);
    }

    /// Removes a session from every record except that of its room, which the caller drops, and
    /// closes its connection.
    fn purge_session(&mut self, session: SessionId, code: u16, reason: &'static str) {
        let removed = self.media.purge(session);
        for (shard, transport) in removed.transports {
            self.placement.remove_transport(shard);
            self.send_command(shard, Command::CloseTransport { transport });
        }
        for removed in removed.producers {
            self.release_producer(&removed);
        }
        for (token, command) in self.commands.take_all_of(session) {
            self.timers.cancel(command.deadline, Timer::Command(token));
        }
        let is_of_session =
            |timer: &Timer| [Timer::HeldConsume(session), Timer::Silence(session)].contains(timer);
        self.timers.cancel_all(is_of_session);
        self.close_connection_of(session, code, reason);
    }
}

/// Panics that a test orders.
#[cfg(feature = "faults")]
impl Conference {
    /// Causes a panic at the next request of a participant of a room.
    pub fn inject_panic(&mut self, room: &str, stage: PanicStage) {
        self.faults.order(room, stage);
    }

    /// Makes the dialect of a session panic at its next frame, if a test ordered that for its room.
    pub(super) fn fail_dialect_if_ordered(&mut self, session: SessionId) {
        let Some(membership) = self.sessions.membership(session) else {
            return;
        };
        if self.faults.take(&membership.room, true).is_some()
            && let Some(session) = self.sessions.get_mut(session)
        {
            session.panic_next();
        }
    }

    /// Panics if a test ordered that for the requests of a session's room.
    pub(super) fn panic_if_ordered(&mut self, session: SessionId) {
        let Some(membership) = self.sessions.membership(session) else {
            return;
        };
        let stage = self.faults.take(&membership.room, false);
        if stage == Some(PanicStage::Cleanup) {
            self.faults.order_in_cleanup(session);
        }
        if stage == Some(PanicStage::Halfway)
            && let Some(room) = self.rooms.get_mut(&membership.room)
        {
            let participants = room.participants().map(|(number, _)| number);
            let others: Vec<_> = participants.filter(|it| *it != membership.number).collect();
            for number in others {
                room.leave(number);
            }
        }
        crate::faults::panic_if(stage.is_some());
    }
}
