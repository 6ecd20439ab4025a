//! Poller for systems without epoll, on the crate `polling`. On Linux only its tests use it.

use std::io;
use std::time::Duration;

use polling::{AsRawSource, AsSource, Event, Events, PollMode};

use super::socket_id::{Interest, Ready, SocketId};

/// A socket that can be registered.
pub(crate) trait Pollable: AsSource {
    /// Returns the descriptor or handle.
    fn raw(&self) -> impl AsRawSource;
}

impl<T: AsSource> Pollable for T
where
    for<'a> &'a T: AsRawSource,
{
    fn raw(&self) -> impl AsRawSource {
        self
    }
}

/// The operating system's poller.
pub(super) struct SystemPoller(polling::Poller);

impl SystemPoller {
    pub(super) fn new() -> io::Result<Self> {
        polling::Poller::new().map(Self)
    }

    pub(super) fn add(
        &self,
        socket: &impl Pollable,
        socket_id: SocketId,
        interest: Interest,
    ) -> io::Result<()> {
        #[expect(
            unsafe_code,
            reason = "the poller registers a socket that it does not own"
        )]
        // SAFETY: the socket outlives its registration: every caller removes it before it closes
        // the socket, and the poller lives as long as any registrar.
        unsafe {
            self.0
                .add_with_mode(socket.raw(), event(socket_id, interest), PollMode::Level)
        }
    }

    pub(super) fn modify(
        &self,
        socket: &impl Pollable,
        socket_id: SocketId,
        interest: Interest,
    ) -> io::Result<()> {
        self.0
            .modify_with_mode(socket, event(socket_id, interest), PollMode::Level)
    }

    pub(super) fn remove(&self, socket: &impl Pollable) -> io::Result<()> {
        self.0.delete(socket)
    }

    /// Appends the ready sockets to `found`.
    pub(super) fn wait(&self, found: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = Events::new();
        self.0.wait(&mut events, timeout)?;
        found.extend(events.iter().map(|event| Ready {
            socket: SocketId::from_key(event.key),
            readable: event.readable,
            writable: event.writable,
        }));
        Ok(())
    }

    pub(super) fn notify(&self) -> io::Result<()> {
        self.0.notify()
    }
}

fn event(socket_id: SocketId, interest: Interest) -> Event {
    match interest {
        Interest::Read => Event::readable(socket_id.key()),
        Interest::ReadWrite => Event::all(socket_id.key()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    const NOW: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn socket_is_ready_when_a_datagram_arrives_and_no_longer_after_removal() {
        let system = SystemPoller::new().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        system
            .add(&socket, SocketId::Udp(3), Interest::Read)
            .unwrap();
        let mut found = Vec::new();
        system.wait(&mut found, NOW).unwrap();
        assert_eq!(found, []);
        socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        system
            .wait(&mut found, Some(Duration::from_secs(20)))
            .unwrap();
        let expected = Ready {
            socket: SocketId::Udp(3),
            readable: true,
            writable: false,
        };
        assert_eq!(found, [expected]);
        found.clear();
        system
            .modify(&socket, SocketId::Udp(3), Interest::ReadWrite)
            .unwrap();
        system.wait(&mut found, NOW).unwrap();
        assert!(found.first().is_some_and(|it| it.readable && it.writable));
        found.clear();
        system.remove(&socket).unwrap();
        system.notify().unwrap();
        system.wait(&mut found, None).unwrap();
        assert_eq!(found, [], "a wake reports no socket");
    }
}
