//! Handles reports of who is speaking. `room::speaker` decides who is the active speaker of a room, and
//! when a change is told.

use watersmeet_engine::command::{ProducerId, RouterId};

use super::Conference;
use crate::message::{Notice, ShardId};

impl Conference {
    /// Handles the report of a shard that another one of a router's producers is speaking, or none.
    pub(super) fn speaker_changed(
        &mut self,
        shard: ShardId,
        router: RouterId,
        producer: Option<ProducerId>,
    ) {
        let Some(name) = self.placement.room_of(router).cloned() else {
            return;
        };
        let owner = producer.and_then(|it| self.media.producer_owner(it));
        let peer = owner.and_then(|it| self.sessions.peer(it));
        if let Some(room) = self.rooms.get_mut(&name) {
            room.speaker.record(shard, peer);
        }
        self.tell_presence(&name);
    }

    /// Tells everybody in a room who is speaking, the speaker included.
    pub(super) fn tell_speaker(&mut self, name: &str) {
        self.flush_presence(name);
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let participants = room.participants_len();
        let peer = room.speaker.record_told(self.now, participants);
        if let Some(peer) = &peer {
            room.last_n.record_speaker(peer);
        }
        let notice = Notice::ActiveSpeaker { peer };
        for session in room.sessions() {
            self.notify(session, &notice);
        }
    }
}
