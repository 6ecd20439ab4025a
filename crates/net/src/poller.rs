//! The one place where a media thread sleeps: until a socket is ready, another thread wakes it,
//! or a timeout passes. Readiness is level-triggered, so a socket that was not emptied is simply
//! reported again.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use linux::{Pollable, System};
#[cfg(not(target_os = "linux"))]
use portable::{Pollable, System};

/// A thing that can become ready. Numbers of sockets are chosen by their owner, below 2¹⁰.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketId {
    /// A UDP socket.
    Udp(usize),
    /// A listener for TCP connections.
    TcpListener(usize),
    /// A TCP connection.
    TcpConnection {
        /// The listener that accepted it.
        listener: usize,
        /// Its slot among the listener's connections, below 2¹⁶.
        slot: usize,
    },
}

/// Bits of a slot in a key.
const SLOT_BITS: u32 = 16;

/// Bits of a socket's number in a key, above the slot; the kind stands above.
const NUMBER_BITS: u32 = 10;

/// Greatest number of a socket.
const NUMBER_MAX: usize = (1 << NUMBER_BITS) - 1;

/// Greatest slot of a connection.
const SLOT_MAX: usize = (1 << SLOT_BITS) - 1;

impl SocketId {
    /// The key by which the system names this source.
    const fn key(self) -> usize {
        let (kind, number, slot) = match self {
            Self::Udp(number) => (0, number, 0),
            Self::TcpListener(number) => (1, number, 0),
            Self::TcpConnection { listener, slot } => (2, listener, slot),
        };
        (kind << (NUMBER_BITS + SLOT_BITS))
            | ((number & NUMBER_MAX) << SLOT_BITS)
            | (slot & SLOT_MAX)
    }

    /// The source that was added under `key`.
    const fn from_key(key: usize) -> Self {
        let number = (key >> SLOT_BITS) & NUMBER_MAX;
        match key >> (NUMBER_BITS + SLOT_BITS) {
            0 => Self::Udp(number),
            1 => Self::TcpListener(number),
            _ => Self::TcpConnection {
                listener: number,
                slot: key & SLOT_MAX,
            },
        }
    }
}

/// One source that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Which one.
    pub socket: SocketId,
    /// Whether there is something to read, or a closing to notice.
    pub readable: bool,
    /// Whether there is room to write.
    pub writable: bool,
}

/// Waits for sockets. Each socket takes itself out when it is dropped.
pub struct Poller {
    /// The system's poller, shared with the wakers and the sockets.
    shared: Arc<System>,
    /// Whether a waker was used since somebody looked.
    woken: Arc<AtomicBool>,
    /// What the last wait reported.
    ready: Vec<Ready>,
}

impl Poller {
    /// A poller that waits for nothing yet.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            shared: Arc::new(System::new()?),
            woken: Arc::default(),
            ready: Vec::new(),
        })
    }

    /// A handle with which any thread can end a wait.
    pub fn waker(&self) -> Waker {
        Waker {
            shared: Arc::clone(&self.shared),
            woken: Arc::clone(&self.woken),
        }
    }

    /// Sleeps until a source is ready, a waker is used or `timeout` passes; for ever when it is
    /// `None`. On Linux the timeout is kept to the microsecond. How many sources are ready.
    ///
    /// # Errors
    /// Those of the system; never because a signal arrived.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        self.ready.clear();
        match self.shared.wait(&mut self.ready, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(self.ready.len()),
        }
    }

    /// As [`wait`](Self::wait), but looks again and again for `spin` before it sleeps: waking a
    /// thread costs some microseconds, and a core that is kept busy has nothing better to do.
    ///
    /// # Errors
    /// Those of the system; never because a signal arrived.
    pub fn wait_with_spin(&mut self, timeout: Duration, spin: Duration) -> io::Result<usize> {
        let started = Instant::now();
        loop {
            let found = self.wait(Some(Duration::ZERO))?;
            // Looking uses up a wake without a trace among the sources.
            if found > 0 || self.woken.swap(false, Ordering::AcqRel) {
                return Ok(found);
            }
            let elapsed = started.elapsed();
            if elapsed >= spin.min(timeout) {
                return self.wait(Some(timeout.saturating_sub(elapsed)));
            }
        }
    }

    /// The sources that the last wait found ready.
    pub fn ready(&self) -> impl Iterator<Item = Ready> + '_ {
        self.ready.iter().copied()
    }

    /// The system's poller, for a socket that registers itself.
    pub(crate) fn registrar(&self) -> Registrar {
        Registrar(Arc::clone(&self.shared))
    }
}

/// Ends the wait of a [`Poller`], from any thread. A wake before the wait ends the next one.
#[derive(Clone)]
pub struct Waker {
    /// The system's poller.
    shared: Arc<System>,
    /// Tells a poller that does not sleep.
    woken: Arc<AtomicBool>,
}

impl Waker {
    /// Ends the wait.
    ///
    /// # Errors
    /// Those of the system.
    pub fn wake(&self) -> io::Result<()> {
        self.woken.store(true, Ordering::Release);
        self.shared.notify()
    }
}

/// Adds sockets to a poller and takes them out.
#[derive(Clone)]
pub(crate) struct Registrar(Arc<System>);

/// What a socket is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Something to read.
    Read,
    /// Something to read, or room to write.
    ReadWrite,
}

impl Registrar {
    /// Waits for `socket` from now on. The caller must [`remove`](Self::remove) it before it is
    /// closed; both sockets of this crate do so in `Drop`.
    pub(crate) fn add(
        &self,
        socket: &impl Pollable,
        socket_id: SocketId,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.add(socket, socket_id, interest)
    }

    /// Changes what `socket` is waited for.
    pub(crate) fn modify(
        &self,
        socket: &impl Pollable,
        socket_id: SocketId,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.modify(socket, socket_id, interest)
    }

    /// Waits for `socket` no longer.
    pub(crate) fn remove(&self, socket: &impl Pollable) {
        if let Err(error) = self.0.remove(socket) {
            tracing::debug!(%error, "a socket was not in the poller");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_source() {
        let connection = SocketId::TcpConnection {
            listener: NUMBER_MAX,
            slot: SLOT_MAX,
        };
        for socket_id in [
            SocketId::Udp(0),
            SocketId::Udp(1),
            SocketId::TcpListener(7),
            connection,
        ] {
            assert_eq!(SocketId::from_key(socket_id.key()), socket_id);
        }
    }

    #[test]
    fn a_short_timeout_passes() {
        let mut poller = Poller::new().unwrap();
        let before = Instant::now();
        assert_eq!(poller.wait(Some(Duration::from_micros(300))).unwrap(), 0);
        let slept = before.elapsed();
        assert!(slept >= Duration::from_micros(300), "{slept:?}");
        assert!(slept < Duration::from_secs(1), "{slept:?}");
    }

    #[test]
    fn a_busy_wait_ends_with_its_timeout_and_with_a_wake_in_any_phase() {
        let mut poller = Poller::new().unwrap();
        let (short, long) = (Duration::from_micros(500), Duration::from_secs(20));
        for spin in [Duration::from_micros(100), Duration::from_millis(5)] {
            let before = Instant::now();
            assert_eq!(poller.wait_with_spin(short, spin).unwrap(), 0);
            assert!(before.elapsed() >= short);
        }
        let before = Instant::now();
        for spin in [Duration::ZERO, Duration::from_millis(1), long] {
            let waker = poller.waker();
            let thread = std::thread::spawn(move || waker.wake().unwrap());
            poller.wait_with_spin(long, spin).unwrap();
            thread.join().unwrap();
        }
        assert!(before.elapsed() < long);
    }

    #[test]
    fn another_thread_wakes_a_sleeper_and_an_early_wake_is_not_lost() {
        let mut poller = Poller::new().unwrap();
        let waker = poller.waker();
        let before = Instant::now();
        let thread = std::thread::spawn(move || waker.wake().unwrap());
        poller.wait(Some(Duration::from_secs(20))).unwrap();
        thread.join().unwrap();
        poller.waker().wake().unwrap();
        poller.wait(Some(Duration::from_secs(20))).unwrap();
        assert!(before.elapsed() < Duration::from_secs(10));
    }
}
