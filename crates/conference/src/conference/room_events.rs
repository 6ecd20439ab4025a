//! Makes room events. Each kind has one function, which is called where the event happens.

use std::sync::Arc;

use watersmeet_engine::command::ProducerId;
use watersmeet_wire::units::Time;

use super::Conference;
use super::media::OwnedTrack;
use super::outputs::Output;
use crate::message::random_id;
use crate::room::{Participant, Room, RoomLife, Stay};
use crate::room_event::{DepartureReason, ParticipantRecord, RoomEvent, RoomEventKind, RoomRecord};

/// Change of a track that is reported as an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum TrackChange {
    /// The track was announced to others.
    Published,
    /// The track has ended.
    Unpublished,
    /// The track was muted or unmuted.
    MuteChanged,
}

/// Rooms and participants.
impl Conference {
    /// Begins the stay of a participant that is about to enter, and reports that the room starts if it is the
    /// first. Returns whether its stay had begun already, in another room of the meeting.
    pub(super) fn begin_stay(&mut self, name: &str, participant: &mut Participant) -> bool {
        let now = self.now;
        if let Some(room) = self.rooms.get_mut(name)
            && room.life.is_none()
        {
            room.life = Some(RoomLife {
                id: random_id(&mut self.event_rng, "RM_"),
                started_at: now,
            });
            self.report(name, RoomEventKind::RoomStarted);
        }
        let is_moved = participant.stay.is_some();
        if !is_moved {
            let dialect = self.sessions.get(participant.session);
            participant.stay = Some(Stay {
                id: random_id(&mut self.event_rng, "PA_"),
                joined_at: now,
                dialect: dialect.map_or("", |it| it.dialect_name()),
            });
        }
        is_moved
    }

    /// Reports a participant that has entered.
    pub(super) fn report_join(&mut self, name: &str, number: u64, is_moved: bool) {
        let room = self.rooms.get(name);
        let participant = room
            .and_then(|it| it.participant(number))
            .and_then(participant_record);
        if let Some(participant) = participant {
            let kind = RoomEventKind::ParticipantJoined {
                participant,
                is_moved,
            };
            self.report(name, kind);
        }
    }

    /// Reports a participant that has left. `has_connected` says whether a transport of it was connected.
    pub(super) fn report_departure(
        &mut self,
        name: &str,
        left: &Participant,
        reason: DepartureReason,
        has_connected: bool,
    ) {
        if let Some(participant) = participant_record(left) {
            let kind = RoomEventKind::ParticipantLeft {
                participant,
                reason,
                has_connected,
            };
            self.report(name, kind);
        }
    }

    /// Removes a room, and reports that it is finished if it had started.
    pub(super) fn remove_room(&mut self, name: &str) {
        self.report(name, RoomEventKind::RoomFinished);
        self.rooms.remove(name);
    }

    /// Reports that everybody leaves and every room is finished, when the program ends.
    pub fn handle_stop(&mut self, now: Time) {
        self.now = now;
        let names: Vec<_> = self
            .rooms
            .iter()
            .map(|(name, _)| Arc::clone(name))
            .collect();
        for name in names {
            self.report_stop_of(&name);
        }
    }

    /// Reports that everybody leaves a room and that it is finished. Nothing more is reported of it.
    fn report_stop_of(&mut self, name: &str) {
        for participant in self.rooms.participants_of(name) {
            let session = self.sessions.get(participant.session);
            let has_connected = session.is_some_and(|it| it.has_connected());
            let reason = DepartureReason::ServerStopped;
            self.report_departure(name, &participant, reason, has_connected);
        }
        self.report(name, RoomEventKind::RoomFinished);
        if let Some(room) = self.rooms.get_mut(name) {
            room.life = None;
        }
    }
}

/// Tracks.
impl Conference {
    /// Reports a producer that was announced in its room.
    pub(super) fn report_published(&mut self, producer: ProducerId) {
        if let Some(track) = self.media.track(producer) {
            self.report_track(&track, TrackChange::Published);
        }
    }

    /// Records whether a producer is paused, and reports a change. Returns whether it changed, or `None` when
    /// the producer is not announced.
    pub(super) fn set_producer_paused(
        &mut self,
        producer: ProducerId,
        paused: bool,
    ) -> Option<bool> {
        let is_new = self.media.set_producer_paused(producer, paused)?;
        if let Some(track) = self.media.track(producer).filter(|_| is_new) {
            self.report_track(&track, TrackChange::MuteChanged);
        }
        Some(is_new)
    }

    /// Reports what happened to a track.
    pub(super) fn report_track(&mut self, owned: &OwnedTrack, change: TrackChange) {
        let membership = self.sessions.membership(owned.owner);
        let participant =
            membership.and_then(|it| participant_record(self.rooms.participant(&it).ok()?));
        let Some(participant) = participant else {
            return;
        };
        let track = owned.track.clone();
        let kind = match change {
            TrackChange::Published => RoomEventKind::TrackPublished { participant, track },
            TrackChange::Unpublished => RoomEventKind::TrackUnpublished { participant, track },
            TrackChange::MuteChanged => RoomEventKind::TrackMuteChanged { participant, track },
        };
        self.report(&owned.room, kind);
    }
}

impl Conference {
    /// Reports an event of a room that has started. Rooms of connection tests never start.
    fn report(&mut self, name: &str, kind: RoomEventKind) {
        let Some((name, room)) = self.rooms.get_key_value(name) else {
            return;
        };
        let Some(room) = room_record(name, room) else {
            return;
        };
        let at = self.now;
        let event = RoomEvent { at, room, kind };
        self.outputs.push(Output::RoomEvent(Box::new(event)));
    }
}

/// Returns the record of a room that has started.
pub(super) fn room_record(name: &Arc<str>, room: &Room) -> Option<RoomRecord> {
    let life = room.life.as_ref()?;
    Some(RoomRecord {
        name: Arc::clone(name),
        session: Arc::clone(&life.id),
        title: room.title().cloned(),
        main: room.main().cloned(),
        started_at: life.started_at,
        participants: room.participants_len(),
    })
}

/// Returns the record of a participant whose stay has begun.
pub(super) fn participant_record(participant: &Participant) -> Option<ParticipantRecord> {
    let stay = participant.stay.as_ref()?;
    Some(ParticipantRecord {
        session: Arc::clone(&stay.id),
        peer: participant.peer.clone(),
        display_name: participant.display_name.clone(),
        user: participant.user.as_ref().map(|it| Arc::clone(&it.id)),
        role: participant.role,
        dialect: stay.dialect,
        joined_at: stay.joined_at,
    })
}
