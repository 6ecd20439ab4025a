//! Breakout rooms of a main room: which there are, who is assigned to which, and who is there.

use std::sync::Arc;

use watersmeet_wire::units::{Map, Time};

use super::conversation::PersonId;
use crate::message::{Role, SessionId};

/// Breakout rooms of a main room.
#[derive(Debug, Default)]
pub(crate) struct Breakouts {
    /// Names by which the conference knows the breakout rooms.
    rooms: Vec<Arc<str>>,
    /// Breakout rooms to which people are assigned.
    assigned: Map<PersonId, Arc<str>>,
    /// Sessions in the breakout rooms, with their roles.
    away: Map<SessionId, Role>,
    /// Time at which everybody returns; `None` while the rooms stay open.
    closes_at: Option<Time>,
    /// Whether a participant is on its way between two of the rooms, so that neither is deserted.
    is_moving: bool,
}

impl Breakouts {
    /// Adds a breakout room.
    pub(crate) fn add_room(&mut self, name: Arc<str>) {
        self.rooms.push(name);
    }

    /// Returns the names by which the conference knows the breakout rooms.
    pub(crate) fn rooms(&self) -> &[Arc<str>] {
        &self.rooms
    }

    /// Returns the breakout room with this name.
    pub(crate) fn room(&self, name: &str) -> Option<&Arc<str>> {
        self.rooms.iter().find(|it| ***it == *name)
    }

    /// Assigns a person to a breakout room. Earlier assignments are replaced.
    pub(crate) fn assign(&mut self, person: PersonId, room: Arc<str>) {
        self.assigned.insert(person, room);
    }

    /// Returns the breakout room to which a person is assigned.
    pub(crate) fn assigned(&self, person: PersonId) -> Option<&Arc<str>> {
        self.assigned.get(&person)
    }

    /// Records a participant in a breakout room, or its new role there.
    pub(crate) fn record_away(&mut self, session: SessionId, role: Role) {
        self.away.insert(session, role);
    }

    /// Records that a participant is in no breakout room any more.
    pub(crate) fn record_gone(&mut self, session: SessionId) {
        self.away.remove(&session);
    }

    /// Returns whether a participant is in a breakout room.
    pub(crate) fn is_away(&self, session: SessionId) -> bool {
        self.away.contains_key(&session)
    }

    /// Returns the number of participants in the breakout rooms.
    pub(crate) fn away_len(&self) -> usize {
        self.away.len()
    }

    /// Returns the participants in the breakout rooms.
    pub(crate) fn sessions_away(&self) -> impl Iterator<Item = SessionId> {
        self.away.keys().copied()
    }

    /// Returns the hosts in the breakout rooms.
    pub(crate) fn hosts_away(&self) -> impl Iterator<Item = SessionId> {
        let hosts = self.away.iter().filter(|(_, role)| **role == Role::Host);
        hosts.map(|(session, _)| *session)
    }

    /// Records whether a participant is on its way between two of the rooms.
    pub(crate) const fn set_moving(&mut self, is_moving: bool) {
        self.is_moving = is_moving;
    }

    /// Returns whether a participant is on its way between two of the rooms.
    pub(crate) const fn is_moving(&self) -> bool {
        self.is_moving
    }

    /// Returns whether somebody is in the breakout rooms or on the way.
    pub(crate) fn is_used(&self) -> bool {
        self.is_moving || !self.away.is_empty()
    }

    /// Returns the time at which everybody returns.
    pub(crate) const fn closes_at(&self) -> Option<Time> {
        self.closes_at
    }

    /// Sets the time at which everybody returns. Returns the one before.
    pub(crate) const fn set_close(&mut self, at: Time) -> Option<Time> {
        self.closes_at.replace(at)
    }
}
