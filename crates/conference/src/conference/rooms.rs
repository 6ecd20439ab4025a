//! Registry of rooms.

use std::ops::Bound;
use std::sync::Arc;

use watersmeet_wire::units::{Map, Time};

use crate::limits::ForwardingLimits;
use crate::message::{Policy, Refusal, SessionId};
use crate::room::{Participant, Room};
use crate::session::Membership;

/// Registry of rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// Rooms that are used or reserved, by name.
    by_name: Map<Arc<str>, Room>,
}

impl Rooms {
    /// Returns the room with this name.
    pub(super) fn get(&self, name: &str) -> Option<&Room> {
        self.by_name.get(name)
    }

    /// Returns the room with this name, mutably.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Room> {
        self.by_name.get_mut(name)
    }

    /// Returns the room with this name, together with the shared name.
    pub(super) fn get_key_value(&self, name: &str) -> Option<(&Arc<str>, &Room)> {
        self.by_name.get_key_value(name)
    }

    /// Returns the room with this name, creating it when it does not exist.
    pub(super) fn get_or_create(
        &mut self,
        name: &Arc<str>,
        now: Time,
        policy: Policy,
        forwarding: ForwardingLimits,
    ) -> &mut Room {
        let room = self.by_name.entry(Arc::clone(name));
        room.or_insert_with(|| Room::new(now, policy, forwarding))
    }

    /// Adds a room.
    pub(super) fn insert(&mut self, name: Arc<str>, room: Room) {
        self.by_name.insert(name, room);
    }

    /// Removes a room.
    pub(super) fn remove(&mut self, name: &str) -> Option<Room> {
        self.by_name.remove(name)
    }

    /// Returns the number of rooms.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Returns all rooms, sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Room)> {
        self.by_name.iter()
    }

    /// Returns the rooms after the name `after`, sorted by name.
    pub(super) fn iter_after(
        &self,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&Arc<str>, &Room)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_name.range::<str, _>((from, Bound::Unbounded))
    }

    /// Returns copies of the participants of a room, in order of joining.
    pub(super) fn participants_of(&self, name: &str) -> Vec<Participant> {
        let participants = self.get(name).map(|it| it.participants());
        let participants = participants.into_iter().flatten();
        participants.map(|(_, it)| it.clone()).collect()
    }

    /// Returns the participant of a membership.
    ///
    /// # Errors
    /// The session is preparing to join and is no participant yet.
    pub(super) fn participant(&self, membership: &Membership) -> Result<&Participant, Refusal> {
        let room = self.get(&membership.room).ok_or(Refusal::Internal)?;
        room.participant(membership.number)
            .ok_or(Refusal::NotInRoom)
    }

    /// Returns the participant with this public name.
    ///
    /// # Errors
    /// There is no such room, or it has no participant with that name.
    pub(super) fn participant_named(
        &self,
        room: &str,
        peer: &str,
    ) -> Result<&Participant, Refusal> {
        let room = self.get(room).ok_or(Refusal::RoomNotFound)?;
        room.participant_named(peer)
            .ok_or(Refusal::ParticipantNotFound)
    }

    /// Returns the session that waits for a room under this public name.
    ///
    /// # Errors
    /// There is no such room, or no participant with that name waits for it.
    pub(super) fn waiting_named(&self, room: &str, peer: &str) -> Result<SessionId, Refusal> {
        let room = self.get(room).ok_or(Refusal::RoomNotFound)?;
        room.waiting_named(peer).ok_or(Refusal::ParticipantNotFound)
    }
}
