//! Shutdown: everybody is told, and no further rooms are opened. Draining: no further rooms are opened, and
//! meetings go on.

use std::time::Duration;

use watersmeet_wire::units::Time;

use super::Conference;
use super::room_opening::RoomOpening;
use crate::message::{Notice, Refusal};

impl Conference {
    /// Begins to shut down: opens no further rooms, and notifies everybody who is in a room or waits
    /// for one that connections close after `notice`.
    pub fn handle_shutdown(&mut self, now: Time, notice: Duration) {
        self.now = now;
        self.opening = RoomOpening::ShuttingDown;
        let seconds = u32::try_from(notice.as_secs()).unwrap_or(u32::MAX);
        let everyone: Vec<_> = self
            .rooms
            .iter()
            .flat_map(|(_, it)| it.everyone())
            .collect();
        for session in everyone {
            self.notify(session, &Notice::ServerClosing { seconds });
        }
        self.settle();
    }

    /// Begins or ends draining: while it lasts no further rooms are opened, and those that people are in go on. Has
    /// no effect during shutdown.
    pub(super) const fn set_draining(&mut self, is_draining: bool) {
        self.opening = match (self.opening, is_draining) {
            (RoomOpening::ShuttingDown, _) => RoomOpening::ShuttingDown,
            (_, true) => RoomOpening::Draining,
            (_, false) => RoomOpening::Open,
        };
    }

    /// Checks that further rooms are opened.
    ///
    /// # Errors
    /// The program is about to end, or is being drained.
    pub(super) const fn check_opening(&self) -> Result<(), Refusal> {
        match self.opening {
            RoomOpening::Open => Ok(()),
            RoomOpening::Draining | RoomOpening::ShuttingDown => Err(Refusal::ShuttingDown),
        }
    }
}
