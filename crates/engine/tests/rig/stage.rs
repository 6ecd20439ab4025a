//! A worker with one publisher and any number of viewers whose keys are agreed, shared by the
//! engine's tests and benchmarks. Peers are plain SRTP contexts: what they say is up to the test.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_chacha::rand_core::SeedableRng;
use serde_json::json;
use uuid::Uuid;
use watersmeet_engine::command::{
    Command, ConsumerId, ListenAddress, Path, ProducerId, Protocol, Reply, RouterId, TransportId,
    TransportOptions,
};
use watersmeet_engine::egress::window::EgressOptions;
use watersmeet_engine::ortc;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::transport::srtp::{SrtpHeader, SrtpProfile, SrtpReceiver, SrtpSender};
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_wire::params::{MediaKind, RtpCapabilities, RtpParameters};
use watersmeet_wire::rtp::{RtpHeader, RtpHeaderFields, write_header};
use watersmeet_wire::units::{Pt, Rng, SeqNo, Ssrc, Time};

/// The SSRC that the publisher's video comes with.
pub const SSRC: Ssrc = Ssrc(0xbeef);

/// The publisher's payload type.
const PT: Pt = Pt(96);

const PUBLISHER_KEY: u8 = 1;
const SERVER_KEY: u8 = 2;

/// The worker and its publisher.
pub struct Stage {
    pub worker: Worker,
    pub now: Time,
    pub router: RouterId,
    pub producer: ProducerId,
    pub publisher: TransportId,
    pub publisher_path: Path,
    /// What can be consumed of the producer, as the worker said.
    pub consumable: RtpParameters,
    capabilities: RtpCapabilities,
    profile: SrtpProfile,
    sealer: SrtpSender,
    seq: SeqNo,
    drawn: u128,
    ports: u16,
}

/// One who receives.
pub struct Viewer {
    pub transport: TransportId,
    pub consumer: ConsumerId,
    pub path: Path,
    pub rtp: RtpParameters,
    pub sealer: SrtpSender,
    opener: SrtpReceiver,
}

impl Stage {
    pub fn new(profile: SrtpProfile) -> Self {
        Self::with_egress(profile, EgressOptions::default())
    }

    pub fn with_egress(profile: SrtpProfile, egress: EgressOptions) -> Self {
        Self::made_of(profile, egress, 0)
    }

    /// A worker of this shard; what is made on it has other ids than what is made on another.
    pub fn on_shard(profile: SrtpProfile, shard: u8) -> Self {
        Self::made_of(profile, EgressOptions::default(), shard)
    }

    fn made_of(profile: SrtpProfile, egress: EgressOptions, shard: u8) -> Self {
        let listen = ListenAddress {
            protocol: Protocol::Udp,
            ip: [127, 0, 0, 1].into(),
            port: 10_000,
        };
        let config = WorkerConfig {
            listen: vec![listen],
            certificate: DtlsCertificate::generate().expect("cryptography works"),
            dtls_version: DtlsVersion::V12,
            epoch: Instant::now(),
            unix_epoch: Duration::from_secs(1_800_000_000),
            consent_timeout: Duration::from_secs(15),
            shard,
            egress,
        };
        let worker = Worker::new(config, Rng::from_seed([7; 32]));
        let first = u128::from(shard) << 64 | 1;
        let id = Uuid::from_u128(first);
        let sealer = SrtpSender::new(profile, &key(profile, PUBLISHER_KEY)).expect("a good key");
        let mut stage = Self {
            worker,
            now: Time::from_millis(1),
            router: RouterId(id),
            producer: ProducerId(id),
            publisher: TransportId(id),
            publisher_path: path(0),
            consumable: RtpParameters::default(),
            capabilities: RtpCapabilities::default(),
            profile,
            sealer,
            seq: SeqNo::first(1),
            drawn: first,
            ports: 0,
        };
        stage.open();
        stage
    }

    fn open(&mut self) {
        let media_codecs = ortc::default_codecs();
        let reply = self.tell(Command::CreateRouter {
            router: self.router,
            media_codecs,
        });
        let Reply::Router { capabilities } = reply else {
            panic!("a router answers with its capabilities");
        };
        self.capabilities = capabilities;
        self.publisher_path = self.draw_path();
        self.connect(self.publisher, self.publisher_path);
        let (transport, producer) = (self.publisher, self.producer);
        let rtp = serde_json::from_value(json!({
            "codecs": [{
                "mimeType": "video/VP8", "payloadType": PT.0, "clockRate": 90_000,
                "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}],
            }],
            "encodings": [{"ssrc": SSRC.0}],
        }));
        let rtp = rtp.expect("good parameters");
        let kind = MediaKind::Video;
        let reply = self.tell(Command::Produce {
            transport,
            producer,
            kind,
            rtp,
            paused: false,
        });
        let Reply::Producer { consumable } = reply else {
            panic!("a producer answers with what can be consumed of it");
        };
        self.consumable = *consumable;
    }

    pub fn tell(&mut self, command: Command) -> Reply {
        self.worker
            .handle_command(self.now, command)
            .expect("carried out")
    }

    fn draw(&mut self) -> Uuid {
        self.drawn += 1;
        Uuid::from_u128(self.drawn)
    }

    fn draw_path(&mut self) -> Path {
        self.ports += 1;
        path(self.ports)
    }

    fn connect(&mut self, transport: TransportId, path: Path) {
        let options = TransportOptions::default();
        self.tell(Command::CreateTransport {
            router: self.router,
            transport,
            options,
        });
        let (local, remote) = (
            key(self.profile, SERVER_KEY),
            key(self.profile, PUBLISHER_KEY),
        );
        let connected =
            self.worker
                .assume_connected(self.now, transport, path, self.profile, &local, &remote);
        connected.expect("connected");
    }

    /// One more viewer.
    pub fn add_viewer(&mut self) -> Viewer {
        self.add_viewer_of(self.producer)
    }

    /// One more viewer of this producer.
    pub fn add_viewer_of(&mut self, producer: ProducerId) -> Viewer {
        let transport = TransportId(self.draw());
        let path = self.draw_path();
        self.connect(transport, path);
        let consumer = ConsumerId(self.draw());
        let reply = self.tell(Command::Consume {
            transport,
            consumer,
            producer,
            capabilities: self.capabilities.clone(),
            paused: false,
            preferred_layers: None,
        });
        let Reply::Consumer { rtp, .. } = reply else {
            panic!("a consumer answers with its parameters");
        };
        Viewer {
            transport,
            consumer,
            path,
            rtp,
            sealer: SrtpSender::new(self.profile, &key(self.profile, PUBLISHER_KEY))
                .expect("a good key"),
            opener: SrtpReceiver::new(self.profile, &key(self.profile, SERVER_KEY))
                .expect("a good key"),
        }
    }

    /// Writes the publisher's next packet, sealed, into `out`; its length.
    pub fn seal_packet(&mut self, keyframe: bool, payload_len: usize, out: &mut [u8]) -> usize {
        let seq = self.seq;
        self.seq = SeqNo(seq.0 + 1);
        let timestamp = u32::try_from((seq.0 * 3_000) & 0xffff_ffff).expect("masked");
        let fields = RtpHeaderFields {
            marker: true,
            padding: false,
            pt: PT,
            seq: seq.raw(),
            timestamp,
            ssrc: SSRC,
        };
        let header_len = write_header(out, &fields, &[]).expect("it fits");
        let payload = &mut out[header_len..header_len + payload_len];
        payload.fill(0x5a);
        // A VP8 descriptor without extensions that starts partition 0, then the frame tag.
        payload[0] = 0x10;
        payload[1] = u8::from(!keyframe);
        let plain_len = header_len + payload_len;
        self.sealer
            .protect_rtp(SSRC, seq, out, header_len, plain_len)
            .expect("it fits")
    }

    /// The publisher sends a packet, and everything that follows leaves. Says how many datagrams.
    pub fn publish(&mut self, keyframe: bool, payload_len: usize) -> Vec<(Path, Vec<u8>)> {
        let mut packet = [0; 1_500];
        let len = self.seal_packet(keyframe, payload_len, &mut packet);
        self.worker
            .handle_datagram(self.now, self.publisher_path, &mut packet[..len]);
        self.drain()
    }

    /// Everything that waits to be sent.
    pub fn drain(&mut self) -> Vec<(Path, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(batch) = self.worker.poll_transmit(self.now) {
            for transmit in batch.transmits {
                let run = &batch.arena[transmit.range.clone()];
                let size = transmit.segment_size.map_or(run.len(), usize::from);
                sent.extend(
                    run.chunks(size)
                        .map(|datagram| (transmit.path, datagram.to_vec())),
                );
            }
        }
        sent
    }
}

impl Viewer {
    /// The RTP packets among `sent` that came here, opened.
    pub fn received(&mut self, sent: &[(Path, Vec<u8>)]) -> Vec<(RtpHeader, Vec<u8>)> {
        let mine = sent.iter().filter(|(path, _)| *path == self.path);
        let mut received = Vec::new();
        for (_, datagram) in mine {
            let mut packet = datagram.clone();
            if (192..=223).contains(&packet[1]) {
                continue;
            }
            let header = RtpHeader::parse(&packet).expect("a good header");
            let prefix = SrtpHeader {
                ssrc: header.ssrc,
                seq: header.seq,
                header_len: header.header_len,
            };
            let len = self
                .opener
                .unprotect_rtp(prefix, &mut packet)
                .expect("authentic");
            packet.truncate(len);
            received.push((header, packet));
        }
        received
    }
}

fn key(profile: SrtpProfile, fill: u8) -> Vec<u8> {
    vec![fill; profile.master_len()]
}

fn path(port: u16) -> Path {
    let remote = SocketAddr::from(([127, 0, 0, 1], 20_000 + port));
    Path::udp(remote)
}
