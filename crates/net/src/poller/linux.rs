//! Poller for Linux: plain epoll. The timeout is an argument of the call and a wake is one write. A
//! timer descriptor re-armed for each wait costs 1 to 16 µs on a virtual machine, as much as a small
//! loop iteration.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

use super::socket_id::{Interest, Ready, SocketId};

/// Key of the waker, far above the keys of sockets.
const WAKER_KEY: u64 = u64::MAX;

/// Sockets that one wait reports at most; the next wait reports the others.
const REPORTED_MAX: usize = 64;

/// A socket that can be registered.
pub(crate) trait Pollable: AsFd {}

impl<T: AsFd> Pollable for T {}

/// An epoll instance with a waker.
pub(super) struct SystemPoller {
    /// The epoll instance.
    epoll: OwnedFd,
    /// Event counter that ends a wait. It is never read: each write is an edge.
    wake: OwnedFd,
}

impl SystemPoller {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKER_KEY), flags)?;
        Ok(Self { epoll, wake })
    }

    pub(super) fn add(
        &self,
        socket: &impl Pollable,
        socket_id: SocketId,
        interest: Interest,
    ) -> io::Result<()> {
        let data = EventData::new_u64(socket_id.key() as u64);
        Ok(epoll::add(&self.epoll, socket, data, flags(interest))?)
    }

    pub(super) fn modify(
        &self,
        socket: &impl Pollable,
        socket_id: SocketId,
        interest: Interest,
    ) -> io::Result<()> {
        let data = EventData::new_u64(socket_id.key() as u64);
        Ok(epoll::modify(&self.epoll, socket, data, flags(interest))?)
    }

    pub(super) fn remove(&self, socket: &impl Pollable) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, socket)?)
    }

    /// Appends the ready sockets to `found`.
    pub(super) fn wait(&self, found: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        let mut room = [const { MaybeUninit::uninit() }; REPORTED_MAX];
        let events = match self.wait_once(&mut room, timeout) {
            // Before Linux 5.11 a timeout has whole milliseconds.
            Err(Errno::NOSYS) => self.wait_once(&mut room, timeout.map(whole_millis))?,
            result => result?,
        };
        let sockets = events.iter().filter(|it| it.data.u64() != WAKER_KEY);
        found.extend(sockets.filter_map(ready));
        Ok(())
    }

    fn wait_once<'a>(
        &self,
        room: &'a mut [MaybeUninit<Event>],
        timeout: Option<Duration>,
    ) -> Result<&'a [Event], Errno> {
        // A timeout that the structure cannot hold means no limit.
        let timeout = timeout.and_then(|it| Timespec::try_from(it).ok());
        let (events, _) = epoll::wait(&self.epoll, room, timeout.as_ref())?;
        Ok(events)
    }

    pub(super) fn notify(&self) -> io::Result<()> {
        match rustix::io::write(&self.wake, &1_u64.to_ne_bytes()) {
            // The counter is full after 2⁶⁴ wakes; the pending edge still ends the wait.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn flags(interest: Interest) -> EventFlags {
    let read = EventFlags::IN | EventFlags::RDHUP;
    match interest {
        Interest::Read => read,
        Interest::ReadWrite => read | EventFlags::OUT,
    }
}

/// Converts an event. A broken connection counts as readable and writable, so that the next read
/// or write returns its error.
fn ready(event: &Event) -> Option<Ready> {
    let flags = event.flags;
    let broken = EventFlags::HUP | EventFlags::ERR;
    Some(Ready {
        socket: SocketId::from_key(usize::try_from(event.data.u64()).ok()?),
        readable: flags.intersects(EventFlags::IN | EventFlags::RDHUP | broken),
        writable: flags.intersects(EventFlags::OUT | broken),
    })
}

/// Rounds up to whole milliseconds.
fn whole_millis(duration: Duration) -> Duration {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_is_rounded_up_to_milliseconds_for_older_kernels() {
        for (micros, millis) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2)] {
            let rounded = whole_millis(Duration::from_micros(micros));
            assert_eq!(rounded, Duration::from_millis(millis));
        }
    }
}
