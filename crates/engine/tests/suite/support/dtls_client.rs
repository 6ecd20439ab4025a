//! Clients that complete a real handshake with a worker, shared by tests and benchmarks. A client
//! is the wire crate's STUN, a foreign DTLS endpoint (`dimpl`) and our SRTP.

use std::sync::Arc;
use std::time::Instant;

use dimpl::Output;
use serde_json::json;
use uuid::Uuid;
use watersmeet_engine::command::{
    Command, ConsumerId, DegradationPreference, Path, ProducerId, Reply, RouterId, TransportId,
    TransportOptions,
};
use watersmeet_engine::egress::window::EgressOptions;
use watersmeet_engine::transport::srtp::SrtpSender;
use watersmeet_engine::worker::Worker;
use watersmeet_wire::params::{
    DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters, MediaKind, RtpCapabilities,
};
use watersmeet_wire::stun::{BindingRequest, IceRole, IntegrityKey};
use watersmeet_wire::units::{Pt, SeqNo, Ssrc, Time};

use super::worker_setup::{
    Datagram, create_router, drain_datagrams, new_worker, srtp_profile, write_vp8_packet,
};

/// A worker with one router, and what its clients share.
pub struct HandshakeHarness {
    pub worker: Worker,
    pub now: Time,
    capabilities: RtpCapabilities,
    router: RouterId,
    last_id: u128,
    epoch: Instant,
    /// Certificate of all clients: generating one costs more than a handshake.
    certificate: dimpl::DtlsCertificate,
    config: Arc<dimpl::Config>,
}

/// A client on a transport of its own.
pub struct DtlsClient {
    pub transport: TransportId,
    pub path: Path,
    /// Present after the handshake.
    pub srtp_sender: Option<SrtpSender>,
    username: String,
    key: IntegrityKey,
    dtls: dimpl::Dtls,
    epoch: Instant,
}

/// An RTP stream that a client sends.
pub struct OutgoingStream {
    pub ssrc: Ssrc,
    pub pt: Pt,
    next_seq: SeqNo,
}

impl HandshakeHarness {
    /// Creates a worker whose clients send handshake datagrams of at most `mtu` bytes.
    pub fn new(mtu: usize) -> Self {
        let epoch = Instant::now();
        let now = Time::from_millis(1);
        let router = RouterId(Uuid::from_u128(1));
        let mut worker = new_worker(0, EgressOptions::default(), epoch);
        let capabilities = create_router(&mut worker, now, router);
        let config = dimpl::Config::builder().mtu(mtu).build();
        Self {
            worker,
            now,
            capabilities,
            router,
            last_id: 0,
            epoch,
            certificate: dimpl::certificate::generate_self_signed_certificate()
                .expect("cryptography works"),
            config: Arc::new(config.expect("good settings")),
        }
    }

    fn command(&mut self, command: Command) -> Reply {
        self.worker
            .handle_command(self.now, command)
            .expect("carried out")
    }

    fn next_id(&mut self) -> Uuid {
        self.last_id += 1;
        Uuid::from_u128(self.last_id)
    }

    /// Creates a transport that does not know its peer's fingerprint yet.
    pub fn create_transport(&mut self) -> (TransportId, IceParameters) {
        let transport = TransportId(self.next_id());
        let reply = self.command(Command::CreateTransport {
            router: self.router,
            transport,
            options: TransportOptions::default(),
        });
        let Reply::Transport { ice, .. } = reply else {
            panic!("a transport answers with its parameters");
        };
        (transport, ice)
    }

    /// Gives a transport the fingerprint that all clients have.
    pub fn connect_transport(&mut self, transport: TransportId) {
        self.command(Command::ConnectTransport {
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

    /// Closes a transport.
    pub fn close_transport(&mut self, transport: TransportId) {
        self.command(Command::CloseTransport { transport });
    }

    /// Returns a client for a transport. Its handshake has not started.
    pub fn new_client(&mut self, transport: TransportId, ice: &IceParameters) -> DtlsClient {
        let at = self.epoch + self.now.since_origin();
        let mut dtls = dimpl::Dtls::new_12(Arc::clone(&self.config), self.certificate.clone(), at);
        dtls.set_active(true);
        dtls.handle_timeout(at).expect("it can begin");
        let number = u32::try_from(transport.0.as_u128()).expect("few transports");
        let port = 1_024 + u16::try_from(number % 60_000).expect("below");
        DtlsClient {
            transport,
            path: Path::udp(([10, 0, 0, 1], port).into()),
            srtp_sender: None,
            username: format!("{}:peer", ice.username_fragment),
            key: IntegrityKey::from_password(&ice.password),
            dtls,
            epoch: self.epoch,
        }
    }

    /// Passes a datagram to the worker.
    pub fn handle_datagram(&mut self, path: Path, mut packet: Vec<u8>) {
        self.worker.handle_datagram(self.now, path, &mut packet);
    }

    /// Returns the datagrams to send without running timers or handshakes.
    pub fn drain(&mut self) -> Vec<Datagram> {
        drain_datagrams(&mut self.worker, self.now)
    }

    /// Runs one loop iteration without input. Returns the datagrams sent; events are dropped.
    pub fn run_iteration(&mut self) -> Vec<Datagram> {
        self.worker.handle_timeout(self.now);
        let sent = drain_datagrams(&mut self.worker, self.now);
        while self.worker.poll_event().is_some() {}
        sent
    }

    /// Returns a new client whose handshake is complete.
    pub fn connect_client(&mut self) -> DtlsClient {
        let (transport, ice) = self.create_transport();
        self.connect_transport(transport);
        let mut client = self.new_client(transport, &ice);
        self.complete_handshake(&mut client);
        client
    }

    fn complete_handshake(&mut self, client: &mut DtlsClient) {
        let request = client.binding_request();
        self.handle_datagram(client.path, request);
        for _ in 0..16 {
            for (path, packet) in self.run_iteration() {
                if path == client.path {
                    client.handle_datagram(self.now, &packet);
                }
            }
            let packets = client.poll_transmit(self.now);
            if packets.is_empty() && client.srtp_sender.is_some() {
                return;
            }
            for packet in packets {
                self.handle_datagram(client.path, packet);
            }
        }
        panic!("the handshake does not end");
    }

    /// Creates a producer of a client, and one stream for each encoding.
    pub fn produce(
        &mut self,
        client: &DtlsClient,
        kind: MediaKind,
        encodings: u32,
    ) -> (ProducerId, Vec<OutgoingStream>) {
        let producer = ProducerId(self.next_id());
        let (pt, mut rtp) = browser_parameters(kind, self.last_id);
        let first = u32::try_from(self.last_id * 16).expect("few producers");
        let ssrcs: Vec<_> = (0..encodings).map(|index| first + index * 2).collect();
        rtp["encodings"] = ssrcs
            .iter()
            .map(|ssrc| match kind {
                MediaKind::Audio => json!({"ssrc": ssrc}),
                MediaKind::Video => json!({"ssrc": ssrc, "rtx": {"ssrc": ssrc + 1}}),
            })
            .collect();
        self.command(Command::Produce {
            transport: client.transport,
            producer,
            kind,
            rtp: serde_json::from_value(rtp).expect("good parameters"),
            paused: false,
            is_screen: false,
        });
        let to_stream = |ssrc: &u32| OutgoingStream {
            ssrc: Ssrc(*ssrc),
            pt: Pt(pt),
            next_seq: SeqNo::first(1),
        };
        (producer, ssrcs.iter().map(to_stream).collect())
    }

    /// Creates a consumer of a producer on a transport.
    pub fn consume(&mut self, transport: TransportId, producer: ProducerId) -> ConsumerId {
        let consumer = ConsumerId(self.next_id());
        self.command(Command::Consume {
            transport,
            consumer,
            producer,
            capabilities: self.capabilities.clone(),
            paused: false,
            preferred_layers: None,
            priority: 1,
            degradation_preference: DegradationPreference::MaintainFramerate,
        });
        consumer
    }
}

impl DtlsClient {
    /// Returns a connectivity check that nominates the client's path.
    pub fn binding_request(&mut self) -> Vec<u8> {
        let request = BindingRequest {
            transaction_id: [9; 12],
            username: &self.username,
            priority: 1_853_824_767,
            role: IceRole::Controlling(7),
            use_candidate: true,
            nomination: None,
            network_info: None,
        };
        let mut out = vec![0; 256];
        let len = request.write(&mut out, &self.key).expect("it fits");
        out.truncate(len);
        out
    }

    /// Handles a datagram of the server; only DTLS is read.
    pub fn handle_datagram(&mut self, now: Time, packet: &[u8]) {
        if (20..=63).contains(&packet[0]) {
            let at = self.epoch + now.since_origin();
            self.dtls.handle_timeout(at).expect("it goes on");
            self.dtls.handle_packet(packet).expect("it goes on");
        }
    }

    /// Returns the DTLS datagrams to send now.
    pub fn poll_transmit(&mut self, now: Time) -> Vec<Vec<u8>> {
        let at = self.epoch + now.since_origin();
        let mut datagrams = Vec::new();
        let mut buffer = [0; 4_096];
        self.dtls.handle_timeout(at).expect("it goes on");
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => datagrams.push(datagram.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    let profile = srtp_profile(profile);
                    let keys = profile.split_keying_material(&material);
                    let (ours, _) = keys.expect("keys of the right length");
                    self.srtp_sender = SrtpSender::new(profile, &ours).ok();
                }
                Output::Timeout(_) => return datagrams,
                _ => {}
            }
        }
    }

    /// Returns the stream's next packet, protected: a VP8 frame if it is video.
    pub fn rtp(
        &mut self,
        stream: &mut OutgoingStream,
        keyframe: bool,
        payload_len: usize,
    ) -> Vec<u8> {
        let OutgoingStream { ssrc, pt, next_seq } = *stream;
        stream.next_seq = SeqNo(next_seq.0 + 1);
        let mut out = vec![0; payload_len + 64];
        let (header_len, plain_len) =
            write_vp8_packet(&mut out, (ssrc, pt, next_seq), keyframe, payload_len);
        let sender = self.srtp_sender.as_mut().expect("after the handshake");
        let len = sender
            .protect_rtp(ssrc, next_seq, &mut out, header_len, plain_len)
            .expect("it fits");
        out.truncate(len);
        out
    }
}

/// Returns the payload type and the parameters, without encodings, that a browser produces with.
fn browser_parameters(kind: MediaKind, number: u128) -> (u8, serde_json::Value) {
    match kind {
        MediaKind::Audio => (
            111,
            json!({
                "mid": format!("a{number}"),
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
                "mid": format!("v{number}"),
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
    }
}
