//! Finds the transport of a datagram: by its path, or before the path is known by the ufrag in an ICE
//! check (RFC 8445 §7.3). Datagrams are not trusted: a path is added only when its transport has
//! authenticated a check on it.

use std::net::{IpAddr, SocketAddr};

use watersmeet_wire::units::Map;

use crate::path::{Path, Protocol};
use crate::slots::TransportKey;

/// Paths and ufrags of all transports of a worker.
#[derive(Debug, Default)]
pub struct Demux {
    /// Transports by path.
    paths: Map<Path, TransportKey>,
    /// Transports by local ufrag.
    ufrags: Map<String, TransportKey>,
    /// Paths and ufrags by transport, so that a closing one is removed without a search.
    owned: Map<TransportKey, Owned>,
    /// Path located last: datagrams of one path often follow each other.
    last: Option<(Path, TransportKey)>,
}

/// Paths and ufrags of one transport.
#[derive(Debug, Default)]
struct Owned {
    /// At most eight paths, see `PATHS_MAX`.
    paths: Vec<Path>,
    /// At most two ufrags, while ICE restarts.
    ufrags: Vec<String>,
}

impl Demux {
    /// Returns the transport that has authenticated this path.
    #[inline]
    pub fn locate(&mut self, path: Path) -> Option<TransportKey> {
        if let Some((last, key)) = self.last
            && last == path
        {
            return Some(key);
        }
        let key = self.paths.get(&path).copied()?;
        self.last = Some((path, key));
        Some(key)
    }

    /// Returns the transports with UDP paths from this host, in the order of their ports.
    pub fn transports_of_host(&self, host: IpAddr) -> impl Iterator<Item = TransportKey> + '_ {
        let from = Path::udp(SocketAddr::new(host, 0));
        let paths = self.paths.range(from..);
        let is_of_host =
            move |path: &Path| path.protocol == Protocol::Udp && path.remote.ip() == host;
        let of_host = paths.take_while(move |(path, _)| is_of_host(path));
        of_host.map(|(_, key)| *key)
    }

    /// Returns the transport with this local ufrag.
    pub fn locate_ufrag(&self, ufrag: &str) -> Option<TransportKey> {
        self.ufrags.get(ufrag).copied()
    }

    /// Adds an authenticated path, and takes it from the transport that had it before.
    pub fn add_path(&mut self, path: Path, key: TransportKey) {
        self.last = None;
        let former = self.paths.insert(path, key);
        if former == Some(key) {
            return;
        }
        if let Some(owned) = former.and_then(|former| self.owned.get_mut(&former)) {
            owned.paths.retain(|known| *known != path);
        }
        self.owned.entry(key).or_default().paths.push(path);
    }

    /// Removes a path, if it still belongs to this transport.
    pub fn remove_path(&mut self, path: Path, key: TransportKey) {
        self.last = None;
        if self.paths.get(&path) != Some(&key) {
            return;
        }
        self.paths.remove(&path);
        if let Some(owned) = self.owned.get_mut(&key) {
            owned.paths.retain(|known| *known != path);
        }
    }

    /// Adds a local ufrag.
    pub fn add_ufrag(&mut self, ufrag: String, key: TransportKey) {
        self.owned
            .entry(key)
            .or_default()
            .ufrags
            .push(ufrag.clone());
        self.ufrags.insert(ufrag, key);
    }

    /// Removes a local ufrag.
    pub fn remove_ufrag(&mut self, ufrag: &str) {
        let key = self.ufrags.remove(ufrag);
        if let Some(owned) = key.and_then(|key| self.owned.get_mut(&key)) {
            owned.ufrags.retain(|known| known != ufrag);
        }
    }

    /// Removes all paths and ufrags of a transport.
    pub fn remove(&mut self, key: TransportKey) {
        self.last = None;
        let owned = self.owned.remove(&key).unwrap_or_default();
        for path in owned.paths {
            self.paths.remove(&path);
        }
        for ufrag in owned.ufrags {
            self.ufrags.remove(&ufrag);
        }
    }

    #[cfg(test)]
    /// Returns whether no transport has a path or a ufrag.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.ufrags.is_empty() && self.owned.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Key as _;

    fn key(index: usize) -> TransportKey {
        TransportKey::from_index(index)
    }

    fn path(port: u16) -> Path {
        Path::udp(([127, 0, 0, 1], port).into())
    }

    #[test]
    fn former_owner_cannot_remove_a_path_that_moved() {
        let mut demux = Demux::default();
        demux.add_path(path(1), key(7));
        demux.add_path(path(1), key(8));
        demux.remove_path(path(1), key(7));
        assert_eq!(demux.locate(path(1)), Some(key(8)));
        demux.remove(key(7));
        assert_eq!(demux.locate(path(1)), Some(key(8)));
    }

    #[test]
    fn transports_of_a_host_are_those_with_its_udp_paths() {
        let mut demux = Demux::default();
        let of = |host: [u8; 4], port| Path::udp((host, port).into());
        let (host, neighbours) = ([192, 0, 2, 7], [[192, 0, 2, 6], [192, 0, 2, 8]]);
        for (index, port) in [1, 9, u16::MAX].into_iter().enumerate() {
            demux.add_path(of(host, port), key(index));
            for neighbour in neighbours {
                demux.add_path(of(neighbour, port), key(10));
            }
        }
        demux.add_path(Path::tcp((host, 5).into(), 1), key(11));
        let found: Vec<_> = demux.transports_of_host(host.into()).collect();
        assert_eq!(found, [key(0), key(1), key(2)]);
        assert_eq!(demux.transports_of_host([192, 0, 2, 9].into()).count(), 0);
    }

    #[test]
    fn closed_transport_leaves_nothing() {
        let mut demux = Demux::default();
        demux.add_path(path(1), key(7));
        demux.add_path(path(1), key(7));
        demux.add_path(path(2), key(7));
        demux.remove_path(path(2), key(7));
        demux.add_ufrag("abcd".to_owned(), key(7));
        demux.add_ufrag("efgh".to_owned(), key(7));
        demux.remove_ufrag("efgh");
        assert_eq!(demux.locate(path(1)), Some(key(7)));
        assert_eq!(demux.locate_ufrag("abcd"), Some(key(7)));
        demux.remove(key(7));
        assert_eq!(demux.locate(path(1)), None);
        assert!(demux.is_empty());
    }
}
