//! Participants that come back, and those that may not: seats kept after a lost connection, bans, and
//! connections whose token has expired.

use std::sync::Arc;

use super::Conference;
use super::permissions::Permissions;
use super::timers::Timer;
use crate::bans::BanMarks;
use crate::close_codes::CLOSE_POLICY;
use crate::limits::SEAT_TIMEOUT;
use crate::message::{JoinRequest, Refusal, RemovalReason, Role, SessionId};
use crate::room::Participant;
use crate::seats::{Identity, ResumeKey, Seat};

/// A participant that comes back.
#[derive(Debug, Default)]
pub(super) struct Return {
    /// Role that it had; `None` for one that is new or only waited.
    pub role: Option<Role>,
    /// Its other session, which is still in the room or its lobby.
    pub session: Option<SessionId>,
    /// Whether a host shows it large to everybody.
    pub is_spotlit: bool,
}

/// Seats of participants whose connection was lost.
impl Conference {
    /// Returns what a room remembers of a participant that joins.
    pub(super) fn find_return(
        &self,
        id: SessionId,
        request: &JoinRequest,
        permissions: &Permissions,
    ) -> Return {
        let Some(room) = self.rooms.get(&request.room) else {
            return Return::default();
        };
        let identity = identity(request, permissions);
        let peer = self.sessions.peer(id);
        // The participant may still be in a breakout room.
        let rooms = self.rooms_of_meeting(&request.room);
        let mut rooms = rooms.iter().filter_map(|it| self.rooms.get(it));
        let present = peer.and_then(|peer| {
            rooms.find_map(|it| Some((it, it.counterpart(&identity, &peer, id)?)))
        });
        if let Some((room, present)) = present {
            let is_inside = room.sessions().contains(&present.session);
            return Return {
                role: is_inside.then_some(present.role),
                session: Some(present.session),
                is_spotlit: room.hosting.is_spotlit(&present.peer),
            };
        }
        Return {
            role: room.seats.role_of(&identity),
            session: None,
            is_spotlit: room.seats.is_spotlit(&identity),
        }
    }

    /// Keeps the seat of a participant whose connection is lost.
    pub(super) fn keep_seat(&mut self, id: SessionId) {
        let Some(membership) = self.sessions.membership(id) else {
            return;
        };
        let until = self.now + SEAT_TIMEOUT;
        let Some(room) = self.rooms.get(&membership.room) else {
            return;
        };
        let Some(participant) = room.participant(membership.number) else {
            return;
        };
        let seat = Seat {
            identity: participant.identity(),
            role: participant.role,
            is_spotlit: room.hosting.is_spotlit(&participant.peer),
            until,
        };
        let main = self.main_of(&membership.room);
        if let Some(room) = self.rooms.get_mut(&main) {
            room.seats.keep(seat);
        }
        self.start_seat_timer(&main);
    }

    /// Gives up the seats that have waited for too long. Somebody else becomes the host, or the room
    /// ends.
    pub(super) fn expire_seats(&mut self, name: &Arc<str>) {
        let now = self.now;
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        room.seats.expire(now);
        self.forget_hands(name);
        self.start_seat_timer(name);
        self.appoint_host(name);
        self.remove_room_if_unused(name);
    }

    /// Starts the timer of a room's seats, unless it runs.
    fn start_seat_timer(&mut self, name: &Arc<str>) {
        let room = self.rooms.get_mut(name);
        if let Some(at) = room.and_then(|it| it.seats.start_timer()) {
            self.timers.schedule(at, Timer::Seats(Arc::clone(name)));
        }
    }

    /// Cancels the timer of a room's seats.
    pub(super) fn cancel_seat_timer(&mut self, name: &str) {
        let room = self.rooms.get(name);
        if let Some(at) = room.and_then(|it| it.seats.timer()) {
            self.timers.cancel(at, Timer::Seats(name.into()));
        }
    }
}

/// Bans and expired tokens.
impl Conference {
    /// Checks that a session is not banned from a room.
    ///
    /// # Errors
    /// The session is banned.
    pub(super) fn check_ban(
        &self,
        id: SessionId,
        request: &JoinRequest,
        permissions: &Permissions,
    ) -> Result<(), Refusal> {
        let (Some(room), Some(session)) = (self.rooms.get(&request.room), self.sessions.get(id))
        else {
            return Ok(());
        };
        let peer = Some(session.peer()).filter(|_| session.has_claimed_id());
        let claimed = request.user.as_deref().or(peer.map(|it| it.as_str()));
        let marks = BanMarks {
            identity: identity(request, permissions),
            claimed: claimed.map(Arc::from),
            client: session.client(),
        };
        let has_proof = permissions.is_admitted || permissions.user.is_some();
        match room.bans.include(&marks, has_proof) {
            true => Err(Refusal::Banned),
            false => Ok(()),
        }
    }

    /// Bans a participant or applicant from its room, with all its sessions there.
    pub(super) fn ban(&mut self, name: &str, id: SessionId, reason: RemovalReason) {
        let Some(room) = self.rooms.get(name) else {
            return;
        };
        let everyone = room.participants().chain(room.waiting());
        let everyone: Vec<_> = everyone.map(|(_, it)| it).collect();
        let Some(banned) = everyone.iter().find(|it| it.session == id) else {
            return;
        };
        let identity = banned.identity();
        let is_same = |it: &&&Participant| it.session == id || it.identity().matches(&identity);
        let sessions: Vec<_> = everyone
            .iter()
            .filter(is_same)
            .map(|it| it.session)
            .collect();
        let client_of = |session| self.sessions.get(session).and_then(|it| it.client());
        // Others at the same address must not be shut out: a family, an office, or everybody behind
        // a proxy that does not tell addresses.
        let is_shared = everyone
            .iter()
            .any(|it| !sessions.contains(&it.session) && client_of(it.session) == client_of(id));
        let is_proven = banned.user.is_some();
        let peer = Some(banned.peer.as_str()).filter(|_| banned.has_claimed_id);
        let claimed = banned.claimed_user.as_deref().or(peer).map(Arc::from);
        let marks = BanMarks {
            claimed: claimed.filter(|_| !is_proven),
            client: client_of(id).filter(|_| !is_proven && !is_shared),
            identity: identity.clone(),
        };
        let main = self.main_of(name);
        if let Some(room) = self.rooms.get_mut(&main) {
            room.bans.add(marks);
            room.seats.remove(&identity);
        }
        for session in sessions {
            self.remove_from_room(session, reason);
        }
    }

    /// Closes a connection whose token has expired.
    pub(super) fn expire_token(&mut self, id: SessionId) {
        self.close_session(id, CLOSE_POLICY, "token expired");
    }
}

/// Returns the proofs of a participant that joins.
pub(super) fn identity(request: &JoinRequest, permissions: &Permissions) -> Identity {
    Identity {
        resume: request.resume.as_deref().map(ResumeKey::new),
        user: permissions.user.as_ref().map(|it| Arc::clone(&it.id)),
    }
}
