//! ICE over TCP: a listener, its connections, and frames in both directions (RFC 4571, as RFC 6544
//! uses it). A connection is named by its remote address, as a datagram's source is, so that the
//! engine sees no difference.
//!
//! Anyone may connect. A connection is untrusted until its owner says that a STUN check on it was
//! authentic; until then its time and its number per origin are short. Every buffer has a bound,
//! and a peer that does not read loses whole frames, the newest first, never parts of one.

mod connection;
pub mod frame;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use self::connection::{Connection, Queued, Written};
use crate::poller::{Interest, Poller, Ready, Registrar, SocketId};

pub use self::connection::WRITE_QUEUE_BYTES_MAX;

/// Connections of one listener.
pub const CONNECTION_MAX: usize = 4_096;

/// Untrusted connections from one origin: an IPv4 address, or an IPv6 network of 64 bits.
pub const UNTRUSTED_PER_ORIGIN_MAX: usize = 64;

/// How long a connection may stay untrusted.
pub const UNTRUSTED_LIFETIME: Duration = Duration::from_secs(10);

/// How long a trusted connection may stay silent. A browser checks its consent every 5 s.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Connections accepted in one turn, so that a flood of them does not hold up media.
const ACCEPTS_PER_TURN: usize = 64;

/// Waiting connections that the kernel keeps.
const BACKLOG: i32 = 1_024;

/// Bytes read in one turn from one connection.
const READ_LEN: usize = 65_536;

/// How a listener is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpOptions {
    /// Connections at once, no more than [`CONNECTION_MAX`].
    pub connection_max: usize,
    /// Untrusted connections at once from one origin.
    pub untrusted_per_origin_max: usize,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            connection_max: CONNECTION_MAX,
            untrusted_per_origin_max: UNTRUSTED_PER_ORIGIN_MAX,
        }
    }
}

/// What a server has done since it was opened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TcpStats {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed at once, because there were too many.
    pub refused: u64,
    /// Connections closed for breaking the framing.
    pub broken: u64,
    /// Connections closed for silence, or for staying untrusted.
    pub stale: u64,
    /// Frames received.
    pub received: u64,
    /// Frames taken to be sent.
    pub sent: u64,
    /// Frames dropped because the peer does not read.
    pub dropped_full: u64,
    /// Frames dropped because there is no such connection, or they are too long.
    pub dropped_other: u64,
}

/// A listener and its connections. Nothing here blocks.
pub struct TcpServer {
    /// The listener.
    listener: TcpListener,
    /// Its number in the poller.
    number: usize,
    /// The poller that waits for it and its connections.
    registrar: Registrar,
    /// Whether the poller waits for the listener: not while the process has no descriptor left.
    listening: bool,
    /// The limits.
    options: TcpOptions,
    /// The connections.
    connections: Slab<Connection>,
    /// Where the connection to each remote address is.
    slots: HashMap<SocketAddr, usize>,
    /// How many untrusted connections each origin has.
    untrusted: HashMap<IpAddr, usize>,
    /// Connections with frames that were queued since the last flush.
    unflushed: Vec<usize>,
    /// Connections that ended and were not yet reported; no more than may exist.
    closed: VecDeque<SocketAddr>,
    /// Where bytes are read to.
    scratch: Box<[u8]>,
    /// What it has done.
    stats: TcpStats,
}

impl TcpServer {
    /// Listens on `address`, and lets `poller` wait under the names `SocketId::TcpListener(number)`
    /// and `SocketId::TcpConnection { listener: number, .. }`. An IPv6 listener takes no IPv4.
    ///
    /// # Errors
    /// Those of the system: the address is taken or not ours.
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
        let connection_max = options.connection_max.min(CONNECTION_MAX);
        let options = TcpOptions {
            connection_max,
            ..options
        };
        let registrar = poller.registrar();
        registrar.add(&listener, SocketId::TcpListener(number), Interest::Read)?;
        Ok(Self {
            listener,
            number,
            registrar,
            listening: true,
            options,
            connections: Slab::new(),
            slots: HashMap::new(),
            untrusted: HashMap::new(),
            unflushed: Vec::new(),
            closed: VecDeque::new(),
            scratch: vec![0; READ_LEN].into_boxed_slice(),
            stats: TcpStats::default(),
        })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// What it has done since it was opened.
    pub const fn stats(&self) -> TcpStats {
        self.stats
    }

    /// Does what `ready` allows: accepts, reads, writes. Frames that are complete are handed to
    /// `visit` with the address of their sender, and may be changed in slot. What belongs to
    /// another listener is ignored.
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
                    self.write(slot);
                }
                if ready.readable {
                    self.read(now, slot, visit);
                }
            }
            _ => {}
        }
    }

    /// Queues `contents` as a frame for `remote`; [`flush`](Self::flush) sends it. False when it
    /// was dropped: there is no such connection, or its peer does not read.
    pub fn send(&mut self, remote: SocketAddr, contents: &[u8]) -> bool {
        let slot = self.slots.get(&remote).copied();
        let found = slot.and_then(|slot| Some((slot, self.connections.get_mut(slot)?)));
        let Some((slot, connection)) = found else {
            self.stats.dropped_other += 1;
            return false;
        };
        match connection.queue(contents) {
            Queued::First => self.unflushed.push(slot),
            Queued::Behind => {}
            Queued::Full => {
                self.stats.dropped_full += 1;
                return false;
            }
            Queued::TooLong => {
                self.stats.dropped_other += 1;
                return false;
            }
        }
        self.stats.sent += 1;
        true
    }

    /// Writes what was queued: once per turn, so that a turn's frames share a system call.
    pub fn flush(&mut self) {
        while let Some(slot) = self.unflushed.pop() {
            self.write(slot);
        }
    }

    /// Marks the connection to `remote` as that of a peer who proved who it is.
    pub fn trust(&mut self, remote: SocketAddr) {
        let slot = self.slots.get(&remote).copied();
        let Some(connection) = slot.and_then(|slot| self.connections.get_mut(slot)) else {
            return;
        };
        if !std::mem::replace(&mut connection.trusted, true) {
            self.forget_untrusted(remote);
        }
    }

    /// Closes the connection to `remote`, without a report.
    pub fn close(&mut self, remote: SocketAddr) {
        if let Some(slot) = self.slots.get(&remote).copied() {
            self.remove(slot);
        }
    }

    /// Closes what was silent or untrusted for too long, and listens again after descriptors ran
    /// out. To be called about once a second.
    pub fn close_stale(&mut self, now: Instant) {
        let stale: Vec<usize> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.is_stale(now))
            .map(|(slot, _)| slot)
            .collect();
        for slot in stale {
            self.stats.stale += 1;
            self.end(slot);
        }
        self.listen_again();
    }

    /// The next connection that ended by itself: its peer closed it, or it was stale or broken.
    pub fn poll_closed(&mut self) -> Option<SocketAddr> {
        self.closed.pop_front()
    }

    /// Accepts what waits.
    fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.listener.accept() {
                Ok((stream, remote)) => self.admit(now, stream, remote),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    _ => {
                        // Out of descriptors, most likely: the listener would stay ready for ever.
                        tracing::warn!(%error, "TCP connections are not accepted for now");
                        self.registrar.remove(&self.listener);
                        self.listening = false;
                        return;
                    }
                },
            }
        }
    }

    /// Makes `stream` a connection, or drops it.
    fn admit(&mut self, now: Instant, stream: TcpStream, remote: SocketAddr) {
        let origin = origin(remote);
        let untrusted = self.untrusted.get(&origin).copied().unwrap_or(0);
        let admitted = self.connections.len() < self.options.connection_max
            && untrusted < self.options.untrusted_per_origin_max
            && !self.slots.contains_key(&remote);
        let entry = self.connections.vacant_entry();
        let slot = entry.key();
        let socket_id = SocketId::TcpConnection {
            listener: self.number,
            slot,
        };
        // Without the delay a small frame would wait for the one before it to be acknowledged.
        let ready = admitted
            && stream.set_nonblocking(true).is_ok()
            && stream.set_nodelay(true).is_ok()
            && self
                .registrar
                .add(&stream, socket_id, Interest::Read)
                .is_ok();
        if !ready {
            self.stats.refused += 1;
            return;
        }
        entry.insert(Connection::new(stream, remote, now));
        self.slots.insert(remote, slot);
        self.untrusted.insert(origin, untrusted + 1);
        self.stats.accepted += 1;
    }

    /// Reads once; the rest is reported as ready again.
    fn read(&mut self, now: Instant, slot: usize, mut visit: impl FnMut(SocketAddr, &mut [u8])) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let remote = connection.remote;
        let received = &mut self.stats.received;
        let result = connection.read(now, &mut self.scratch, |frame| {
            *received += 1;
            visit(remote, frame);
        });
        if let Err(error) = result {
            if error.kind() == io::ErrorKind::InvalidData {
                self.stats.broken += 1;
            }
            tracing::debug!(%error, "a TCP connection ended");
            self.end(slot);
        }
    }

    /// Writes what is queued, as far as there is room, and waits for room when there is not.
    fn write(&mut self, slot: usize) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let written = connection.write();
        let waits = matches!(written, Ok(Written::Some));
        let interest = if waits {
            Interest::ReadWrite
        } else {
            Interest::Read
        };
        let socket_id = SocketId::TcpConnection {
            listener: self.number,
            slot,
        };
        let changed = std::mem::replace(&mut connection.waits_for_room, waits) != waits;
        let watched = if changed {
            self.registrar
                .modify(&connection.stream, socket_id, interest)
        } else {
            Ok(())
        };
        if let Err(error) = written.map(|_| ()).and(watched) {
            tracing::debug!(%error, "a TCP connection ended");
            self.end(slot);
        }
    }

    /// Closes the connection at `slot` and reports it.
    fn end(&mut self, slot: usize) {
        let Some(remote) = self.remove(slot) else {
            return;
        };
        if self.closed.len() >= CONNECTION_MAX {
            self.closed.pop_front();
        }
        self.closed.push_back(remote);
    }

    /// Closes the connection at `slot`; the address it was to.
    fn remove(&mut self, slot: usize) -> Option<SocketAddr> {
        let connection = self.connections.try_remove(slot)?;
        self.registrar.remove(&connection.stream);
        self.slots.remove(&connection.remote);
        self.unflushed.retain(|unflushed| *unflushed != slot);
        if !connection.trusted {
            self.forget_untrusted(connection.remote);
        }
        self.listen_again();
        Some(connection.remote)
    }

    /// Counts one untrusted connection less from the origin of `remote`.
    fn forget_untrusted(&mut self, remote: SocketAddr) {
        let origin = origin(remote);
        if let Some(count) = self.untrusted.get_mut(&origin) {
            *count -= 1;
            if *count == 0 {
                self.untrusted.remove(&origin);
            }
        }
    }

    /// Waits for the listener again, if it was left out.
    fn listen_again(&mut self) {
        if self.listening {
            return;
        }
        let socket_id = SocketId::TcpListener(self.number);
        self.listening = self
            .registrar
            .add(&self.listener, socket_id, Interest::Read)
            .is_ok();
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        for (_, connection) in &self.connections {
            self.registrar.remove(&connection.stream);
        }
        if self.listening {
            self.registrar.remove(&self.listener);
        }
    }
}

/// Where a remote address counts: one IPv6 subscriber has 2⁶⁴ addresses.
fn origin(remote: SocketAddr) -> IpAddr {
    match remote.ip() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
    }
}
