//! The active speaker of a room: merges the reports of its shards, and limits how often a change is
//! told. The caller tells it.
//!
//! Each shard reports who of its own publishers is speaking. The first one who is reported stays the
//! active speaker until that shard reports another one or silence, so that a room has one active speaker
//! that does not alternate while people on several shards speak at once.

use std::time::Duration;

use watersmeet_wire::units::Time;

use super::Room;
use crate::message::{PeerId, ShardId};

/// Shortest time between two notices of the active speaker.
const TOLD_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Time that is added to this interval for each participant, so that a room of any size causes at
/// most 1,000 such notices per second.
const TOLD_INTERVAL_EACH: Duration = Duration::from_millis(1);

/// Who is speaking in a room, and what was told of it.
#[derive(Debug, Default)]
pub(super) struct SpeakerLog {
    /// Participant that each shard reports as speaking, in the order of the reports.
    reported: Vec<(ShardId, PeerId)>,
    /// Participant that is the active speaker.
    current: Option<PeerId>,
    /// Active speaker that was told last.
    told: Option<PeerId>,
    /// Earliest time at which a change is told.
    due: Time,
}

impl Room {
    /// Records which of its participants a shard reports as speaking.
    pub(crate) fn record_speaker(&mut self, shard: ShardId, peer: Option<PeerId>) {
        let log = &mut self.speaker_log;
        log.reported.retain(|(reporter, _)| *reporter != shard);
        log.reported.extend(peer.map(|peer| (shard, peer)));
        log.choose();
    }

    /// Removes a participant that leaves from those who are speaking.
    pub(super) fn forget_speaker(&mut self, peer: &PeerId) {
        let log = &mut self.speaker_log;
        log.reported.retain(|(_, speaking)| speaking != peer);
        log.choose();
    }

    /// Returns when a change of the active speaker is to be told, or `None` when all know it.
    pub(crate) fn speaker_due(&self, now: Time) -> Option<Time> {
        let log = &self.speaker_log;
        (log.told != log.current).then(|| log.due.max(now))
    }

    /// Records that the active speaker is told now, and returns it.
    pub(crate) fn record_speaker_told(&mut self, now: Time) -> Option<PeerId> {
        let len = u32::try_from(self.participants.len()).unwrap_or(u32::MAX);
        let log = &mut self.speaker_log;
        log.due = now + TOLD_INTERVAL_MIN.max(TOLD_INTERVAL_EACH.saturating_mul(len));
        log.told.clone_from(&log.current);
        log.told.clone()
    }

    /// Returns the active speaker that was told last, while it is in the room.
    pub(crate) fn told_speaker(&self) -> Option<PeerId> {
        let told = self.speaker_log.told.as_ref();
        let present = told.filter(|it| self.participant_named(it.as_str()).is_some());
        present.cloned()
    }
}

impl SpeakerLog {
    /// Keeps the active speaker while it is speaking, or else chooses the one who was reported first.
    fn choose(&mut self) {
        let is_current = |(_, peer): &&(ShardId, PeerId)| self.current.as_ref() == Some(peer);
        let kept = self.reported.iter().find(is_current);
        let chosen = kept.or_else(|| self.reported.first());
        self.current = chosen.map(|(_, peer)| peer.clone());
    }
}
