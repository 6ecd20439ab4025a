//! How somebody comes into a room: what its token permits, whether a host has to let it in, what it
//! finds there. The snapshot of the room and the subscription to what changes are one step.

use std::sync::Arc;

use super::requests::{Asked, Outcome};
use super::{Conference, MESSAGES_PER_PRODUCER, Timer};
use crate::access::Grant;
use crate::connect_request::ConnectRequest;
use crate::message::{
    Notice, PeerId, Policy, Refusal, RemovalReason, Reply, Role, SessionId, User,
};
use crate::room::{Participant, Room};
use crate::session::{Place, Token};
use crate::turn::IceServer;

/// Who wants to enter which room.
pub(super) struct Entry {
    /// The room's name.
    pub room: String,
    /// How others shall see it.
    pub display_name: Option<String>,
    /// A token, when none was brought at the opening.
    pub token: Option<String>,
    /// Who it says it is.
    pub user: Option<String>,
    /// Who may enter, should this make the room.
    pub policy: Option<Policy>,
}

/// What somebody may do in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pass {
    /// Whom its token names.
    pub user: Option<User>,
    /// How its token wants it to be seen.
    pub name: Option<String>,
    /// Whether it may come into rooms that are only for those with tokens.
    pub is_invited: bool,
    /// Whether it is let in by a host's own decision, made beforehand.
    pub is_admitted: bool,
    /// Whether it decides about others.
    pub is_host: bool,
    /// Whether it may send.
    pub can_publish: bool,
    /// Whether it may receive.
    pub can_subscribe: bool,
}

impl Pass {
    /// What somebody without a token may do.
    const ANYBODY: Self = Self {
        user: None,
        name: None,
        is_invited: false,
        is_admitted: false,
        is_host: false,
        can_publish: true,
        can_subscribe: true,
    };

    /// What a token permits in a room. A token for another room permits nothing.
    pub(super) fn of(grant: Option<&Grant>, room: &str) -> Result<Self, Refusal> {
        match grant {
            None => Ok(Self::ANYBODY),
            Some(Grant::User { id, email }) => Ok(Self {
                user: Some(User {
                    id: id.as_str().into(),
                    email: Some(email.as_str().into()),
                }),
                ..Self::ANYBODY
            }),
            Some(Grant::Invite { room: own }) if own == room => Ok(Self {
                is_invited: true,
                ..Self::ANYBODY
            }),
            Some(Grant::Room(grant)) if grant.room == room => Ok(Self {
                user: grant.identity.as_deref().map(|id| User {
                    id: id.into(),
                    email: None,
                }),
                name: grant.name.clone(),
                is_invited: true,
                is_admitted: true,
                is_host: grant.room_admin,
                can_publish: grant.can_publish,
                can_subscribe: grant.can_subscribe,
            }),
            Some(Grant::Invite { .. } | Grant::Room(_)) => Err(Refusal::InvalidToken),
        }
    }
}

impl Conference {
    /// What the token of a connection that opens permits. One that is none, or none where one is
    /// needed, is an error.
    pub(super) fn opening_grant(&self, opening: &ConnectRequest) -> Result<Option<Grant>, Refusal> {
        match &opening.token {
            Some(token) => self.grant(token).map(Some),
            // A native client, and rmm's, brings its token when it joins.
            None => Ok(None),
        }
    }

    /// What a token permits.
    pub(super) fn grant(&self, token: &str) -> Result<Grant, Refusal> {
        let keys = self.config.keys.as_ref().ok_or(Refusal::InvalidToken)?;
        keys.verify(token, self.unix_s())
            .map_err(|_| Refusal::InvalidToken)
    }

    /// The wall clock, in seconds since 1970.
    pub(super) fn unix_s(&self) -> u64 {
        (self.config.unix_epoch + self.now.since_origin()).as_secs()
    }

    /// The STUN and TURN servers that a participant is told of.
    pub(super) fn ice_servers(&self, peer: &PeerId) -> Arc<[IceServer]> {
        self.config
            .ice_servers
            .for_client(peer.as_str(), self.unix_s())
            .into()
    }

    /// The STUN and TURN servers for a session.
    pub(super) fn ice_servers_for(&self, id: SessionId) -> Arc<[IceServer]> {
        let peer = self.sessions.get(&id).map(|it| &it.peer);
        peer.map_or_else(|| Arc::from([]), |peer| self.ice_servers(peer))
    }

    /// Enters a room.
    pub(super) fn join(&mut self, asked: &Asked, entry: Entry) -> Outcome {
        self.check_names(&entry)?;
        let pass = self.pass(asked.session, &entry)?;
        let policy = self.policy(&entry);
        let session = self.sessions.get(&asked.session).ok_or(Refusal::Internal)?;
        // A signed name outranks one that anybody can type.
        let typed = entry.display_name.filter(|it| !it.is_empty());
        let named = pass.name.clone().or(typed).map(Arc::from);
        let display_name = named.or_else(|| pass.user.as_ref().and_then(User::email_local_part));
        let here = session.place.as_ref();
        let here = here.filter(|place| *place.room == *entry.room);
        let is_unseen = here.is_some_and(|place| self.is_unseen(place));
        if here.is_some() && !is_unseen {
            return self.join_again(asked.session, display_name);
        }
        let waits = self.check_entry(&entry.room, policy, &pass, is_unseen)?;
        let participant = Participant {
            session: asked.session,
            peer: session.peer.clone(),
            display_name,
            user: pass.user.clone(),
            claimed_user: entry.user.map(Arc::from),
            role: Role::Viewer,
            can_subscribe: pass.can_subscribe,
            producers: Vec::new(),
        };
        match is_unseen {
            true => self.leave_lobby(asked.session),
            false => self.leave(asked.session, Some(Refusal::NotInRoom)),
        }
        self.replace(&entry.room, &participant.peer);
        let now = asked.now;
        let name: Arc<str> = entry.room.into();
        let room = self.rooms.entry(Arc::clone(&name));
        let room = room.or_insert_with(|| Room::new(now, policy));
        room.policy = policy;
        if waits {
            return Ok(Some(self.wait(name, participant)));
        }
        let role = first_role(room, &pass);
        self.enter(
            name,
            Participant {
                role,
                ..participant
            },
        )
    }

    /// Takes a seat in a room unseen. Whoever may come only when a host lets it in may sit there
    /// too: what counts is how it enters.
    pub(super) fn prepare(&mut self, asked: &Asked, room: String) -> Outcome {
        let entry = Entry {
            room,
            display_name: None,
            token: None,
            user: None,
            policy: None,
        };
        self.check_names(&entry)?;
        let pass = self.pass(asked.session, &entry)?;
        let policy = self.policy(&entry);
        self.check_entry(&entry.room, policy, &pass, false)?;
        self.leave(asked.session, Some(Refusal::NotInRoom));
        let (now, name) = (asked.now, Arc::<str>::from(entry.room));
        let room = self.rooms.entry(Arc::clone(&name));
        let room = room.or_insert_with(|| Room::new(now, policy));
        let order = room.seat(asked.session);
        let session = self.sessions.get_mut(&asked.session);
        session.ok_or(Refusal::Internal)?.place = Some(Place { room: name, order });
        Ok(Some(Reply::Done))
    }

    /// Whether somebody is in a room unseen.
    fn is_unseen(&self, place: &Place) -> bool {
        let room = self.rooms.get(&place.room);
        room.is_some_and(|it| it.unseen.contains_key(&place.order))
    }

    /// Checks the words of somebody who wants to enter.
    fn check_names(&self, entry: &Entry) -> Result<(), Refusal> {
        let len_max = self.config.limits.name_len_max;
        if entry.room.is_empty() {
            return Err(Refusal::BadRequest("roomId is empty".to_owned()));
        }
        let too_long = |text: &String| text.len() > len_max;
        for (name, text) in [
            ("roomId", Some(&entry.room)),
            ("displayName", entry.display_name.as_ref()),
            ("userId", entry.user.as_ref()),
        ] {
            if text.is_some_and(too_long) {
                return Err(Refusal::BadRequest(format!("{name} is too long")));
            }
        }
        Ok(())
    }

    /// What somebody may do in the room it wants to enter: what the token says that it brings now,
    /// or the one that it brought at the opening.
    fn pass(&self, id: SessionId, entry: &Entry) -> Result<Pass, Refusal> {
        let session = self.sessions.get(&id).ok_or(Refusal::Internal)?;
        let brought = entry.token.as_ref();
        let brought = brought.map(|token| self.grant(token)).transpose()?;
        // Read once more: it may have ended since the opening.
        let at_opening = session.token.as_ref();
        let at_opening = at_opening.map(|Token(token)| self.grant(token)).transpose();
        let grant = match &brought {
            Some(grant) => Some(grant),
            None => at_opening.as_ref().map_err(Clone::clone)?.as_ref(),
        };
        if grant.is_none() && session.token_required {
            return Err(Refusal::InvalidToken);
        }
        let mut pass = Pass::of(grant, &entry.room)?;
        if pass.user.is_none()
            && let Ok(Some(user @ Grant::User { .. })) = &at_opening
        {
            pass.user = Pass::of(Some(user), &entry.room)?.user;
        }
        Ok(pass)
    }

    /// Who may enter a room. Whoever is the first there may decide, if nobody did before.
    fn policy(&self, entry: &Entry) -> Policy {
        match self.rooms.get(&*entry.room) {
            Some(room) if room.is_decided || !room.participants.is_empty() => room.policy,
            Some(room) => entry.policy.unwrap_or(room.policy),
            None => entry.policy.unwrap_or(self.config.policy),
        }
    }

    /// Whether somebody has to wait before it enters a room; or why it may not come at all. Where a
    /// token is needed, a room that is not there refuses in the same words as one that is.
    fn check_entry(
        &self,
        name: &str,
        policy: Policy,
        pass: &Pass,
        is_seated: bool,
    ) -> Result<bool, Refusal> {
        let limits = &self.config.limits;
        let room = self.rooms.get(name);
        if policy == Policy::InviteOnly && !pass.is_invited {
            return Err(Refusal::InvalidToken);
        }
        let Some(room) = room else {
            if self.config.rooms_need_token && !pass.is_invited && pass.user.is_none() {
                return Err(Refusal::InvalidToken);
            }
            let is_full = self.rooms.len() >= limits.rooms_max;
            return match is_full {
                true => Err(Refusal::LimitReached("rooms")),
                false => Ok(false),
            };
        };
        if policy == Policy::Locked && !pass.is_host {
            return Err(Refusal::RoomLocked);
        }
        let waits = policy == Policy::Approval
            && !pass.is_admitted
            && (room.has_host_token || !room.participants.is_empty());
        let inside = if waits {
            room.waiting.len()
        } else {
            room.participants.len() + room.unseen.len() - usize::from(is_seated)
        };
        if inside >= limits.participants_max {
            return Err(Refusal::LimitReached("participants"));
        }
        Ok(waits)
    }

    /// Sends away whoever is in a room, or waits for it, under the name of somebody who comes: the
    /// same user, by another connection.
    fn replace(&mut self, name: &str, peer: &PeerId) {
        let Some(room) = self.rooms.get(name) else {
            return;
        };
        let mut everybody = room.participants.values().chain(room.waiting.values());
        if let Some(session) = everybody.find(|it| it.peer == *peer).map(|it| it.session) {
            self.remove(session, RemovalReason::Replaced);
        }
    }

    /// Enters the room one is in: media starts afresh, and the others are not told of somebody new.
    fn join_again(&mut self, id: SessionId, display_name: Option<Arc<str>>) -> Outcome {
        let place = self.place(id)?;
        self.end_media(id, Some(Refusal::NotInRoom));
        let room = self.rooms.get_mut(&place.room).ok_or(Refusal::Internal)?;
        let participant = room.participants.get_mut(&place.order);
        let participant = participant.ok_or(Refusal::Internal)?;
        participant.display_name = display_name;
        let role = participant.role;
        let others = self.snapshot(id, &place)?;
        Ok(Some(Reply::Joined {
            room: place.room,
            role,
            others,
        }))
    }

    /// Lets somebody wait for a host.
    fn wait(&mut self, name: Arc<str>, participant: Participant) -> Reply {
        let session = participant.session;
        let notice = Notice::JoinRequested {
            peer: participant.peer.clone(),
            user: participant.known_as(),
            display_name: participant.display_name.clone(),
        };
        tracing::info!(session = session.0, room = %name, "a participant waits");
        if let Some(room) = self.rooms.get_mut(&name) {
            let order = room.wait(participant);
            if let Some(session) = self.sessions.get_mut(&session) {
                session.lobby = Some(Place {
                    room: Arc::clone(&name),
                    order,
                });
            }
        }
        self.tell_hosts(&name, &notice);
        Reply::WaitingForApproval { room: name }
    }

    /// Enters a room that one is not in.
    fn enter(&mut self, name: Arc<str>, participant: Participant) -> Outcome {
        let (session, role) = (participant.session, participant.role);
        let (place, others) = self.admit_participant(name, participant)?;
        if role == Role::Host {
            self.tell_who_waits(session, &place.room);
        }
        Ok(Some(Reply::Joined {
            room: place.room,
            role,
            others,
        }))
    }

    /// Puts somebody into a room and tells the others.
    pub(super) fn admit_participant(
        &mut self,
        name: Arc<str>,
        participant: Participant,
    ) -> Result<(Place, Vec<crate::message::ParticipantSummary>), Refusal> {
        let id = participant.session;
        let notice = Notice::ParticipantJoined {
            peer: participant.peer.clone(),
            display_name: participant.display_name.clone(),
            user: participant.user.clone(),
            role: participant.role,
        };
        tracing::info!(session = id.0, room = %name, peer = %participant.peer, "a participant joined");
        let room = self.rooms.get_mut(&name).ok_or(Refusal::Internal)?;
        if let Some(due) = room.reserved_until {
            self.timers
                .remove(&(due, Timer::Reservation(Arc::clone(&name))));
        }
        let order = room.enter(participant);
        let place = Place { room: name, order };
        if let Some(session) = self.sessions.get_mut(&id) {
            let seat = session.place.replace(place.clone());
            room.unseen.remove(&seat.map_or(order, |it| it.order));
        }
        self.tally_entry(id);
        self.tell_others(&place.room, id, &notice);
        let others = self.snapshot(id, &place)?;
        Ok((place, others))
    }

    /// What somebody finds who enters, and the allowance to ask for it.
    fn snapshot(
        &mut self,
        id: SessionId,
        place: &Place,
    ) -> Result<Vec<crate::message::ParticipantSummary>, Refusal> {
        let room = self.rooms.get(&place.room).ok_or(Refusal::Internal)?;
        let others = room.others(place.order);
        let producers: usize = others.iter().map(|it| it.producers.len()).sum();
        if let Some(session) = self.sessions.get_mut(&id) {
            session.rate.credit(producers * MESSAGES_PER_PRODUCER);
        }
        Ok(others)
    }
}

/// What somebody is who enters now. The first is the host, unless hosts are known by their tokens.
fn first_role(room: &Room, pass: &Pass) -> Role {
    let is_first = room.participants.is_empty() && !room.has_host_token;
    if !pass.can_publish {
        Role::Viewer
    } else if pass.is_host || is_first {
        Role::Host
    } else {
        Role::Speaker
    }
}
