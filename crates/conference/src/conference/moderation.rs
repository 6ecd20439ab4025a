//! Moderation by hosts: admitting, muting and removing participants, roles, and the policy of a
//! room. Requests that the requester's role does not allow are refused.

use std::sync::Arc;

use watersmeet_engine::command::{Command, ProducerId};
use watersmeet_wire::params::MediaKind;

use super::Conference;
use super::request_context::Outcome;
use crate::message::{
    Applicant, LobbyState, Moderation, Notice, Policy, Refusal, RemovalReason, Reply, Role,
    SessionId,
};
use crate::room::{Participant, Room};

impl Conference {
    /// Carries out a moderation request of a host in its room.
    pub(super) fn moderate(&mut self, id: SessionId, moderation: Moderation) -> Outcome {
        let membership = self.sessions.member(id)?;
        if self.rooms.participant(&membership)?.role != Role::Host {
            return Err(Refusal::Forbidden);
        }
        let room = match &moderation {
            // These concern the whole meeting, whichever of its rooms the host is in.
            Moderation::Admit { .. }
            | Moderation::Deny { .. }
            | Moderation::Breakouts(_)
            | Moderation::End
            | Moderation::SetPolicy { .. } => self.main_of(&membership.room),
            _ => membership.room,
        };
        self.decide(&room, Some(id), moderation)?;
        Ok(Some(Reply::Done))
    }

    /// Carries out a moderation request of a host, or of the operator. The caller has checked that it is allowed.
    pub(super) fn decide(
        &mut self,
        room: &str,
        by: Option<SessionId>,
        moderation: Moderation,
    ) -> Result<(), Refusal> {
        let session_of = |peer: &str| {
            let participant = self.rooms.participant_named(room, peer);
            participant.map(|it| it.session)
        };
        match moderation {
            Moderation::Admit { peer, promote } => self.admit_from_lobby(room, &peer, promote),
            Moderation::Deny { peer, ban } => {
                let session = self.rooms.waiting_named(room, &peer)?;
                self.remove_or_ban(room, session, RemovalReason::Denied, ban);
                Ok(())
            }
            Moderation::Promote { peer } => {
                let session = session_of(&peer)?;
                self.set_role(room, session, Role::Speaker)
            }
            Moderation::Demote { peer } => {
                let session = session_of(&peer)?;
                self.set_role(room, session, Role::Viewer)
            }
            Moderation::AppointHost { peer } => {
                let session = session_of(&peer)?;
                self.set_role(room, session, Role::Host)?;
                self.notify_of_waiting(session, room);
                Ok(())
            }
            Moderation::Mute { peer, kind } => self.mute(room, &peer, kind),
            Moderation::MuteAll { kind } => self.mute_all(room, by, kind),
            Moderation::AskToUnmute { peer } => {
                let session = session_of(&peer)?;
                let by = by.and_then(|it| self.sessions.peer(it));
                self.notify(session, &Notice::UnmuteRequested { by });
                Ok(())
            }
            Moderation::StopSharing { peer } => self.stop_sharing(room, &peer),
            Moderation::Spotlight { peer } => self.spotlight(room, peer.as_deref()),
            Moderation::SetSharing { sharing } => self.set_sharing(room, sharing),
            Moderation::Breakouts(request) => self.manage_breakouts(room, by, request),
            Moderation::End => self.close_room(room, RemovalReason::Ended),
            Moderation::Remove { peer, ban } => {
                let session = session_of(&peer)?;
                self.remove_or_ban(room, session, RemovalReason::Removed, ban);
                Ok(())
            }
            Moderation::SetPolicy { policy } => self.set_policy(room, policy),
            Moderation::SetChatPolicy { policy } => self.set_chat_policy(room, policy),
        }
    }

    /// Admits a participant from the lobby, as a speaker or a viewer.
    fn admit_from_lobby(&mut self, name: &str, peer: &str, promote: bool) -> Result<(), Refusal> {
        let id = self.rooms.waiting_named(name, peer)?;
        let participants_max = self.config.limits.participants_max;
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        if room.participants_len() >= participants_max {
            return Err(Refusal::LimitReached("participants"));
        }
        let waiting = room.waiting().map(|(_, it)| it);
        let applicant = waiting.into_iter().find(|it| it.session == id);
        let present = applicant.and_then(|applicant| {
            let present = room.participant_named(peer)?;
            present.is_replaced_by(applicant).then_some(present.session)
        });
        if let Some(replaced) = present {
            self.remove_from_room(replaced, RemovalReason::Replaced);
        }
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        let session = self.sessions.get_mut(id).ok_or(Refusal::Internal)?;
        let lobby = session.leave_lobby().ok_or(Refusal::Internal)?;
        let waited = room.leave_lobby(lobby.number).ok_or(Refusal::Internal)?;
        let role = if promote { Role::Speaker } else { Role::Viewer };
        let notice = Notice::JoinRequestResolved {
            peer: waited.peer.clone(),
        };
        let snapshot = self.add_participant(&lobby.room, Participant { role, ..waited })?;
        self.notify(id, &Notice::Admitted(snapshot));
        self.notify_hosts_of_meeting(name, &notice);
        Ok(())
    }

    /// Sets the role of a participant. Closes its producers when it becomes a viewer.
    fn set_role(&mut self, name: &str, id: SessionId, role: Role) -> Result<(), Refusal> {
        let number = self.sessions.member(id)?.number;
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        if room.participant(number).is_none() {
            return Err(Refusal::ParticipantNotFound);
        }
        let Some(changed) = room.set_role(number, role) else {
            return Ok(());
        };
        let notice = Notice::RoleChanged {
            peer: changed.peer.clone(),
            display_name: changed.display_name.clone(),
            role,
        };
        self.record_breakout_role(name, id, role);
        self.flush_presence(name);
        match role {
            Role::Viewer => self.close_producers(id, &self.media.producers_of(id)),
            Role::Host | Role::Speaker => self.show_to_everybody(name, number, role),
        }
        self.notify(id, &notice);
        self.notify_viewers_of(name, id, &notice);
        self.notify_lobby(name);
        Ok(())
    }

    /// Closes producers of a participant and notifies the room, including the participant.
    pub(super) fn close_producers(&mut self, id: SessionId, producers: &[ProducerId]) {
        for &producer in producers {
            if let Ok(shard) = self.media.own_producer(id, producer) {
                self.send_command(shard, Command::CloseProducer { producer });
            }
            if let Some(notice) = self.close_producer(id, producer) {
                self.notify(id, &notice);
            }
        }
    }

    /// Pauses the producers of a participant, which may resume them at any time.
    fn mute(&mut self, name: &str, peer: &str, kind: Option<MediaKind>) -> Result<(), Refusal> {
        let participant = self.rooms.participant_named(name, peer)?;
        let (id, peer) = (participant.session, participant.peer.clone());
        let summaries = self.media.summaries_of(id).into_iter();
        let heard = summaries.filter(|it| !it.paused && kind.is_none_or(|kind| it.kind == kind));
        for summary in heard {
            let (producer, kind) = (summary.producer, summary.kind);
            if !self.pause_unnoticed(id, producer) {
                continue;
            }
            self.notify(id, &Notice::Muted { producer, kind });
            let notice = Notice::ProducerPaused {
                peer: peer.clone(),
                producer,
                paused: true,
            };
            self.notify_others(name, id, &notice);
        }
        Ok(())
    }

    /// Pauses the producers of all participants but one.
    fn mute_all(
        &mut self,
        name: &str,
        except: Option<SessionId>,
        kind: Option<MediaKind>,
    ) -> Result<(), Refusal> {
        let room = self.rooms.get(name).ok_or(Refusal::RoomNotFound)?;
        let others = room.participants().map(|(_, it)| it);
        let others = others.filter(|it| Some(it.session) != except);
        let peers: Vec<_> = others.map(|it| it.peer.clone()).collect();
        for peer in peers {
            self.mute(name, peer.as_str(), kind)?;
        }
        Ok(())
    }

    /// Pauses a producer without a notice. Returns false when it does not exist.
    fn pause_unnoticed(&mut self, id: SessionId, producer: ProducerId) -> bool {
        let Ok(shard) = self.media.own_producer(id, producer) else {
            return false;
        };
        if self.set_producer_paused(producer, true).is_none() {
            return false;
        }
        self.send_command(shard, Command::PauseProducer { producer });
        true
    }

    /// Removes a session from its room or lobby and notifies it of the reason.
    pub(super) fn remove_from_room(&mut self, id: SessionId, reason: RemovalReason) {
        self.leave(id, Some(Refusal::NotInRoom), reason.into());
        self.notify(id, &Notice::Removed { reason });
    }

    /// Removes a session, and bans it if a host says so.
    fn remove_or_ban(&mut self, room: &str, id: SessionId, reason: RemovalReason, ban: bool) {
        match ban {
            true => self.ban(room, id, reason),
            false => self.remove_from_room(id, reason),
        }
    }

    /// Sets who may enter a room.
    fn set_policy(&mut self, name: &str, policy: Policy) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        if room.set_policy(policy) {
            self.notify_everybody(name, &Notice::PolicyChanged { policy });
        }
        Ok(())
    }

    /// Removes a session from its lobby, if it waits in one.
    pub(super) fn leave_lobby(&mut self, id: SessionId) {
        let session = self.sessions.get_mut(id);
        let Some(lobby) = session.and_then(|it| it.leave_lobby()) else {
            return;
        };
        let room = self.rooms.get_mut(&lobby.room);
        if let Some(waited) = room.and_then(|it| it.leave_lobby(lobby.number)) {
            let notice = Notice::JoinRequestResolved { peer: waited.peer };
            self.notify_hosts_of_meeting(&lobby.room, &notice);
        }
        self.remove_room_if_unused(&lobby.room);
    }

    /// Notifies a new host in a room of the participants who wait for the meeting, and of its policy if that is
    /// not open.
    pub(super) fn notify_of_waiting(&mut self, id: SessionId, name: &str) {
        let main = self.main_of(name);
        let Some(room) = self.rooms.get(&main) else {
            return;
        };
        let policy = room.policy();
        let waiting = room.waiting().map(|(_, it)| {
            Notice::JoinRequested(Applicant {
                peer: it.peer.clone(),
                user: it.known_as(),
                display_name: it.display_name.clone(),
            })
        });
        let waiting: Vec<_> = waiting.collect();
        if policy != Policy::Open {
            self.notify(id, &Notice::PolicyChanged { policy });
        }
        for notice in &waiting {
            self.notify(id, notice);
        }
    }

    /// Makes the speaker who joined first the host when the last host has left.
    pub(super) fn appoint_host(&mut self, name: &Arc<str>) {
        let next = self.rooms.get(name).and_then(|it| it.next_host());
        if let Some(id) = next
            && self.set_role(name, id, Role::Host).is_ok()
        {
            self.notify_of_waiting(id, name);
        }
        self.notify_lobby(name);
    }

    /// Notifies those in the lobby when the last host has left, or the first one has come.
    pub(super) fn notify_lobby(&mut self, name: &str) {
        let is_news = self
            .rooms
            .get_mut(name)
            .is_some_and(Room::record_lobby_told);
        let Some((name, room)) = self.rooms.get_key_value(name).filter(|_| is_news) else {
            return;
        };
        let notice = Notice::LobbyChanged(LobbyState {
            room: Arc::clone(name),
            title: room.title().cloned(),
            has_host: room.has_host(),
        });
        let waiting: Vec<_> = room.waiting().map(|(_, it)| it.session).collect();
        for session in waiting {
            self.notify(session, &notice);
        }
    }
}
