//! Joining a room: permissions by token, admission by a host, and the snapshot of the room. A
//! participant receives the snapshot and subscribes to changes in one step, so it misses none.

use std::sync::Arc;

use super::Conference;
use super::permissions::Permissions;
use super::request_context::Outcome;
use super::returning::{self, Return};
use super::timers::Timer;
use crate::limits::MESSAGES_PER_PRODUCER;
use crate::message::{
    Applicant, JoinRequest, LobbyState, Notice, ParticipantSummary, Policy, Refusal, RemovalReason,
    Reply, Role, RoomSnapshot, SessionId,
};
use crate::room::{Participant, PersonId, Presence};
use crate::room_event::DepartureReason;
use crate::session::Membership;

impl Conference {
    /// Enters a room, or its lobby.
    pub(super) fn join(&mut self, id: SessionId, request: JoinRequest) -> Outcome {
        self.check_names(&request)?;
        let permissions = self.permissions(id, &request)?;
        let policy = self.policy_for(&request);
        let session = self.sessions.get(id).ok_or(Refusal::Internal)?;
        let display_name = permissions.display_name(&request);
        let here = session.membership();
        let here = here.filter(|it| *it.room == *request.room);
        let is_unseen = here.is_some_and(|it| self.is_unseen(it));
        if here.is_some() && !is_unseen {
            return self.rejoin(id, &permissions, display_name);
        }
        self.check_ban(id, &request, &permissions)?;
        let returning = self.find_return(id, &request, &permissions);
        let waits = self.check_entry(&request.room, policy, &permissions, is_unseen, &returning)?;
        let identity = returning::identity(&request, &permissions);
        let participant = Participant {
            session: id,
            peer: session.peer().clone(),
            display_name,
            user: permissions.user.clone(),
            has_signed_name: permissions.name.is_some(),
            has_claimed_id: session.has_claimed_id(),
            claimed_user: request.user.map(Arc::from),
            device: request.device.map(Arc::new),
            role: Role::Viewer,
            is_interrupted: false,
            can_subscribe: permissions.can_subscribe,
            resume: identity.resume.clone(),
            presence: Presence::LISTED,
            person: PersonId::default(),
            stay: None,
        };
        let replaced = self.find_replaced(&request.room, &participant)?;
        let replaced = returning.session.or(replaced);
        match is_unseen {
            true => self.leave_lobby(id),
            false => self.leave(id, Some(Refusal::NotInRoom), DepartureReason::Left),
        }
        // One that waits takes the place of a participant when it is admitted.
        if let Some(session) = replaced.filter(|it| !waits || self.is_waiting(*it)) {
            // So that nobody else becomes the host, and the room does not end, in between.
            self.keep_seat(session);
            self.remove_from_room(session, RemovalReason::Replaced);
        }
        let name: Arc<str> = request.room.into();
        let forwarding = self.config.forwarding;
        let room = self
            .rooms
            .get_or_create(&name, self.now, policy, forwarding);
        room.choose_policy(policy);
        if waits {
            let reply = self.enter_lobby(name, participant);
            self.watch_token_expiry(id, &permissions);
            return Ok(Some(reply));
        }
        let role = match returning.role {
            Some(role) if permissions.can_publish && !permissions.is_host => role,
            _ => room.role_on_join(permissions.is_host, permissions.can_publish),
        };
        room.seats.remove(&identity);
        self.watch_token_expiry(id, &permissions);
        let participant = Participant {
            role,
            ..participant
        };
        self.enter(&name, participant, returning.is_spotlit)
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
        self.check_ban(id, &request, &permissions)?;
        self.check_entry(
            &request.room,
            policy,
            &permissions,
            false,
            &Return::default(),
        )?;
        self.leave(id, Some(Refusal::NotInRoom), DepartureReason::Left);
        let name: Arc<str> = request.room.into();
        let forwarding = self.config.forwarding;
        let room = self
            .rooms
            .get_or_create(&name, self.now, policy, forwarding);
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
        if let Some(device) = &request.device
            && device.texts().any(|it| it.len() > len_max)
        {
            return Err(Refusal::BadRequest("device is too long".to_owned()));
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
        returning: &Return,
    ) -> Result<bool, Refusal> {
        let limits = &self.config.limits;
        if policy == Policy::InviteOnly && !permissions.is_invited {
            return Err(Refusal::InvalidToken);
        }
        let is_open = self.rooms.get(name).is_some_and(|it| !it.is_empty());
        if !is_open {
            self.check_opening()?;
        }
        // Breakout rooms are entered from their main room only, and connection tests by nobody else.
        if self
            .rooms
            .get(name)
            .is_some_and(|it| it.is_closed_to_joining())
        {
            return Err(Refusal::RoomNotFound);
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
        // A participant that was admitted before may return, also after the room was locked.
        let was_inside = returning.role.is_some();
        if policy == Policy::Locked && !permissions.is_host && !was_inside {
            return Err(Refusal::RoomLocked);
        }
        let waits = policy == Policy::Approval
            && !permissions.is_admitted
            && !was_inside
            && room.can_admit();
        let inside = match waits {
            true => room.waiting_len(),
            false => {
                let replaced = was_inside && returning.session.is_some();
                let away = room.breakouts.as_ref().map_or(0, |it| it.away_len());
                let present = room.occupants_len() + away;
                present.saturating_sub(usize::from(is_unseen) + usize::from(replaced))
            }
        };
        if inside >= limits.participants_max {
            return Err(Refusal::LimitReached("participants"));
        }
        Ok(waits)
    }

    /// Returns the session in a room or its lobby whose place a participant takes: the same user
    /// enters on another connection.
    ///
    /// # Errors
    /// Refuses an id that belongs to another participant.
    pub(super) fn find_replaced(
        &self,
        room: &str,
        newcomer: &Participant,
    ) -> Result<Option<SessionId>, Refusal> {
        let room = self.rooms.get(room);
        let present = room.and_then(|it| it.anyone_named(&newcomer.peer));
        let Some(present) = present.filter(|it| it.session != newcomer.session) else {
            return Ok(None);
        };
        match present.is_replaced_by(newcomer) {
            true => Ok(Some(present.session)),
            false => Err(Refusal::Forbidden),
        }
    }

    /// Returns whether a session waits in the lobby of a room.
    fn is_waiting(&self, id: SessionId) -> bool {
        self.sessions.get(id).is_some_and(|it| it.lobby().is_some())
    }

    /// Enters the room that the session is already in. Closes its media and notifies the others, who
    /// start anew with it.
    fn rejoin(
        &mut self,
        id: SessionId,
        permissions: &Permissions,
        display_name: Option<Arc<str>>,
    ) -> Outcome {
        let membership = self.sessions.member(id)?;
        self.watch_token_expiry(id, permissions);
        let participant = self.rooms.participant(&membership)?;
        let (peer, before) = (participant.peer.clone(), participant.display_name.clone());
        let keeps_name = participant.has_signed_name && permissions.name.is_none();
        let display_name = if keeps_name {
            before.clone()
        } else {
            display_name
        };
        let producers = self.close_media(id, Some(Refusal::NotInRoom));
        let name = &membership.room;
        let room = self.rooms.get_mut(name).ok_or(Refusal::Internal)?;
        room.set_display_name(membership.number, display_name.clone());
        let participant = room.participant(membership.number);
        let participant = participant.ok_or(Refusal::Internal)?;
        let restarted = Notice::ParticipantRestarted {
            participant: Box::new(participant.summary(Vec::new())),
            producers,
        };
        self.notify_viewers_of(name, id, &restarted);
        if before != display_name {
            let renamed = Notice::DisplayNameChanged {
                peer,
                before,
                display_name,
            };
            self.notify_viewers_of(name, id, &renamed);
        }
        let snapshot = self.snapshot(id, membership)?;
        Ok(Some(Reply::Joined(snapshot)))
    }

    /// Enters the lobby of a room.
    fn enter_lobby(&mut self, name: Arc<str>, participant: Participant) -> Reply {
        let id = participant.session;
        let notice = Notice::JoinRequested(Applicant {
            peer: participant.peer.clone(),
            user: participant.known_as(),
            display_name: participant.display_name.clone(),
        });
        tracing::info!(session = id.0, "participant waits for approval");
        let mut title = None;
        let mut has_host = false;
        if let Some(room) = self.rooms.get_mut(&name) {
            title = room.title().cloned();
            has_host = room.has_host();
            // The clients in the lobby know whether a host is present from the notice of the latest change.
            room.record_lobby_told();
            let number = room.enter_lobby(participant);
            if let Some(session) = self.sessions.get_mut(id) {
                session.enter_lobby(Membership {
                    room: Arc::clone(&name),
                    number,
                });
            }
        }
        self.notify_hosts_of_meeting(&name, &notice);
        Reply::WaitingForApproval(LobbyState {
            room: name,
            title,
            has_host,
        })
    }

    /// Enters a room that the session is not in. `was_spotlit` says whether the participant was shown large to
    /// everybody when it was there before.
    fn enter(&mut self, name: &Arc<str>, participant: Participant, was_spotlit: bool) -> Outcome {
        let (session, role) = (participant.session, participant.role);
        let is_spotlit = was_spotlit && self.restore_spotlight(name, &participant.peer);
        let peer = Some(participant.peer.clone()).filter(|_| is_spotlit);
        let snapshot = self.add_participant(name, participant)?;
        if is_spotlit {
            self.notify_others(name, session, &Notice::SpotlightChanged { peer });
        }
        if role == Role::Host {
            self.notify_of_waiting(session, name);
            self.notify_lobby(name);
        }
        Ok(Some(Reply::Joined(snapshot)))
    }

    /// Adds a participant to a room and notifies the others. Returns its snapshot of the room.
    pub(super) fn add_participant(
        &mut self,
        name: &Arc<str>,
        mut participant: Participant,
    ) -> Result<RoomSnapshot, Refusal> {
        let id = participant.session;
        tracing::info!(session = id.0, "participant joined");
        let is_moved = self.begin_stay(name, &mut participant);
        let room = self.rooms.get_mut(name).ok_or(Refusal::Internal)?;
        if let Some(due) = room.reserved_until() {
            let timer = Timer::Reservation(Arc::clone(name));
            self.timers.cancel(due, timer);
            self.reservations.remove(name);
        }
        let membership = Membership {
            room: Arc::clone(name),
            number: room.enter(participant, self.config.limits.presence_max),
        };
        self.metrics.record_join();
        if let Some(session) = self.sessions.get_mut(id) {
            if let Some(unseen) = session.enter(membership.clone()) {
                room.remove_unseen(unseen.number);
            }
            session.record_join(self.now);
        }
        self.report_join(name, membership.number, is_moved);
        self.tell_arrival(name, membership.number);
        self.show_raised_hand(name, membership.number);
        self.tell_breakouts_to(&self.main_of(name), id);
        self.snapshot(id, membership)
    }

    /// Returns the other participants for one that enters, as far as it is told of them. Credits it
    /// the messages that they cause.
    fn snapshot(&mut self, id: SessionId, membership: Membership) -> Result<RoomSnapshot, Refusal> {
        let room = self.rooms.get(&membership.room).ok_or(Refusal::Internal)?;
        let count = Some(room.participants_len()).filter(|_| room.has_audience());
        let viewer = room.participant(membership.number);
        let viewer = viewer.ok_or(Refusal::Internal)?;
        let (role, presence) = (viewer.role, viewer.presence);
        let speaker = room.speaker.told();
        let speaker = speaker.filter(|it| room.participant_named(it.as_str()).is_some());
        let active_speaker = speaker.cloned();
        let (spotlight, sharing) = (room.hosting.spotlight.clone(), room.hosting.sharing);
        let title = room.title().cloned();
        let others = self.summaries_where(&membership.room, |number, it| {
            number != membership.number && presence.sees(it.presence)
        })?;
        let producers: usize = others.iter().map(|it| it.producers.len()).sum();
        if let Some(session) = self.sessions.get_mut(id) {
            session.credit_messages(producers * MESSAGES_PER_PRODUCER);
        }
        Ok(RoomSnapshot {
            room: membership.room,
            title,
            role,
            others,
            count,
            active_speaker,
            spotlight,
            sharing,
        })
    }

    /// Returns all participants for a host, and for others those of whom they are told.
    pub(super) fn list_participants(
        &self,
        id: SessionId,
    ) -> Result<Vec<ParticipantSummary>, Refusal> {
        let membership = self.sessions.member(id)?;
        // A session that only prepares to join may not know who is there.
        let viewer = self.rooms.participant(&membership)?;
        let viewer = Some(viewer)
            .filter(|it| it.role != Role::Host)
            .map(|it| it.presence);
        self.summaries_where(&membership.room, |number, it| {
            number == membership.number || viewer.is_none_or(|by| by.sees(it.presence))
        })
    }

    /// Returns all participants of a room and their producers.
    pub(super) fn summaries(&self, room: &str) -> Result<Vec<ParticipantSummary>, Refusal> {
        self.summaries_where(room, |_, _| true)
    }

    /// Returns the participants of a room that `is_listed` accepts, and their producers.
    fn summaries_where(
        &self,
        room: &str,
        is_listed: impl Fn(u64, &Participant) -> bool,
    ) -> Result<Vec<ParticipantSummary>, Refusal> {
        let room = self.rooms.get(room).ok_or(Refusal::Internal)?;
        let listed = room.participants();
        let listed = listed.filter(|(number, it)| is_listed(*number, it));
        let summaries = listed.map(|(_, it)| it.summary(self.media.summaries_of(it.session)));
        Ok(summaries.collect())
    }
}
