//! Turns events and observations into what is stored: calls, stays of participants, and minutes. Knows no file.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use watersmeet_conference::call_quality::{Cause, Minute, MinuteTally, RoomObservation};
use watersmeet_conference::room_event::{
    DepartureReason, ParticipantRecord, RoomEvent, RoomEventKind, RoomRecord,
};
use watersmeet_wire::units::{Map, Time};

/// Length of what is stored as one.
const MINUTE: Duration = Duration::from_secs(60);

/// A change of what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A call has started.
    CallStarted {
        /// Id of the call.
        call: Arc<str>,
        /// Name of the room.
        room: Arc<str>,
        /// Time of the start.
        at: Time,
    },
    /// A call has ended.
    CallEnded {
        /// Id of the call.
        call: Arc<str>,
        /// Time of the end.
        at: Time,
    },
    /// A participant has joined.
    Joined {
        /// Id of the call.
        call: Arc<str>,
        /// The participant.
        participant: ParticipantRecord,
    },
    /// A participant has left.
    Left {
        /// Id of the call.
        call: Arc<str>,
        /// Id of the participant.
        participant: Arc<str>,
        /// Time of leaving.
        at: Time,
        /// Why it left; `None` where that is not known.
        reason: Option<DepartureReason>,
    },
    /// A minute of a participant is over.
    Minute {
        /// Id of the call.
        call: Arc<str>,
        /// Id of the participant.
        participant: Arc<str>,
        /// Number of the minute since the call started.
        number: u32,
        /// Measured figures and causes.
        minute: Box<Minute>,
        /// Likely causes of what was bad.
        causes: Vec<Cause>,
    },
}

/// Calls in progress: at most as many as the conference had rooms and participants when it was observed last, and
/// those of later events.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Calls by their ids.
    calls: Map<Arc<str>, Call>,
    /// Changes to store, oldest first; the caller takes them after each input.
    changes: Vec<Change>,
}

/// A call in progress.
#[derive(Debug)]
struct Call {
    /// Time of the start.
    started_at: Time,
    /// Number of the present minute.
    minute: u32,
    /// Participants by their ids, with what was observed of them in this minute.
    participants: Map<Arc<str>, MinuteTally>,
}

impl Recorder {
    /// Takes the changes to store.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Forgets all calls in progress, because they could not be stored. They are stored from the next input on.
    pub fn restart(&mut self) {
        self.calls.clear();
        self.changes.clear();
    }

    /// Handles something that happened in a room.
    pub fn handle_event(&mut self, event: &RoomEvent) {
        let room = &event.room;
        match &event.kind {
            RoomEventKind::RoomStarted => {
                self.call(room);
            }
            RoomEventKind::RoomFinished => self.end_call(event.at, &room.session),
            RoomEventKind::ParticipantJoined { participant, .. } => {
                self.tally(room, participant);
            }
            RoomEventKind::ParticipantLeft {
                participant,
                reason,
                ..
            } => self.end_stay(event.at, room, participant, *reason),
            RoomEventKind::TrackPublished { .. }
            | RoomEventKind::TrackUnpublished { .. }
            | RoomEventKind::TrackMuteChanged { .. } => {}
        }
    }

    /// Handles observations of all rooms. What is not among them has ended.
    pub fn handle_observations(&mut self, at: Time, rooms: &[RoomObservation]) {
        self.end_unobserved(at, rooms);
        for room in rooms {
            self.end_minute(at, &room.room);
            for it in &room.participants {
                self.tally(&room.room, &it.participant)
                    .record(&it.observation);
            }
        }
    }

    /// Returns the call of a room, which starts if it is not in progress.
    fn call(&mut self, room: &RoomRecord) -> &mut Call {
        let changes = &mut self.changes;
        self.calls
            .entry(Arc::clone(&room.session))
            .or_insert_with(|| {
                changes.push(Change::CallStarted {
                    call: Arc::clone(&room.session),
                    room: Arc::clone(&room.name),
                    at: room.started_at,
                });
                Call {
                    started_at: room.started_at,
                    minute: 0,
                    participants: Map::new(),
                }
            })
    }

    /// Returns the present minute of a participant, which joins if it is not there.
    fn tally(&mut self, room: &RoomRecord, participant: &ParticipantRecord) -> &mut MinuteTally {
        let id = &participant.session;
        if !self.call(room).participants.contains_key(id) {
            self.changes.push(Change::Joined {
                call: Arc::clone(&room.session),
                participant: participant.clone(),
            });
        }
        let participants = &mut self.call(room).participants;
        participants.entry(Arc::clone(id)).or_default()
    }

    /// Stores the minute of a call that has passed, if one has.
    fn end_minute(&mut self, at: Time, room: &RoomRecord) {
        let call = self.call(room);
        let passed = at.since(call.started_at).as_secs() / MINUTE.as_secs();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        if passed == call.minute {
            return;
        }
        let number = std::mem::replace(&mut call.minute, passed);
        let mut minutes = Vec::new();
        for (participant, tally) in &mut call.participants {
            minutes.extend(take_minute(&room.session, participant, number, tally));
        }
        self.changes.extend(minutes);
    }

    fn end_stay(
        &mut self,
        at: Time,
        room: &RoomRecord,
        participant: &ParticipantRecord,
        reason: DepartureReason,
    ) {
        let tally = self.tally(room, participant);
        if reason == DepartureReason::ConnectionLost {
            tally.record_event(Cause::LeftAbruptly);
        }
        self.remove_participant(at, &room.session, &participant.session, Some(reason));
    }

    /// Ends calls and stays that are in progress here and were not observed: the events of their ends were dropped.
    fn end_unobserved(&mut self, at: Time, rooms: &[RoomObservation]) {
        let observed: Map<_, _> = rooms.iter().map(|it| (&it.room.session, it)).collect();
        let (mut calls, mut stays) = (Vec::new(), Vec::new());
        for (id, call) in &self.calls {
            let Some(room) = observed.get(id) else {
                calls.push(Arc::clone(id));
                continue;
            };
            let present = room.participants.iter();
            let present: BTreeSet<_> = present.map(|it| &it.participant.session).collect();
            let absent = call.participants.keys();
            let absent = absent.filter(|it| !present.contains(it));
            stays.extend(absent.map(|it| (Arc::clone(id), Arc::clone(it))));
        }
        for (call, participant) in stays {
            self.remove_participant(at, &call, &participant, None);
        }
        for call in calls {
            self.end_call(at, &call);
        }
    }

    /// Ends the stay of a participant. `reason` is `None` where it is not known.
    fn remove_participant(
        &mut self,
        at: Time,
        call: &Arc<str>,
        participant: &Arc<str>,
        reason: Option<DepartureReason>,
    ) {
        let Some(found) = self.calls.get_mut(call) else {
            return;
        };
        let Some(mut tally) = found.participants.remove(participant) else {
            return;
        };
        let minute = take_minute(call, participant, found.minute, &mut tally);
        self.changes.extend(minute);
        self.changes.push(Change::Left {
            call: Arc::clone(call),
            participant: Arc::clone(participant),
            at,
            reason,
        });
    }

    /// Ends a call, and the stays of those who have not left it.
    fn end_call(&mut self, at: Time, call: &Arc<str>) {
        let Some(found) = self.calls.get(call) else {
            return;
        };
        let present: Vec<_> = found.participants.keys().map(Arc::clone).collect();
        for participant in present {
            self.remove_participant(at, call, &participant, None);
        }
        self.calls.remove(call);
        let call = Arc::clone(call);
        self.changes.push(Change::CallEnded { call, at });
    }
}

/// Takes the minute of a participant, unless nothing was observed in it.
fn take_minute(
    call: &Arc<str>,
    participant: &Arc<str>,
    number: u32,
    tally: &mut MinuteTally,
) -> Option<Change> {
    if tally.is_empty() {
        return None;
    }
    let (minute, causes) = tally.take();
    Some(Change::Minute {
        call: Arc::clone(call),
        participant: Arc::clone(participant),
        number,
        minute: Box::new(minute),
        causes,
    })
}
