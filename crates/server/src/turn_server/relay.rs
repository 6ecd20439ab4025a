//! The relay socket of an allocation: sends what a client sends to media sockets of this server, and
//! passes their answers to the client.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket2::SockRef;
use stun_types::message::{Message, MessageWriteVec, StunWriteError};
use stun_types::prelude::{MessageWrite as _, MessageWriteExt as _};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;
use tokio::time::sleep;
use turn_types::attribute::{Data, XorPeerAddress};
use turn_types::message::DATA;

use super::bindings::{Bindings, Route};
use super::client::ClientSink;
use super::context::TurnContext;
use super::metrics::DropReason;

/// Longest datagram that is relayed to a client, in bytes: more than any path of the Internet carries.
const DATAGRAM_LEN_MAX: usize = 2_048;

/// Pause after a failure to receive, so that the task does not spin.
const RECEIVE_BACKOFF: Duration = Duration::from_millis(100);

/// Length of the header of channel data, in bytes.
const CHANNEL_HEADER_LEN: usize = 4;

/// The relay socket of an allocation. Closes when dropped.
pub struct Relay {
    /// State shared with the task that receives.
    state: Arc<RelayState>,
    /// Address of the socket.
    address: SocketAddr,
    /// Task that receives.
    task: AbortHandle,
}

struct RelayState {
    server: Arc<TurnContext>,
    socket: UdpSocket,
    bindings: Mutex<Bindings>,
    sink: ClientSink,
}

impl Relay {
    /// Opens a socket at this address, with a free port.
    ///
    /// # Errors
    /// The system has no free port or file descriptor.
    pub fn open(
        server: &Arc<TurnContext>,
        address: std::net::IpAddr,
        sink: ClientSink,
    ) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(SocketAddr::new(address, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let state = Arc::new(RelayState {
            server: Arc::clone(server),
            socket: UdpSocket::from_std(socket)?,
            bindings: Mutex::default(),
            sink,
        });
        server.metrics.relays.add(address);
        let receiving = tokio::spawn(Arc::clone(&state).receive());
        Ok(Self {
            state,
            address,
            task: receiving.abort_handle(),
        })
    }

    /// Returns the address of the socket, from which media sockets see the client.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the permissions and channels.
    pub fn bindings(&self) -> MutexGuard<'_, Bindings> {
        self.state.bindings()
    }

    /// Sends data of the client to a peer that it has permission for, or drops it.
    pub fn send(&self, now: Instant, peer: SocketAddr, data: &[u8]) {
        let metrics = &self.state.server.metrics;
        if !self.bindings().is_permitted(now, peer.ip()) {
            return metrics.record_drop(DropReason::NoPermission);
        }
        let Some(target) = self.state.server.peers().target_of(peer) else {
            return metrics.record_drop(DropReason::ForbiddenPeer);
        };
        match SockRef::from(&self.state.socket).send_to(data, &target.into()) {
            Ok(_) => metrics.record_from_client(data.len()),
            Err(_) => metrics.record_drop(DropReason::QueueFull),
        }
    }

    /// Sends data of the client to the peer of a channel, or drops it.
    pub fn send_on_channel(&self, now: Instant, number: u16, data: &[u8]) {
        let peer = self.bindings().peer_of(now, number);
        match peer {
            Some(peer) => self.send(now, peer, data),
            None => self
                .state
                .server
                .metrics
                .record_drop(DropReason::NoPermission),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.server.metrics.relays.remove(self.address);
        self.task.abort();
    }
}

impl RelayState {
    fn bindings(&self) -> MutexGuard<'_, Bindings> {
        self.bindings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes datagrams of peers to the client until the allocation ends.
    async fn receive(self: Arc<Self>) {
        let mut datagram = [0; DATAGRAM_LEN_MAX];
        loop {
            match self.socket.recv_from(&mut datagram).await {
                Ok((len, source)) => {
                    let data = datagram.get(..len).unwrap_or_default();
                    self.pass_to_client(source, data);
                }
                // Also reported for an earlier datagram that nobody received.
                Err(error) => {
                    tracing::debug!(%error, "relay socket failed to receive");
                    sleep(RECEIVE_BACKOFF).await;
                }
            }
        }
    }

    fn pass_to_client(&self, source: SocketAddr, data: &[u8]) {
        let metrics = &self.server.metrics;
        let Some(peer) = self.server.peers().peer_at(source) else {
            return metrics.record_drop(DropReason::ForbiddenPeer);
        };
        let route = self.bindings().route_from(Instant::now(), peer);
        let frame = match route {
            Some(Route::Channel(number)) => channel_data(number, data, self.sink.is_padded()),
            Some(Route::Indication) => indication(peer, data).ok(),
            None => return metrics.record_drop(DropReason::NoPermission),
        };
        match frame.is_some_and(|frame| self.sink.send(&frame)) {
            true => metrics.record_to_client(data.len()),
            false => metrics.record_drop(DropReason::QueueFull),
        }
    }
}

/// Encodes data of a channel (RFC 8656 §12.4); `None` when it is too long.
fn channel_data(number: u16, data: &[u8], is_padded: bool) -> Option<Vec<u8>> {
    let len = u16::try_from(data.len()).ok()?;
    let padded_len = data.len().next_multiple_of(CHANNEL_HEADER_LEN);
    let mut frame = Vec::with_capacity(CHANNEL_HEADER_LEN + padded_len);
    frame.extend_from_slice(&number.to_be_bytes());
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(data);
    if is_padded {
        frame.resize(CHANNEL_HEADER_LEN + padded_len, 0);
    }
    Some(frame)
}

/// Encodes a Data indication (RFC 8656 §11.5).
fn indication(peer: SocketAddr, data: &[u8]) -> Result<Vec<u8>, StunWriteError> {
    let mut indication = Message::builder_indication(DATA, MessageWriteVec::new());
    let peer = XorPeerAddress::new(peer, indication.transaction_id());
    indication.add_attribute(&peer)?;
    indication.add_attribute(&Data::new(data))?;
    Ok(indication.finish())
}
