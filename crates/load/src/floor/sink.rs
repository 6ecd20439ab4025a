//! Who receives: as many sockets as the run had receivers, opened and emptied by one thread as the
//! generator's are. It looks at them a few thousand times a second and never waits for them, since
//! the sender would pay for waking it.

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

use super::cpu;

/// Time between two looks.
const TICK: Duration = Duration::from_micros(250);

/// Sockets that one look finds ready.
const READY_MAX: usize = 1_024;

/// Wanted bytes of each receive buffer.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Sockets that are emptied.
pub struct Sink {
    /// Where they are.
    addresses: Vec<SocketAddr>,
    /// Datagrams that came.
    received: Arc<AtomicU64>,
    /// Whether nothing more is sent.
    is_over: Arc<AtomicBool>,
    /// Who empties them.
    thread: JoinHandle<io::Result<()>>,
}

impl Sink {
    /// Opens `count` sockets on the loopback address and begins to empty them on `core`.
    ///
    /// # Errors
    /// Those of the system, first of all too many open files.
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
        let is_over = Arc::<AtomicBool>::default();
        let drain = Drain {
            epoll,
            sockets,
            inbox: SharedReceiveBatch::new(options),
            received: received.clone(),
            is_over: is_over.clone(),
        };
        let thread = std::thread::Builder::new().name("sink".to_owned());
        let thread = thread.spawn(move || {
            cpu::pin(core);
            drain.run()
        })?;
        Ok(Self {
            addresses,
            received,
            is_over,
            thread,
        })
    }

    /// Where the sockets are.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The count of datagrams that came.
    pub fn counter(&self) -> Arc<AtomicU64> {
        self.received.clone()
    }

    /// Ends it.
    ///
    /// # Errors
    /// Why it had ended before.
    pub fn stop(self) -> io::Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("the receiving thread panicked")))
    }
}

/// What the thread has.
struct Drain {
    /// Says which sockets have something.
    epoll: OwnedFd,
    /// The sockets, by number.
    sockets: Vec<ConnectedSocket>,
    /// Room for what comes.
    inbox: SharedReceiveBatch,
    /// Datagrams that came.
    received: Arc<AtomicU64>,
    /// Whether nothing more is sent.
    is_over: Arc<AtomicBool>,
}

impl Drain {
    fn run(mut self) -> io::Result<()> {
        let mut ready = Vec::with_capacity(READY_MAX);
        let at_once = Timespec::default();
        while !self.is_over.load(Ordering::Relaxed) {
            ready.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&at_once)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &ready {
                self.empty(usize::try_from(event.data.u64()).unwrap_or(usize::MAX))?;
            }
            if ready.len() < READY_MAX {
                std::thread::sleep(TICK);
            }
        }
        Ok(())
    }

    /// Reads a socket until nothing is left.
    fn empty(&mut self, number: usize) -> io::Result<()> {
        let Some(socket) = self.sockets.get(number) else {
            return Ok(());
        };
        let mut more = true;
        while more {
            more = socket.receive(&mut self.inbox)?;
            let count = self.inbox.datagrams().count() as u64;
            self.received.fetch_add(count, Ordering::Relaxed);
        }
        Ok(())
    }
}
