//! Addresses of the sockets that relay, as many as there are allocations: so that operators see whose media is
//! relayed. Kept apart from the sockets, which belong to their sessions.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Addresses of the sockets that relay.
#[derive(Debug, Default)]
pub struct RelayAddresses(Mutex<BTreeSet<SocketAddr>>);

impl RelayAddresses {
    /// Records a socket.
    pub fn add(&self, address: SocketAddr) {
        self.lock().insert(address);
    }

    /// Records the end of a socket.
    pub fn remove(&self, address: SocketAddr) {
        self.lock().remove(&address);
    }

    /// Returns whether a socket relays from this address. One that is bound to all addresses may send from any.
    pub fn contains(&self, ip: IpAddr, port: u16) -> bool {
        let relays = self.lock();
        let unspecified = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let mut candidates = std::iter::once(ip.to_canonical()).chain(unspecified);
        candidates.any(|ip| relays.contains(&SocketAddr::new(ip, port)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relay_is_known_by_its_address_while_its_socket_is_open() {
        let relays = RelayAddresses::default();
        let (ip, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let bound = SocketAddr::new(ip, 5_000);
        relays.add(bound);
        relays.add(([0, 0, 0, 0], 5_001).into());
        assert!(relays.contains(ip, 5_000) && relays.contains(other, 5_001));
        assert!(!relays.contains(other, 5_000) && !relays.contains(ip, 5_002));
        relays.remove(bound);
        assert!(!relays.contains(ip, 5_000));
    }
}
