//! Addresses from which the TURN server relays at the moment, so that others can tell relayed media apart.

use std::collections::BTreeSet;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// Addresses of the relay sockets. There are as many as allocations.
#[derive(Debug, Default)]
pub struct RelayedAddresses(RwLock<BTreeSet<SocketAddr>>);

/// An address among them, as long as it is kept.
#[derive(Debug)]
pub struct RelayedAddress {
    /// All addresses.
    all: Arc<RelayedAddresses>,
    /// This one.
    address: SocketAddr,
}

impl RelayedAddresses {
    /// Returns whether the TURN server relays from an address. A socket that is bound to all addresses may send from any.
    pub fn contains(&self, address: SocketAddr) -> bool {
        let unspecified = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let addresses = self.read();
        let mut ips = iter::once(address.ip().to_canonical()).chain(unspecified);
        ips.any(|ip| addresses.contains(&SocketAddr::new(ip, address.port())))
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeSet<SocketAddr>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RelayedAddress {
    /// Adds an address until the result is dropped.
    pub fn add(all: &Arc<RelayedAddresses>, address: SocketAddr) -> Self {
        let mut addresses = all.0.write().unwrap_or_else(PoisonError::into_inner);
        addresses.insert(address);
        Self {
            all: Arc::clone(all),
            address,
        }
    }
}

impl Drop for RelayedAddress {
    fn drop(&mut self) {
        let mut addresses = self.all.0.write().unwrap_or_else(PoisonError::into_inner);
        addresses.remove(&self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_known_until_its_socket_closes() {
        let all = Arc::<RelayedAddresses>::default();
        let address = "192.0.2.1:4000".parse().unwrap();
        let added = RelayedAddress::add(&all, address);
        assert!(all.contains(address));
        assert!(all.contains("[::ffff:192.0.2.1]:4000".parse().unwrap()));
        assert!(!all.contains("192.0.2.1:4001".parse().unwrap()));
        let any = RelayedAddress::add(&all, "0.0.0.0:4001".parse().unwrap());
        assert!(all.contains("192.0.2.1:4001".parse().unwrap()));
        drop((added, any));
        assert!(!all.contains(address));
    }
}
