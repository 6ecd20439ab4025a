//! ICE over TCP: a listener, its connections, and frames in both directions (RFC 4571, RFC 6544). A
//! connection is identified by its remote address, as a datagram's sender is, so that the engine
//! handles both alike.
//!
//! Anyone may connect. A connection is untrusted until the owner reports an authenticated STUN check
//! on it; until then its lifetime and the number per client address are limited. Every buffer is
//! bounded. When a peer reads too slowly, whole frames are dropped, those of low priority first.

mod connection;
pub mod frame;
mod write_queue;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use self::connection::{Connection, QueueResult, WriteResult};
use self::frame::FRAME_LEN_MAX;
use crate::poller::{Interest, Poller, Ready, Registrar, SocketId};

pub use self::connection::{SILENCE_MAX, UNTRUSTED_LIFETIME};
pub use self::write_queue::{Priority, WAIT_MAX, WRITE_QUEUE_BYTES_MAX};

/// Upper bound of connections of one listener.
pub const CONNECTION_MAX: usize = 4_096;

/// Untrusted connections from one client: an IPv4 address, or an IPv6 /64 network.
pub const UNTRUSTED_PER_CLIENT_MAX: usize = 64;

/// Connections accepted per call, so that a flood of them does not delay media.
const ACCEPTS_PER_CALL_MAX: usize = 64;

/// Connections that the kernel queues before they are accepted.
const BACKLOG: i32 = 1_024;

/// Interval of log lines while connections cannot be accepted.
const PAUSE_LOG_INTERVAL: Duration = Duration::from_mins(1);

/// Bytes that the kernel takes of a connection beyond those it has sent (TCP_NOTSENT_LOWAT, tcp(7)).
/// The rest waits in the write queue, where it can be dropped.
#[cfg(target_os = "linux")]
const UNSENT_LEN_MAX: libc::c_int = 16 << 10;

/// Bytes read from a connection per call.
const READ_LEN: usize = 65_536;

/// Options of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpOptions {
    /// Simultaneous connections, at most [`CONNECTION_MAX`].
    pub connection_max: usize,
    /// Simultaneous untrusted connections from one client: an IPv4 address or IPv6 /64 network.
    pub untrusted_per_client_max: usize,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            connection_max: CONNECTION_MAX,
            untrusted_per_client_max: UNTRUSTED_PER_CLIENT_MAX,
        }
    }
}

/// Counters of a server since it was opened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TcpStats {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed on arrival because a limit was reached.
    pub refused: u64,
    /// Connections closed because the peer violated the framing.
    pub broken: u64,
    /// Connections closed because they were silent or untrusted for too long.
    pub stale: u64,
    /// Frames received.
    pub received: u64,
    /// Frames queued for sending.
    pub sent: u64,
    /// Frames dropped because the write queue was full, or they waited for too long: the peer reads too
    /// slowly.
    pub dropped_full: u64,
    /// Frames dropped because they are too long or the connection does not exist.
    pub dropped_other: u64,
}

/// A non-blocking listener with its connections, or only the connections that another listener accepted.
pub struct TcpServer {
    /// The listener; `None` when connections are only given by [`add`](Self::add).
    listener: Option<TcpListener>,
    /// Number in the poller.
    number: usize,
    /// The poller in which listener and connections are registered.
    registrar: Registrar,
    /// Whether the listener is registered; not while the process has no file descriptor left.
    is_listening: bool,
    /// When it was last logged that connections cannot be accepted.
    pause_logged_at: Option<Instant>,
    /// The limits.
    options: TcpOptions,
    /// The connections.
    connections: Slab<Connection>,
    /// Slot of the connection to each remote address.
    slots: HashMap<SocketAddr, usize>,
    /// Number of untrusted connections of each client.
    untrusted: HashMap<IpAddr, usize>,
    /// Slots of connections with frames queued since the last flush.
    unflushed: Vec<usize>,
    /// Remote addresses of ended connections not yet reported; at most [`CONNECTION_MAX`].
    closed: VecDeque<SocketAddr>,
    /// Read buffer.
    scratch: Box<[u8]>,
    /// Counters since it was opened.
    stats: TcpStats,
}

impl TcpServer {
    /// Listens on `address`, and registers in `poller` as `SocketId::TcpListener(number)` and
    /// `SocketId::TcpConnection { listener: number, .. }`. An IPv6 listener does not take IPv4.
    ///
    /// # Errors
    /// Errors of the operating system, for example when the address is in use or not local.
    pub fn bind(
        address: SocketAddr,
        options: TcpOptions,
        poller: &Poller,
        number: usize,
    ) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // On Windows the option would let another process take the port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        let mut server = Self::without_listener(options, poller, number);
        let socket_id = SocketId::TcpListener(number);
        server.registrar.add(&listener, socket_id, Interest::Read)?;
        server.listener = Some(listener);
        server.is_listening = true;
        Ok(server)
    }

    /// Creates a server whose connections are accepted elsewhere and given by [`add`](Self::add). They are
    /// registered in `poller` as `SocketId::TcpConnection { listener: number, .. }`.
    pub fn without_listener(options: TcpOptions, poller: &Poller, number: usize) -> Self {
        let connection_max = options.connection_max.min(CONNECTION_MAX);
        let options = TcpOptions {
            connection_max,
            ..options
        };
        Self {
            listener: None,
            number,
            registrar: poller.registrar(),
            is_listening: false,
            pause_logged_at: None,
            options,
            connections: Slab::new(),
            slots: HashMap::new(),
            untrusted: HashMap::new(),
            unflushed: Vec::new(),
            closed: VecDeque::new(),
            scratch: vec![0; READ_LEN].into_boxed_slice(),
            stats: TcpStats::default(),
        }
    }

    /// Returns the address it listens on.
    ///
    /// # Errors
    /// Errors of the operating system; `NotConnected` without a listener.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let listener = self.listener.as_ref();
        listener.ok_or(io::ErrorKind::NotConnected)?.local_addr()
    }

    /// Returns the number of connections.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Returns whether there are no connections.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Returns the counters since it was opened.
    pub const fn stats(&self) -> TcpStats {
        self.stats
    }

    /// Accepts, reads or writes, as `ready` allows. Complete frames are passed to `visit` with their
    /// sender's address and may be modified in place. Sockets of another listener are ignored.
    pub fn handle_ready(
        &mut self,
        now: Instant,
        ready: Ready,
        visit: impl FnMut(SocketAddr, &mut [u8]),
    ) {
        match ready.socket {
            SocketId::TcpListener(number) if number == self.number => self.accept(now),
            SocketId::TcpConnection { listener, slot } if listener == self.number => {
                if ready.writable {
                    self.write(now, slot);
                }
                if ready.readable {
                    self.read(now, slot, visit);
                }
            }
            _ => {}
        }
    }

    /// Adds a connection that was accepted elsewhere, with the bytes that were read from it. It is dropped
    /// when a limit is reached. Complete frames are passed to `visit`, as by
    /// [`handle_ready`](Self::handle_ready).
    pub fn add(
        &mut self,
        now: Instant,
        stream: TcpStream,
        remote: SocketAddr,
        received: &mut [u8],
        visit: impl FnMut(SocketAddr, &mut [u8]),
    ) {
        if let Some(slot) = self.admit(now, stream, remote) {
            self.decode(slot, visit, |connection, _, visit| {
                connection.decode(now, received, visit)
            });
        }
    }

    /// Queues `contents` as a frame for `remote`; [`flush`](Self::flush) sends it. Returns false when
    /// it was dropped: the connection does not exist, or its peer does not read.
    pub fn send(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        contents: &[u8],
        priority: Priority,
    ) -> bool {
        let slot = self.slots.get(&remote).copied();
        let found = slot.and_then(|slot| Some((slot, self.connections.get_mut(slot)?)));
        let Some((slot, connection)) = found else {
            self.stats.dropped_other += 1;
            return false;
        };
        let is_too_long = contents.len() > FRAME_LEN_MAX;
        let result = connection.queue(now, contents, priority);
        self.stats.dropped_full += connection.take_dropped();
        match result {
            QueueResult::First => self.unflushed.push(slot),
            QueueResult::Behind => {}
            QueueResult::Dropped => {
                self.stats.dropped_full += u64::from(!is_too_long);
                self.stats.dropped_other += u64::from(is_too_long);
                return false;
            }
        }
        self.stats.sent += 1;
        true
    }

    /// Writes the queued frames. Called once per loop iteration, so that the frames of an iteration
    /// share a system call.
    pub fn flush(&mut self, now: Instant) {
        while let Some(slot) = self.unflushed.pop() {
            self.write(now, slot);
        }
    }

    /// Marks the connection to `remote` as trusted: its peer passed an authenticated STUN check.
    pub fn trust(&mut self, remote: SocketAddr) {
        let slot = self.slots.get(&remote).copied();
        let Some(connection) = slot.and_then(|slot| self.connections.get_mut(slot)) else {
            return;
        };
        if !std::mem::replace(&mut connection.trusted, true) {
            self.release_untrusted(remote);
        }
    }

    /// Closes the connection to `remote` without reporting it.
    pub fn close(&mut self, remote: SocketAddr) {
        if let Some(slot) = self.slots.get(&remote).copied() {
            self.remove(slot);
        }
    }

    /// Closes connections that were silent or untrusted for too long, and listens again after file
    /// descriptors ran out. To be called about once a second.
    pub fn close_stale(&mut self, now: Instant) {
        let stale: Vec<usize> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.is_stale(now))
            .map(|(slot, _)| slot)
            .collect();
        for slot in stale {
            self.stats.stale += 1;
            self.close_and_report(slot);
        }
        self.resume_listening();
    }

    /// Returns the remote address of the next connection that was closed by its peer, or because it
    /// was stale or violated the framing.
    pub fn poll_closed(&mut self) -> Option<SocketAddr> {
        self.closed.pop_front()
    }

    /// Accepts waiting connections.
    fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPTS_PER_CALL_MAX {
            let Some(listener) = &self.listener else {
                return;
            };
            match listener.accept() {
                Ok((stream, remote)) => {
                    self.admit(now, stream, remote);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    _ => {
                        // Most likely out of file descriptors: the listener would stay ready.
                        let last = self.pause_logged_at;
                        if last.is_none_or(|last| now.duration_since(last) >= PAUSE_LOG_INTERVAL) {
                            self.pause_logged_at = Some(now);
                            tracing::warn!(%error, "accepting TCP connections paused: most likely the limit of open files is reached");
                        }
                        self.registrar.remove(listener);
                        self.is_listening = false;
                        return;
                    }
                },
            }
        }
    }

    /// Adds `stream` to the connections and returns its slot, or drops it when a limit is reached.
    fn admit(&mut self, now: Instant, stream: TcpStream, remote: SocketAddr) -> Option<usize> {
        let client = client_of(remote);
        let untrusted = self.untrusted.get(&client).copied().unwrap_or(0);
        let admitted = self.connections.len() < self.options.connection_max
            && untrusted < self.options.untrusted_per_client_max
            && !self.slots.contains_key(&remote);
        let entry = self.connections.vacant_entry();
        let slot = entry.key();
        let socket_id = SocketId::TcpConnection {
            listener: self.number,
            slot,
        };
        // Nagle's algorithm would delay a small frame until the previous one is acknowledged.
        let ready = admitted
            && stream.set_nonblocking(true).is_ok()
            && stream.set_nodelay(true).is_ok()
            && limit_unsent(&stream)
            && self
                .registrar
                .add(&stream, socket_id, Interest::Read)
                .is_ok();
        if !ready {
            self.stats.refused += 1;
            return None;
        }
        entry.insert(Connection::new(stream, remote, now));
        self.slots.insert(remote, slot);
        self.untrusted.insert(client, untrusted + 1);
        self.stats.accepted += 1;
        Some(slot)
    }

    /// Reads once. The poller reports the socket again if there is more.
    fn read(&mut self, now: Instant, slot: usize, visit: impl FnMut(SocketAddr, &mut [u8])) {
        self.decode(slot, visit, |connection, scratch, visit| {
            connection.read(now, scratch, visit)
        });
    }

    /// Passes the frames that `decoder` finds on the connection at `slot` to `visit`, and closes the
    /// connection when it fails. `decoder` is given the read buffer.
    fn decode<V: FnMut(SocketAddr, &mut [u8])>(
        &mut self,
        slot: usize,
        mut visit: V,
        decoder: impl FnOnce(&mut Connection, &mut [u8], &mut dyn FnMut(&mut [u8])) -> io::Result<()>,
    ) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let remote = connection.remote;
        let received = &mut self.stats.received;
        let result = decoder(connection, &mut self.scratch, &mut |frame| {
            *received += 1;
            visit(remote, frame);
        });
        if let Err(error) = result {
            if error.kind() == io::ErrorKind::InvalidData {
                self.stats.broken += 1;
            }
            tracing::debug!(%error, "TCP connection closed");
            self.close_and_report(slot);
        }
    }

    /// Writes as much of the queue as the kernel has room for, and polls for room if any is left.
    fn write(&mut self, now: Instant, slot: usize) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let written = connection.write(now);
        self.stats.dropped_full += connection.take_dropped();
        let is_partial = matches!(written, Ok(WriteResult::Partial));
        let interest = if is_partial {
            Interest::ReadWrite
        } else {
            Interest::Read
        };
        let socket_id = SocketId::TcpConnection {
            listener: self.number,
            slot,
        };
        let has_changed =
            std::mem::replace(&mut connection.polls_writable, is_partial) != is_partial;
        let registered = if has_changed {
            self.registrar
                .modify(&connection.stream, socket_id, interest)
        } else {
            Ok(())
        };
        if let Err(error) = written.map(|_| ()).and(registered) {
            tracing::debug!(%error, "TCP connection closed");
            self.close_and_report(slot);
        }
    }

    /// Closes the connection at `slot` and reports it.
    fn close_and_report(&mut self, slot: usize) {
        let Some(remote) = self.remove(slot) else {
            return;
        };
        if self.closed.len() >= CONNECTION_MAX {
            self.closed.pop_front();
        }
        self.closed.push_back(remote);
    }

    /// Closes the connection at `slot` and returns its remote address.
    fn remove(&mut self, slot: usize) -> Option<SocketAddr> {
        let connection = self.connections.try_remove(slot)?;
        self.registrar.remove(&connection.stream);
        self.slots.remove(&connection.remote);
        self.unflushed.retain(|unflushed| *unflushed != slot);
        if !connection.trusted {
            self.release_untrusted(connection.remote);
        }
        self.resume_listening();
        Some(connection.remote)
    }

    /// Decrements the number of untrusted connections of the client of `remote`.
    fn release_untrusted(&mut self, remote: SocketAddr) {
        let client = client_of(remote);
        if let Some(count) = self.untrusted.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.untrusted.remove(&client);
            }
        }
    }

    /// Registers the listener again, if it is not registered.
    fn resume_listening(&mut self) {
        let listener = self.listener.as_ref().filter(|_| !self.is_listening);
        let Some(listener) = listener else {
            return;
        };
        let socket_id = SocketId::TcpListener(self.number);
        let added = self.registrar.add(listener, socket_id, Interest::Read);
        self.is_listening = added.is_ok();
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        for (_, connection) in &self.connections {
            self.registrar.remove(&connection.stream);
        }
        if let Some(listener) = self.listener.as_ref().filter(|_| self.is_listening) {
            self.registrar.remove(listener);
        }
    }
}

/// Limits what the kernel takes to send later. Returns false when that fails.
#[cfg(target_os = "linux")]
fn limit_unsent(stream: &TcpStream) -> bool {
    let (level, option) = (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT);
    crate::socket_option::set_number(stream, level, option, UNSENT_LEN_MAX).is_ok()
}

/// Limits nothing: only the write queue is short.
#[cfg(not(target_os = "linux"))]
const fn limit_unsent(_: &TcpStream) -> bool {
    true
}

/// Returns the address by which connections are limited: an IPv6 subscriber has 2⁶⁴ addresses.
fn client_of(remote: SocketAddr) -> IpAddr {
    match remote.ip() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
    }
}
