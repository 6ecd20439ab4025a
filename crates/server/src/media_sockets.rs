//! The sockets of one shard: a UDP and a TCP port of the same number, over IPv4 and, where the
//! machine has it, IPv6. Datagrams and frames go into the worker, its packets go out. What the
//! bytes mean is the worker's business.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thiserror::Error;
use watersmeet_engine::command::{ListenAddress, Path, Protocol};
use watersmeet_engine::worker::{Batch, Worker};
use watersmeet_net::packet_egress::{PacketEgressOptions, PacketEgressStats};
use watersmeet_net::tcp::{TcpOptions, TcpServer};
use watersmeet_net::udp::{ReceiveBatch, Transmit, UdpOptions, UdpSocket};
use watersmeet_net::{Poller, Ready, SocketId, Waker};
use watersmeet_wire::units::Time;

use crate::clock::Clock;
use crate::config::{Config, Egress};

/// Receive batches taken from one socket before the worker may send: 4 of 32 runs keep the wait of
/// the first packet in a flood below a millisecond.
const RECEIVES_PER_TURN_MAX: usize = 4;

/// Times the kernel is offered the rest of a batch for which it has no room, before the rest is
/// dropped as a network would.
const SEND_TRIES_MAX: usize = 3;

/// The wait when waiting itself fails, so that the thread does not spin.
const WAIT_AFTER_FAILURE: Duration = Duration::from_millis(10);

/// How often silent TCP connections are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Times a free port is sought whose UDP and TCP halves are both free.
const PORT_TRIES_MAX: usize = 16;

/// Why there are no media sockets.
#[derive(Debug, Error)]
pub enum MediaSocketError {
    /// A port is taken, or an address is not ours.
    #[error("cannot listen for media on {address}: {error}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The operating system has nothing to wait with.
    #[error("cannot wait for media: {0}")]
    Poller(io::Error),
}

/// What went through the sockets of a shard since its start. Bytes are the worker's to count.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SocketCounters {
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Datagrams given to the kernel.
    pub datagrams_sent: u64,
    /// Trips through the kernel's stack that brought datagrams.
    pub runs_received: u64,
    /// Trips through the kernel's stack that took datagrams.
    pub runs_sent: u64,
    /// Datagrams, and runs of them, that the kernel refused or had no room for.
    pub runs_dropped: u64,
    /// Frames of TCP connections received.
    pub frames_received: u64,
    /// Frames given to TCP connections.
    pub frames_sent: u64,
    /// What went past the network stack, and what did not though it was to.
    pub packets: PacketEgressStats,
}

impl SocketCounters {
    /// Whether between `before` and now something came in, from peers or else `crossed` from other
    /// shards, and something went out.
    pub const fn has_passed_since(&self, before: &Self, crossed: bool) -> bool {
        let came = crossed
            || self.datagrams_received > before.datagrams_received
            || self.frames_received > before.frames_received;
        came && (self.runs_sent > before.runs_sent || self.frames_sent > before.frames_sent)
    }
}

/// The sockets of one shard.
pub struct MediaSockets {
    /// Tells when; the moments of TCP are the operating system's.
    clock: Clock,
    /// Waits for all of them.
    poller: Poller,
    /// One for each address family, numbered as the poller knows them.
    links: Vec<Link>,
    /// Room for one receive.
    batch: Option<ReceiveBatch>,
    /// What the last wait found.
    ready: Vec<Ready>,
    /// Room to gather datagrams in.
    outgoing: Vec<Transmit>,
    /// How long to look for packets before sleeping.
    spin: Duration,
    /// When silent connections were last looked for.
    swept_at: Time,
    /// Runs for which the kernel had no room.
    runs_dropped: u64,
}

/// The sockets on one address.
struct Link {
    /// The address, with the port that both have.
    address: SocketAddr,
    /// Datagrams, unless UDP is off.
    udp: Option<UdpSocket>,
    /// Connections, unless TCP is off.
    tcp: Option<TcpServer>,
}

impl MediaSockets {
    /// Opens the sockets of shard `index`. Without a configured address, IPv6 is used if the
    /// machine has it.
    pub fn open(config: &Config, clock: Clock, index: u8) -> Result<Self, MediaSocketError> {
        let poller = Poller::new().map_err(MediaSocketError::Poller)?;
        let mut port = config.media_port(index);
        let mut links: Vec<Link> = Vec::new();
        for (number, ip) in config.media_listen_ips().into_iter().enumerate() {
            match Link::open(config, &poller, number, SocketAddr::new(ip, port)) {
                Ok(link) => {
                    port = link.address.port();
                    links.push(link);
                }
                Err(error) if links.is_empty() => return Err(error),
                Err(error) => tracing::debug!(%error, "media is not served there"),
            }
        }
        let batch = links
            .iter()
            .find_map(|link| link.udp.as_ref())
            .map(ReceiveBatch::new);
        Ok(Self {
            clock,
            poller,
            links,
            batch,
            ready: Vec::new(),
            outgoing: Vec::new(),
            spin: Duration::from_micros(config.busy_poll_us.into()),
            swept_at: Time::ZERO,
            runs_dropped: 0,
        })
    }

    /// Ends the wait, from any thread.
    pub fn waker(&self) -> Waker {
        self.poller.waker()
    }

    /// Where peers reach these sockets by the addresses that are `announced`, in that order.
    pub fn listen_addresses(&self, announced: &[IpAddr]) -> Vec<ListenAddress> {
        let mut addresses = Vec::new();
        for &ip in announced {
            let Some(link) = self
                .links
                .iter()
                .find(|link| link.address.is_ipv4() == ip.is_ipv4())
            else {
                tracing::warn!("an announced address is of a family that media is not served on");
                continue;
            };
            let port = link.address.port();
            let protocols = [
                (Protocol::Udp, link.udp.is_some()),
                (Protocol::Tcp, link.tcp.is_some()),
            ];
            let open = protocols.into_iter().filter(|&(_, open)| open);
            addresses.extend(open.map(|(protocol, _)| ListenAddress { protocol, ip, port }));
        }
        addresses
    }

    /// Sleeps so long, whatever arrives.
    pub fn rest(&self, length: Duration) {
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
            tracing::error!(%error, "the wait for media failed");
            std::thread::sleep(WAIT_AFTER_FAILURE);
        }
    }

    /// What went through since the start: the sockets count it.
    pub fn traffic(&self) -> SocketCounters {
        let mut traffic = SocketCounters {
            runs_dropped: self.runs_dropped,
            ..SocketCounters::default()
        };
        for link in &self.links {
            if let Some(udp) = link.udp.as_ref().map(UdpSocket::stats) {
                traffic.datagrams_received += udp.received;
                traffic.datagrams_sent += udp.sent;
                traffic.runs_received += udp.received_runs;
                traffic.runs_sent += udp.sent_runs;
                traffic.runs_dropped += udp.send_errors;
            }
            if let Some(packets) = link.udp.as_ref().and_then(UdpSocket::packet_egress_stats) {
                traffic.packets.add(&packets);
            }
            if let Some(tcp) = link.tcp.as_ref().map(TcpServer::stats) {
                traffic.frames_received += tcp.received;
                traffic.frames_sent += tcp.sent;
            }
        }
        traffic
    }

    /// Hands what has arrived to the worker, up to a turn's worth. Says whether that was all.
    pub fn receive(&mut self, now: Time, worker: &mut Worker) -> bool {
        let Some(instant) = self.clock.instant(now) else {
            return true;
        };
        let mut is_all = true;
        self.ready.clear();
        self.ready.extend(self.poller.ready());
        for &ready in &self.ready {
            match ready.socket {
                SocketId::Udp(number) => {
                    let udp = self
                        .links
                        .get_mut(number)
                        .and_then(|link| link.udp.as_mut());
                    if let (Some(udp), Some(batch)) = (udp, &mut self.batch) {
                        is_all &= receive_datagrams(now, udp, batch, worker);
                    }
                }
                SocketId::TcpListener(number)
                | SocketId::TcpConnection {
                    listener: number, ..
                } => {
                    let tcp = self
                        .links
                        .get_mut(number)
                        .and_then(|link| link.tcp.as_mut());
                    let Some(tcp) = tcp else { continue };
                    tcp.handle_ready(instant, ready, |remote, frame| {
                        worker.handle_datagram(now, tcp_path(remote), frame);
                    });
                }
            }
        }
        self.sweep(now, worker);
        is_all
    }

    /// Tells the worker which connections have ended, and once in a while ends silent ones.
    fn sweep(&mut self, now: Time, worker: &mut Worker) {
        let due = now.since(self.swept_at) >= SWEEP_INTERVAL;
        let instant = self.clock.instant(now).filter(|_| due);
        for tcp in self.links.iter_mut().filter_map(|link| link.tcp.as_mut()) {
            if let Some(instant) = instant {
                tcp.close_stale(instant);
            }
            while let Some(remote) = tcp.poll_closed() {
                worker.handle_path_closed(now, tcp_path(remote));
            }
        }
        if due {
            self.swept_at = now;
        }
    }

    /// Sends what the worker has to send.
    pub fn send(&mut self, now: Time, worker: &mut Worker) {
        while let Some(batch) = worker.poll_transmit(now) {
            for link in &mut self.links {
                self.runs_dropped += link.send(&batch, &mut self.outgoing);
            }
        }
    }
}

impl Link {
    /// Opens both sockets on one port.
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
                Ok(link) => return Ok(link),
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
        if config.udp {
            let options = UdpOptions {
                receive_buffer: config.media_receive_buffer,
                send_buffer: config.media_send_buffer,
                ..UdpOptions::default()
            };
            let mut socket = UdpSocket::bind(address, options)?;
            socket.register(poller, number)?;
            address = socket.local_addr()?;
            if config.egress == Egress::Packet
                && let Err(error) = socket.enable_packet_egress(PacketEgressOptions::default())
            {
                tracing::warn!(%error, "media takes the network stack: `watersmeet doctor` says more");
            }
            udp = Some(socket);
        }
        let mut tcp = None;
        if config.tcp {
            let server = TcpServer::bind(address, TcpOptions::default(), poller, number)?;
            address = server.local_addr()?;
            tcp = Some(server);
        }
        Ok(Self { address, udp, tcp })
    }

    /// Whether peers at `remote` are reached from here.
    fn serves(&self, remote: SocketAddr) -> bool {
        self.address.is_ipv4() == remote.is_ipv4()
    }

    /// Sends its part of a batch. `datagrams` is room to work in. Says for how many runs the kernel
    /// had no room.
    fn send(&mut self, batch: &Batch<'_>, datagrams: &mut Vec<Transmit>) -> u64 {
        datagrams.clear();
        for transmit in batch.transmits {
            let remote = transmit.path.remote;
            if !self.serves(remote) {
                continue;
            }
            match (transmit.path.protocol, &mut self.tcp) {
                (Protocol::Udp, _) => datagrams.push(Transmit {
                    destination: remote,
                    range: transmit.range.clone(),
                    segment_size: transmit.segment_size,
                }),
                (Protocol::Tcp, Some(tcp)) => {
                    let Some(frame) = batch.arena.get(transmit.range.clone()) else {
                        continue;
                    };
                    // The worker answers only peers who proved who they are.
                    tcp.trust(remote);
                    tcp.send(remote, frame);
                }
                (Protocol::Tcp, None) => {}
            }
        }
        let dropped = match &mut self.udp {
            Some(udp) => send_datagrams(udp, batch.arena, datagrams),
            None => 0,
        };
        if let Some(tcp) = &mut self.tcp {
            tcp.flush();
        }
        dropped
    }
}

/// Hands datagrams to the worker, up to a turn's worth. Says whether those were all.
fn receive_datagrams(
    now: Time,
    udp: &mut UdpSocket,
    batch: &mut ReceiveBatch,
    worker: &mut Worker,
) -> bool {
    for _ in 0..RECEIVES_PER_TURN_MAX {
        match udp.receive_batch(batch) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "the UDP socket failed");
                return true;
            }
        }
        for datagram in batch.datagrams() {
            let path = Path::udp(datagram.source);
            worker.handle_datagram(now, path, datagram.contents);
        }
    }
    false
}

/// Offers datagrams to the kernel a few times; what it has no room for is dropped, as a network
/// would drop it. Says how many runs those are.
fn send_datagrams(udp: &mut UdpSocket, arena: &[u8], datagrams: &[Transmit]) -> u64 {
    let mut rest = datagrams;
    for _ in 0..SEND_TRIES_MAX {
        if rest.is_empty() {
            return 0;
        }
        match udp.send_batch(arena, rest) {
            Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "the UDP socket failed");
                return rest.len() as u64;
            }
        }
    }
    tracing::debug!(runs = rest.len(), "the kernel had no room: dropped");
    rest.len() as u64
}

/// The path of a TCP connection. A remote address has one connection at a time, and the worker
/// hears of its end before another can begin.
const fn tcp_path(remote: SocketAddr) -> Path {
    Path::tcp(remote, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            rtc_port: 0,
            listen_ip: Some([127, 0, 0, 1].into()),
            ..Config::default()
        }
    }

    fn listening(config: &Config) -> Vec<(Protocol, IpAddr)> {
        let media = MediaSockets::open(config, Clock::start(), 0).unwrap();
        let announced = [IpAddr::from([192, 0, 2, 1]), "2001:db8::1".parse().unwrap()];
        let addresses = media.listen_addresses(&announced);
        assert!(
            addresses
                .iter()
                .all(|it| it.port == addresses[0].port && it.port != 0)
        );
        addresses
            .into_iter()
            .map(|it| (it.protocol, it.ip))
            .collect()
    }

    #[test]
    fn udp_and_tcp_share_a_port_and_only_families_that_are_served_are_announced() {
        let ip = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(
            listening(&config()),
            [(Protocol::Udp, ip), (Protocol::Tcp, ip)]
        );
    }

    #[test]
    fn what_is_switched_off_is_not_announced() {
        let without_udp = Config {
            udp: false,
            ..config()
        };
        assert!(
            listening(&without_udp)
                .iter()
                .all(|it| it.0 == Protocol::Tcp)
        );
        let without_tcp = Config {
            tcp: false,
            ..config()
        };
        assert!(
            listening(&without_tcp)
                .iter()
                .all(|it| it.0 == Protocol::Udp)
        );
    }

    #[test]
    fn a_taken_port_is_named() {
        let first = MediaSockets::open(&config(), Clock::start(), 0).unwrap();
        let rtc_port = first.links[0].address.port();
        let Err(error) = MediaSockets::open(
            &Config {
                rtc_port,
                ..config()
            },
            Clock::start(),
            0,
        ) else {
            panic!("two shards on one port")
        };
        assert!(error.to_string().contains(&rtc_port.to_string()), "{error}");
    }
}
