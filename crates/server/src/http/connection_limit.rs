//! How many connections there are, in all and for each address. A seat is taken when a connection
//! is accepted and given back when it, and the session it became, is dropped. A session that spans
//! many connections has a seat of its own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client_address::network;

/// The most connections at once.
const SEATS_MAX: u32 = 20_000;

/// The most connections at once from one IPv4 address or one IPv6 /64. An office behind one
/// address fits; loopback is not counted, for a reverse proxy brings everybody from there.
const SEATS_PER_NETWORK_MAX: u32 = 512;

/// All the seats.
#[derive(Debug)]
pub struct ConnectionLimit {
    /// One permit for each free seat.
    free: Arc<Semaphore>,
    /// Taken seats for each network that has any.
    by_network: Mutex<HashMap<IpAddr, u32>>,
}

/// One taken seat.
#[derive(Debug)]
pub struct ConnectionPermit {
    /// Where it goes back to.
    seats: Arc<ConnectionLimit>,
    /// Whose it is; none on loopback.
    network: Option<IpAddr>,
    /// Frees the seat when dropped.
    _permit: OwnedSemaphorePermit,
}

impl ConnectionLimit {
    /// All free.
    pub fn new() -> Arc<Self> {
        let free = Arc::new(Semaphore::new(SEATS_MAX as usize));
        Arc::new(Self {
            free,
            by_network: Mutex::default(),
        })
    }

    /// A seat for `ip`, unless all, or all for its network, are taken.
    pub fn take(self: &Arc<Self>, ip: IpAddr) -> Option<ConnectionPermit> {
        self.take_for((!ip.to_canonical().is_loopback()).then(|| network(ip)))
    }

    fn take_for(self: &Arc<Self>, network: Option<IpAddr>) -> Option<ConnectionPermit> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        if let Some(network) = network {
            let mut by_network = self
                .by_network
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let taken = by_network.entry(network).or_default();
            if *taken >= SEATS_PER_NETWORK_MAX {
                return None;
            }
            *taken += 1;
        }
        Some(ConnectionPermit {
            seats: Arc::clone(self),
            network,
            _permit: permit,
        })
    }

    /// Waits until every seat is free.
    pub async fn all_free(&self) {
        // The semaphore is never closed, so this ends only when all permits are back.
        let _ = self.free.acquire_many(SEATS_MAX).await;
    }
}

impl ConnectionPermit {
    /// A further seat for whoever has this one: for a session that is more than one connection.
    pub fn another(&self) -> Option<Self> {
        self.seats.take_for(self.network)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut by_network = self
            .seats
            .by_network
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = by_network.get_mut(&network) {
            *taken -= 1;
            if *taken == 0 {
                by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_cannot_take_every_seat() {
        let seats = ConnectionLimit::new();
        let ip = IpAddr::from([192, 0, 2, 1]);
        let mut taken: Vec<_> = (0..SEATS_PER_NETWORK_MAX)
            .map(|_| seats.take(ip).unwrap())
            .collect();
        assert!(seats.take(ip).is_none());
        assert!(seats.take(IpAddr::from([192, 0, 2, 2])).is_some());
        taken.pop();
        assert!(seats.take(ip).is_some());
    }

    #[test]
    fn a_further_seat_counts_like_the_first() {
        let seats = ConnectionLimit::new();
        let first = seats.take(IpAddr::from([192, 0, 2, 1])).unwrap();
        let further: Vec<_> = (1..SEATS_PER_NETWORK_MAX)
            .map(|_| first.another().unwrap())
            .collect();
        assert!(first.another().is_none());
        drop(further);
        assert!(first.another().is_some());
    }

    #[test]
    fn loopback_is_not_counted() {
        let seats = ConnectionLimit::new();
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1]);
        let taken: Vec<_> = (0..=SEATS_PER_NETWORK_MAX)
            .map(|_| seats.take(mapped).unwrap())
            .collect();
        assert!(taken.iter().all(|seat| seat.network.is_none()));
    }

    #[tokio::test]
    async fn nothing_is_kept_of_those_who_left() {
        let seats = ConnectionLimit::new();
        drop(seats.take(IpAddr::from([192, 0, 2, 1])));
        assert!(seats.by_network.lock().unwrap().is_empty());
        seats.all_free().await;
    }
}
