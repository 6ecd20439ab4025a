//! Guests who come in by the front door: a worker with one router, and peers who shake hands with
//! it for real, shared by tests and benchmarks. A guest is the wire crate's STUN, a foreign DTLS
//! endpoint and our SRTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::Output;
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
use watersmeet_engine::transport::srtp::{SrtpProfile, SrtpSender};
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_wire::params::{
    DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters, MediaKind, RtpCapabilities,
};
use watersmeet_wire::rtp::{RtpHeaderFields, write_header};
use watersmeet_wire::stun::{BindingRequest, IceRole, IntegrityKey};
use watersmeet_wire::units::{Pt, Rng, SeqNo, Ssrc, Time};

/// A worker with one router.
pub struct House {
    pub worker: Worker,
    pub now: Time,
    pub capabilities: RtpCapabilities,
    router: RouterId,
    drawn: u128,
    epoch: Instant,
    /// What all guests show: making one costs more than a handshake.
    certificate: dimpl::DtlsCertificate,
    config: Arc<dimpl::Config>,
}

/// One peer.
pub struct Guest {
    pub transport: TransportId,
    pub path: Path,
    /// There after the handshake.
    pub sealer: Option<SrtpSender>,
    username: String,
    key: IntegrityKey,
    dtls: dimpl::Dtls,
    epoch: Instant,
}

/// One stream that a guest sends.
pub struct Source {
    pub ssrc: Ssrc,
    pub pt: Pt,
    seq: SeqNo,
}

impl House {
    /// Guests send datagrams of `mtu` bytes at most while they shake hands.
    pub fn new(mtu: usize) -> Self {
        let epoch = Instant::now();
        let listen = ListenAddress {
            protocol: Protocol::Udp,
            ip: [127, 0, 0, 1].into(),
            port: 10_000,
        };
        let config = WorkerConfig {
            listen: vec![listen],
            certificate: DtlsCertificate::generate().expect("cryptography works"),
            dtls_version: DtlsVersion::V12,
            epoch,
            unix_epoch: Duration::from_secs(1_800_000_000),
            consent_timeout: Duration::from_secs(15),
            shard: 0,
            egress: EgressOptions::default(),
        };
        let worker = Worker::new(config, Rng::from_seed([7; 32]));
        let config = dimpl::Config::builder().mtu(mtu).build();
        let mut house = Self {
            worker,
            now: Time::from_millis(1),
            capabilities: RtpCapabilities::default(),
            router: RouterId(Uuid::from_u128(1)),
            drawn: 0,
            epoch,
            certificate: dimpl::certificate::generate_self_signed_certificate()
                .expect("cryptography works"),
            config: Arc::new(config.expect("good settings")),
        };
        let reply = house.tell(Command::CreateRouter {
            router: house.router,
            media_codecs: ortc::default_codecs(),
        });
        let Reply::Router { capabilities } = reply else {
            panic!("a router answers with its capabilities");
        };
        house.capabilities = capabilities;
        house
    }

    pub fn tell(&mut self, command: Command) -> Reply {
        self.worker
            .handle_command(self.now, command)
            .expect("carried out")
    }

    pub fn draw(&mut self) -> Uuid {
        self.drawn += 1;
        Uuid::from_u128(self.drawn)
    }

    /// A transport that knows nothing of its peer.
    pub fn create_transport(&mut self) -> (TransportId, IceParameters) {
        let transport = TransportId(self.draw());
        let reply = self.tell(Command::CreateTransport {
            router: self.router,
            transport,
            options: TransportOptions::default(),
        });
        let Reply::Transport { ice, .. } = reply else {
            panic!("a transport answers with its parameters");
        };
        (transport, ice)
    }

    /// Tells a transport whom to expect.
    pub fn connect(&mut self, transport: TransportId) {
        self.tell(Command::ConnectTransport {
            transport,
            dtls: DtlsParameters {
                role: DtlsRole::Client,
                fingerprints: vec![DtlsFingerprint {
                    algorithm: "sha-256".to_owned(),
                    value: self.certificate.fingerprint_str(),
                }],
            },
        });
    }

    /// Ends a transport.
    pub fn close(&mut self, transport: TransportId) {
        self.tell(Command::CloseTransport { transport });
    }

    /// The peer of a transport.
    pub fn guest(&mut self, transport: TransportId, ice: &IceParameters) -> Guest {
        let at = self.epoch + self.now.since_origin();
        let mut dtls = dimpl::Dtls::new_12(Arc::clone(&self.config), self.certificate.clone(), at);
        dtls.set_active(true);
        dtls.handle_timeout(at).expect("it can begin");
        let port = u32::try_from(transport.0.as_u128()).expect("few transports");
        let remote = SocketAddr::from((
            [10, 0, 0, 1],
            1_024 + u16::try_from(port % 60_000).expect("below"),
        ));
        Guest {
            transport,
            path: Path::udp(remote),
            sealer: None,
            username: format!("{}:peer", ice.username_fragment),
            key: IntegrityKey::from_password(&ice.password),
            dtls,
            epoch: self.epoch,
        }
    }

    /// Takes a datagram.
    pub fn receive(&mut self, path: Path, mut packet: Vec<u8>) {
        self.worker.handle_datagram(self.now, path, &mut packet);
    }

    /// Everything that waits to be sent.
    pub fn drain(&mut self) -> Vec<(Path, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(batch) = self.worker.poll_transmit(self.now) {
            for transmit in batch.transmits {
                let run = &batch.arena[transmit.range.clone()];
                let size = transmit.segment_size.map_or(run.len(), usize::from);
                let datagrams = run.chunks(size);
                sent.extend(datagrams.map(|datagram| (transmit.path, datagram.to_vec())));
            }
        }
        while self.worker.poll_event().is_some() {}
        sent
    }

    /// One turn of the loop without packets.
    pub fn turn(&mut self) -> Vec<(Path, Vec<u8>)> {
        self.worker.handle_timeout(self.now);
        self.drain()
    }

    /// A guest on a transport of its own, whose handshake is over.
    pub fn invite(&mut self) -> Guest {
        let (transport, ice) = self.create_transport();
        self.connect(transport);
        let mut guest = self.guest(transport, &ice);
        self.welcome(&mut guest);
        guest
    }

    /// Carries the handshake of one guest to its end.
    fn welcome(&mut self, guest: &mut Guest) {
        let check = guest.check();
        self.receive(guest.path, check);
        for _ in 0..16 {
            for (path, packet) in self.turn() {
                if path == guest.path {
                    guest.handle(self.now, &packet);
                }
            }
            let packets = guest.poll(self.now);
            if packets.is_empty() && guest.sealer.is_some() {
                return;
            }
            for packet in packets {
                self.receive(guest.path, packet);
            }
        }
        panic!("the handshake does not end");
    }

    /// Announces media of a guest: one stream for each encoding.
    pub fn produce(
        &mut self,
        guest: &Guest,
        kind: MediaKind,
        encodings: u32,
    ) -> (ProducerId, Vec<Source>) {
        let producer = ProducerId(self.draw());
        let (pt, rtp) = match kind {
            MediaKind::Audio => (
                111,
                json!({
                    "mid": format!("a{}", self.drawn),
                    "codecs": [{"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48_000, "channels": 2}],
                    "headerExtensions": [
                        {"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4},
                        {"uri": "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "id": 1},
                    ],
                }),
            ),
            MediaKind::Video => (
                96,
                json!({
                    "mid": format!("v{}", self.drawn),
                    "codecs": [
                        {"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90_000, "rtcpFeedback": [
                            {"type": "goog-remb"}, {"type": "transport-cc"}, {"type": "ccm", "parameter": "fir"},
                            {"type": "nack"}, {"type": "nack", "parameter": "pli"},
                        ]},
                        {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90_000, "parameters": {"apt": 96}},
                    ],
                    "headerExtensions": [
                        {"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4},
                        {"uri": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", "id": 2},
                        {"uri": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", "id": 3},
                    ],
                }),
            ),
        };
        let mut rtp = rtp;
        let first = u32::try_from(self.drawn * 16).expect("few producers");
        let ssrcs: Vec<_> = (0..encodings).map(|index| first + index * 2).collect();
        rtp["encodings"] = ssrcs
            .iter()
            .map(|ssrc| match kind {
                MediaKind::Audio => json!({"ssrc": ssrc}),
                MediaKind::Video => json!({"ssrc": ssrc, "rtx": {"ssrc": ssrc + 1}}),
            })
            .collect();
        self.tell(Command::Produce {
            transport: guest.transport,
            producer,
            kind,
            rtp: serde_json::from_value(rtp).expect("good parameters"),
            paused: false,
        });
        let source = |ssrc: &u32| Source {
            ssrc: Ssrc(*ssrc),
            pt: Pt(pt),
            seq: SeqNo::first(1),
        };
        (producer, ssrcs.iter().map(source).collect())
    }

    /// Sends a producer to a transport.
    pub fn consume(&mut self, transport: TransportId, producer: ProducerId) -> ConsumerId {
        let consumer = ConsumerId(self.draw());
        self.tell(Command::Consume {
            transport,
            consumer,
            producer,
            capabilities: self.capabilities.clone(),
            paused: false,
            preferred_layers: None,
        });
        consumer
    }
}

impl Guest {
    /// A connectivity check that nominates its path.
    pub fn check(&mut self) -> Vec<u8> {
        let request = BindingRequest {
            transaction_id: [9; 12],
            username: &self.username,
            priority: 1_853_824_767,
            role: IceRole::Controlling(7),
            use_candidate: true,
            nomination: None,
        };
        let mut out = vec![0; 256];
        let len = request.write(&mut out, &self.key).expect("it fits");
        out.truncate(len);
        out
    }

    /// Takes a datagram of the house.
    pub fn handle(&mut self, now: Time, packet: &[u8]) {
        if (20..=63).contains(&packet[0]) {
            let at = self.epoch + now.since_origin();
            self.dtls.handle_timeout(at).expect("it goes on");
            self.dtls.handle_packet(packet).expect("it goes on");
        }
    }

    /// What its DTLS has to send now.
    pub fn poll(&mut self, now: Time) -> Vec<Vec<u8>> {
        let at = self.epoch + now.since_origin();
        let mut datagrams = Vec::new();
        let mut buffer = [0; 4_096];
        self.dtls.handle_timeout(at).expect("it goes on");
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => datagrams.push(datagram.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    let profile = match profile {
                        dimpl::SrtpProfile::AEAD_AES_256_GCM => SrtpProfile::AeadAes256Gcm,
                        dimpl::SrtpProfile::AEAD_AES_128_GCM => SrtpProfile::AeadAes128Gcm,
                        _ => SrtpProfile::AesCm128HmacSha1_80,
                    };
                    let keys = profile.split_keying_material(&material);
                    let (ours, _) = keys.expect("keys of the right length");
                    self.sealer = SrtpSender::new(profile, &ours).ok();
                }
                Output::Timeout(_) => return datagrams,
                _ => {}
            }
        }
    }

    /// A sealed packet of one of its streams, a VP8 frame if it is video.
    pub fn rtp(&mut self, source: &mut Source, keyframe: bool, payload_len: usize) -> Vec<u8> {
        let seq = source.seq;
        source.seq = SeqNo(seq.0 + 1);
        let fields = RtpHeaderFields {
            marker: true,
            padding: false,
            pt: source.pt,
            seq: seq.raw(),
            timestamp: u32::try_from((seq.0 * 3_000) & 0xffff_ffff).expect("masked"),
            ssrc: source.ssrc,
        };
        let mut out = vec![0x5a; payload_len + 64];
        let header_len = write_header(&mut out, &fields, &[]).expect("it fits");
        // A VP8 descriptor without extensions that starts partition 0, then the frame tag.
        out[header_len] = 0x10;
        out[header_len + 1] = u8::from(!keyframe);
        let sealer = self.sealer.as_mut().expect("after the handshake");
        let len = sealer
            .protect_rtp(
                source.ssrc,
                seq,
                &mut out,
                header_len,
                header_len + payload_len,
            )
            .expect("it fits");
        out.truncate(len);
        out
    }
}
