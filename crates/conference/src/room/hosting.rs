//! Settings of a room that its hosts change during the meeting.

use crate::message::{PeerId, Sharing};

/// Spotlight of a room, and its rule for sharing screens. Lasts as long as the room.
#[derive(Debug, Default)]
pub(crate) struct Hosting {
    /// Participant that everybody is shown large.
    pub spotlight: Option<PeerId>,
    /// Rule for sharing screens.
    pub sharing: Sharing,
}

impl Hosting {
    /// Returns whether a participant is the one that everybody is shown large.
    pub(crate) fn is_spotlit(&self, peer: &PeerId) -> bool {
        self.spotlight.as_ref() == Some(peer)
    }
}
