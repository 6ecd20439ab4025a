//! Session of two str0m peers with a worker between them, over simulated links in virtual time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::crypto::dtls::ProtocolVersion;
use str0m::ice::IceCreds;
use str0m::net::{Protocol as Str0mProtocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event as Str0mEvent, Input, Output, Rtc, RtcConfig};
use watersmeet_engine::command::{
    Command, DtlsState, Event, ListenAddress, Path, Protocol, Reply, RouterId, TransportId,
    TransportOptions,
};
use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, WINDOW_MAX};
use watersmeet_engine::ortc;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_sim::network::Link;
use watersmeet_sim::profiles::AccessLink;
use watersmeet_sim::seeds;
use watersmeet_wire::params::{DtlsFingerprint, DtlsParameters, DtlsRole, RtpCapabilities};
use watersmeet_wire::units::{Rng, Time};

/// Address of the worker.
const SERVER: &str = "192.0.2.1:44444";

/// str0m side of a transport.
pub struct Str0mPeer {
    pub rtc: Rtc,
    pub address: SocketAddr,
    pub transport: TransportId,
    pub up: Link,
    pub down: Link,
    /// Next time-out.
    pub due: Instant,
    /// DTLS version, once connected.
    pub connected: Option<ProtocolVersion>,
    /// RIDs of requested keyframes.
    pub keyframe_requests: Vec<Option<String>>,
    /// Received RTP packets.
    pub received: Vec<RtpPacket>,
}

/// Datagram in flight to the worker, or to the peer with this index.
pub enum InFlight {
    Up(SocketAddr, Vec<u8>),
    Down(usize, Vec<u8>),
}

/// Two str0m peers with a worker between them.
pub struct Session {
    pub now: Time,
    pub epoch: Instant,
    pub rng: Rng,
    pub worker: Worker,
    pub router: RouterId,
    pub capabilities: RtpCapabilities,
    pub peers: Vec<Str0mPeer>,
    pub in_flight: BTreeMap<(Time, u64), InFlight>,
    pub next_sequence: u64,
    /// DTLS states that the worker reported.
    pub dtls_states: Vec<(TransportId, DtlsState)>,
}

impl Session {
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
            in_flight: BTreeMap::new(),
            next_sequence: 0,
            dtls_states: Vec::new(),
        }
    }

    /// Returns the current time as an `Instant`.
    pub fn instant(&self) -> Instant {
        self.epoch + self.now.since_origin()
    }

    pub fn command(&mut self, command: Command) -> Reply {
        self.worker
            .handle_command(self.now, command)
            .expect("the command succeeds")
    }

    /// Creates a transport and a str0m peer that connects to it; returns the index of the peer.
    pub fn connect(&mut self, config: RtcConfig, access: AccessLink, active: bool) -> usize {
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
        self.peers.push(Str0mPeer {
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
        // The first time-out starts the connectivity checks.
        let instant = self.instant();
        let peer = &mut self.peers[index];
        peer.rtc
            .handle_input(Input::Timeout(instant))
            .expect("the first time-out is handled");
        self.collect_from_participant(index);
        index
    }

    /// Runs the session until `end`.
    pub fn run_until(&mut self, end: Time) {
        loop {
            self.drain_outputs();
            let item = self
                .in_flight
                .first_key_value()
                .map_or(Time::FAR_FUTURE, |(key, _)| key.0);
            let peers = self.peers.iter().map(|peer| peer.due).min();
            let peers = peers.map_or(Time::FAR_FUTURE, |due| {
                Time::ZERO + due.saturating_duration_since(self.epoch)
            });
            let next = item.min(self.worker.poll_timeout()).min(peers);
            if next > end {
                break;
            }
            // str0m counts in nanoseconds: round up, so that it is not called too early.
            let step = if next <= self.now {
                Duration::from_micros(1)
            } else {
                Duration::ZERO
            };
            self.now = next.max(self.now) + step;
            self.process_due();
        }
        self.now = end;
    }

    pub fn process_due(&mut self) {
        let now = self.now;
        let instant = self.instant();
        while let Some(entry) = self
            .in_flight
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            match entry.remove() {
                InFlight::Up(remote, mut datagram) => {
                    let path = Path::udp(remote);
                    self.worker.handle_datagram(now, path, &mut datagram);
                }
                InFlight::Down(index, datagram) => {
                    let server = SERVER.parse().unwrap();
                    let peer = &mut self.peers[index];
                    let receive = Receive::new(Str0mProtocol::Udp, server, peer.address, &datagram)
                        .expect("the worker sends STUN, DTLS or SRTP");
                    peer.rtc
                        .handle_input(Input::Receive(instant, receive))
                        .expect("the datagram is accepted");
                    // str0m keeps one received packet: the next one would replace it.
                    self.collect_from_participant(index);
                }
            }
        }
        self.worker.handle_timeout(now);
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            if peer.due <= instant {
                peer.rtc
                    .handle_input(Input::Timeout(instant))
                    .expect("the time-out is handled");
                self.collect_from_participant(index);
            }
        }
    }

    /// Drains the outputs of worker and peers.
    pub fn drain_outputs(&mut self) {
        let now = self.now;
        let mut in_flight = Vec::new();
        while let Some(batch) = self.worker.poll_transmit(now) {
            for transmit in batch.transmits {
                let run = batch.arena.get(transmit.range.clone()).unwrap_or_default();
                let len = transmit.segment_size.map_or(run.len(), usize::from).max(1);
                let index = self
                    .peers
                    .iter()
                    .position(|it| it.address == transmit.path.remote);
                let index = index.expect("the worker sends only to the peers");
                let peer = &mut self.peers[index];
                for datagram in run.chunks(len) {
                    for at in peer
                        .down
                        .transmit(now, datagram.len())
                        .into_iter()
                        .flatten()
                    {
                        in_flight.push((at, InFlight::Down(index, datagram.to_vec())));
                    }
                }
            }
        }
        in_flight
            .into_iter()
            .for_each(|(at, item)| self.schedule(at, item));
        while let Some(event) = self.worker.poll_event() {
            if let Event::DtlsStateChanged { transport, state } = event {
                self.dtls_states.push((transport, state));
            }
        }
        for index in 0..self.peers.len() {
            self.collect_from_participant(index);
        }
    }

    /// Drains the outputs of a peer until its next time-out.
    pub fn collect_from_participant(&mut self, index: usize) {
        loop {
            let peer = &mut self.peers[index];
            match peer.rtc.poll_output().expect("str0m reports no error") {
                Output::Timeout(due) => {
                    peer.due = due;
                    return;
                }
                Output::Transmit(transmit) => {
                    let datagram = transmit.contents.to_vec();
                    let arrivals = peer.up.transmit(self.now, datagram.len());
                    for at in arrivals.into_iter().flatten() {
                        self.schedule(at, InFlight::Up(transmit.source, datagram.clone()));
                    }
                }
                Output::Event(event) => peer.record_event(event),
            }
        }
    }

    pub fn schedule(&mut self, at: Time, item: InFlight) {
        self.next_sequence += 1;
        self.in_flight.insert((at, self.next_sequence), item);
    }
}

impl Str0mPeer {
    pub fn record_event(&mut self, event: Str0mEvent) {
        match event {
            Str0mEvent::Connected => {
                self.connected = self.rtc.direct_api().dtls_protocol_version();
            }
            Str0mEvent::KeyframeRequest(request) => {
                self.keyframe_requests
                    .push(request.rid.map(|rid| rid.to_string()));
            }
            Str0mEvent::RtpPacket(packet) => self.received.push(packet),
            _ => {}
        }
    }
}
