//! Which transport a datagram belongs to: by the path it came on, and before a path is known by
//! the ufrag that an ICE check names (RFC 8445 §7.3). Never trusts a datagram: a path is entered
//! only when its transport has authenticated a check on it.

use watersmeet_wire::units::Map;

use crate::path::Path;
use crate::slots::TransportKey;

/// Where transports are found. A `key` is the place of a transport in its worker.
#[derive(Debug, Default)]
pub struct Demux {
    /// By path; at most eight paths for each transport.
    paths: Map<Path, TransportKey>,
    /// By local ufrag; at most two for each transport, while ICE restarts.
    ufrags: Map<String, TransportKey>,
    /// The path asked for last: datagrams come in runs.
    last: Option<(Path, TransportKey)>,
}

impl Demux {
    /// The transport that has authenticated this path.
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

    /// The transport with this local ufrag.
    pub fn locate_ufrag(&self, ufrag: &str) -> Option<TransportKey> {
        self.ufrags.get(ufrag).copied()
    }

    /// Enters an authenticated path.
    pub fn add_path(&mut self, path: Path, key: TransportKey) {
        self.last = None;
        self.paths.insert(path, key);
    }

    /// Takes a path out, if it still belongs to this transport.
    pub fn remove_path(&mut self, path: Path, key: TransportKey) {
        self.last = None;
        if self.paths.get(&path) == Some(&key) {
            self.paths.remove(&path);
        }
    }

    /// Enters a local ufrag.
    pub fn add_ufrag(&mut self, ufrag: String, key: TransportKey) {
        self.ufrags.insert(ufrag, key);
    }

    /// Takes a local ufrag out.
    pub fn remove_ufrag(&mut self, ufrag: &str) {
        self.ufrags.remove(ufrag);
    }

    /// Takes out everything of a transport that is closing.
    pub fn remove(&mut self, key: TransportKey) {
        self.last = None;
        self.paths.retain(|_, owner| *owner != key);
        self.ufrags.retain(|_, owner| *owner != key);
    }

    #[cfg(test)]
    /// Whether nothing is entered.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.ufrags.is_empty()
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
    fn a_path_that_moved_is_not_taken_from_its_new_owner() {
        let mut demux = Demux::default();
        demux.add_path(path(1), key(7));
        demux.add_path(path(1), key(8));
        demux.remove_path(path(1), key(7));
        assert_eq!(demux.locate(path(1)), Some(key(8)));
    }

    #[test]
    fn nothing_of_a_closed_transport_remains() {
        let mut demux = Demux::default();
        demux.add_path(path(1), key(7));
        demux.add_ufrag("abcd".to_owned(), key(7));
        assert_eq!(demux.locate(path(1)), Some(key(7)));
        demux.remove(key(7));
        assert_eq!(demux.locate(path(1)), None);
        assert!(demux.is_empty());
    }
}
