//! Upper bounds of allocations: in all, for each user name, and for each client network. A permit is
//! acquired with an allocation and released when it is dropped.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use stun_types::attribute::ErrorCode;

use super::metrics::TurnMetrics;
use crate::http::client_address::network;

/// Upper bound of allocations of one user name. A participant has two connections, each of which
/// allocates over UDP, TCP and TLS from every network of the machine, and again at ICE restarts.
const USER_MAX: u32 = 64;

/// Upper bound of allocations from one IPv4 address or IPv6 /64: an office behind one address.
const NETWORK_MAX: u32 = 512;

/// Bounds of allocations.
#[derive(Debug, Clone, Copy)]
pub struct AllocationLimits {
    /// Allocations in all.
    pub total: u32,
    /// Allocations of one user name.
    pub user: u32,
    /// Allocations of one client network. Loopback has no such bound, since a proxy of this machine
    /// connects from there.
    pub network: u32,
}

impl AllocationLimits {
    /// Returns the bounds with `total` allocations in all.
    pub const fn new(total: u32) -> Self {
        Self {
            total,
            user: USER_MAX,
            network: NETWORK_MAX,
        }
    }
}

/// Counts allocations and refuses those above the limits.
#[derive(Debug)]
pub struct AllocationQuota {
    limits: AllocationLimits,
    counts: Mutex<Counts>,
    metrics: Arc<TurnMetrics>,
}

/// Allocations that exist.
#[derive(Debug, Default)]
struct Counts {
    total: u32,
    by_user: HashMap<String, u32>,
    by_network: HashMap<IpAddr, u32>,
}

/// Permit of one allocation; released when dropped.
#[derive(Debug)]
pub struct AllocationPermit {
    quota: Arc<AllocationQuota>,
    user: String,
    network: Option<IpAddr>,
}

impl AllocationQuota {
    /// Creates a quota without allocations.
    pub fn new(limits: AllocationLimits, metrics: Arc<TurnMetrics>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            counts: Mutex::default(),
            metrics,
        })
    }

    /// Acquires a permit for a user at `client`.
    ///
    /// # Errors
    /// The code of the response (RFC 8656 §7.2): 486 when the user or its network has too many
    /// allocations, 508 when the server has.
    pub fn acquire(self: &Arc<Self>, user: &str, client: IpAddr) -> Result<AllocationPermit, u16> {
        let network = (!client.to_canonical().is_loopback()).then(|| network(client));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.limits.total {
            return Err(ErrorCode::INSUFFICIENT_CAPACITY);
        }
        let of_user = counts.by_user.get(user).copied().unwrap_or_default();
        let of_network = network.and_then(|network| counts.by_network.get(&network).copied());
        if of_user >= self.limits.user || of_network.unwrap_or_default() >= self.limits.network {
            return Err(ErrorCode::ALLOCATION_QUOTA_REACHED);
        }
        counts.total += 1;
        *counts.by_user.entry(user.to_owned()).or_default() += 1;
        if let Some(network) = network {
            *counts.by_network.entry(network).or_default() += 1;
        }
        self.metrics.set_allocations(counts.total);
        Ok(AllocationPermit {
            quota: Arc::clone(self),
            user: user.to_owned(),
            network,
        })
    }
}

impl Drop for AllocationPermit {
    fn drop(&mut self) {
        let counts = self.quota.counts.lock();
        let mut counts = counts.unwrap_or_else(PoisonError::into_inner);
        counts.total = counts.total.saturating_sub(1);
        release(&mut counts.by_user, &self.user);
        if let Some(network) = &self.network {
            release(&mut counts.by_network, network);
        }
        self.quota.metrics.set_allocations(counts.total);
    }
}

/// Counts one less, and forgets a key without allocations.
fn release<K: Eq + Hash>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_bounded_per_user_per_network_and_in_all() {
        let limits = AllocationLimits {
            total: 5,
            user: 2,
            network: 3,
        };
        let quota = AllocationQuota::new(limits, Arc::default());
        let here: IpAddr = [192, 0, 2, 1].into();
        let there: IpAddr = [192, 0, 2, 2].into();
        let ana = [quota.acquire("ana", here), quota.acquire("ana", here)];
        assert_eq!(quota.acquire("ana", there).unwrap_err(), 486);
        let ben = quota.acquire("ben", here).unwrap();
        assert_eq!(quota.acquire("cy", here).unwrap_err(), 486);
        let others = ["cy", "di"].map(|user| quota.acquire(user, there).unwrap());
        assert_eq!(quota.acquire("eve", there).unwrap_err(), 508);
        drop((ana, ben, others));
        let counts = quota.counts.lock().unwrap();
        assert!(counts.total == 0 && counts.by_user.is_empty() && counts.by_network.is_empty());
    }

    #[test]
    fn loopback_is_bounded_per_user_and_in_all_only() {
        let limits = AllocationLimits {
            total: 9,
            user: 9,
            network: 1,
        };
        let quota = AllocationQuota::new(limits, Arc::default());
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let permits = [0; 3].map(|_| quota.acquire("ana", loopback).unwrap());
        assert_eq!(quota.counts.lock().unwrap().total, 3);
        drop(permits);
    }
}
