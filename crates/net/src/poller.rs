//! Waits for sockets, wakers and timeouts: the only place where a media thread sleeps. Readiness
//! is level-triggered, so a socket that was not drained is reported again.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
mod socket_id;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use linux::{Pollable, SystemPoller};
#[cfg(not(target_os = "linux"))]
use portable::{Pollable, SystemPoller};

pub(crate) use socket_id::Interest;
pub use socket_id::{Ready, SocketId};

/// Waits for sockets. A socket deregisters itself when it is dropped.
pub struct Poller {
    /// The operating system's poller, shared with wakers and sockets.
    shared: Arc<SystemPoller>,
    /// Whether a waker was used since the last check.
    woken: Arc<AtomicBool>,
    /// Sockets that the last wait found ready.
    ready: Vec<Ready>,
}

impl Poller {
    /// Creates a poller without sockets.
    ///
    /// # Errors
    /// Fails when the process has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            shared: Arc::new(SystemPoller::new()?),
            woken: Arc::default(),
            ready: Vec::new(),
        })
    }

    /// Returns a handle with which any thread can end a wait.
    pub fn waker(&self) -> Waker {
        Waker {
            shared: Arc::clone(&self.shared),
            woken: Arc::clone(&self.woken),
        }
    }

    /// Sleeps until a socket is ready, a waker is used or `timeout` passes, and returns the number
    /// of ready sockets. `None` waits without a limit. On Linux the timeout has microsecond
    /// precision.
    ///
    /// # Errors
    /// Errors of the operating system, except interruption by a signal.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        self.ready.clear();
        match self.shared.wait(&mut self.ready, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(self.ready.len()),
        }
    }

    /// Like [`wait`](Self::wait), but polls without sleeping for `spin` first. Waking a thread costs
    /// some microseconds, which a core that is kept busy anyway need not pay.
    ///
    /// # Errors
    /// Errors of the operating system, except interruption by a signal.
    pub fn wait_with_spin(&mut self, timeout: Duration, spin: Duration) -> io::Result<usize> {
        let started = Instant::now();
        loop {
            let found = self.wait(Some(Duration::ZERO))?;
            // The wait consumed a wake without reporting it among the ready sockets.
            if found > 0 || self.woken.swap(false, Ordering::AcqRel) {
                return Ok(found);
            }
            let elapsed = started.elapsed();
            if elapsed >= spin.min(timeout) {
                return self.wait(Some(timeout.saturating_sub(elapsed)));
            }
        }
    }

    /// Returns the sockets that the last wait found ready.
    pub fn ready(&self) -> impl Iterator<Item = Ready> + '_ {
        self.ready.iter().copied()
    }

    /// Returns a handle for a socket that registers itself.
    pub(crate) fn registrar(&self) -> Registrar {
        Registrar(Arc::clone(&self.shared))
    }
}

/// Ends the wait of a [`Poller`], from any thread. A wake before the wait ends the next wait.
#[derive(Clone)]
pub struct Waker {
    /// The operating system's poller.
    shared: Arc<SystemPoller>,
    /// Read by a poller that spins.
    woken: Arc<AtomicBool>,
}

impl Waker {
    /// Ends the current or next wait.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn wake(&self) -> io::Result<()> {
        self.woken.store(true, Ordering::Release);
        self.shared.notify()
    }
}

/// Registers sockets in a poller and deregisters them.
#[derive(Clone)]
pub(crate) struct Registrar(Arc<SystemPoller>);

impl Registrar {
    /// Starts polling `socket`. The caller must [`remove`](Self::remove) it before it is closed;
    /// both kinds of sockets in this crate do so in `Drop`.
    ///
    /// # Errors
    /// Errors of the operating system, and when the socket is registered already.
    pub(crate) fn add(
        &self,
        socket: &impl Pollable,
        socket_id: SocketId,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.add(socket, socket_id, interest)
    }

    /// Changes the readiness that `socket` is polled for.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub(crate) fn modify(
        &self,
        socket: &impl Pollable,
        socket_id: SocketId,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.modify(socket, socket_id, interest)
    }

    /// Stops polling `socket`.
    pub(crate) fn remove(&self, socket: &impl Pollable) {
        if let Err(error) = self.0.remove(socket) {
            tracing::debug!(%error, "socket not registered in the poller");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_ends_after_a_sub_millisecond_timeout() {
        let mut poller = Poller::new().unwrap();
        let before = Instant::now();
        assert_eq!(poller.wait(Some(Duration::from_micros(300))).unwrap(), 0);
        let slept = before.elapsed();
        assert!(slept >= Duration::from_micros(300), "{slept:?}");
        assert!(slept < Duration::from_secs(1), "{slept:?}");
    }

    #[test]
    fn spinning_wait_ends_with_its_timeout_and_with_a_wake_in_any_phase() {
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
    fn waker_ends_a_wait_from_another_thread_and_an_early_wake_is_kept() {
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
