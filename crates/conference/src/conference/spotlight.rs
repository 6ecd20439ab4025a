//! The participant that a host shows large to everybody.

use super::Conference;
use crate::message::{Notice, PeerId, Refusal};

impl Conference {
    /// Shows a participant large to everybody, or none any more.
    pub(super) fn spotlight(&mut self, name: &str, peer: Option<&str>) -> Result<(), Refusal> {
        let shown = peer.map(|it| self.rooms.participant_named(name, it));
        let shown = shown.transpose()?.map(|it| it.peer.clone());
        self.set_spotlight(name, shown);
        Ok(())
    }

    /// Sets who is in the spotlight, and notifies everybody of a change.
    fn set_spotlight(&mut self, name: &str, peer: Option<PeerId>) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        if room.hosting.spotlight != peer {
            room.hosting.spotlight.clone_from(&peer);
            self.notify_everybody(name, &Notice::SpotlightChanged { peer });
        }
    }

    /// Puts a participant that comes back into the spotlight without a notice. Returns false when somebody
    /// else is in it.
    pub(super) fn restore_spotlight(&mut self, name: &str, peer: &PeerId) -> bool {
        let room = self.rooms.get_mut(name);
        let Some(room) = room.filter(|it| it.hosting.spotlight.is_none()) else {
            return false;
        };
        room.hosting.spotlight = Some(peer.clone());
        true
    }

    /// Ends the spotlight of a participant that has left.
    pub(super) fn end_spotlight_of(&mut self, name: &str, peer: &PeerId) {
        let room = self.rooms.get(name);
        if room.is_some_and(|it| it.hosting.is_spotlit(peer)) {
            self.set_spotlight(name, None);
        }
    }
}
