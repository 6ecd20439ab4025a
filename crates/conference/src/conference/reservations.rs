//! Rooms that were created in advance and that nobody has entered yet, by the client that created
//! them, so that none can fill the server with rooms.

use std::sync::Arc;

use watersmeet_wire::units::Map;

use crate::connect_request::ClientKey;

/// Rooms that wait for their first participant. Bounded by the rooms of the conference.
#[derive(Debug, Default)]
pub(super) struct Reservations {
    /// Client that created each room; `None` when it distinguishes nobody.
    clients: Map<Arc<str>, Option<ClientKey>>,
    /// Number of such rooms of each client.
    counts: Map<ClientKey, usize>,
}

impl Reservations {
    /// Records a room.
    pub(super) fn add(&mut self, room: Arc<str>, client: Option<ClientKey>) {
        self.remove(&room);
        if let Some(client) = client {
            *self.counts.entry(client).or_default() += 1;
        }
        self.clients.insert(room, client);
    }

    /// Removes a room that somebody has entered or that ended.
    pub(super) fn remove(&mut self, room: &str) {
        let Some(client) = self.clients.remove(room).flatten() else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&client);
            }
        }
    }

    /// Returns the number of rooms of a client.
    pub(super) fn len_of(&self, client: ClientKey) -> usize {
        self.counts.get(&client).copied().unwrap_or_default()
    }
}
