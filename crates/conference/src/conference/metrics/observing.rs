//! Observes the participants of all rooms at an interval, from what the media threads sampled and pages reported. The
//! result is for the history of calls; nothing is decided by it.

use std::net::SocketAddr;

use watersmeet_engine::command::TransportSample;
use watersmeet_wire::units::{Map, Time};

use super::super::Conference;
use super::super::request_context::Outcome;
use super::super::room_events::{participant_record, room_record};
use crate::call_quality::{ParticipantObservation, RoomObservation, Surroundings};
use crate::message::{PageReport, Refusal, Reply, SessionId};

impl Conference {
    /// Returns what the samples of all shards show of each participant, by room. `is_relay` tells whether an address
    /// is that of a relay. Rooms of connection tests never start, and are left out.
    pub fn observe_rooms(
        &mut self,
        now: Time,
        samples: &[TransportSample],
        is_relay: &dyn Fn(SocketAddr) -> bool,
    ) -> Vec<RoomObservation> {
        let mut by_session: Map<SessionId, Vec<&TransportSample>> = Map::new();
        for sample in samples {
            if let Some(owner) = self.media.transport_owner(sample.transport) {
                by_session.entry(owner).or_default().push(sample);
            }
        }
        let mut observed = Vec::new();
        for (name, room) in self.rooms.iter() {
            let Some(record) = room_record(name, room) else {
                continue;
            };
            let mut participants = Vec::new();
            for (_, participant) in room.participants() {
                let id = participant.session;
                let record = participant_record(participant);
                let (Some(session), Some(record)) = (self.sessions.get_mut(id), record) else {
                    continue;
                };
                let shard = self.media.shard_of(id);
                let busy = shard.map_or(0, |it| self.placement.busy_percent(it));
                let surroundings = Surroundings {
                    producers: &self.media.summaries_of(id),
                    is_relay,
                    server_busy_percent: busy,
                };
                let samples = by_session.get(&id).map_or(&[][..], Vec::as_slice);
                let observation = session.observed().observe(now, samples, &surroundings);
                participants.push(ParticipantObservation {
                    participant: record,
                    observation,
                });
            }
            observed.push(RoomObservation {
                room: record,
                participants,
            });
        }
        observed
    }

    /// Records what a page reports of its call.
    pub(in super::super) fn record_page_report(
        &mut self,
        id: SessionId,
        report: PageReport,
    ) -> Outcome {
        self.sessions.member(id)?;
        let now = self.now;
        let session = self.sessions.get_mut(id).ok_or(Refusal::Internal)?;
        match session.observed().record_report(now, report) {
            true => Ok(Some(Reply::Done)),
            false => Err(Refusal::RateLimited),
        }
    }
}
