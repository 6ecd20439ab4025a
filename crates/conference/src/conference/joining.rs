//! Joining a room: permissions by token, admission by a host, and the snapshot of the room. A
//! participant receives the snapshot and subscribes to changes in one step, so it misses none.

use std::sync::Arc;

use super::permissions::{JoinRequest, Permissions};
use super::request_context::Outcome;
use super::timers::Timer;
use super::{Conference, MESSAGES_PER_PRODUCER};
use crate::message::{
    Applicant, Notice, ParticipantSummary, PeerId, Policy, Refusal, RemovalReason, Reply, Role,
    SessionId, User,
};
use crate::room::Participant;
use crate::session::Membership;

impl Conference {
    /// Enters a room, or its lobby.
    pub(super) fn join(&mut self, id: SessionId, request: JoinRequest) -> Outcome {
        self.check_names(&request)?;
        let permissions = self.permissions(id, &request)?;
        let policy = self.policy_for(&request);
        let session = self.sessions.get(id).ok_or(Refusal::Internal)?;
        // A name in a signed token takes precedence over a typed one.
        let typed = request.display_name.filter(|it| !it.is_empty());
        let named = permissions.name.clone().or(typed).map(Arc::from);
        let display_name =
            named.or_else(|| permissions.user.as_ref().and_then(User::email_local_part));
        let here = session.membership();
        let here = here.filter(|it| *it.room == *request.room);
        let is_unseen = here.is_some_and(|it| self.is_unseen(it));
        if here.is_some() && !is_unseen {
            return self.rejoin(id, display_name);
        }
        let waits = self.check_entry(&request.room, policy, &permissions, is_unseen)?;
        let participant = Participant {
            session: id,
            peer: session.peer().clone(),
            display_name,
            user: permissions.user.clone(),
            claimed_user: request.user.map(Arc::from),
            role: Role::Viewer,
            can_subscribe: permissions.can_subscribe,
        };
        match is_unseen {
            true => self.leave_lobby(id),
            false => self.leave(id, Some(Refusal::NotInRoom)),
        }
        self.replace(&request.room, &participant.peer);
        let name: Arc<str> = request.room.into();
        let room = self.rooms.get_or_create(&name, self.now, policy);
        room.choose_policy(policy);
        if waits {
            return Ok(Some(self.enter_lobby(name, participant)));
        }
        let role = room.role_on_join(permissions.is_host, permissions.can_publish);
        self.enter(
            &name,
            Participant {
                role,
                ..participant
            },
        )
    }

    /// Enters a room without announcing the session. This also works where a host must approve: the
    /// session waits when it joins.
    pub(super) fn prepare_join(&mut self, id: SessionId, room: String) -> Outcome {
        let request = JoinRequest {
            room,
            ..JoinRequest::default()
        };
        self.check_names(&request)?;
        let permissions = self.permissions(id, &request)?;
        let policy = self.policy_for(&request);
        self.check_entry(&request.room, policy, &permissions, false)?;
        self.leave(id, Some(Refusal::NotInRoom));
        let name: Arc<str> = request.room.into();
        let room = self.rooms.get_or_create(&name, self.now, policy);
        let number = room.enter_unseen(id);
        let session = self.sessions.get_mut(id).ok_or(Refusal::Internal)?;
        session.enter(Membership { room: name, number });
        Ok(Some(Reply::Done))
    }

    /// Returns whether a session is in a room without being announced.
    fn is_unseen(&self, membership: &Membership) -> bool {
        let room = self.rooms.get(&membership.room);
        room.is_some_and(|it| it.is_unseen(membership.number))
    }

    /// Checks the lengths of the texts in a join request.
    fn check_names(&self, request: &JoinRequest) -> Result<(), Refusal> {
        let len_max = self.config.limits.name_len_max;
        if request.room.is_empty() {
            return Err(Refusal::BadRequest("roomId is empty".to_owned()));
        }
        let too_long = |text: &String| text.len() > len_max;
        for (name, text) in [
            ("roomId", Some(&request.room)),
            ("displayName", request.display_name.as_ref()),
            ("userId", request.user.as_ref()),
        ] {
            if text.is_some_and(too_long) {
                return Err(Refusal::BadRequest(format!("{name} is too long")));
            }
        }
        Ok(())
    }

    /// Returns the policy that a room has once this request is granted. The first participant may
    /// choose it, unless it is set already.
    fn policy_for(&self, request: &JoinRequest) -> Policy {
        match self.rooms.get(&request.room) {
            Some(room) if room.is_policy_fixed() => room.policy(),
            Some(room) => request.policy.unwrap_or(room.policy()),
            None => request.policy.unwrap_or(self.config.policy),
        }
    }

    /// Returns whether a participant has to wait in the lobby.
    ///
    /// # Errors
    /// The participant may not enter. Where a token is needed, the refusal does not reveal whether
    /// the room exists.
    fn check_entry(
        &self,
        name: &str,
        policy: Policy,
        permissions: &Permissions,
        is_unseen: bool,
    ) -> Result<bool, Refusal> {
        let limits = &self.config.limits;
        if policy == Policy::InviteOnly && !permissions.is_invited {
            return Err(Refusal::InvalidToken);
        }
        let Some(room) = self.rooms.get(name) else {
            let has_token = permissions.is_invited || permissions.user.is_some();
            if self.config.rooms_need_token && !has_token {
                return Err(Refusal::InvalidToken);
            }
            return match self.rooms.len() >= limits.rooms_max {
                true => Err(Refusal::LimitReached("rooms")),
                false => Ok(false),
            };
        };
        if policy == Policy::Locked && !permissions.is_host {
            return Err(Refusal::RoomLocked);
        }
        let waits = policy == Policy::Approval && !permissions.is_admitted && room.can_admit();
        let inside = match waits {
            true => room.waiting_len(),
            false => room.occupants_len() - usize::from(is_unseen),
        };
        if inside >= limits.participants_max {
            return Err(Refusal::LimitReached("participants"));
        }
        Ok(waits)
    }

    /// Removes the participant with this name from a room or its lobby, because the same user
    /// enters on another connection.
    fn replace(&mut self, room: &str, peer: &PeerId) {
        let room = self.rooms.get(room);
        if let Some(session) = room.and_then(|it| it.session_named(peer)) {
            self.remove_from_room(session, RemovalReason::Replaced);
        }
    }

    /// Enters the room that the session is already in. Closes its media; the others are not
    /// notified of a new participant.
    fn rejoin(&mut self, id: SessionId, display_name: Option<Arc<str>>) -> Outcome {
        let membership = self.sessions.member(id)?;
        self.close_media(id, Some(Refusal::NotInRoom));
        let name = &membership.room;
        let room = self.rooms.get_mut(name).ok_or(Refusal::Internal)?;
        let before = room.set_display_name(membership.number, display_name);
        before.ok_or(Refusal::Internal)?;
        let participant = room.participant(membership.number);
        let role = participant.ok_or(Refusal::Internal)?.role;
        let others = self.snapshot(id, &membership)?;
        Ok(Some(Reply::Joined {
            room: membership.room,
            role,
            others,
        }))
    }

    /// Enters the lobby of a room.
    fn enter_lobby(&mut self, name: Arc<str>, participant: Participant) -> Reply {
        let id = participant.session;
        let notice = Notice::JoinRequested(Applicant {
            peer: participant.peer.clone(),
            user: participant.known_as(),
            display_name: participant.display_name.clone(),
        });
        tracing::info!(session = id.0, room = %name, "participant waits for approval");
        if let Some(room) = self.rooms.get_mut(&name) {
            let number = room.enter_lobby(participant);
            if let Some(session) = self.sessions.get_mut(id) {
                session.enter_lobby(Membership {
                    room: Arc::clone(&name),
                    number,
                });
            }
        }
        self.notify_hosts(&name, &notice);
        Reply::WaitingForApproval { room: name }
    }

    /// Enters a room that the session is not in.
    fn enter(&mut self, name: &Arc<str>, participant: Participant) -> Outcome {
        let (session, role) = (participant.session, participant.role);
        let others = self.add_participant(name, participant)?;
        if role == Role::Host {
            self.notify_of_waiting(session, name);
        }
        Ok(Some(Reply::Joined {
            room: Arc::clone(name),
            role,
            others,
        }))
    }

    /// Adds a participant to a room and notifies the others. Returns the others.
    pub(super) fn add_participant(
        &mut self,
        name: &Arc<str>,
        participant: Participant,
    ) -> Result<Vec<ParticipantSummary>, Refusal> {
        let id = participant.session;
        let notice = Notice::ParticipantJoined {
            peer: participant.peer.clone(),
            display_name: participant.display_name.clone(),
            user: participant.user.clone(),
            role: participant.role,
        };
        tracing::info!(session = id.0, room = %name, peer = %participant.peer, "participant joined");
        let room = self.rooms.get_mut(name).ok_or(Refusal::Internal)?;
        if let Some(due) = room.reserved_until() {
            let timer = Timer::Reservation(Arc::clone(name));
            self.timers.cancel(due, timer);
        }
        let membership = Membership {
            room: Arc::clone(name),
            number: room.enter(participant),
        };
        self.metrics.record_join();
        if let Some(session) = self.sessions.get_mut(id) {
            if let Some(unseen) = session.enter(membership.clone()) {
                room.remove_unseen(unseen.number);
            }
            session.record_join(self.now);
        }
        self.notify_others(name, id, &notice);
        self.snapshot(id, &membership)
    }

    /// Returns the other participants for one that enters. Credits it the messages that they cause.
    fn snapshot(
        &mut self,
        id: SessionId,
        membership: &Membership,
    ) -> Result<Vec<ParticipantSummary>, Refusal> {
        let others = self.summaries(&membership.room, Some(id))?;
        let producers: usize = others.iter().map(|it| it.producers.len()).sum();
        if let Some(session) = self.sessions.get_mut(id) {
            session.credit_messages(producers * MESSAGES_PER_PRODUCER);
        }
        Ok(others)
    }

    /// Returns the participants of a room, all or all but one, and their producers.
    pub(super) fn summaries(
        &self,
        room: &str,
        except: Option<SessionId>,
    ) -> Result<Vec<ParticipantSummary>, Refusal> {
        let room = self.rooms.get(room).ok_or(Refusal::Internal)?;
        let participants = room.participants().map(|(_, it)| it);
        let participants = participants.filter(|it| Some(it.session) != except);
        let summaries = participants.map(|it| ParticipantSummary {
            peer: it.peer.clone(),
            display_name: it.display_name.clone(),
            user: it.user.clone(),
            role: it.role,
            producers: self.media.summaries_of(it.session),
        });
        Ok(summaries.collect())
    }
}
