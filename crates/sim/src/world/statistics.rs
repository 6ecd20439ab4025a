//! What the server's own statistics say, read as an operator would.

use std::net::SocketAddr;

use watersmeet_conference::call_quality::RoomObservation;
use watersmeet_conference::message::PageReport;
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

    /// Returns what the server observes of all participants since it was asked last. Media of the participant
    /// `relayed` comes from a relay.
    pub fn observe(&mut self, relayed: Option<&str>) -> Vec<RoomObservation> {
        let now = self.now;
        let samples = self.workers.iter_mut().flat_map(|it| it.take_samples(now));
        let samples: Vec<_> = samples.collect();
        let relayed = relayed.and_then(|it| self.participant(it));
        let transports = relayed.map(|it| it.transports.values());
        let addresses: Vec<SocketAddr> = transports
            .into_iter()
            .flatten()
            .map(|it| it.path.remote)
            .collect();
        let is_relay = |address: SocketAddr| addresses.contains(&address);
        self.conference.observe_rooms(now, &samples, &is_relay)
    }

    /// Lets the page of a participant report on its call.
    pub fn report_quality(&mut self, name: &str, report: &PageReport) {
        let report = serde_json::to_value(report).unwrap_or_default();
        if let Some(participant) = self.participant_mut(name) {
            participant.browser.report_quality(report);
        }
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
