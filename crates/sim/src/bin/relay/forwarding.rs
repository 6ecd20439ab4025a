//! Forwards datagrams through one simulated link for each direction. One thread owns all state.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use watersmeet_sim::network::{Link, LinkProfile};
use watersmeet_sim::seeds;
use watersmeet_wire::units::Time;

use crate::commands::{self, Command, Cut, Direction};
use crate::sockets::{self, Client, Input, Upstream};

/// Maximum number of datagrams on their way. More are dropped.
const DATAGRAMS_MAX: usize = 65_536;

/// Maximum number of clients; datagrams of more are dropped.
const CLIENTS_MAX: usize = 256;

/// Maximum number of ports at which clients arrive.
const LISTENERS_MAX: usize = 64;

/// Longest wait without an input.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// First bytes of STUN messages (RFC 7983).
const STUN_FIRST_BYTE_MAX: u8 = 3;

/// Seed of the losses and of the jitter.
const SEED: u64 = 1;

/// One direction of the path.
#[derive(Debug)]
struct Half {
    /// Model of the link.
    link: Link,
    /// What is dropped now.
    cut: Option<Cut>,
    /// Bytes received for this direction.
    bytes: u64,
    /// Datagrams dropped by a cut.
    cut_drops: u64,
}

impl Half {
    fn new(name: &str) -> Self {
        let clean = LinkProfile::clean(Duration::ZERO);
        Self {
            link: Link::new(clean, seeds::generator(SEED, name)),
            cut: None,
            bytes: 0,
            cut_drops: 0,
        }
    }

    /// Returns the arrival times of a datagram that is sent now.
    fn transmit(&mut self, now: Time, bytes: &[u8]) -> [Option<Time>; 2] {
        self.bytes += bytes.len() as u64;
        let is_stun = bytes.first().is_some_and(|it| *it <= STUN_FIRST_BYTE_MAX);
        let is_cut = match self.cut {
            Some(Cut::All) => true,
            Some(Cut::Media) => !is_stun,
            None => false,
        };
        if is_cut {
            self.cut_drops += 1;
            return [None; 2];
        }
        self.link.transmit(now, bytes.len())
    }

    fn stats(&self) -> Value {
        let counts = self.link.counts();
        json!({
            "packets": counts.offered + self.cut_drops, "bytes": self.bytes, "lost": counts.lost,
            "queueDrops": counts.queue_drops, "reordered": counts.reordered,
            "duplicated": counts.duplicated, "cutDrops": self.cut_drops,
        })
    }
}

/// A datagram on its way.
#[derive(Debug)]
struct Datagram {
    direction: Direction,
    client: Client,
    bytes: Box<[u8]>,
}

/// A port at which clients arrive.
#[derive(Debug)]
struct Listener {
    socket: UdpSocket,
    /// Address to which their datagrams are forwarded.
    server: SocketAddr,
}

/// The relay.
#[derive(Debug)]
pub struct Relay {
    /// Ports of the clients. All of them share the links.
    listeners: Vec<Listener>,
    /// Socket on which commands arrive.
    control: Option<UdpSocket>,
    /// Queue into which receiving threads put what they receive.
    inputs: SyncSender<Input>,
    /// Ports towards the server, by client.
    upstreams: BTreeMap<Client, Upstream>,
    /// Link towards the server.
    up: Half,
    /// Link towards the clients.
    down: Half,
    /// Datagrams on their way, by arrival; the number keeps the order of equal times.
    on_the_way: BTreeMap<(Time, u64), Datagram>,
    /// Datagrams put on their way so far.
    sent: u64,
    /// Changes of the ports towards the server.
    rebinds: u64,
    /// Start of the relay's clock.
    started: Instant,
}

impl Relay {
    /// Creates a relay with a clean link, at which no client can arrive yet.
    pub fn new(control: Option<UdpSocket>, inputs: SyncSender<Input>) -> Self {
        Self {
            listeners: Vec::new(),
            control,
            inputs,
            upstreams: BTreeMap::new(),
            up: Half::new("up"),
            down: Half::new("down"),
            on_the_way: BTreeMap::new(),
            sent: 0,
            rebinds: 0,
            started: Instant::now(),
        }
    }

    /// Forwards datagrams that arrive at a socket to a server, and the answers back.
    ///
    /// # Errors
    /// The socket cannot be shared with a thread.
    pub fn listen(&mut self, socket: UdpSocket, server: SocketAddr) -> io::Result<()> {
        sockets::receive_from_clients(self.listeners.len(), &socket, self.inputs.clone())?;
        self.listeners.push(Listener { socket, server });
        Ok(())
    }

    /// Forwards until the standard input ends.
    pub fn run(&mut self, received: &Receiver<Input>) {
        loop {
            self.deliver_due();
            let next = self.on_the_way.first_key_value().map(|((at, _), _)| *at);
            let wait = next.map_or(WAIT_MAX, |it| it.since(self.now()).min(WAIT_MAX));
            match received.recv_timeout(wait) {
                Ok(Input::FromClient(client, bytes)) => {
                    self.forward(Direction::Up, client, bytes);
                }
                Ok(Input::FromServer(client, bytes)) => {
                    self.forward(Direction::Down, client, bytes);
                }
                Ok(Input::Command(line, from)) => {
                    let answer = self.obey(&line);
                    self.answer(&answer, from);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Input::Finished) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.started.elapsed()
    }

    /// Puts a datagram on its way.
    fn forward(&mut self, direction: Direction, client: Client, bytes: Box<[u8]>) {
        let now = self.now();
        if direction == Direction::Up && !self.upstreams.contains_key(&client) {
            let opened = self.upstreams.len() < CLIENTS_MAX && self.open(client).is_ok();
            if !opened {
                return;
            }
        }
        for arrival in self
            .half(direction)
            .transmit(now, &bytes)
            .into_iter()
            .flatten()
        {
            if self.on_the_way.len() >= DATAGRAMS_MAX {
                return;
            }
            self.sent += 1;
            let datagram = Datagram {
                direction,
                client,
                bytes: bytes.clone(),
            };
            self.on_the_way.insert((arrival, self.sent), datagram);
        }
    }

    /// Delivers the datagrams whose time has come.
    fn deliver_due(&mut self) {
        let now = self.now();
        while let Some(first) = self.on_the_way.first_entry() {
            if first.key().0 > now {
                return;
            }
            let datagram = first.remove();
            match datagram.direction {
                Direction::Up => {
                    if let Some(upstream) = self.upstreams.get_mut(&datagram.client) {
                        upstream.send(&datagram.bytes);
                    }
                }
                Direction::Down => {
                    let (index, address) = datagram.client;
                    if let Some(listener) = self.listeners.get(index) {
                        let _ = listener.socket.send_to(&datagram.bytes, address);
                    }
                }
            }
        }
    }

    /// Opens a port towards the server, in place of the client's previous one.
    fn open(&mut self, client: Client) -> io::Result<()> {
        let listener = self
            .listeners
            .get(client.0)
            .ok_or(io::ErrorKind::NotFound)?;
        let local = listener.socket.local_addr()?;
        let upstream = Upstream::open(local, listener.server, client, self.inputs.clone())?;
        self.upstreams.insert(client, upstream);
        Ok(())
    }

    /// Opens a port for clients of one more server, beside the first. Returns its address.
    fn open_listener(&mut self, server: SocketAddr) -> io::Result<SocketAddr> {
        let first = match self.listeners.first() {
            Some(first) if self.listeners.len() < LISTENERS_MAX => first.socket.local_addr()?,
            _ => return Err(io::Error::other("too many listeners")),
        };
        let socket = UdpSocket::bind((first.ip(), 0))?;
        let address = socket.local_addr()?;
        self.listen(socket, server)?;
        Ok(address)
    }

    /// Carries out a command and returns the answer.
    fn obey(&mut self, line: &str) -> String {
        match commands::parse(line) {
            Err(error) => return format!("error: {error}"),
            Ok(Command::Impair(directions, profile)) => {
                for direction in directions {
                    self.half(direction).link.set_profile(profile);
                }
            }
            Ok(Command::Cut(cut, directions)) => {
                for direction in directions {
                    self.half(direction).cut = Some(cut);
                }
            }
            Ok(Command::Restore) => (self.up.cut, self.down.cut) = (None, None),
            Ok(Command::Rebind) => {
                let clients: Vec<_> = self.upstreams.keys().copied().collect();
                for client in clients {
                    if let Err(error) = self.open(client) {
                        return format!("error: {error}");
                    }
                }
                self.rebinds += 1;
            }
            Ok(Command::Listen(server)) => {
                return match self.open_listener(server) {
                    Ok(address) => address.to_string(),
                    Err(error) => format!("error: {error}"),
                };
            }
            Ok(Command::Stats) => {
                let upstreams = self.upstreams.values();
                let first_sent = upstreams.filter_map(Upstream::first_sent_after);
                let first_sent_ms: Vec<_> = first_sent.map(|it| it.as_millis()).collect();
                let stats = json!({
                    "up": self.up.stats(), "down": self.down.stats(),
                    "clients": self.upstreams.len(), "rebinds": self.rebinds,
                    "firstSentMs": first_sent_ms,
                });
                return stats.to_string();
            }
        }
        "ok".to_owned()
    }

    /// Sends an answer to where its command came from.
    fn answer(&self, answer: &str, from: Option<SocketAddr>) {
        match (from, &self.control) {
            (Some(from), Some(control)) => {
                let _ = control.send_to(answer.as_bytes(), from);
            }
            _ => {
                let _ = writeln!(io::stdout(), "{answer}");
                let _ = io::stdout().flush();
            }
        }
    }

    const fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}
