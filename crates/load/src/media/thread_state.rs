//! State shared by the transports of one media thread.

use watersmeet_net::udp::connected::ConnectedOptions;

use super::dtls::Identity;
use crate::clock::Clock;
use crate::traffic_stats::TrafficStats;

/// State shared by the transports of one media thread.
pub struct ThreadState {
    /// The run's clock.
    pub clock: Clock,
    /// Certificate of all peers.
    pub identity: Identity,
    /// Options of the sockets.
    pub socket_options: ConnectedOptions,
    /// One of this many packets is decrypted and checked.
    pub verify_every: u32,
    /// Counters of this thread.
    pub stats: TrafficStats,
    /// Reused buffer for the datagram being written.
    pub scratch: Vec<u8>,
}
