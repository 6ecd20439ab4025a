//! A foreign peer: str0m does ICE as a full agent, DTLS, SRTP, numbering, retransmission and
//! feedback; our worker sits between two of them, in virtual time. Only the content of the frames
//! is ours, so that what arrives can be judged. Handshakes draw randomness of their own, so these
//! runs are not repeatable byte for byte; the oracles hold in all of them.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::config::DtlsVersion as ForeignDtls;
use str0m::crypto::dtls::ProtocolVersion;
use str0m::format::{Codec, FormatParams};
use str0m::ice::IceCreds;
use str0m::media::{Frequency, KeyframeRequestKind, MediaKind as ForeignKind};
use str0m::net::{Protocol as ForeignProtocol, Receive};
use str0m::rtp::{
    Extension, ExtensionMap, ExtensionValues, RtpPacket, RtpWrite, SeqNo as ForeignSeq,
};
use str0m::{Candidate, Event as ForeignEvent, Input, Output, Rtc, RtcConfig};
use watersmeet_engine::command::{
    Command, ConsumerId, DtlsState, Event, ListenAddress, Path, ProducerId, Protocol, Reply,
    RouterId, TransportId, TransportOptions,
};
use watersmeet_engine::ortc;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_peer::negotiation::{self, Incoming};
use watersmeet_peer::receiver::report::VideoReport;
use watersmeet_peer::receiver::video::{Media, Video};
use watersmeet_peer::receiver::violation::Violation;
use watersmeet_peer::sender::camera::{Camera, CameraOptions, Microphone};
use watersmeet_peer::sender::encoder::Encoder;
use watersmeet_peer::tag::Tag;
use watersmeet_sim::network::Link;
use watersmeet_sim::profiles::{Access, cable, cellular, wifi};
use watersmeet_sim::seeds;
use watersmeet_wire::params::{
    DtlsFingerprint, DtlsParameters, DtlsRole, MediaKind, RtpCapabilities, RtpParameters,
};
use watersmeet_wire::units::{Rng, Time};

const SERVER: &str = "192.0.2.1:44444";

/// A foreign end of a transport.
struct Foreign {
    rtc: Rtc,
    address: SocketAddr,
    transport: TransportId,
    up: Link,
    down: Link,
    /// When it wants to be called.
    due: Instant,
    /// How it was set up, when it is connected.
    connected: Option<ProtocolVersion>,
    /// Keyframes it was asked for, by encoding.
    keyframe_requests: Vec<Option<String>>,
    /// Media it received.
    received: Vec<RtpPacket>,
}

/// What is on its way: the index of the peer it goes to, or the worker.
enum Flight {
    Up(SocketAddr, Vec<u8>),
    Down(usize, Vec<u8>),
}

/// Two foreign peers and our worker between them.
struct Meeting {
    now: Time,
    epoch: Instant,
    rng: Rng,
    worker: Worker,
    router: RouterId,
    capabilities: RtpCapabilities,
    peers: Vec<Foreign>,
    flights: BTreeMap<(Time, u64), Flight>,
    flown: u64,
    /// States of DTLS that the worker reported.
    dtls_states: Vec<(TransportId, DtlsState)>,
}

impl Meeting {
    fn new(seed: u64, dtls_version: DtlsVersion) -> Self {
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
        };
        let mut worker = Worker::new(config, seeds::generator(seed, "worker"));
        let router = RouterId::draw(&mut rng);
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
    fn instant(&self) -> Instant {
        self.epoch + self.now.since_origin()
    }

    fn command(&mut self, command: Command) -> Reply {
        self.worker
            .handle_command(self.now, command)
            .expect("the command is carried out")
    }

    /// Makes a transport and a foreign peer that opens it.
    fn connect(&mut self, config: RtcConfig, access: Access, active: bool) -> usize {
        let transport = TransportId::draw(&mut self.rng);
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
    fn run_until(&mut self, end: Time) {
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

    fn happen(&mut self) {
        let now = self.now;
        let instant = self.instant();
        while let Some(entry) = self
            .flights
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            match entry.remove() {
                Flight::Up(remote, mut datagram) => {
                    let path = Path {
                        protocol: Protocol::Udp,
                        remote,
                        connection: 0,
                    };
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
    fn settle(&mut self) {
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
    fn listen_to(&mut self, index: usize) {
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

    fn fly(&mut self, at: Time, flight: Flight) {
        self.flown += 1;
        self.flights.insert((at, self.flown), flight);
    }
}

impl Foreign {
    fn note(&mut self, event: ForeignEvent) {
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

/// What signs the frames.
fn signature(source: u32) -> Tag {
    Tag {
        room: 1,
        source,
        layer: 0,
        temporal: 0,
        keyframe: false,
        needs: [0, 0],
        frame: 0,
        index: 0,
        count: 0,
        captured: Time::ZERO,
    }
}

/// A foreign publisher of a simulcast camera and a microphone.
struct Publisher {
    index: usize,
    camera: Camera,
    microphone: Microphone,
    /// SSRC and next number of each stream; the last is the microphone's.
    streams: Vec<(str0m::rtp::Ssrc, u64)>,
    rng: Rng,
}

impl Publisher {
    /// Connects and announces its media; also the producers of video and audio.
    fn new(
        meeting: &mut Meeting,
        config: RtcConfig,
        access: Access,
        active: bool,
    ) -> (Self, ProducerId, ProducerId) {
        let index = meeting.connect(config.set_rtp_mode(true), access, active);
        let mut rng = seeds::generator(9, "publisher");
        let options = CameraOptions::simulcast(3);
        let transport = meeting.peers[index].transport;
        let mut encodings = Vec::new();
        let mut encoders = Vec::new();
        let mut streams = Vec::new();
        let mut api = meeting.peers[index].rtc.direct_api();
        api.declare_media("0".into(), ForeignKind::Video);
        api.declare_media("1".into(), ForeignKind::Audio);
        for (place, encoding) in options.encodings.iter().enumerate() {
            let rid = encoding.rid.unwrap();
            let (ssrc, rtx) = (api.new_ssrc(), api.new_ssrc());
            api.declare_stream_tx(ssrc, Some(rtx), "0".into(), Some(rid.as_str().into()));
            streams.push((ssrc, 1_000));
            encodings.push(serde_json::json!({"rid": rid.as_str(), "scalabilityMode": "L1T3"}));
            let encoder = Encoder::new(encoding.clone(), place as u8, signature(1), 3, &mut rng);
            encoders.push((encoder, place));
        }
        let voice = api.new_ssrc();
        api.declare_stream_tx(voice, None, "1".into(), None);
        streams.push((voice, 1_000));
        let video = negotiation::camera_parameters("0", "foreign", &encodings);
        let voice = watersmeet_wire::units::Ssrc(*voice);
        let audio = negotiation::microphone_parameters("1", "foreign", voice);
        let mut produce = |kind, rtp| {
            let producer = ProducerId::draw(&mut meeting.rng);
            let rtp: RtpParameters = serde_json::from_value(rtp).unwrap();
            meeting.command(Command::Produce {
                transport,
                producer,
                kind,
                rtp,
                paused: false,
            });
            producer
        };
        let (video, audio) = (
            produce(MediaKind::Video, video),
            produce(MediaKind::Audio, audio),
        );
        let camera = Camera::new(Time::ZERO, options.fps, encoders);
        let microphone = Microphone::new(Time::ZERO, signature(2), 3, false);
        (
            Self {
                index,
                camera,
                microphone,
                streams,
                rng,
            },
            video,
            audio,
        )
    }

    fn poll_timeout(&self) -> Time {
        self.camera
            .poll_timeout()
            .min(self.microphone.poll_timeout())
    }

    /// Sends what is due, once connected, and obeys requests for keyframes.
    fn publish(&mut self, meeting: &mut Meeting) {
        let (now, instant) = (meeting.now, meeting.instant());
        let pieces = self.camera.capture(now, &mut self.rng);
        let voice = self.microphone.capture(now, &mut self.rng);
        let peer = &mut meeting.peers[self.index];
        for rid in peer.keyframe_requests.drain(..) {
            for (encoder, _) in &mut self.camera.encoders {
                if encoder.encoding().rid.map(|it| it.to_string()) == rid {
                    encoder.request_keyframe();
                }
            }
        }
        if peer.connected.is_none() {
            return;
        }
        let mut api = peer.rtc.direct_api();
        let video = pieces
            .into_iter()
            .map(|(stream, piece)| (stream, negotiation::VP8, piece));
        let voice = voice.map(|piece| (3, negotiation::OPUS, piece));
        for (stream, pt, piece) in video.chain(voice) {
            let (ssrc, seq) = &mut self.streams[stream];
            let extensions = ExtensionValues {
                audio_level: piece.level.map(|level| -(level.level as i8)),
                voice_activity: piece.level.map(|level| level.voice),
                ..ExtensionValues::default()
            };
            let number: ForeignSeq = (*seq).into();
            *seq += 1;
            let write = RtpWrite::new(pt.0.into(), number, piece.ticks, instant, piece.payload)
                .marker(piece.marker)
                .nackable(stream < 3)
                .ext_vals(extensions);
            api.stream_tx(ssrc).unwrap().write_rtp(write);
        }
    }
}

/// A foreign viewer of one video and one audio.
struct Viewer {
    index: usize,
    video_ssrc: u32,
    video: Video,
    violations: Vec<Violation>,
    voices: u64,
}

impl Viewer {
    fn new(
        meeting: &mut Meeting,
        config: RtcConfig,
        access: Access,
        active: bool,
        producers: [ProducerId; 2],
    ) -> Self {
        let (config, capabilities) = receiving(config, &meeting.capabilities);
        let index = meeting.connect(config, access, active);
        let transport = meeting.peers[index].transport;
        let mut video_ssrc = 0;
        for (producer, kind) in producers
            .into_iter()
            .zip([ForeignKind::Video, ForeignKind::Audio])
        {
            let consume = Command::Consume {
                transport,
                consumer: ConsumerId::draw(&mut meeting.rng),
                producer,
                capabilities: capabilities.clone(),
                paused: false,
                preferred_layers: None,
            };
            let Reply::Consumer { rtp, .. } = meeting.command(consume) else {
                panic!("no consumer");
            };
            let incoming = Incoming::of(&rtp).expect("it names its stream");
            let mid = str0m::media::Mid::from(rtp.mid.unwrap().as_str());
            let mut api = meeting.peers[index].rtc.direct_api();
            api.declare_media(mid, kind);
            let rtx = incoming.rtx_ssrc.map(|ssrc| ssrc.0.into());
            api.expect_stream_rx(incoming.ssrc.0.into(), rtx, mid, None);
            if kind == ForeignKind::Video {
                video_ssrc = incoming.ssrc.0;
            }
        }
        let video = Video::new(meeting.now);
        Self {
            index,
            video_ssrc,
            video,
            violations: Vec::new(),
            voices: 0,
        }
    }

    /// Looks at what has come.
    fn view(&mut self, meeting: &mut Meeting) {
        let (now, index) = (meeting.now, self.index);
        for packet in std::mem::take(&mut meeting.peers[index].received) {
            if *packet.header.ssrc != self.video_ssrc {
                let tag = packet.payload.get(1..).and_then(Tag::parse);
                self.voices += u64::from(tag.is_some_and(|tag| tag.source == 2));
                continue;
            }
            let media = Media {
                seq: packet.header.sequence_number,
                timestamp: packet.header.timestamp,
                marker: packet.header.marker,
                payload: &packet.payload,
                repaired: false,
            };
            match self.video.receive(now, &media) {
                Ok(tag) => assert!(tag.is_none_or(|tag| tag.source == 1)),
                Err(violation) => self.violations.push(violation),
            }
        }
        self.violations.extend(self.video.show(now));
        // It asks for packets by itself; for pictures it must be told to.
        if self.video.take_pli(now) {
            let mut api = meeting.peers[index].rtc.direct_api();
            let stream = api.stream_rx(&self.video_ssrc.into()).unwrap();
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }
}

/// A foreign configuration with the payload types and extension ids of our router, and what it then
/// can receive.
fn receiving(config: RtcConfig, router: &RtpCapabilities) -> (RtcConfig, RtpCapabilities) {
    let router = serde_json::to_value(router).unwrap();
    let capabilities = negotiation::receive_capabilities(&router);
    let capabilities: RtpCapabilities = serde_json::from_value(capabilities).unwrap();
    let mut config = config.set_rtp_mode(true).clear_codecs();
    let pt_of = |name: &str| {
        let mut codecs = capabilities.codecs.iter();
        let codec = codecs
            .find(|codec| codec.mime_type.eq_ignore_ascii_case(name))
            .unwrap();
        codec.preferred_payload_type.unwrap().0
    };
    config.codec_config().add_config(
        pt_of("video/VP8").into(),
        Some(pt_of("video/rtx").into()),
        Codec::Vp8,
        Frequency::NINETY_KHZ,
        None,
        FormatParams::default(),
    );
    config.codec_config().add_config(
        pt_of("audio/opus").into(),
        None,
        Codec::Opus,
        Frequency::FORTY_EIGHT_KHZ,
        Some(2),
        FormatParams::default(),
    );
    let mut extensions = ExtensionMap::empty();
    for extension in &capabilities.header_extensions {
        let known = [
            Extension::RtpMid,
            Extension::AbsoluteSendTime,
            Extension::TransportSequenceNumber,
            Extension::AudioLevel,
            Extension::VideoOrientation,
        ];
        if let Some(known) = known
            .into_iter()
            .find(|known| known.as_uri() == extension.uri)
        {
            extensions.set(extension.preferred_id, known);
        }
    }
    (config.set_extension_map(extensions), capabilities)
}

/// What came of a call between two foreign peers.
struct Outcome {
    /// Which DTLS the two peers agreed on.
    versions: [ProtocolVersion; 2],
    /// How the video looked in its last part.
    report: VideoReport,
    /// Packets of voice that were heard.
    voices: u64,
}

/// A call of twelve seconds.
fn call(foreign: ForeignDtls, ours: DtlsVersion, active: bool, access: Access) -> Outcome {
    let mut meeting = Meeting::new(1, ours);
    let config = || RtcConfig::new().set_dtls_version(foreign);
    let (mut publisher, video, audio) = Publisher::new(&mut meeting, config(), access, active);
    let mut viewer = Viewer::new(&mut meeting, config(), access, active, [video, audio]);
    let (settled, end) = (Time::from_millis(4_000), Time::from_millis(12_000));
    let mut judged = false;
    while meeting.now < end {
        let next = publisher
            .poll_timeout()
            .min(end)
            .min(meeting.now + Duration::from_millis(5));
        meeting.run_until(next);
        publisher.publish(&mut meeting);
        viewer.view(&mut meeting);
        if meeting.now >= settled && !judged {
            judged = true;
            viewer.video.ledger.restart();
            viewer.video.smoothness.restart(meeting.now);
        }
    }
    assert_eq!(viewer.violations, []);
    let connected = meeting
        .dtls_states
        .iter()
        .filter(|(_, it)| *it == DtlsState::Connected);
    assert_eq!(connected.count(), 2, "{:?}", meeting.dtls_states);
    let versions = [publisher.index, viewer.index]
        .map(|index| meeting.peers[index].connected.expect("it is connected"));
    let report = VideoReport::of(meeting.now, &viewer.video, None);
    println!("{report}; {} voices", viewer.voices);
    Outcome {
        versions,
        report,
        voices: viewer.voices,
    }
}

#[test]
fn two_foreign_peers_meet_over_dtls_1_2() {
    let outcome = call(ForeignDtls::Dtls12, DtlsVersion::V12, true, cable());
    assert_eq!(outcome.versions, [ProtocolVersion::DTLS1_2; 2]);
    assert!(
        outcome.report.fps >= 29.0 && outcome.report.freezes == 0,
        "{}",
        outcome.report
    );
    assert_eq!(outcome.report.lost, 0);
    assert_eq!(outcome.report.shown.map(|tag| tag.layer), Some(2));
    // Fifty a second, from half a second after the start.
    assert!(outcome.voices > 11 * 50, "{}", outcome.voices);
}

#[test]
fn we_may_be_the_client_of_dtls() {
    let outcome = call(ForeignDtls::Dtls12, DtlsVersion::V12, false, cable());
    assert_eq!(outcome.versions, [ProtocolVersion::DTLS1_2; 2]);
    assert!(
        outcome.report.fps >= 29.0 && outcome.report.freezes == 0,
        "{}",
        outcome.report
    );
}

#[test]
fn two_foreign_peers_meet_over_dtls_1_3() {
    let outcome = call(ForeignDtls::Dtls13, DtlsVersion::V13, true, cable());
    assert_eq!(outcome.versions, [ProtocolVersion::DTLS1_3; 2]);
    assert!(
        outcome.report.fps >= 29.0 && outcome.report.freezes == 0,
        "{}",
        outcome.report
    );
}

#[test]
fn a_server_of_both_versions_takes_what_the_client_speaks() {
    for (foreign, expected) in [
        (ForeignDtls::Dtls12, ProtocolVersion::DTLS1_2),
        (ForeignDtls::Dtls13, ProtocolVersion::DTLS1_3),
    ] {
        let outcome = call(foreign, DtlsVersion::Auto, true, cable());
        assert_eq!(outcome.versions, [expected; 2]);
        assert!(outcome.report.fps >= 29.0, "{}", outcome.report);
    }
}

#[test]
fn foreign_retransmission_and_ours_repair_what_is_lost() {
    for access in [wifi(), cellular()] {
        let outcome = call(ForeignDtls::Dtls12, DtlsVersion::V12, true, access);
        let report = &outcome.report;
        assert!(report.fps >= 24.0, "{report}");
        assert!(report.residual_loss() <= 0.005, "{report}");
        assert!(report.longest_freeze < Duration::from_secs(1), "{report}");
    }
}
