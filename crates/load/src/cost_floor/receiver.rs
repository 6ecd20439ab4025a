//! Receiver of the floor measurement: as many sockets as the run had receivers, read by one thread.
//! Like a media thread it polls a few thousand times per second and never blocks, since the sender
//! would pay for waking it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::net::getsockname;
use watersmeet_net::udp::connected::{ConnectedOptions, ConnectedSocket, SharedReceiveBatch};

use super::thread_cpu;

/// Time between two polls.
const TICK: Duration = Duration::from_micros(250);

/// Sockets that one poll reports.
const READY_MAX: usize = 1_024;

/// Bytes of each receive buffer.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Receiving sockets with their thread.
pub struct Receiver {
    /// Addresses of the sockets.
    addresses: Vec<SocketAddr>,
    /// Counter of received datagrams.
    received: Arc<AtomicU64>,
    /// Whether the thread is to stop.
    is_stopped: Arc<AtomicBool>,
    /// Thread that reads them.
    thread: JoinHandle<io::Result<()>>,
}

impl Receiver {
    /// Opens `count` sockets on the loopback address, and starts reading them on `core`.
    ///
    /// # Errors
    /// Errors of the operating system, most likely too many open files.
    pub fn start(count: usize, gro: bool, core: usize) -> io::Result<Self> {
        let options = ConnectedOptions {
            gro,
            timestamps: true,
            receive_buffer: RECEIVE_BUFFER,
        };
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (mut sockets, mut addresses) = (Vec::new(), Vec::new());
        for number in 0..count {
            let socket = ConnectedSocket::open((Ipv4Addr::LOCALHOST, 0).into(), options)?;
            let address = SocketAddr::try_from(getsockname(&socket)?)?;
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(
                &epoll,
                &socket,
                epoll::EventData::new_u64(number as u64),
                flags,
            )?;
            addresses.push(address);
            sockets.push(socket);
        }
        let received = Arc::<AtomicU64>::default();
        let is_stopped = Arc::<AtomicBool>::default();
        let receive_loop = ReceiveLoop {
            epoll,
            sockets,
            batch: SharedReceiveBatch::new(options),
            received: received.clone(),
            is_stopped: is_stopped.clone(),
        };
        let thread = std::thread::Builder::new().name("receiver".to_owned());
        let thread = thread.spawn(move || {
            thread_cpu::pin(core);
            receive_loop.run()
        })?;
        Ok(Self {
            addresses,
            received,
            is_stopped,
            thread,
        })
    }

    /// Returns the addresses of the sockets.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the counter of received datagrams.
    pub fn counter(&self) -> Arc<AtomicU64> {
        self.received.clone()
    }

    /// Stops the thread and waits for its end.
    ///
    /// # Errors
    /// Returns the error with which the thread ended early.
    pub fn stop(self) -> io::Result<()> {
        self.is_stopped.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("receiving thread panicked")))
    }
}

/// The loop of the receiving thread.
struct ReceiveLoop {
    /// Reports readable sockets.
    epoll: OwnedFd,
    /// The sockets, by number.
    sockets: Vec<ConnectedSocket>,
    /// Receive buffers.
    batch: SharedReceiveBatch,
    /// Counter of received datagrams.
    received: Arc<AtomicU64>,
    /// Whether the thread is to stop.
    is_stopped: Arc<AtomicBool>,
}

impl ReceiveLoop {
    fn run(mut self) -> io::Result<()> {
        let mut ready = Vec::with_capacity(READY_MAX);
        let no_wait = Timespec::default();
        while !self.is_stopped.load(Ordering::Relaxed) {
            ready.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&no_wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &ready {
                self.drain_socket(usize::try_from(event.data.u64()).unwrap_or(usize::MAX))?;
            }
            if ready.len() < READY_MAX {
                std::thread::sleep(TICK);
            }
        }
        Ok(())
    }

    /// Reads a socket until it is empty.
    fn drain_socket(&mut self, number: usize) -> io::Result<()> {
        let Some(socket) = self.sockets.get(number) else {
            return Ok(());
        };
        let mut has_more = true;
        while has_more {
            has_more = socket.receive(&mut self.batch)?;
            let count = self.batch.datagrams().count() as u64;
            self.received.fetch_add(count, Ordering::Relaxed);
        }
        Ok(())
    }
}
