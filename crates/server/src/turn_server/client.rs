//! The way to a client: a UDP socket with its address, or the queue of a stream. Sending never waits:
//! what a client does not read in time is dropped, as a network would.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::Interest;
use tokio::sync::mpsc;
use watersmeet_net::udp::{ReceiveBatch, Transmit, UdpSocket};

/// Address of a client over UDP: its own, and the one of ours that it sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UdpPath {
    /// Address of the client.
    pub client: SocketAddr,
    /// Local address, from which it is answered; `None` when the socket has only one.
    pub local: Option<IpAddr>,
}

/// A UDP socket that clients send to.
pub struct ClientSocket {
    /// Another descriptor of the socket, which tells when datagrams have arrived.
    readiness: tokio::net::UdpSocket,
    /// The socket.
    socket: Mutex<UdpSocket>,
}

/// The way to a client.
#[derive(Clone)]
pub enum ClientSink {
    /// Datagrams.
    Udp {
        /// Socket that the client sends to.
        socket: Arc<ClientSocket>,
        /// Addresses of client and server.
        path: UdpPath,
    },
    /// Frames of a TCP or TLS connection, written by its task.
    Stream(mpsc::Sender<Vec<u8>>),
}

impl ClientSocket {
    /// Takes a bound socket. Must be called in the runtime.
    ///
    /// # Errors
    /// The runtime cannot wait for the socket.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        let descriptor = std::net::UdpSocket::from(socket.as_fd().try_clone_to_owned()?);
        Ok(Self {
            readiness: tokio::net::UdpSocket::from_std(descriptor)?,
            socket: Mutex::new(socket),
        })
    }

    /// Waits for datagrams and receives a batch of them.
    ///
    /// # Errors
    /// The socket is broken.
    pub async fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<()> {
        loop {
            self.readiness.readable().await?;
            let receive = || match self.lock().receive_batch(batch)? {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                _ => Ok(()),
            };
            match self.readiness.try_io(Interest::READABLE, receive) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return received,
            }
        }
    }

    /// Returns buffers for a batch.
    pub fn new_batch(&self) -> ReceiveBatch {
        ReceiveBatch::new(&self.lock())
    }

    /// Sends a datagram. Returns false when the kernel has no room for it.
    fn send(&self, path: &UdpPath, datagram: &[u8]) -> bool {
        let transmit = Transmit {
            destination: path.client,
            source: path.local,
            range: 0..datagram.len(),
            segment_size: None,
        };
        matches!(self.lock().send_batch(datagram, &[transmit]), Ok(1))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, UdpSocket> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSink {
    /// Sends a message or data. Returns false when there is no room for it.
    pub fn send(&self, frame: &[u8]) -> bool {
        match self {
            Self::Udp { socket, path } => socket.send(path, frame),
            Self::Stream(queue) => queue.try_send(frame.to_vec()).is_ok(),
        }
    }

    /// Returns whether data of channels is padded to four bytes (RFC 8656 §12.5).
    pub const fn is_padded(&self) -> bool {
        matches!(self, Self::Stream(_))
    }
}
