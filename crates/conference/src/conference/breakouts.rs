//! Breakout rooms: opening and closing them, and moving participants between them and their main room.
//!
//! A breakout room is a room of its own that is entered only from its main room. The conference moves
//! participants with their names, roles and permissions, so that no token is checked and no host asked again
//! (docs/decisions/0041-breakout-rooms.md).

use std::sync::Arc;
use std::time::Duration;

use super::Conference;
use super::request_context::Outcome;
use super::timers::Timer;
use crate::limits::{BREAKOUT_CLOSE_MAX, BREAKOUT_ROOMS_MAX, BREAKOUT_ROOMS_MIN};
use crate::message::{
    BreakoutPerson, BreakoutPlan, BreakoutRoom, BreakoutState, BreakoutsRequest, Notice, PeerId,
    Policy, Refusal, RemovalReason, Reply, Role, RoomSnapshot, SessionId,
};
use crate::names::clean_name;
use crate::room::{Breakouts, Participant, PersonId, Room};
use crate::room_event::DepartureReason;

/// Requests of hosts.
impl Conference {
    /// Carries out a request of a host about the breakout rooms of a main room.
    pub(super) fn manage_breakouts(
        &mut self,
        main: &str,
        by: Option<SessionId>,
        request: BreakoutsRequest,
    ) -> Result<(), Refusal> {
        let (main, _) = self
            .rooms
            .get_key_value(main)
            .ok_or(Refusal::RoomNotFound)?;
        let main = Arc::clone(main);
        match request {
            BreakoutsRequest::Open(plans) => self.open_breakouts(&main, plans),
            BreakoutsRequest::Assign { peer, room } => self.assign_breakout(&main, &peer, &room),
            BreakoutsRequest::Tell { text } => self.tell_all_rooms(&main, by, &text),
            BreakoutsRequest::Close { seconds } => self.schedule_close(&main, seconds),
        }
    }

    /// Creates breakout rooms, and invites the people who are assigned to them.
    fn open_breakouts(&mut self, main: &Arc<str>, plans: Vec<BreakoutPlan>) -> Result<(), Refusal> {
        let bad = |what: &str| Refusal::BadRequest(what.to_owned());
        let limits = &self.config.limits;
        let room = self.rooms.get(main).ok_or(Refusal::RoomNotFound)?;
        if room.breakouts.is_some() {
            return Err(bad("breakout rooms are open already"));
        }
        if !(BREAKOUT_ROOMS_MIN..=BREAKOUT_ROOMS_MAX).contains(&plans.len()) {
            return Err(bad("there are 2 to 20 breakout rooms"));
        }
        if self.rooms.len() + plans.len() > limits.rooms_max {
            return Err(Refusal::LimitReached("rooms"));
        }
        let mut checked = Vec::new();
        for plan in plans {
            let title = clean_name(&plan.name);
            if title.is_empty() || title.len() > limits.name_len_max {
                return Err(bad("the name of a breakout room is empty or too long"));
            }
            let people = plan.peers.iter().map(|it| self.person_to_assign(main, it));
            checked.push((Arc::from(title), people.collect::<Result<Vec<_>, _>>()?));
        }
        let (sharing, chat_policy) = (room.hosting.sharing, room.conversation.chat_policy);
        let mut breakouts = Breakouts::default();
        for (title, people) in checked {
            let name: Arc<str> = PeerId::generate(&mut self.rng, "breakout_").as_str().into();
            let mut room = Room::new(self.now, Policy::Open, self.config.forwarding);
            room.make_breakout(Arc::clone(main), title);
            room.hosting.sharing = sharing;
            room.conversation.chat_policy = chat_policy;
            self.rooms.insert(Arc::clone(&name), room);
            breakouts.add_room(Arc::clone(&name));
            for person in people {
                breakouts.assign(person, Arc::clone(&name));
            }
        }
        tracing::info!(rooms = breakouts.rooms().len(), "breakout rooms opened");
        if let Some(room) = self.rooms.get_mut(main) {
            room.breakouts = Some(breakouts);
        }
        self.tell_breakouts(main);
        Ok(())
    }

    /// Returns the person of a participant who can be assigned to a breakout room.
    ///
    /// # Errors
    /// There is no such participant, or its client cannot enter breakout rooms.
    fn person_to_assign(&self, main: &str, peer: &str) -> Result<PersonId, Refusal> {
        let participant = self.rooms.participant_named(main, peer)?;
        let session = self.sessions.get(participant.session);
        match session.is_some_and(|it| it.has_breakout_rooms()) {
            true => Ok(participant.person),
            false => {
                let name = participant.display_name.as_deref();
                let name = name.unwrap_or(participant.peer.as_str());
                Err(Refusal::NoBreakoutRooms(name.to_owned()))
            }
        }
    }

    /// Assigns a participant of the main room to a breakout room, and invites it.
    fn assign_breakout(&mut self, main: &Arc<str>, peer: &str, name: &str) -> Result<(), Refusal> {
        let person = self.person_to_assign(main, peer)?;
        let session = self.rooms.participant_named(main, peer)?.session;
        let breakouts = self.breakouts_mut(main)?;
        let room = Arc::clone(breakouts.room(name).ok_or(Refusal::RoomNotFound)?);
        breakouts.assign(person, room);
        self.tell_breakouts_to(main, session);
        Ok(())
    }

    /// Sends a chat message of a host to everybody in the main room and its breakout rooms.
    fn tell_all_rooms(
        &mut self,
        main: &Arc<str>,
        by: Option<SessionId>,
        text: &str,
    ) -> Result<(), Refusal> {
        let by = by.ok_or(Refusal::Forbidden)?;
        let rooms = self.rooms_of_meeting(main);
        if rooms.len() < 2 {
            return Err(Refusal::RoomNotFound);
        }
        self.chat_in_all(by, &rooms, text)
    }

    /// Announces that everybody returns to the main room after a countdown.
    fn schedule_close(&mut self, main: &Arc<str>, seconds: u32) -> Result<(), Refusal> {
        let delay = Duration::from_secs(seconds.into());
        if delay > BREAKOUT_CLOSE_MAX {
            return Err(Refusal::BadRequest("the countdown is too long".to_owned()));
        }
        let at = self.now + delay;
        let before = self.breakouts_mut(main)?.set_close(at);
        if let Some(before) = before {
            self.timers
                .cancel(before, Timer::Breakouts(Arc::clone(main)));
        }
        self.timers.schedule(at, Timer::Breakouts(Arc::clone(main)));
        self.tell_breakouts(main);
        Ok(())
    }
}

/// Moving participants.
impl Conference {
    /// Moves a participant to a breakout room, or back to the main room.
    pub(super) fn enter_breakout(&mut self, id: SessionId, target: Option<&str>) -> Outcome {
        let membership = self.sessions.member(id)?;
        let main = self.main_of(&membership.room);
        let role = self.rooms.participant(&membership)?.role;
        let person = self.person_in_main(&main, id)?;
        let breakouts = self.breakouts_mut(&main)?;
        let target = match target {
            None => Arc::clone(&main),
            Some(name) => {
                let found = breakouts.room(name).ok_or(Refusal::RoomNotFound)?;
                let assigned = breakouts.assigned(person);
                if role != Role::Host && assigned != Some(found) {
                    return Err(Refusal::Forbidden);
                }
                Arc::clone(found)
            }
        };
        if target == membership.room {
            return Err(Refusal::BadRequest("already in this room".to_owned()));
        }
        let snapshot = self.move_participant(id, &main, &target)?;
        Ok(Some(Reply::Joined(snapshot)))
    }

    /// Moves a participant between the main room and its breakout rooms. Closes its media. Returns its snapshot
    /// of the new room.
    fn move_participant(
        &mut self,
        id: SessionId,
        main: &Arc<str>,
        target: &Arc<str>,
    ) -> Result<RoomSnapshot, Refusal> {
        let membership = self.sessions.member(id)?;
        let participant = self.rooms.participant(&membership)?.clone();
        let (peer, display_name) = (participant.peer.clone(), participant.display_name.clone());
        let breakouts = self.breakouts_mut(main)?;
        breakouts.set_moving(true);
        if target != main {
            breakouts.record_away(id, participant.role);
        }
        self.leave(id, Some(Refusal::NotInRoom), DepartureReason::Moved);
        let moved = Participant {
            is_interrupted: false,
            ..participant
        };
        let snapshot = self.add_participant(target, moved);
        if let Ok(breakouts) = self.breakouts_mut(main) {
            breakouts.set_moving(false);
            if target == main {
                breakouts.record_gone(id);
            }
        }
        self.appoint_host(main);
        let room = Some(Arc::clone(target)).filter(|it| it != main);
        let notice = Notice::BreakoutMoved(BreakoutPerson {
            peer,
            display_name,
            room,
        });
        self.notify_hosts_of_meeting(main, &notice);
        snapshot
    }

    /// Ends the breakout rooms of a main room. Everybody there returns to it.
    pub(super) fn close_breakouts(&mut self, main: &Arc<str>) {
        let Ok(breakouts) = self.breakouts_mut(main) else {
            return;
        };
        let rooms = breakouts.rooms().to_vec();
        for room in &rooms {
            let sessions = self.rooms.get(room).map(|it| it.sessions());
            for session in sessions.unwrap_or_default() {
                match self.move_participant(session, main, main) {
                    Ok(snapshot) => self.notify(session, &Notice::Moved(snapshot)),
                    Err(_) => self.remove_from_room(session, RemovalReason::Ended),
                }
            }
        }
        self.forget_breakouts(main);
        self.notify_everybody(main, &Notice::BreakoutsClosed);
        self.remove_room_if_unused(main);
    }

    /// Ends the breakout rooms of a main room with everybody in them: the meeting ends.
    pub(super) fn end_breakouts(&mut self, main: &str, reason: RemovalReason) {
        let rooms = self.rooms_of_meeting(main);
        for room in rooms.iter().filter(|it| ***it != *main) {
            for session in self.rooms.get(room).map(Room::everyone).unwrap_or_default() {
                self.remove_from_room(session, reason);
            }
        }
        self.forget_breakouts(main);
    }

    /// Removes breakout rooms that nobody is in, and their records.
    fn forget_breakouts(&mut self, main: &str) {
        let room = self.rooms.get_mut(main);
        let Some(breakouts) = room.and_then(|it| it.breakouts.take()) else {
            return;
        };
        if let Some(at) = breakouts.closes_at() {
            self.timers.cancel(at, Timer::Breakouts(main.into()));
        }
        for name in breakouts.rooms() {
            self.cancel_presence_timer(name);
            self.remove_room(name);
        }
    }

    /// Records that a participant has left a breakout room, and ends the breakout rooms when the main room is
    /// deserted too.
    pub(super) fn record_breakout_departure(&mut self, name: &str, id: SessionId) {
        let main = self.main_of(name);
        let Some(room) = self.rooms.get_mut(&main) else {
            return;
        };
        let is_empty = room.is_empty();
        let Some(breakouts) = &mut room.breakouts else {
            return;
        };
        if *main != *name && !breakouts.is_moving() {
            breakouts.record_gone(id);
        }
        if is_empty && !breakouts.is_used() {
            self.forget_breakouts(&main);
            self.remove_room_if_unused(&main);
        } else if *main != *name {
            self.appoint_host(&main);
        }
    }

    /// Records the new role of a participant in a breakout room.
    pub(super) fn record_breakout_role(&mut self, name: &str, id: SessionId, role: Role) {
        let main = self.main_of(name);
        if let Ok(breakouts) = self.breakouts_mut(&main)
            && breakouts.is_away(id)
        {
            breakouts.record_away(id, role);
        }
    }
}

/// Rooms of a meeting, and what their participants are told.
impl Conference {
    /// Returns the main room of a breakout room; of every other room, itself.
    pub(super) fn main_of(&self, name: &str) -> Arc<str> {
        let room = self.rooms.get(name);
        let main = room.and_then(|it| it.main()).cloned();
        main.unwrap_or_else(|| name.into())
    }

    /// Returns the main room and its breakout rooms.
    pub(super) fn rooms_of_meeting(&self, main: &str) -> Vec<Arc<str>> {
        let breakouts = self.rooms.get(main).and_then(|it| it.breakouts.as_ref());
        let rooms = breakouts.map_or(&[][..], Breakouts::rooms);
        let main: Arc<str> = main.into();
        [main].into_iter().chain(rooms.iter().cloned()).collect()
    }

    /// Returns the open breakout rooms of a main room.
    fn breakouts_mut(&mut self, main: &str) -> Result<&mut Breakouts, Refusal> {
        let room = self.rooms.get_mut(main);
        let breakouts = room.and_then(|it| it.breakouts.as_mut());
        breakouts.ok_or(Refusal::RoomNotFound)
    }

    /// Returns the person that a participant of a meeting is in its main room.
    fn person_in_main(&mut self, main: &str, id: SessionId) -> Result<PersonId, Refusal> {
        let membership = self.sessions.member(id)?;
        let participant = self.rooms.participant(&membership)?;
        if *membership.room == *main {
            return Ok(participant.person);
        }
        let identity = participant.identity();
        let room = self.rooms.get_mut(main).ok_or(Refusal::RoomNotFound)?;
        Ok(room.conversation.people.recognise(&identity))
    }

    /// Notifies the hosts of a meeting, in whichever of its rooms they are.
    pub(super) fn notify_hosts_of_meeting(&mut self, main: &str, notice: &Notice) {
        self.flush_presence(main);
        for host in self.hosts_of_meeting(main) {
            self.notify(host, notice);
        }
    }

    /// Returns the hosts of a meeting, in whichever of its rooms they are.
    fn hosts_of_meeting(&self, main: &str) -> Vec<SessionId> {
        let Some(room) = self.rooms.get(main) else {
            return Vec::new();
        };
        let away = room.breakouts.iter().flat_map(Breakouts::hosts_away);
        room.hosts().into_iter().chain(away).collect()
    }

    /// Tells everybody of a meeting of its breakout rooms.
    fn tell_breakouts(&mut self, main: &Arc<str>) {
        for room in self.rooms_of_meeting(main) {
            let sessions = self.rooms.get(&room).map(|it| it.sessions());
            for session in sessions.unwrap_or_default() {
                self.tell_breakouts_to(main, session);
            }
        }
    }

    /// Tells a participant of the breakout rooms of its meeting, if there are any.
    pub(super) fn tell_breakouts_to(&mut self, main: &str, id: SessionId) {
        if let Some(state) = self.breakout_state(main, id) {
            self.notify(id, &Notice::Breakouts(Box::new(state)));
        }
    }

    /// Returns the breakout rooms of a meeting as a participant is told of them.
    fn breakout_state(&mut self, main: &str, id: SessionId) -> Option<BreakoutState> {
        let now = self.now;
        let membership = self.sessions.membership(id)?;
        let role = self.rooms.participant(&membership).ok()?.role;
        let person = self.person_in_main(main, id).ok()?;
        let breakouts = self.rooms.get(main)?.breakouts.as_ref()?;
        let described = breakouts.rooms().iter().filter_map(|name| {
            let title = self.rooms.get(name)?.title()?;
            Some(BreakoutRoom {
                room: Arc::clone(name),
                name: Arc::clone(title),
            })
        });
        let people = breakouts.rooms().iter().flat_map(|name| {
            let room = self.rooms.get(name);
            let inside = room.into_iter().flat_map(|it| it.participants());
            inside.map(|(_, it)| BreakoutPerson {
                peer: it.peer.clone(),
                display_name: it.display_name.clone(),
                room: Some(Arc::clone(name)),
            })
        });
        let closes_in = breakouts.closes_at().map(|it| it.since(now));
        Some(BreakoutState {
            rooms: described.collect(),
            current: Some(Arc::clone(&membership.room)).filter(|it| **it != *main),
            assigned: breakouts.assigned(person).cloned(),
            closes_in,
            people: (role == Role::Host).then(|| people.collect()),
        })
    }
}
