//! What the server's own statistics say, read as an operator would.

use watersmeet_engine::command::{Command, Reply, TransportStats};
use watersmeet_peer::browser::Direction;
use watersmeet_wire::units::Bitrate;

use super::World;

impl World {
    /// Returns the bitrate that the server believes a participant can receive.
    pub fn available_outgoing_bitrate(&mut self, name: &str) -> Option<Bitrate> {
        let stats = self.receiving_transport_stats(name)?;
        Some(Bitrate::from_bps(stats.available_outgoing_bitrate))
    }

    /// Returns the server's statistics of the transport on which a participant receives.
    pub fn receiving_transport_stats(&mut self, name: &str) -> Option<TransportStats> {
        let client = self.participant(name)?.transports.get(&Direction::Recv)?;
        let transport = client.transport;
        let shard = *self.shards.get(&transport)?;
        let command = Command::TransportStats { transport };
        let worker = self.workers.get_mut(shard)?;
        match worker.handle_command(self.now, command) {
            Ok(Reply::TransportStats(stats)) => Some(*stats),
            _ => None,
        }
    }
}
