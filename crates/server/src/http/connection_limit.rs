//! Limits the number of connections, in total and for each client network. A permit is acquired
//! when a connection is accepted and released when it, or the session it became, is dropped. An
//! Engine.IO session that uses many connections has a permit of its own.
//!
//! A trusted proxy brings the connections of many clients: these count for the client of each
//! request, for as long as the request or its session lasts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::client_address::network;
use super::log_once::LogThrottle;
use crate::config::LimitsTable;

/// Limit of connections.
#[derive(Debug)]
pub struct ConnectionLimit {
    /// Upper bound of connections.
    total_max: u32,
    /// Upper bound of connections from one IPv4 address or IPv6 /64. Loopback has no bound, since
    /// programs of this machine connect from there.
    network_max: u32,
    /// One permit for each connection that may still be opened.
    free: Arc<Semaphore>,
    /// Connections of each network that has any.
    by_network: Mutex<HashMap<IpAddr, u32>>,
    /// When a refusal was last logged.
    refusals: LogThrottle,
}

/// Permit of one connection; released when dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    /// Limit that the permit belongs to.
    limit: Arc<ConnectionLimit>,
    /// Network of the client; `None` on loopback and for a proxy.
    network: Option<IpAddr>,
    /// Permit of the total limit, shared with the permits of requests on the same connection.
    total: Arc<OwnedSemaphorePermit>,
}

impl ConnectionLimit {
    /// Creates a limit without connections.
    pub fn new(limits: &LimitsTable) -> Arc<Self> {
        Arc::new(Self {
            total_max: limits.connections_max,
            network_max: limits.connections_per_network_max,
            free: Arc::new(Semaphore::new(limits.connections_max as usize)),
            by_network: Mutex::default(),
            refusals: LogThrottle::default(),
        })
    }

    /// Acquires a permit for the connection of `ip`; `None` when the total or the network's limit is
    /// reached. The connection of a trusted proxy counts in total only.
    pub fn acquire(self: &Arc<Self>, ip: IpAddr, is_proxy: bool) -> Option<ConnectionPermit> {
        let network = limited_network(ip).filter(|_| !is_proxy);
        let Ok(total) = Arc::clone(&self.free).try_acquire_owned() else {
            self.log_refusal("connections_max", self.total_max);
            return None;
        };
        self.permit(network, Arc::new(total))
    }

    fn permit(
        self: &Arc<Self>,
        network: Option<IpAddr>,
        total: Arc<OwnedSemaphorePermit>,
    ) -> Option<ConnectionPermit> {
        if let Some(network) = network
            && !self.count(network)
        {
            self.log_refusal("connections_per_network_max", self.network_max);
            return None;
        }
        Some(ConnectionPermit {
            limit: Arc::clone(self),
            network,
            total,
        })
    }

    /// Counts a connection of a network. Returns false when it has too many.
    fn count(&self, network: IpAddr) -> bool {
        let mut by_network = self
            .by_network
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = by_network.entry(network).or_default();
        let is_free = *count < self.network_max;
        *count += u32::from(is_free);
        is_free
    }

    fn log_refusal(&self, limit: &str, max: u32) {
        if self.refusals.is_due(Instant::now()) {
            tracing::warn!(
                limit,
                max,
                "connections refused: raise the limit in `[limits]`; if they come through a proxy, \
                 name it in `trusted_proxies`"
            );
        }
    }

    /// Waits until every permit has been released.
    pub async fn wait_until_idle(&self) {
        // The semaphore is never closed, so this ends only when all permits are back.
        let _ = self.free.acquire_many(self.total_max).await;
    }
}

impl ConnectionPermit {
    /// Acquires another permit for the same network, for a session that outlives the connection.
    pub fn acquire_another(&self) -> Option<Self> {
        let total = Arc::clone(&self.limit.free).try_acquire_owned().ok()?;
        self.limit.permit(self.network, Arc::new(total))
    }

    /// Acquires a permit for the client of a request on the connection of a proxy.
    pub fn acquire_for_client(&self, client: IpAddr) -> Option<Self> {
        let network = limited_network(client);
        self.limit.permit(network, Arc::clone(&self.total))
    }
}

/// Returns the network that a client's connections count for; `None` on loopback.
fn limited_network(ip: IpAddr) -> Option<IpAddr> {
    (!ip.to_canonical().is_loopback()).then(|| network(ip))
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

    fn limit() -> Arc<ConnectionLimit> {
        ConnectionLimit::new(&LimitsTable {
            connections_per_network_max: 5,
            connections_max: 20,
            ..LimitsTable::default()
        })
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn one_network_cannot_acquire_every_permit() {
        let limit = limit();
        let mut permits: Vec<_> = (0..5)
            .map(|_| limit.acquire(ip(1), false).unwrap())
            .collect();
        assert!(limit.acquire(ip(1), false).is_none());
        assert!(limit.acquire(ip(2), false).is_some());
        permits.pop();
        assert!(limit.acquire(ip(1), false).is_some());
    }

    #[test]
    fn additional_permits_count_like_the_first() {
        let limit = limit();
        let first = limit.acquire(ip(1), false).unwrap();
        let additional: Vec<_> = (1..5).map(|_| first.acquire_another().unwrap()).collect();
        assert!(first.acquire_another().is_none());
        drop(additional);
        assert!(first.acquire_another().is_some());
    }

    #[test]
    fn connections_through_a_proxy_count_for_their_clients() {
        let limit = limit();
        let connections: Vec<_> = (0..15)
            .map(|_| limit.acquire(ip(1), true).unwrap())
            .collect();
        let of_one: Vec<_> = connections
            .iter()
            .filter_map(|connection| connection.acquire_for_client(ip(2)))
            .collect();
        assert_eq!(of_one.len(), 5);
        assert!(connections[0].acquire_for_client(ip(3)).is_some());
        drop(of_one);
        assert!(connections[0].acquire_for_client(ip(2)).is_some());
    }

    #[test]
    fn loopback_has_no_network_limit_and_the_total_holds() {
        let limit = limit();
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1]);
        let permits: Vec<_> = (0..20)
            .map(|_| limit.acquire(mapped, false).unwrap())
            .collect();
        assert!(permits.iter().all(|permit| permit.network.is_none()));
        assert!(limit.acquire(mapped, false).is_none());
    }

    #[tokio::test]
    async fn networks_without_connections_are_forgotten() {
        let limit = limit();
        drop(limit.acquire(ip(1), false));
        assert!(limit.by_network.lock().unwrap().is_empty());
        limit.wait_until_idle().await;
    }
}
