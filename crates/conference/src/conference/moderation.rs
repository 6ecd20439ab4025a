//! What people do to one another: hosts let in, mute and send away, everybody chats and relays.
//! Whoever asks is known by its session; what its role does not allow is refused.

use std::sync::Arc;

use serde_json::Value;
use watersmeet_engine::command::{Command, ProducerId};
use watersmeet_wire::params::MediaKind;

use super::Conference;
use super::requests::{Asked, Outcome};
use crate::limits::CHAT_LEN_MAX;
use crate::message::{Moderation, Notice, Policy, Refusal, RemovalReason, Reply, Role, SessionId};
use crate::room::Participant;

impl Conference {
    /// Says something to everybody else in the room.
    pub(super) fn chat(&mut self, asked: &Asked, text: &str) -> Outcome {
        let place = self.place(asked.session)?;
        if text.is_empty() || text.len() > CHAT_LEN_MAX {
            return Err(Refusal::BadRequest("text is empty or too long".to_owned()));
        }
        let myself = self.myself(asked.session)?;
        let notice = Notice::Chat {
            peer: myself.peer.clone(),
            display_name: myself.display_name.clone(),
            text: text.into(),
        };
        self.tell_others(&place.room, asked.session, &notice);
        Ok(Some(Reply::Done))
    }

    /// Tells everybody else what one's devices do.
    pub(super) fn media_state(&mut self, asked: &Asked, audio: bool, video: bool) -> Outcome {
        let place = self.place(asked.session)?;
        let peer = self.myself(asked.session)?.peer.clone();
        let notice = Notice::MediaState { peer, audio, video };
        self.tell_others(&place.room, asked.session, &notice);
        Ok(Some(Reply::Done))
    }

    /// Wants to be seen by another name.
    pub(super) fn rename(&mut self, asked: &Asked, display_name: String) -> Outcome {
        let place = self.place(asked.session)?;
        if display_name.len() > self.config.limits.name_len_max {
            return Err(Refusal::BadRequest("displayName is too long".to_owned()));
        }
        let display_name = Some(display_name).filter(|it| !it.is_empty());
        let display_name: Option<Arc<str>> = display_name.map(Arc::from);
        let room = self.rooms.get_mut(&place.room).ok_or(Refusal::Internal)?;
        let myself = room.participants.get_mut(&place.order);
        let myself = myself.ok_or(Refusal::NotInRoom)?;
        let before = std::mem::replace(&mut myself.display_name, display_name.clone());
        if before != display_name {
            let notice = Notice::DisplayNameChanged {
                peer: myself.peer.clone(),
                before,
                display_name,
            };
            self.tell_others(&place.room, asked.session, &notice);
        }
        Ok(Some(Reply::Done))
    }

    /// Hands a message to another participant, or to all others.
    pub(super) fn relay(&mut self, asked: &Asked, to: Option<&str>, body: Value) -> Outcome {
        let place = self.place(asked.session)?;
        let myself = self.myself(asked.session)?;
        let notice = Notice::Relayed {
            from: myself.peer.clone(),
            user: myself.user.clone(),
            body: Arc::new(body),
        };
        match to {
            None => self.tell_others(&place.room, asked.session, &notice),
            Some(peer) => {
                let session = self.somebody(&place.room, peer)?.session;
                self.tell(session, &notice);
            }
        }
        Ok(Some(Reply::Done))
    }

    /// Asks the hosts to be made a speaker.
    pub(super) fn request_to_speak(&mut self, asked: &Asked) -> Outcome {
        let place = self.place(asked.session)?;
        let myself = self.myself(asked.session)?;
        let notice = Notice::SpeakRequested {
            peer: myself.peer.clone(),
            user: myself.known_as(),
            display_name: myself.display_name.clone(),
        };
        self.tell_hosts(&place.room, &notice);
        Ok(Some(Reply::Done))
    }

    /// Carries out what a host decides.
    pub(super) fn moderate(&mut self, asked: &Asked, moderation: Moderation) -> Outcome {
        let place = self.place(asked.session)?;
        if self.myself(asked.session)?.role != Role::Host {
            return Err(Refusal::Forbidden);
        }
        self.decide(&place.room, moderation)?;
        Ok(Some(Reply::Done))
    }

    /// Carries out a decision about a room, whoever had the right to make it.
    pub(super) fn decide(&mut self, room: &str, moderation: Moderation) -> Result<(), Refusal> {
        match moderation {
            Moderation::Admit { peer, promote } => self.let_in(room, &peer, promote),
            Moderation::Deny { peer } => {
                let waiter = self.waiter(room, &peer)?;
                self.remove(waiter, RemovalReason::Denied);
                Ok(())
            }
            Moderation::Promote { peer } => {
                let session = self.somebody(room, &peer)?.session;
                self.set_role(room, session, Role::Speaker)
            }
            Moderation::Demote { peer } => {
                let session = self.somebody(room, &peer)?.session;
                self.set_role(room, session, Role::Viewer)
            }
            Moderation::Mute { peer, kind } => self.mute(room, &peer, kind),
            Moderation::Remove { peer } => {
                let session = self.somebody(room, &peer)?.session;
                self.remove(session, RemovalReason::Removed);
                Ok(())
            }
            Moderation::SetPolicy { policy } => self.set_policy(room, policy),
        }
    }

    /// Somebody in a room.
    fn somebody(&self, room: &str, peer: &str) -> Result<&Participant, Refusal> {
        let room = self.rooms.get(room).ok_or(Refusal::RoomNotFound)?;
        let (_, found) = room.participant(peer).ok_or(Refusal::ParticipantNotFound)?;
        Ok(found)
    }

    /// Somebody who waits for a room.
    fn waiter(&self, room: &str, peer: &str) -> Result<SessionId, Refusal> {
        let room = self.rooms.get(room).ok_or(Refusal::RoomNotFound)?;
        let mut waiting = room.waiting.values();
        let found = waiting.find(|it| it.peer.as_str() == peer);
        Ok(found.ok_or(Refusal::ParticipantNotFound)?.session)
    }

    /// Lets in somebody who waits, as a speaker or to watch.
    fn let_in(&mut self, name: &str, peer: &str, promote: bool) -> Result<(), Refusal> {
        let id = self.waiter(name, peer)?;
        let participants_max = self.config.limits.participants_max;
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        if room.participants.len() >= participants_max {
            return Err(Refusal::LimitReached("participants"));
        }
        let lobby = self.sessions.get_mut(&id).and_then(|it| it.lobby.take());
        let lobby = lobby.ok_or(Refusal::Internal)?;
        let waited = room.waiting.remove(&lobby.order).ok_or(Refusal::Internal)?;
        let role = if promote { Role::Speaker } else { Role::Viewer };
        let notice = Notice::JoinRequestResolved {
            peer: waited.peer.clone(),
        };
        let entering = Participant { role, ..waited };
        let (place, others) = self.admit_participant(lobby.room, entering)?;
        let room = Arc::clone(&place.room);
        self.tell(id, &Notice::Admitted { room, role, others });
        self.tell_hosts(name, &notice);
        Ok(())
    }

    /// Makes somebody a speaker or a viewer. A viewer sends nothing.
    fn set_role(&mut self, name: &str, id: SessionId, role: Role) -> Result<(), Refusal> {
        let order = self.place(id)?.order;
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        let participant = room.participants.get_mut(&order);
        let participant = participant.ok_or(Refusal::ParticipantNotFound)?;
        if participant.role == role {
            return Ok(());
        }
        participant.role = role;
        let notice = Notice::RoleChanged {
            peer: participant.peer.clone(),
            display_name: participant.display_name.clone(),
            role,
        };
        if role == Role::Viewer {
            self.end_producers(id);
        }
        self.tell(id, &notice);
        self.tell_others(name, id, &notice);
        Ok(())
    }

    /// Ends everything that somebody sends, and tells everybody, that one too.
    fn end_producers(&mut self, id: SessionId) {
        let producers: Vec<_> = match self.sessions.get(&id) {
            Some(session) => session.producers.keys().copied().collect(),
            None => return,
        };
        for producer in producers {
            let shard = self
                .sessions
                .get(&id)
                .and_then(|it| it.producer_shard(producer));
            if let Some(shard) = shard {
                self.command(shard, Command::CloseProducer { producer });
            }
            if let Some(notice) = self.end_producer(id, producer) {
                self.tell(id, &notice);
            }
        }
    }

    /// Pauses what somebody sends. It may go on when it wants to.
    fn mute(&mut self, name: &str, peer: &str, kind: Option<MediaKind>) -> Result<(), Refusal> {
        let participant = self.somebody(name, peer)?;
        let (id, peer) = (participant.session, participant.peer.clone());
        let summaries = participant.producers.iter().map(|it| &it.summary);
        let heard = summaries.filter(|it| !it.paused && kind.is_none_or(|kind| it.kind == kind));
        let heard: Vec<_> = heard.map(|it| (it.producer, it.kind)).collect();
        for (producer, kind) in heard {
            let paused = true;
            if !self.pause_quietly(id, producer) {
                continue;
            }
            self.tell(id, &Notice::Muted { producer, kind });
            let peer = peer.clone();
            let notice = Notice::ProducerPaused {
                peer,
                producer,
                paused,
            };
            self.tell_others(name, id, &notice);
        }
        Ok(())
    }

    /// Pauses a producer without telling anybody. False when it is not there.
    fn pause_quietly(&mut self, id: SessionId, producer: ProducerId) -> bool {
        let session = self.sessions.get(&id);
        let Some(shard) = session.and_then(|it| it.producer_shard(producer)) else {
            return false;
        };
        let Some(place) = self.producers.get(&producer) else {
            return false;
        };
        let room = self.rooms.get_mut(&place.room);
        let Some(found) = room.and_then(|it| it.producer_mut(place.order, producer)) else {
            return false;
        };
        found.summary.paused = true;
        self.command(shard, Command::PauseProducer { producer });
        true
    }

    /// Takes somebody out of its room, or of those who wait for it, and tells it why.
    pub(super) fn remove(&mut self, id: SessionId, reason: RemovalReason) {
        self.leave(id, Some(Refusal::NotInRoom));
        self.tell(id, &Notice::Removed { reason });
    }

    /// Decides who may enter a room.
    fn set_policy(&mut self, name: &str, policy: Policy) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        if room.policy == policy {
            return Ok(());
        }
        room.policy = policy;
        room.is_decided = true;
        let everybody: Vec<_> = room.participants.values().map(|it| it.session).collect();
        for session in everybody {
            self.tell(session, &Notice::PolicyChanged { policy });
        }
        Ok(())
    }

    /// Takes somebody out of those who wait, if it does.
    pub(super) fn leave_lobby(&mut self, id: SessionId) {
        let lobby = self.sessions.get_mut(&id).and_then(|it| it.lobby.take());
        let Some(lobby) = lobby else {
            return;
        };
        let room = self.rooms.get_mut(&lobby.room);
        if let Some(waited) = room.and_then(|it| it.waiting.remove(&lobby.order)) {
            self.tell_hosts(
                &lobby.room,
                &Notice::JoinRequestResolved { peer: waited.peer },
            );
        }
        self.remove_if_unused(&lobby.room);
    }

    /// Tells the hosts of a room.
    pub(super) fn tell_hosts(&mut self, name: &str, notice: &Notice) {
        let hosts = self.rooms.get(name).map_or_else(Vec::new, |it| it.hosts());
        for session in hosts {
            self.tell(session, notice);
        }
    }

    /// Tells a new host of everybody who waits already, and who may enter if not everybody may.
    pub(super) fn tell_who_waits(&mut self, id: SessionId, name: &str) {
        let Some(room) = self.rooms.get(name) else {
            return;
        };
        let policy = room.policy;
        let waiting = room.waiting.values().map(|it| Notice::JoinRequested {
            peer: it.peer.clone(),
            user: it.known_as(),
            display_name: it.display_name.clone(),
        });
        let waiting: Vec<_> = waiting.collect();
        if policy != Policy::Open {
            self.tell(id, &Notice::PolicyChanged { policy });
        }
        for notice in &waiting {
            self.tell(id, notice);
        }
    }

    /// Makes whoever has been in a room longest its host, when the last host has left. Where hosts
    /// are known by their tokens, the room waits for one.
    pub(super) fn find_a_host(&mut self, name: &str) {
        let Some(room) = self.rooms.get(name) else {
            return;
        };
        if room.has_host_token || !room.hosts().is_empty() {
            return;
        }
        let mut speakers = room.participants.values();
        let next = speakers.find(|it| it.role == Role::Speaker);
        if let Some(id) = next.map(|it| it.session)
            && self.set_role(name, id, Role::Host).is_ok()
        {
            self.tell_who_waits(id, name);
        }
    }
}
