//! Shutdown: everybody is told, and no further rooms are opened.

use std::time::Duration;

use watersmeet_wire::units::Time;

use super::Conference;
use crate::message::Notice;

impl Conference {
    /// Begins to shut down: opens no further rooms, and notifies everybody who is in a room or waits
    /// for one that connections close after `notice`.
    pub fn handle_shutdown(&mut self, now: Time, notice: Duration) {
        self.now = now;
        self.is_shutting_down = true;
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
}
