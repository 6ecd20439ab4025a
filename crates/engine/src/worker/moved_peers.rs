//! Finds the transport of a peer whose NAT gave it another port. Its packets then come from an unknown
//! address, and browsers send an ICE check only every 2.5 s. A packet that is authentic and new under
//! the keys of a transport adds its address to that transport, as in QUIC (RFC 9000 §9.3). Until the
//! address is proven, it gets ICE checks only.
//!
//! Only transports whose peer had the same IP address are tried. A peer that changes its network sends
//! ICE checks at once.

use watersmeet_wire::units::Time;

use super::Worker;
use crate::path::{Path, Protocol};
use crate::slots::TransportKey;

/// Upper bound of the paths of one host that are considered.
pub const PATHS_OF_HOST_MAX: usize = 256;

/// Upper bound of transports whose keys are tried for one packet. Viewers often share an SSRC: Chromium
/// sends reports of 1.
pub const TRIALS_MAX: usize = 8;

/// First bytes of SRTP and SRTCP (RFC 7983 §7).
const MEDIA_FIRST_BYTES: std::ops::RangeInclusive<u8> = 128..=191;

impl Worker {
    /// Returns the transport whose peer sent this packet from an unknown address.
    pub(super) fn find_moved_peer(
        &mut self,
        now: Time,
        path: Path,
        packet: &[u8],
    ) -> Option<TransportKey> {
        let first = packet.first()?;
        if path.protocol != Protocol::Udp || !MEDIA_FIRST_BYTES.contains(first) {
            return None;
        }
        let mut of_host = self.demux.transports_of_host(path.remote.ip()).peekable();
        of_host.peek()?;
        if !self.moved_peers.allows_search(now) {
            return None;
        }
        let mut candidates: Vec<(Time, TransportKey)> = of_host
            .take(PATHS_OF_HOST_MAX)
            .filter_map(|key| {
                let transport = &self.transports.get(key)?.transport;
                let is_candidate = transport.knows_source(packet);
                is_candidate.then(|| (transport.last_received_at(), key))
            })
            .collect();
        // A peer that moved is silent on its former path.
        candidates.sort_unstable();
        candidates.dedup();
        let scratch = &mut self.moved_peers.scratch;
        let transports = &self.transports;
        candidates
            .into_iter()
            .take(TRIALS_MAX)
            .map(|(_, key)| key)
            .find(|key| {
                scratch.clear();
                scratch.extend_from_slice(packet);
                let entry = transports.get(*key);
                entry.is_some_and(|entry| entry.transport.verifies(scratch))
            })
    }

    /// Receives a packet of a transport from an unknown address, which it verifies.
    pub(super) fn receive_from_moved_peer(
        &mut self,
        now: Time,
        key: TransportKey,
        path: Path,
        packet: &mut [u8],
    ) {
        if let Some(entry) = self.transports.get_mut(key) {
            entry.transport.add_media_path(now, path);
            self.apply_transport_events(now, key);
        }
        self.receive(now, key, path, packet);
        // Only now have bytes been received from there, three times as many of which our check may have.
        if let Some(entry) = self.transports.get_mut(key) {
            entry.transport.handle_timeout(now);
            self.apply_transport_events(now, key);
        }
    }
}
