//! State that all clients of the TURN server share.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use super::authentication::Authenticator;
use super::metrics::TurnMetrics;
use super::peers::PeerTable;
use super::quota::AllocationQuota;
use super::relayed_addresses::RelayedAddresses;
use crate::clock::Clock;
use crate::http::rate_limit::RateLimiter;
use crate::ip_addresses;

/// State that all clients of the TURN server share.
pub struct TurnContext {
    /// Verifies credentials.
    pub authenticator: Authenticator,
    /// Upper bounds of allocations.
    pub quota: Arc<AllocationQuota>,
    /// Limits requests without valid credentials, for each client network.
    pub rates: Arc<RateLimiter>,
    /// Counters.
    pub metrics: Arc<TurnMetrics>,
    /// Addresses from which is relayed.
    pub relayed: Arc<RelayedAddresses>,
    /// Clock of the program, for the expiry of credentials and nonces.
    pub clock: Clock,
    /// UDP addresses that the media sockets are bound to.
    pub media: Vec<SocketAddr>,
    /// Peers to which is relayed; replaced when the announced addresses change.
    pub peers: RwLock<Arc<PeerTable>>,
}

impl TurnContext {
    /// Returns the peers to which is relayed.
    pub fn peers(&self) -> Arc<PeerTable> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&peers)
    }

    /// Relays to the media sockets under these announced addresses from now on.
    pub fn set_announced(&self, announced: &[IpAddr]) {
        let table = PeerTable::new(announced, &self.media, &ip_addresses::local_ips());
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        *peers = Arc::new(table);
    }

    /// Returns the wall clock time, in seconds since 1970.
    pub fn unix_s(&self) -> u64 {
        self.clock.unix_ms() / 1_000
    }
}
