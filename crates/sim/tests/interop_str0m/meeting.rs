//! Two foreign peers, our worker between them, and the links: time passes as in the world.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::crypto::dtls::ProtocolVersion;
use str0m::ice::IceCreds;
use str0m::net::{Protocol as ForeignProtocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event as ForeignEvent, Input, Output, Rtc, RtcConfig};
use watersmeet_engine::command::{
    Command, DtlsState, Event, ListenAddress, Path, Protocol, Reply, RouterId, TransportId,
    TransportOptions,
};
use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, WINDOW_MAX};
use watersmeet_engine::ortc;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_sim::network::Link;
use watersmeet_sim::profiles::Access;
use watersmeet_sim::seeds;
use watersmeet_wire::params::{DtlsFingerprint, DtlsParameters, DtlsRole, RtpCapabilities};
use watersmeet_wire::units::{Rng, Time};

/// Where the worker is.
const SERVER: &str = "192.0.2.1:44444";

/// A foreign end of a transport.
pub struct Foreign {
    pub rtc: Rtc,
    pub address: SocketAddr,
    pub transport: TransportId,
    pub up: Link,
    pub down: Link,
    /// When it wants to be called.
    pub due: Instant,
    /// How it was set up, when it is connected.
    pub connected: Option<ProtocolVersion>,
    /// Keyframes it was asked for, by encoding.
    pub keyframe_requests: Vec<Option<String>>,
    /// Media it received.
    pub received: Vec<RtpPacket>,
}

/// What is on its way: the index of the peer it goes to, or the worker.
pub enum Flight {
    Up(SocketAddr, Vec<u8>),
    Down(usize, Vec<u8>),
}

/// Two foreign peers and our worker between them.
pub struct Meeting {
    pub now: Time,
    pub epoch: Instant,
    pub rng: Rng,
    pub worker: Worker,
    pub router: RouterId,
    pub capabilities: RtpCapabilities,
    pub peers: Vec<Foreign>,
    pub flights: BTreeMap<(Time, u64), Flight>,
    pub flown: u64,
    /// States of DTLS that the worker reported.
    pub dtls_states: Vec<(TransportId, DtlsState)>,
}

impl Meeting {
    pub fn new(seed: u64, dtls_version: DtlsVersion) -> Self {
        let epoch = Instant::now();
        let mut rng = seeds::generator(seed, "meeting");
        let server: SocketAddr = SERVER.parse().unwrap();
        let config = WorkerConfig {
            listen: vec![ListenAddress {
                protocol: Protocol::Udp,
                ip: server.ip(),
                port: server.port(),
            }],
            certificate: DtlsCertificate::generate().unwrap(),
            dtls_version,
            epoch,
            unix_epoch: Duration::from_secs(1_790_000_000),
            consent_timeout: Duration::from_secs(15),
            shard: 0,
            egress: EgressOptions {
                window: EgressWindow::Fixed(WINDOW_MAX),
                ..EgressOptions::default()
            },
        };
        let mut worker = Worker::new(config, seeds::generator(seed, "worker"));
        let router = RouterId::generate(&mut rng);
        let media_codecs = ortc::default_codecs();
        let command = Command::CreateRouter {
            router,
            media_codecs,
        };
        let Ok(Reply::Router { capabilities }) = worker.handle_command(Time::ZERO, command) else {
            panic!("no router");
        };
        Self {
            now: Time::ZERO,
            epoch,
            rng,
            worker,
            router,
            capabilities,
            peers: Vec::new(),
            flights: BTreeMap::new(),
            flown: 0,
            dtls_states: Vec::new(),
        }
    }

    /// The present, as the foreign peers count it.
    pub fn instant(&self) -> Instant {
        self.epoch + self.now.since_origin()
    }

    pub fn command(&mut self, command: Command) -> Reply {
        self.worker
            .handle_command(self.now, command)
            .expect("the command is carried out")
    }

    /// Makes a transport and a foreign peer that opens it.
    pub fn connect(&mut self, config: RtcConfig, access: Access, active: bool) -> usize {
        let transport = TransportId::generate(&mut self.rng);
        let options = TransportOptions::default();
        let create = Command::CreateTransport {
            router: self.router,
            transport,
            options,
        };
        let Reply::Transport {
            ice,
            candidates,
            dtls,
        } = self.command(create)
        else {
            panic!("no transport");
        };
        let index = self.peers.len();
        let address = SocketAddr::from(([10, 0, 0, index as u8 + 1], 5_000));
        let mut rtc = config.build(self.instant());
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        for candidate in &candidates {
            let server = SocketAddr::new(candidate.ip.parse().unwrap(), candidate.port);
            rtc.add_remote_candidate(Candidate::host(server, "udp").unwrap());
        }
        let mut api = rtc.direct_api();
        let fingerprint = dtls.fingerprints.last().unwrap();
        let fingerprint = format!("{} {}", fingerprint.algorithm, fingerprint.value);
        api.set_remote_fingerprint(fingerprint.parse().unwrap());
        api.set_remote_ice_credentials(IceCreds {
            ufrag: ice.username_fragment,
            pass: ice.password,
        });
        api.set_ice_controlling(true);
        api.start_dtls(active).unwrap();
        let local = api.local_dtls_fingerprint().to_string();
        let (algorithm, value) = local.split_once(' ').unwrap();
        let role = if active {
            DtlsRole::Client
        } else {
            DtlsRole::Server
        };
        let fingerprints = vec![DtlsFingerprint {
            algorithm: algorithm.to_owned(),
            value: value.to_owned(),
        }];
        let dtls = DtlsParameters { role, fingerprints };
        self.command(Command::ConnectTransport { transport, dtls });
        let due = self.instant();
        self.peers.push(Foreign {
            rtc,
            address,
            transport,
            up: Link::new(access.up, seeds::generator(index as u64, "up")),
            down: Link::new(access.down, seeds::generator(index as u64, "down")),
            due,
            connected: None,
            keyframe_requests: Vec::new(),
            received: Vec::new(),
        });
        // It begins to check its candidates when it is told the time.
        let instant = self.instant();
        let peer = &mut self.peers[index];
        peer.rtc
            .handle_input(Input::Timeout(instant))
            .expect("it begins");
        self.listen_to(index);
        index
    }

    /// Lets time pass until `end`, or until something else is to be done at `until`.
    pub fn run_until(&mut self, end: Time) {
        loop {
            self.settle();
            let flight = self
                .flights
                .first_key_value()
                .map_or(Time::FAR_FUTURE, |(key, _)| key.0);
            let peers = self.peers.iter().map(|peer| peer.due).min();
            let peers = peers.map_or(Time::FAR_FUTURE, |due| {
                Time::ZERO + due.saturating_duration_since(self.epoch)
            });
            let next = flight.min(self.worker.poll_timeout()).min(peers);
            if next > end {
                break;
            }
            // A foreign clock counts nanoseconds: round up, or it would be called too early.
            let step = if next <= self.now {
                Duration::from_micros(1)
            } else {
                Duration::ZERO
            };
            self.now = next.max(self.now) + step;
            self.happen();
        }
        self.now = end;
    }

    pub fn happen(&mut self) {
        let now = self.now;
        let instant = self.instant();
        while let Some(entry) = self
            .flights
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            match entry.remove() {
                Flight::Up(remote, mut datagram) => {
                    let path = Path::udp(remote);
                    self.worker.handle_datagram(now, path, &mut datagram);
                }
                Flight::Down(index, datagram) => {
                    let server = SERVER.parse().unwrap();
                    let peer = &mut self.peers[index];
                    let receive =
                        Receive::new(ForeignProtocol::Udp, server, peer.address, &datagram)
                            .expect("what we send is STUN, DTLS or SRTP");
                    peer.rtc
                        .handle_input(Input::Receive(instant, receive))
                        .expect("it likes it");
                    // It keeps one packet at a time: the next one would push it out.
                    self.listen_to(index);
                }
            }
        }
        self.worker.handle_timeout(now);
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            if peer.due <= instant {
                peer.rtc
                    .handle_input(Input::Timeout(instant))
                    .expect("it can wait");
                self.listen_to(index);
            }
        }
    }

    /// Carries away what everybody has to say.
    pub fn settle(&mut self) {
        let now = self.now;
        let mut flights = Vec::new();
        while let Some(batch) = self.worker.poll_transmit(now) {
            for transmit in batch.transmits {
                let run = batch.arena.get(transmit.range.clone()).unwrap_or_default();
                let len = transmit.segment_size.map_or(run.len(), usize::from).max(1);
                let index = self
                    .peers
                    .iter()
                    .position(|it| it.address == transmit.path.remote);
                let index = index.expect("the worker sends to nobody else");
                let peer = &mut self.peers[index];
                for datagram in run.chunks(len) {
                    for at in peer.down.carry(now, datagram.len()).into_iter().flatten() {
                        flights.push((at, Flight::Down(index, datagram.to_vec())));
                    }
                }
            }
        }
        flights
            .into_iter()
            .for_each(|(at, flight)| self.fly(at, flight));
        while let Some(event) = self.worker.poll_event() {
            if let Event::DtlsStateChanged { transport, state } = event {
                self.dtls_states.push((transport, state));
            }
        }
        for index in 0..self.peers.len() {
            self.listen_to(index);
        }
    }

    /// Carries away what a peer has to say, until it wants to wait.
    pub fn listen_to(&mut self, index: usize) {
        loop {
            let peer = &mut self.peers[index];
            match peer.rtc.poll_output().expect("it goes on") {
                Output::Timeout(due) => {
                    peer.due = due;
                    return;
                }
                Output::Transmit(transmit) => {
                    let datagram = transmit.contents.to_vec();
                    let arrivals = peer.up.carry(self.now, datagram.len());
                    for at in arrivals.into_iter().flatten() {
                        self.fly(at, Flight::Up(transmit.source, datagram.clone()));
                    }
                }
                Output::Event(event) => peer.note(event),
            }
        }
    }

    pub fn fly(&mut self, at: Time, flight: Flight) {
        self.flown += 1;
        self.flights.insert((at, self.flown), flight);
    }
}

impl Foreign {
    pub fn note(&mut self, event: ForeignEvent) {
        match event {
            ForeignEvent::Connected => {
                self.connected = self.rtc.direct_api().dtls_protocol_version();
            }
            ForeignEvent::KeyframeRequest(request) => {
                self.keyframe_requests
                    .push(request.rid.map(|rid| rid.to_string()));
            }
            ForeignEvent::RtpPacket(packet) => self.received.push(packet),
            _ => {}
        }
    }
}
