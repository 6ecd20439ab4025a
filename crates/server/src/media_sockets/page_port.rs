//! Media over TCP on the port of the page: addresses to announce, and the queue in which a listener of
//! the page hands connections to the shard that owns their transport. Reads nothing from them.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use watersmeet_net::Waker;

/// Capacity of a shard's queue of connections. A shard empties it at least every 250 ms.
const CONNECTIONS_QUEUED_MAX: usize = 256;

/// A TCP connection whose first frame is an ICE check.
#[derive(Debug)]
pub struct MediaConnection {
    /// The connection.
    pub stream: TcpStream,
    /// Address of the peer.
    pub remote: SocketAddr,
    /// Bytes that were read from it: its first frame, with the length before it (RFC 4571).
    pub received: Vec<u8>,
}

/// The page's port, on which peers reach the shard by TCP.
pub struct PagePort {
    /// Addresses on which the page listens.
    addresses: Vec<SocketAddr>,
    /// Connections for this shard.
    queue: Receiver<MediaConnection>,
    /// Sending end of `queue`.
    sender: SyncSender<MediaConnection>,
}

impl PagePort {
    /// Takes the addresses on which the page listens.
    pub fn new(addresses: Vec<SocketAddr>) -> Self {
        let (sender, queue) = sync_channel(CONNECTIONS_QUEUED_MAX);
        Self {
            addresses,
            queue,
            sender,
        }
    }

    /// Returns the port to announce for addresses of a family; `None` when the page does not listen on it.
    pub fn port(&self, is_ipv4: bool) -> Option<u16> {
        let mut addresses = self.addresses.iter();
        let found = addresses.find(|address| address.is_ipv4() == is_ipv4);
        found.map(SocketAddr::port)
    }

    /// Drains the queued connections, at most its capacity.
    pub fn connections(&self) -> impl Iterator<Item = MediaConnection> {
        self.queue.try_iter().take(CONNECTIONS_QUEUED_MAX)
    }

    /// Returns a handle that queues connections and ends the shard's wait with `waker`.
    pub fn sender(&self, waker: Waker) -> ConnectionSender {
        ConnectionSender {
            queue: self.sender.clone(),
            waker,
        }
    }
}

/// Hands connections to one shard.
#[derive(Clone)]
pub struct ConnectionSender {
    /// Sending end of the shard's queue.
    queue: SyncSender<MediaConnection>,
    /// Ends the shard's wait.
    waker: Waker,
}

impl ConnectionSender {
    /// Queues a connection. Returns false, and closes it, when the queue is full or the shard has ended.
    pub fn send(&self, connection: MediaConnection) -> bool {
        let is_sent = self.queue.try_send(connection).is_ok();
        if let Err(error) = self.waker.wake() {
            // The shard empties its queue in its next iteration.
            tracing::warn!(%error, "cannot wake shard");
        }
        is_sent
    }
}
