//! Media sockets of one shard: a UDP and a TCP port of the same number, over IPv4 and, where the
//! machine has it, IPv6. Passes received datagrams and frames to the worker and sends its packets;
//! does not look into them.

mod page_port;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use thiserror::Error;
use watersmeet_engine::command::{ListenAddress, Path, Protocol};
use watersmeet_engine::transport::discard::DiscardReason;
use watersmeet_engine::worker::{Batch, Contents, Worker};
use watersmeet_net::packet_egress::{PacketEgressOptions, PacketEgressStats};
use watersmeet_net::tcp::{Priority, TcpOptions, TcpServer};
use watersmeet_net::udp::{ReceiveBatch, Transmit, UdpOptions, UdpSocket};
use watersmeet_net::{Poller, Ready, SocketId, Waker};
use watersmeet_wire::units::Time;

use crate::clock::Clock;
use crate::config::{Config, Egress};
use crate::ip_addresses;
use crate::local_addresses::LocalAddresses;
use page_port::PagePort;

pub use page_port::{ConnectionSender, MediaConnection};

/// Batches received from one socket in a loop iteration: 4 of 32 runs keep the wait of the first
/// packet in a flood below a millisecond.
const RECEIVES_PER_ITERATION_MAX: usize = 4;

/// Attempts to give a batch to a kernel whose buffer is full, before the rest is dropped.
const SEND_TRIES_MAX: usize = 3;

/// Pause after a wait that failed, so that the thread does not spin.
const WAIT_AFTER_FAILURE: Duration = Duration::from_millis(10);

/// Interval at which silent TCP connections are closed.
const STALE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Attempts to find a port that is free for both UDP and TCP.
const PORT_TRIES_MAX: usize = 16;

/// Reason why the media sockets cannot be opened.
#[derive(Debug, Error)]
pub enum MediaSocketError {
    /// A port is in use or an address is not available.
    #[error("cannot listen for media on {address}: {error}")]
    Bind {
        /// Address and port that were requested.
        address: SocketAddr,
        /// Error of the system.
        error: io::Error,
    },
    /// The poller cannot be created.
    #[error("cannot create the poller for media: {0}")]
    Poller(io::Error),
}

/// Traffic of a shard's sockets since its start. Bytes are counted by the worker.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SocketCounters {
    /// UDP datagrams received.
    pub datagrams_received: u64,
    /// UDP datagrams sent.
    pub datagrams_sent: u64,
    /// Runs of datagrams received: passes through the kernel's network stack.
    pub runs_received: u64,
    /// Runs of datagrams sent: passes through the kernel's network stack.
    pub runs_sent: u64,
    /// Runs that the kernel refused or had no room for.
    pub runs_dropped: u64,
    /// TCP frames received.
    pub frames_received: u64,
    /// TCP frames sent.
    pub frames_sent: u64,
    /// Datagrams sent by packet egress, and fallbacks from it.
    pub packets: PacketEgressStats,
}

impl SocketCounters {
    /// Returns whether packets were received (from peers, or `has_messages` from other shards) and
    /// packets were sent since `before`.
    pub const fn has_forwarded_since(&self, before: &Self, has_messages: bool) -> bool {
        let has_received = has_messages
            || self.datagrams_received > before.datagrams_received
            || self.frames_received > before.frames_received;
        has_received && (self.runs_sent > before.runs_sent || self.frames_sent > before.frames_sent)
    }
}

/// Media sockets of one shard.
pub struct MediaSockets {
    /// Clock of the program; the TCP server uses `Instant`.
    clock: Clock,
    /// Waits on all sockets.
    poller: Poller,
    /// Sockets of each listen address, indexed as registered with the poller.
    addresses: Vec<AddressSockets>,
    /// The page's port, where media over TCP shares it.
    page_port: Option<PagePort>,
    /// Receive buffers; `None` without UDP.
    batch: Option<ReceiveBatch>,
    /// Sockets that the last wait found ready.
    ready: Vec<Ready>,
    /// Scratch buffer for datagrams of one batch.
    outgoing: Vec<Transmit>,
    /// Time for which to poll for packets before sleeping.
    spin: Duration,
    /// Time at which silent TCP connections were last closed.
    stale_checked_at: Time,
    /// Runs dropped because the kernel's send buffer was full.
    runs_dropped: u64,
}

/// Sockets on one listen address.
struct AddressSockets {
    /// Address, and the port that both sockets have.
    address: SocketAddr,
    /// UDP socket, unless UDP is disabled.
    udp: Option<UdpSocket>,
    /// Local addresses that peers have sent to, if the UDP socket is bound to all.
    locals: LocalAddresses,
    /// TCP listener and connections, unless TCP is disabled.
    tcp: Option<TcpServer>,
}

impl MediaSockets {
    /// Opens the sockets of shard `index`. Without a configured address, IPv6 is optional. `page` has the
    /// addresses on which the page listens, for media that shares its port.
    ///
    /// # Errors
    /// A port is in use, the first address is not available, or there is no poller.
    pub fn open(
        config: &Config,
        clock: Clock,
        index: u8,
        page: &[SocketAddr],
    ) -> Result<Self, MediaSocketError> {
        let poller = Poller::new().map_err(MediaSocketError::Poller)?;
        let mut port = config.media_port(index);
        let mut addresses: Vec<AddressSockets> = Vec::new();
        for (number, ip) in config.media_listen_ips().into_iter().enumerate() {
            match AddressSockets::open(config, &poller, number, SocketAddr::new(ip, port)) {
                Ok(sockets) => {
                    port = sockets.address.port();
                    addresses.push(sockets);
                }
                Err(error) if addresses.is_empty() => return Err(error),
                Err(error) => tracing::debug!(%error, "media listens on fewer addresses"),
            }
        }
        let batch = addresses
            .iter()
            .find_map(|sockets| sockets.udp.as_ref())
            .map(ReceiveBatch::new);
        Ok(Self {
            clock,
            poller,
            addresses,
            page_port: config
                .shares_page_port()
                .then(|| PagePort::new(page.to_vec())),
            batch,
            ready: Vec::new(),
            outgoing: Vec::new(),
            spin: Duration::from_micros(config.busy_poll_us.into()),
            stale_checked_at: Time::ZERO,
            runs_dropped: 0,
        })
    }

    /// Returns a waker that ends the wait from any thread.
    pub fn waker(&self) -> Waker {
        self.poller.waker()
    }

    /// Returns a handle that gives connections of the page's port to these sockets, where media shares it.
    pub fn connection_sender(&self) -> Option<ConnectionSender> {
        let port = self.page_port.as_ref();
        port.map(|port| port.sender(self.poller.waker()))
    }

    /// Returns the addresses, ports and protocols under which peers reach these sockets, in the
    /// order of `announced`.
    pub fn listen_addresses(&self, announced: &[IpAddr]) -> Vec<ListenAddress> {
        let mut listen = Vec::new();
        for &ip in announced {
            let Some(sockets) = self
                .addresses
                .iter()
                .find(|sockets| sockets.address.is_ipv4() == ip.is_ipv4())
            else {
                tracing::warn!(
                    %ip,
                    "media does not listen on the family of this announced address: set \
                     `media_listen_ip` to `::` for both, or remove it from `announced_ips`"
                );
                continue;
            };
            let own = sockets.address.port();
            let tcp = match &self.page_port {
                Some(page) => page.port(ip.is_ipv4()),
                None => Some(own),
            };
            let ports = [
                (Protocol::Udp, Some(own).filter(|_| sockets.udp.is_some())),
                (Protocol::Tcp, tcp.filter(|_| sockets.tcp.is_some())),
            ];
            let open = ports.into_iter().filter_map(|(it, port)| Some((it, port?)));
            listen.extend(open.map(|(protocol, port)| ListenAddress { protocol, ip, port }));
        }
        listen
    }

    /// Returns the addresses that UDP sockets are bound to.
    pub fn udp_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let open = self.addresses.iter().filter(|it| it.udp.is_some());
        open.map(|sockets| sockets.address)
    }

    /// Sleeps for `length`, even when packets arrive.
    pub fn sleep(&self, length: Duration) {
        if !length.is_zero() {
            std::thread::sleep(length);
        }
    }

    /// Sleeps until a packet arrives, the waker is used, or `timeout` has passed.
    pub fn wait(&mut self, timeout: Duration) {
        let waited = match self.spin {
            Duration::ZERO => self.poller.wait(Some(timeout)),
            spin => self.poller.wait_with_spin(timeout, spin),
        };
        if let Err(error) = waited {
            tracing::error!(%error, "poller failed");
            std::thread::sleep(WAIT_AFTER_FAILURE);
        }
    }

    /// Returns the traffic of all sockets since the start.
    pub fn counters(&self) -> SocketCounters {
        let mut counters = SocketCounters {
            runs_dropped: self.runs_dropped,
            ..SocketCounters::default()
        };
        for sockets in &self.addresses {
            if let Some(udp) = sockets.udp.as_ref().map(UdpSocket::stats) {
                counters.datagrams_received += udp.received;
                counters.datagrams_sent += udp.sent;
                counters.runs_received += udp.received_runs;
                counters.runs_sent += udp.sent_runs;
                counters.runs_dropped += udp.send_errors;
            }
            if let Some(packets) = sockets
                .udp
                .as_ref()
                .and_then(UdpSocket::packet_egress_stats)
            {
                counters.packets.add(&packets);
            }
            if let Some(tcp) = sockets.tcp.as_ref().map(TcpServer::stats) {
                counters.frames_received += tcp.received;
                counters.frames_sent += tcp.sent;
            }
        }
        counters
    }

    /// Passes received packets to the worker, up to the bound of one loop iteration. Returns
    /// whether these were all.
    pub fn receive(&mut self, now: Time, worker: &mut Worker) -> bool {
        let Some(instant) = self.clock.instant(now) else {
            return true;
        };
        self.add_connections(now, instant, worker);
        let mut is_all = true;
        self.ready.clear();
        self.ready.extend(self.poller.ready());
        for &ready in &self.ready {
            match ready.socket {
                SocketId::Udp(number) => {
                    let sockets = self.addresses.get_mut(number);
                    if let (Some(sockets), Some(batch)) = (sockets, &mut self.batch) {
                        is_all &= sockets.receive_datagrams(now, self.clock, batch, worker);
                    }
                }
                SocketId::TcpListener(number)
                | SocketId::TcpConnection {
                    listener: number, ..
                } => {
                    let tcp = self
                        .addresses
                        .get_mut(number)
                        .and_then(|sockets| sockets.tcp.as_mut());
                    let Some(tcp) = tcp else { continue };
                    tcp.handle_ready(instant, ready, |remote, frame| {
                        worker.handle_datagram(now, tcp_path(remote), frame);
                    });
                }
            }
        }
        self.close_stale_connections(now, worker);
        is_all
    }

    /// Takes the connections that the page's port accepted for this shard.
    fn add_connections(&mut self, now: Time, instant: Instant, worker: &mut Worker) {
        let Some(page_port) = &self.page_port else {
            return;
        };
        for mut connection in page_port.connections() {
            let remote = connection.remote;
            let mut servers = self.addresses.iter_mut().filter(|it| it.serves(remote));
            let Some(tcp) = servers.next().and_then(|sockets| sockets.tcp.as_mut()) else {
                continue;
            };
            let received = &mut connection.received;
            tcp.add(
                instant,
                connection.stream,
                remote,
                received,
                |remote, frame| {
                    worker.handle_datagram(now, tcp_path(remote), frame);
                },
            );
        }
    }

    /// Closes silent TCP connections once a second, and reports closed ones to the worker.
    fn close_stale_connections(&mut self, now: Time, worker: &mut Worker) {
        let is_due = now.since(self.stale_checked_at) >= STALE_CHECK_INTERVAL;
        let instant = self.clock.instant(now).filter(|_| is_due);
        let servers = self.addresses.iter_mut();
        for tcp in servers.filter_map(|sockets| sockets.tcp.as_mut()) {
            if let Some(instant) = instant {
                tcp.close_stale(instant);
            }
            while let Some(remote) = tcp.poll_closed() {
                worker.handle_path_closed(now, tcp_path(remote));
            }
        }
        if is_due {
            self.stale_checked_at = now;
        }
    }

    /// Sends everything that the worker has to send.
    pub fn send(&mut self, now: Time, worker: &mut Worker) {
        let Some(instant) = self.clock.instant(now) else {
            return;
        };
        while let Some(batch) = worker.poll_transmit_at(now, self.clock.now()) {
            for sockets in &mut self.addresses {
                self.runs_dropped += sockets.send(instant, &batch, &mut self.outgoing);
            }
        }
    }
}

impl AddressSockets {
    /// Opens both sockets on one port. With port 0 several free ports are tried.
    fn open(
        config: &Config,
        poller: &Poller,
        number: usize,
        address: SocketAddr,
    ) -> Result<Self, MediaSocketError> {
        let mut tries = if address.port() == 0 {
            PORT_TRIES_MAX
        } else {
            1
        };
        loop {
            tries -= 1;
            match Self::try_open(config, poller, number, address) {
                Err(_) if tries > 0 => {}
                Err(error) => return Err(MediaSocketError::Bind { address, error }),
                Ok(sockets) => return Ok(sockets),
            }
        }
    }

    fn try_open(
        config: &Config,
        poller: &Poller,
        number: usize,
        mut address: SocketAddr,
    ) -> io::Result<Self> {
        let mut udp = None;
        let mut locals = LocalAddresses::default();
        if config.udp {
            let options = UdpOptions {
                receive_buffer: config.media_receive_buffer,
                send_buffer: config.media_send_buffer,
                ..UdpOptions::default()
            };
            let mut socket = UdpSocket::bind(address, options)?;
            socket.register(poller, number)?;
            address = socket.local_addr()?;
            if socket.states_local() {
                locals = LocalAddresses::new(&ip_addresses::ips_of_family(address.ip()));
            }
            if config.egress == Egress::Packet
                && let Err(error) = socket.enable_packet_egress(PacketEgressOptions::default())
            {
                tracing::warn!(
                    %error,
                    "packet egress is not available, sending by UDP: see `watersmeet doctor`"
                );
            }
            udp = Some(socket);
        }
        let mut tcp = None;
        if config.shares_page_port() {
            let options = TcpOptions::default();
            tcp = Some(TcpServer::without_listener(options, poller, number));
        } else if config.tcp {
            let server = TcpServer::bind(address, TcpOptions::default(), poller, number)?;
            address = server.local_addr()?;
            tcp = Some(server);
        }
        Ok(Self {
            address,
            udp,
            locals,
            tcp,
        })
    }

    /// Returns whether peers at `remote` are reached by these sockets.
    fn serves(&self, remote: SocketAddr) -> bool {
        self.address.is_ipv4() == remote.is_ipv4()
    }

    /// Passes received datagrams to the worker, up to the bound of one loop iteration. Returns
    /// whether these were all.
    fn receive_datagrams(
        &mut self,
        now: Time,
        clock: Clock,
        batch: &mut ReceiveBatch,
        worker: &mut Worker,
    ) -> bool {
        let Some(udp) = &mut self.udp else {
            return true;
        };
        for _ in 0..RECEIVES_PER_ITERATION_MAX {
            let too_long = udp.stats().received_truncated;
            let received = udp.receive_batch(batch);
            let too_long = udp.stats().received_truncated - too_long;
            if too_long > 0 {
                worker.record_discards(DiscardReason::TooLong, too_long);
            }
            match received {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "receiving on the UDP socket failed");
                    return true;
                }
            }
            // The worker's time stands still during an iteration of the loop; that of the arrivals does not.
            let received = clock.now();
            for datagram in batch.datagrams() {
                let path = Path {
                    local: self.locals.number(now, datagram.local),
                    ..Path::udp(datagram.source)
                };
                let arrived = received - datagram.waited;
                worker.handle_arrival(now, arrived, path, datagram.contents);
            }
            if !batch.is_full() {
                return true;
            }
        }
        false
    }

    /// Sends the part of a batch that goes to this address family. `datagrams` is a scratch buffer.
    /// Returns the number of runs dropped because the kernel's buffer was full.
    fn send(&mut self, now: Instant, batch: &Batch<'_>, datagrams: &mut Vec<Transmit>) -> u64 {
        datagrams.clear();
        for transmit in batch.transmits {
            let remote = transmit.path.remote;
            if !self.serves(remote) {
                continue;
            }
            match (transmit.path.protocol, &mut self.tcp) {
                (Protocol::Udp, _) => datagrams.push(Transmit {
                    destination: remote,
                    source: self.locals.source(transmit.path.local),
                    range: transmit.range.clone(),
                    segment_size: transmit.segment_size,
                }),
                (Protocol::Tcp, Some(tcp)) => {
                    let Some(frame) = batch.arena.get(transmit.range.clone()) else {
                        continue;
                    };
                    // The worker sends only to peers that passed an ICE check.
                    tcp.trust(remote);
                    tcp.send(now, remote, frame, priority(transmit.contents));
                }
                (Protocol::Tcp, None) => {}
            }
        }
        let dropped = match &mut self.udp {
            Some(udp) => send_datagrams(udp, batch.arena, datagrams),
            None => 0,
        };
        if let Some(tcp) = &mut self.tcp {
            tcp.flush(now);
        }
        dropped
    }
}

/// Returns the priority of a TCP frame. On a slow line audio is more important than video.
const fn priority(contents: Contents) -> Priority {
    match contents {
        Contents::Control => Priority::High,
        Contents::Audio => Priority::Normal,
        Contents::Video => Priority::Low,
    }
}

/// Gives datagrams to the kernel in a few attempts and drops the rest, as a network would. Returns
/// the number of runs dropped.
fn send_datagrams(udp: &mut UdpSocket, arena: &[u8], datagrams: &[Transmit]) -> u64 {
    let mut rest = datagrams;
    for _ in 0..SEND_TRIES_MAX {
        if rest.is_empty() {
            return 0;
        }
        match udp.send_batch(arena, rest) {
            Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "sending on the UDP socket failed");
                return rest.len() as u64;
            }
        }
    }
    tracing::debug!(
        runs = rest.len(),
        "datagrams dropped: kernel send buffer full"
    );
    rest.len() as u64
}

/// Returns the path of a TCP connection. A remote address has one connection at a time, and the
/// worker is told that it closed before another can begin.
const fn tcp_path(remote: SocketAddr) -> Path {
    Path::tcp(remote, 0)
}
