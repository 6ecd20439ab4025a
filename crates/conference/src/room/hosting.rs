//! What the hosts of a room have decided for everybody in it.

use crate::message::{PeerId, Sharing};

/// What the hosts of a room have decided for everybody in it. It lasts as long as the room.
#[derive(Debug, Default)]
pub(crate) struct Hosting {
    /// Participant that everybody is shown large.
    pub spotlight: Option<PeerId>,
    /// Who may share screens.
    pub sharing: Sharing,
}

impl Hosting {
    /// Returns whether a participant is the one that everybody is shown large.
    pub(crate) fn is_spotlit(&self, peer: &PeerId) -> bool {
        self.spotlight.as_ref() == Some(peer)
    }
}
