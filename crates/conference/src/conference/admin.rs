//! Carries out requests of the program and its REST API.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use watersmeet_wire::units::Time;

use super::Conference;
use super::admin_requests::{
    AdminRequest, AdminResponse, ParticipantMedia, ParticipantObjects, ROOMS_LISTED_MAX,
    RoomCreator, RoomSummary,
};
use super::panic_scope::PanicScope;
use super::timers::Timer;
use crate::limits::{ForwardingLimits, RESERVATION_TIMEOUT};
use crate::message::{Refusal, RemovalReason, SessionId};
use crate::room::{Reservation, Room};

impl Conference {
    /// Handles a request of the program or its REST API.
    ///
    /// # Errors
    /// There is no such room or participant, or no capacity for more.
    pub fn handle_admin_request(
        &mut self,
        now: Time,
        request: AdminRequest,
    ) -> Result<AdminResponse, Refusal> {
        let response = self.contain(now, PanicScope::Unknown, |it| it.admin_response(request));
        response.unwrap_or(Err(Refusal::Internal))
    }

    /// Carries out a request.
    fn admin_response(&mut self, request: AdminRequest) -> Result<AdminResponse, Refusal> {
        match request {
            AdminRequest::CreateRoom {
                room,
                host_name,
                title,
                policy,
                has_host_token,
                last_n_video,
                top_n_audio,
                creator,
            } => {
                let until = self.now + self.reservation_timeout(creator);
                let configured = self.config.forwarding;
                let forwarding = ForwardingLimits {
                    last_n_video: last_n_video.unwrap_or(configured.last_n_video),
                    top_n_audio: top_n_audio.unwrap_or(configured.top_n_audio),
                };
                let reservation = Reservation {
                    host_name: host_name.map(Arc::from),
                    title: title.map(Arc::from),
                    policy,
                    has_host_token,
                    until,
                    forwarding,
                };
                self.create_room(room, reservation, creator)
            }
            AdminRequest::Room { room } => self.room_summary(&room).map(AdminResponse::Room),
            AdminRequest::Rooms { after, limit } => Ok(self.list_rooms(after.as_deref(), limit)),
            AdminRequest::Participants { room } => {
                let found = self.rooms.get(&room).ok_or(Refusal::RoomNotFound)?;
                let waiting = found.waiting().map(|(_, it)| it.summary(Vec::new()));
                Ok(AdminResponse::Participants {
                    waiting: waiting.collect(),
                    participants: self.summaries(&room)?,
                })
            }
            AdminRequest::RoomMedia { room } => {
                let found = self.rooms.get(&room).ok_or(Refusal::RoomNotFound)?;
                Ok(AdminResponse::RoomMedia(self.media_objects(found)))
            }
            AdminRequest::SetDraining { is_draining } => {
                self.set_draining(is_draining);
                Ok(AdminResponse::Done)
            }
            AdminRequest::DeleteRoom { room } => {
                let closed = self.close_room(&room, RemovalReason::RoomClosed);
                closed.map(|()| AdminResponse::Done)
            }
            AdminRequest::Moderate { room, moderation } => {
                let decided = self.decide(&room, None, moderation);
                decided.map(|()| AdminResponse::Done)
            }
        }
    }

    /// Returns for how long a room waits for its first participant.
    fn reservation_timeout(&self, creator: RoomCreator) -> Duration {
        match creator {
            RoomCreator::Operator => RESERVATION_TIMEOUT,
            RoomCreator::Client(_) => self.config.limits.unentered_room_timeout(),
        }
    }

    /// Creates a room in advance.
    fn create_room(
        &mut self,
        name: String,
        reservation: Reservation,
        creator: RoomCreator,
    ) -> Result<AdminResponse, Refusal> {
        let limits = &self.config.limits;
        let is_long = |text: &str| text.len() > limits.name_len_max;
        let host_name = reservation.host_name.as_deref();
        let title = reservation.title.as_deref();
        let has_long_name = host_name.is_some_and(is_long) || title.is_some_and(is_long);
        if name.is_empty() || is_long(&name) || has_long_name {
            return Err(Refusal::BadRequest(
                "a name is empty or too long".to_owned(),
            ));
        }
        self.check_opening()?;
        if self.rooms.get(&name).is_some() {
            return Err(Refusal::RoomExists);
        }
        let client = match creator {
            RoomCreator::Operator => None,
            RoomCreator::Client(client) => client,
        };
        let unentered = client.map_or(0, |it| self.reservations.len_of(it));
        if unentered >= limits.unentered_rooms_per_client_max {
            return Err(Refusal::LimitReached("rooms that nobody has entered"));
        }
        if self.rooms.len() >= limits.rooms_max {
            return Err(Refusal::LimitReached("rooms"));
        }
        let name: Arc<str> = name.into();
        let timer = Timer::Reservation(Arc::clone(&name));
        self.timers.schedule(reservation.until, timer);
        let room = Room::reserved(self.now, self.config.policy, reservation);
        self.reservations.add(Arc::clone(&name), client);
        self.rooms.insert(Arc::clone(&name), room);
        self.room_summary(&name).map(AdminResponse::Room)
    }

    /// Ends the reservation of a room that no participant has joined.
    pub(super) fn expire_reservation(&mut self, name: &str) {
        self.reservations.remove(name);
        if let Some(room) = self.rooms.get_mut(name) {
            room.end_reservation();
        }
        self.remove_room_if_unused(name);
    }

    /// Returns the summary of a room for the REST API.
    fn room_summary(&self, name: &str) -> Result<RoomSummary, Refusal> {
        let found = self.rooms.get_key_value(name);
        let (name, room) = found.ok_or(Refusal::RoomNotFound)?;
        Ok(self.summarize(name, room))
    }

    fn summarize(&self, name: &Arc<str>, room: &Room) -> RoomSummary {
        let created_at = self.config.unix_epoch + room.created_at().since_origin();
        let sessions = || room.participants().map(|(_, it)| it.session);
        let producers = sessions().map(|it| self.media.announced_len_of(it));
        let consumers = sessions().map(|it| self.media.receivers_len_of(it));
        RoomSummary {
            room: Arc::clone(name),
            host_name: room.host_name().cloned(),
            title: room.title().cloned(),
            policy: room.policy(),
            created_unix_ms: u64::try_from(created_at.as_millis()).unwrap_or(u64::MAX),
            participants: room.participants_len(),
            waiting: room.waiting_len(),
            producers: producers.sum(),
            consumers: consumers.sum(),
            media_by_participant: Vec::new(),
            dialects: self.dialects_of(room),
        }
    }

    /// Returns the media of each participant of a room.
    fn media_by_participant(&self, room: &Room) -> Vec<ParticipantMedia> {
        let media = room.participants().map(|(_, it)| ParticipantMedia {
            producers: self.media.announced_len_of(it.session),
            consumers: self.media.consumers_len_of(it.session),
        });
        media.collect()
    }

    /// Returns the participants of a room in order of joining, with the ids of their media objects.
    fn media_objects(&self, room: &Room) -> Vec<ParticipantObjects> {
        let participants = room.participants().map(|(_, it)| ParticipantObjects {
            participant: it.summary(self.media.summaries_of(it.session)),
            dialect: self.dialect_of(it.session),
            transports: self.media.transports_of(it.session),
            producers: self.media.placed_producers_of(it.session),
            consumers: self.media.placed_consumers_of(it.session),
        });
        participants.collect()
    }

    /// Returns the name of the dialect of a session.
    fn dialect_of(&self, session: SessionId) -> &'static str {
        let session = self.sessions.get(session);
        session.map_or("unknown", |it| it.dialect_name())
    }

    /// Returns the dialects of the participants of a room, each once, in alphabetical order.
    fn dialects_of(&self, room: &Room) -> Vec<&'static str> {
        let dialects = room
            .participants()
            .map(|(_, it)| self.dialect_of(it.session));
        let dialects: BTreeSet<_> = dialects.collect();
        dialects.into_iter().collect()
    }

    /// Lists rooms by name.
    fn list_rooms(&self, after: Option<&str>, limit: usize) -> AdminResponse {
        let rooms = self.rooms.iter_after(after);
        let rooms = rooms.filter(|(_, room)| !room.is_connection_test());
        let rooms = rooms.take(limit.min(ROOMS_LISTED_MAX));
        let rooms = rooms.map(|(name, room)| RoomSummary {
            media_by_participant: self.media_by_participant(room),
            ..self.summarize(name, room)
        });
        AdminResponse::Rooms(rooms.collect())
    }

    /// Removes all participants from a room, and then the room.
    pub(super) fn close_room(&mut self, name: &str, reason: RemovalReason) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        if let Some(due) = room.end_reservation() {
            self.timers.cancel(due, Timer::Reservation(name.into()));
        }
        room.seats.clear();
        self.reservations.remove(name);
        self.end_breakouts(name, reason);
        let Some(room) = self.rooms.get(name) else {
            // Everybody was in breakout rooms.
            return Ok(());
        };
        // The hosts come last, so that nobody is made the host of a room that ends.
        let hosts = room.hosts();
        let mut everyone = room.everyone();
        everyone.retain(|it| !hosts.contains(it));
        for session in everyone.into_iter().chain(hosts) {
            self.remove_from_room(session, reason);
        }
        self.remove_room_if_unused(name);
        Ok(())
    }
}
