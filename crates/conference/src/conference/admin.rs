//! What is asked from outside of any room: by the program's own pages and by programs of others.
//! Whether somebody may ask was decided before.

use std::sync::Arc;

use watersmeet_wire::units::Time;

use super::{Conference, Timer};
use crate::limits::RESERVATION_TIMEOUT;
use crate::message::{Moderation, ParticipantSummary, Policy, Refusal, RemovalReason};
use crate::room::Room;

/// The most rooms in one list.
pub const ROOMS_LISTED_MAX: usize = 1_000;

/// A question or a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminRequest {
    /// Makes a room before anybody comes. It waits for a while, then it is forgotten.
    CreateRoom {
        /// Its name.
        room: String,
        /// How whoever makes it wants to be called.
        host_name: Option<String>,
        /// Who may enter; absent means as configured.
        policy: Option<Policy>,
        /// Whether hosts are known by their tokens. Otherwise the first who enters is the host.
        has_host_token: bool,
    },
    /// What there is to know of one room.
    Room {
        /// Its name.
        room: String,
    },
    /// All rooms, by name, from a name on.
    Rooms {
        /// The last name of the list before.
        after: Option<String>,
        /// How many.
        limit: usize,
    },
    /// Who is in a room.
    Participants {
        /// Its name.
        room: String,
    },
    /// Sends everybody out of a room and forgets it.
    DeleteRoom {
        /// Its name.
        room: String,
    },
    /// What a host could decide.
    Moderate {
        /// The room's name.
        room: String,
        /// What.
        moderation: Moderation,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminResponse {
    /// One room.
    Room(RoomSummary),
    /// Rooms, by name.
    Rooms(Vec<RoomSummary>),
    /// Who is in a room.
    Participants(Vec<ParticipantSummary>),
    /// It was decided.
    Done,
}

/// One room, as outsiders are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// Its name.
    pub room: Arc<str>,
    /// Who made it, if that was done before anybody came.
    pub host_name: Option<Arc<str>>,
    /// Who may enter.
    pub policy: Policy,
    /// Since when it is there, in milliseconds since 1970.
    pub created_unix_ms: u64,
    /// How many are in it.
    pub participants: usize,
    /// How many wait to be let in.
    pub waiting: usize,
    /// How many producers they have.
    pub producers: usize,
    /// How many consumers those have.
    pub consumers: usize,
    /// What each participant has, longest first. Only in lists.
    pub media_by_participant: Vec<ParticipantMedia>,
}

/// What a participant has, whoever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParticipantMedia {
    /// How many producers.
    pub producers: usize,
    /// How many consumers.
    pub consumers: usize,
}

impl Conference {
    /// Answers a question or carries out a decision.
    ///
    /// # Errors
    /// There is no such room or participant, or no room for more.
    pub fn handle_admin_request(
        &mut self,
        now: Time,
        inquiry: AdminRequest,
    ) -> Result<AdminResponse, Refusal> {
        self.now = now;
        let answer = match inquiry {
            AdminRequest::CreateRoom {
                room,
                host_name,
                policy,
                has_host_token,
            } => self.create_room(room, host_name, policy, has_host_token),
            AdminRequest::Room { room } => self.summary(&room).map(AdminResponse::Room),
            AdminRequest::Rooms { after, limit } => Ok(self.list_rooms(after.as_deref(), limit)),
            AdminRequest::Participants { room } => {
                let room = self.rooms.get(&*room).ok_or(Refusal::RoomNotFound)?;
                Ok(AdminResponse::Participants(room.everybody()))
            }
            AdminRequest::DeleteRoom { room } => self.delete_room(&room),
            AdminRequest::Moderate { room, moderation } => {
                self.decide(&room, moderation).map(|()| AdminResponse::Done)
            }
        };
        self.settle();
        answer
    }

    /// Makes a room before anybody comes.
    fn create_room(
        &mut self,
        name: String,
        host_name: Option<String>,
        policy: Option<Policy>,
        has_host_token: bool,
    ) -> Result<AdminResponse, Refusal> {
        let limits = &self.config.limits;
        let is_long = |text: &String| text.len() > limits.name_len_max;
        if name.is_empty() || is_long(&name) || host_name.as_ref().is_some_and(is_long) {
            return Err(Refusal::BadRequest(
                "a name is empty or too long".to_owned(),
            ));
        }
        if self.rooms.contains_key(&*name) {
            return Err(Refusal::RoomExists);
        }
        if self.rooms.len() >= limits.rooms_max {
            return Err(Refusal::LimitReached("rooms"));
        }
        let due = self.now + RESERVATION_TIMEOUT;
        let name: Arc<str> = name.into();
        let mut room = Room::new(self.now, policy.unwrap_or(self.config.policy));
        room.host_name = host_name.map(Arc::from);
        room.is_decided = policy.is_some();
        room.has_host_token = has_host_token;
        room.reserved_until = Some(due);
        self.timers
            .insert((due, Timer::Reservation(Arc::clone(&name))));
        self.rooms.insert(Arc::clone(&name), room);
        self.summary(&name).map(AdminResponse::Room)
    }

    /// Nobody came to a room that was made in advance.
    pub(super) fn give_up_reservation(&mut self, name: &str) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.reserved_until = None;
        }
        self.remove_if_unused(name);
    }

    /// What outsiders are told of a room.
    fn summary(&self, name: &str) -> Result<RoomSummary, Refusal> {
        let found = self.rooms.get_key_value(name);
        let (name, room) = found.ok_or(Refusal::RoomNotFound)?;
        Ok(self.summarize(name, room))
    }

    fn summarize(&self, name: &Arc<str>, room: &Room) -> RoomSummary {
        let created_at = self.config.unix_epoch + room.created_at.since_origin();
        let producers = || room.participants.values().flat_map(|it| &it.producers);
        RoomSummary {
            room: Arc::clone(name),
            host_name: room.host_name.clone(),
            policy: room.policy,
            created_unix_ms: u64::try_from(created_at.as_millis()).unwrap_or(u64::MAX),
            participants: room.participants.len(),
            waiting: room.waiting.len(),
            producers: producers().count(),
            consumers: producers().map(|it| it.consumers.len()).sum(),
            media_by_participant: Vec::new(),
        }
    }

    /// What each participant of a room has.
    fn media_by_participant(&self, room: &Room) -> Vec<ParticipantMedia> {
        let participants = room.participants.values();
        let media_by_participant = participants.map(|it| ParticipantMedia {
            producers: it.producers.len(),
            consumers: self
                .sessions
                .get(&it.session)
                .map_or(0, |session| session.consumers.len()),
        });
        media_by_participant.collect()
    }

    /// Rooms, by name.
    fn list_rooms(&self, after: Option<&str>, limit: usize) -> AdminResponse {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rooms = self.rooms.range::<str, _>((from, Bound::Unbounded));
        let rooms = rooms.take(limit.min(ROOMS_LISTED_MAX));
        AdminResponse::Rooms(
            rooms
                .map(|(name, room)| RoomSummary {
                    media_by_participant: self.media_by_participant(room),
                    ..self.summarize(name, room)
                })
                .collect(),
        )
    }

    /// Sends everybody out of a room and forgets it.
    fn delete_room(&mut self, name: &str) -> Result<AdminResponse, Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        let due = room.reserved_until.take();
        let mut everybody = room.sessions();
        everybody.extend(room.waiting.values().map(|it| it.session));
        if let Some(due) = due {
            self.timers.remove(&(due, Timer::Reservation(name.into())));
        }
        for session in everybody {
            self.remove(session, RemovalReason::RoomClosed);
        }
        self.remove_if_unused(name);
        Ok(AdminResponse::Done)
    }
}
