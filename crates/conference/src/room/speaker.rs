//! The active speaker of a room: merges the reports of its shards, and limits how often a change is
//! told. The caller tells it.
//!
//! Each shard reports who of its own publishers is speaking. The first one who is reported stays the
//! active speaker until that shard reports another one or silence, so that a room has one active speaker
//! that does not alternate while people on several shards speak at once.

use std::time::Duration;

use watersmeet_wire::units::Time;

use crate::message::{PeerId, ShardId};

/// Shortest time between two notices of the active speaker.
const TOLD_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Time that this interval has at least for each participant, so that a room of any size causes at most
/// 1,000 such notices per second.
const TOLD_INTERVAL_EACH: Duration = Duration::from_millis(1);

/// Active speaker of a room, and the one of whom its participants were told last.
#[derive(Debug, Default)]
pub(crate) struct RoomSpeaker {
    /// Participant that each shard reports as speaking, in the order of the reports.
    reported: Vec<(ShardId, PeerId)>,
    /// Participant that is the active speaker.
    current: Option<PeerId>,
    /// Active speaker that was told last.
    told: Option<PeerId>,
    /// Earliest time at which a change is told.
    due: Time,
}

impl RoomSpeaker {
    /// Records which participant of the room a shard reports as speaking.
    pub(crate) fn record(&mut self, shard: ShardId, peer: Option<PeerId>) {
        self.reported.retain(|(reporter, _)| *reporter != shard);
        self.reported.extend(peer.map(|peer| (shard, peer)));
        self.choose();
    }

    /// Removes a participant that leaves from those who are speaking.
    pub(super) fn remove(&mut self, peer: &PeerId) {
        self.reported.retain(|(_, speaking)| speaking != peer);
        self.choose();
    }

    /// Returns when a change of the active speaker is to be told, or `None` when all know it.
    pub(crate) fn due(&self, now: Time) -> Option<Time> {
        (self.told != self.current).then(|| self.due.max(now))
    }

    /// Records that the active speaker is told now to this number of participants, and returns it.
    pub(crate) fn record_told(&mut self, now: Time, participants: usize) -> Option<PeerId> {
        let participants = u32::try_from(participants).unwrap_or(u32::MAX);
        let interval = TOLD_INTERVAL_MIN.max(TOLD_INTERVAL_EACH.saturating_mul(participants));
        self.due = now + interval;
        self.told.clone_from(&self.current);
        self.told.clone()
    }

    /// Returns the active speaker that was told last, who may have left since.
    pub(crate) const fn told(&self) -> Option<&PeerId> {
        self.told.as_ref()
    }

    /// Keeps the active speaker while it is speaking, or else chooses the one who was reported first.
    fn choose(&mut self) {
        let is_current = |(_, peer): &&(ShardId, PeerId)| self.current.as_ref() == Some(peer);
        let kept = self.reported.iter().find(is_current);
        let chosen = kept.or_else(|| self.reported.first());
        self.current = chosen.map(|(_, peer)| peer.clone());
    }
}
