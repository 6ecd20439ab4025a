//! Limits the number of connections, in total and for each client network. A permit is acquired
//! when a connection is accepted and released when it, or the session it became, is dropped. An
//! Engine.IO session that uses many connections has a permit of its own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client_address::network;

/// Upper bound of connections.
const CONNECTIONS_MAX: u32 = 20_000;

/// Upper bound of connections from one IPv4 address or IPv6 /64: enough for an office behind NAT.
/// Loopback has no bound, since a reverse proxy brings all clients from there.
const CONNECTIONS_PER_NETWORK_MAX: u32 = 512;

/// Limit of connections.
#[derive(Debug)]
pub struct ConnectionLimit {
    /// One permit for each connection that may still be opened.
    free: Arc<Semaphore>,
    /// Connections of each network that has any.
    by_network: Mutex<HashMap<IpAddr, u32>>,
}

/// Permit of one connection; released when dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    /// Limit that the permit belongs to.
    limit: Arc<ConnectionLimit>,
    /// Network of the client; `None` on loopback.
    network: Option<IpAddr>,
    /// Releases the permit of the total limit when dropped.
    _permit: OwnedSemaphorePermit,
}

impl ConnectionLimit {
    /// Creates a limit without connections.
    pub fn new() -> Arc<Self> {
        let free = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
        Arc::new(Self {
            free,
            by_network: Mutex::default(),
        })
    }

    /// Acquires a permit for `ip`; `None` when the total or the network's limit is reached.
    pub fn acquire(self: &Arc<Self>, ip: IpAddr) -> Option<ConnectionPermit> {
        self.acquire_for((!ip.to_canonical().is_loopback()).then(|| network(ip)))
    }

    fn acquire_for(self: &Arc<Self>, network: Option<IpAddr>) -> Option<ConnectionPermit> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        if let Some(network) = network {
            let mut by_network = self
                .by_network
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let count = by_network.entry(network).or_default();
            if *count >= CONNECTIONS_PER_NETWORK_MAX {
                return None;
            }
            *count += 1;
        }
        Some(ConnectionPermit {
            limit: Arc::clone(self),
            network,
            _permit: permit,
        })
    }

    /// Waits until every permit has been released.
    pub async fn wait_until_idle(&self) {
        // The semaphore is never closed, so this ends only when all permits are back.
        let _ = self.free.acquire_many(CONNECTIONS_MAX).await;
    }
}

impl ConnectionPermit {
    /// Acquires another permit for the same network, for a session that outlives the connection.
    pub fn acquire_another(&self) -> Option<Self> {
        self.limit.acquire_for(self.network)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut by_network = self
            .limit
            .by_network
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_cannot_acquire_every_permit() {
        let limit = ConnectionLimit::new();
        let ip = IpAddr::from([192, 0, 2, 1]);
        let mut permits: Vec<_> = (0..CONNECTIONS_PER_NETWORK_MAX)
            .map(|_| limit.acquire(ip).unwrap())
            .collect();
        assert!(limit.acquire(ip).is_none());
        assert!(limit.acquire(IpAddr::from([192, 0, 2, 2])).is_some());
        permits.pop();
        assert!(limit.acquire(ip).is_some());
    }

    #[test]
    fn additional_permits_count_like_the_first() {
        let limit = ConnectionLimit::new();
        let first = limit.acquire(IpAddr::from([192, 0, 2, 1])).unwrap();
        let additional: Vec<_> = (1..CONNECTIONS_PER_NETWORK_MAX)
            .map(|_| first.acquire_another().unwrap())
            .collect();
        assert!(first.acquire_another().is_none());
        drop(additional);
        assert!(first.acquire_another().is_some());
    }

    #[test]
    fn loopback_has_no_network_limit() {
        let limit = ConnectionLimit::new();
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1]);
        let permits: Vec<_> = (0..=CONNECTIONS_PER_NETWORK_MAX)
            .map(|_| limit.acquire(mapped).unwrap())
            .collect();
        assert!(permits.iter().all(|permit| permit.network.is_none()));
    }

    #[tokio::test]
    async fn networks_without_connections_are_forgotten() {
        let limit = ConnectionLimit::new();
        drop(limit.acquire(IpAddr::from([192, 0, 2, 1])));
        assert!(limit.by_network.lock().unwrap().is_empty());
        limit.wait_until_idle().await;
    }
}
