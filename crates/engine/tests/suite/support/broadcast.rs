//! A worker with one publisher and any number of viewers. SRTP keys are installed directly, without
//! handshakes (feature `sim`). Peers are plain SRTP contexts: each test decides what they send.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;
use watersmeet_engine::command::{
    Command, ConsumerId, DegradationPreference, Path, ProducerId, ProducerStats, Reply, RouterId,
    TransportId, TransportOptions,
};
use watersmeet_engine::egress::window::EgressOptions;
use watersmeet_engine::ortc;
use watersmeet_engine::transport::srtp::{SrtpHeader, SrtpProfile, SrtpReceiver, SrtpSender};
use watersmeet_engine::worker::Worker;
use watersmeet_wire::params::{MediaKind, RtpCapabilities, RtpCodecCapability, RtpParameters};
use watersmeet_wire::rtcp::report::SenderInfo;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtp::{RtpHeader, RtpHeaderFields, write_header};
use watersmeet_wire::units::{Pt, SeqNo, Ssrc, Time};

use super::worker_setup::{
    Datagram, create_router_with, drain_datagrams, is_rtcp, new_worker, write_vp8_packet,
};

/// SSRC of the publisher's video.
pub const SSRC: Ssrc = Ssrc(0xbeef);

/// Payload type of the publisher's video.
const PT: Pt = Pt(96);

/// Byte that fills the master keys of all peers.
const PEER_KEY: u8 = 1;

/// Byte that fills the master keys of the server.
const SERVER_KEY: u8 = 2;

/// A decrypted RTP packet and its header.
pub type ReceivedRtp = (RtpHeader, Vec<u8>);

/// The worker and its publisher.
pub struct Broadcast {
    pub worker: Worker,
    pub now: Time,
    pub router: RouterId,
    pub producer: ProducerId,
    pub publisher: TransportId,
    pub publisher_path: Path,
    /// Consumable parameters of the producer, as the worker replied.
    pub consumable: RtpParameters,
    pub capabilities: RtpCapabilities,
    profile: SrtpProfile,
    /// Options of transports that are created from now on.
    pub transport_options: TransportOptions,
    /// Marker bit of the packets that the publisher sends.
    pub sends_markers: bool,
    srtp_sender: SrtpSender,
    next_seq: SeqNo,
    next_audio_seq: SeqNo,
    last_id: u128,
    last_port: u16,
}

/// SSRC of the publisher's audio.
const AUDIO_SSRC: Ssrc = Ssrc(0xabba);

/// Payload type of the publisher's audio.
const AUDIO_PT: Pt = Pt(111);

/// A packet that a test composes.
pub struct PublishedPacket<'a> {
    pub ssrc: u32,
    pub pt: u8,
    /// Sequence number with its wraps.
    pub seq: u64,
    pub timestamp: u32,
    /// Ids and values of the header extensions.
    pub extensions: &'a [(u8, &'a [u8])],
    pub payload: &'a [u8],
}

/// A peer that consumes the publisher's video.
pub struct Viewer {
    pub transport: TransportId,
    pub consumer: ConsumerId,
    pub path: Path,
    pub rtp: RtpParameters,
    srtp_sender: SrtpSender,
    srtp_receiver: SrtpReceiver,
}

impl Broadcast {
    /// Creates a worker of shard 0 with default egress options.
    pub fn new(profile: SrtpProfile) -> Self {
        Self::with_options(profile, EgressOptions::default(), 0)
    }

    /// Creates a worker of shard 0 with these egress options.
    pub fn with_egress(profile: SrtpProfile, egress: EgressOptions) -> Self {
        Self::with_options(profile, egress, 0)
    }

    /// Creates a worker of this shard. Ids differ from those of every other shard.
    pub fn on_shard(profile: SrtpProfile, shard: u8) -> Self {
        Self::with_options(profile, EgressOptions::default(), shard)
    }

    fn with_options(profile: SrtpProfile, egress: EgressOptions, shard: u8) -> Self {
        let mut broadcast = Self::without_producer(profile, egress, shard, ortc::default_codecs());
        broadcast.produce(false);
        broadcast
    }

    /// Creates a worker whose router has these codecs, and whose publisher has no producer yet.
    pub fn with_codecs(codecs: Vec<RtpCodecCapability>) -> Self {
        let profile = SrtpProfile::AeadAes128Gcm;
        Self::without_producer(profile, EgressOptions::default(), 0, codecs)
    }

    /// Creates a worker of this shard, whose publisher has no producer yet.
    pub fn without_producers(shard: u8) -> Self {
        let profile = SrtpProfile::AeadAes128Gcm;
        let codecs = ortc::default_codecs();
        Self::without_producer(profile, EgressOptions::default(), shard, codecs)
    }

    /// Connects the publisher again, with a new producer and these options of its transport.
    pub fn replace_publisher(&mut self, options: TransportOptions) {
        self.command(Command::CloseTransport {
            transport: self.publisher,
        });
        let before = std::mem::replace(&mut self.transport_options, options);
        self.connect(self.publisher, self.publisher_path);
        self.transport_options = before;
        self.produce(false);
    }

    fn without_producer(
        profile: SrtpProfile,
        egress: EgressOptions,
        shard: u8,
        codecs: Vec<RtpCodecCapability>,
    ) -> Self {
        let now = Time::from_millis(1);
        let mut worker = new_worker(shard, egress, Instant::now());
        let first_id = u128::from(shard) << 64 | 1;
        let id = Uuid::from_u128(first_id);
        let router = RouterId(id);
        let capabilities = create_router_with(&mut worker, now, router, codecs);
        let mut broadcast = Self {
            worker,
            now,
            router,
            producer: ProducerId(id),
            publisher: TransportId(id),
            publisher_path: loopback_path(1),
            consumable: RtpParameters::default(),
            capabilities,
            profile,
            sends_markers: true,
            srtp_sender: SrtpSender::new(profile, &key(profile, PEER_KEY)).expect("a good key"),
            // The viewers here send no feedback: what they are sent must not depend on an estimate.
            transport_options: TransportOptions {
                adapts_to_bandwidth: false,
                ..TransportOptions::default()
            },
            next_seq: SeqNo::first(1),
            next_audio_seq: SeqNo::first(1),
            last_id: first_id,
            last_port: 1,
        };
        broadcast.connect(broadcast.publisher, broadcast.publisher_path);
        broadcast
    }

    /// Creates a worker whose publisher shares a screen.
    pub fn of_screen(profile: SrtpProfile) -> Self {
        let codecs = ortc::default_codecs();
        let mut broadcast = Self::without_producer(profile, EgressOptions::default(), 0, codecs);
        broadcast.produce(true);
        broadcast
    }

    fn produce(&mut self, is_screen: bool) {
        let rtp = serde_json::from_value(json!({
            "codecs": [{
                "mimeType": "video/VP8", "payloadType": PT.0, "clockRate": 90_000,
                "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}],
            }],
            "encodings": [{"ssrc": SSRC.0}],
        }));
        let reply = self.command(Command::Produce {
            transport: self.publisher,
            producer: self.producer,
            kind: MediaKind::Video,
            rtp: rtp.expect("good parameters"),
            paused: false,
            is_screen,
        });
        let Reply::Producer { consumable } = reply else {
            panic!("a producer answers with its consumable parameters");
        };
        self.consumable = *consumable;
    }

    /// Adds audio of the publisher.
    pub fn produce_audio(&mut self) -> ProducerId {
        let rtp = serde_json::from_value(json!({
            "codecs": [{
                "mimeType": "audio/opus", "payloadType": AUDIO_PT.0, "clockRate": 48_000,
                "channels": 2,
            }],
            "encodings": [{"ssrc": AUDIO_SSRC.0}],
        }));
        let producer = ProducerId(self.next_id());
        self.command(Command::Produce {
            transport: self.publisher,
            producer,
            kind: MediaKind::Audio,
            rtp: rtp.expect("good parameters"),
            paused: false,
            is_screen: false,
        });
        producer
    }

    /// Lets the publisher send its next packet of audio. Returns every datagram sent in consequence.
    pub fn publish_audio(&mut self, payload_len: usize) -> Vec<Datagram> {
        let seq = self.next_audio_seq;
        self.next_audio_seq = SeqNo(seq.0 + 1);
        let mut packet = [0; 1_500];
        let stream = (AUDIO_SSRC, AUDIO_PT, seq);
        let (header_len, plain_len) = write_vp8_packet(&mut packet, stream, false, payload_len);
        let len = self
            .srtp_sender
            .protect_rtp(AUDIO_SSRC, seq, &mut packet, header_len, plain_len)
            .expect("it fits");
        self.receive_from_publisher(&mut packet[..len]);
        self.drain()
    }

    /// Lets the publisher send a sender report of its video.
    pub fn receive_sender_report(&mut self, ntp: u64, rtp_timestamp: u32) {
        let info = SenderInfo {
            ssrc: SSRC,
            ntp,
            rtp_timestamp,
            packet_count: 0,
            octet_count: 0,
        };
        let mut compound = Vec::new();
        assert!(CompoundWriter::new(&mut compound).write_sender_report(&info, &[]));
        let plain_len = compound.len();
        compound.resize(plain_len + 64, 0);
        let len = self.srtp_sender.protect_rtcp(&mut compound, plain_len);
        self.receive_from_publisher(&mut compound[..len.expect("it fits")]);
    }

    /// Adds a producer with these RTP parameters, which becomes the one that viewers are added to.
    pub fn produce_with(&mut self, kind: MediaKind, rtp: serde_json::Value) -> ProducerId {
        let producer = ProducerId(self.next_id());
        self.command(Command::Produce {
            transport: self.publisher,
            producer,
            kind,
            rtp: serde_json::from_value(rtp).expect("good parameters"),
            paused: false,
            is_screen: false,
        });
        self.producer = producer;
        producer
    }

    /// Lets the publisher send this packet. Returns every datagram sent in consequence.
    pub fn send(&mut self, packet: &PublishedPacket<'_>) -> Vec<Datagram> {
        let mut datagram = [0; 1_500];
        let len = self.protect(packet, &mut datagram);
        self.receive_from_publisher(&mut datagram[..len]);
        self.drain()
    }

    /// Writes this packet of the publisher, protected, into `out`. Returns its length.
    pub fn protect(&mut self, packet: &PublishedPacket<'_>, out: &mut [u8]) -> usize {
        let seq = SeqNo(SeqNo::first(0).0 + packet.seq);
        let fields = RtpHeaderFields {
            marker: self.sends_markers,
            padding: false,
            pt: Pt(packet.pt),
            seq: seq.raw(),
            timestamp: packet.timestamp,
            ssrc: Ssrc(packet.ssrc),
        };
        let header_len = write_header(out, &fields, packet.extensions).expect("it fits");
        let plain_len = header_len + packet.payload.len();
        out[header_len..plain_len].copy_from_slice(packet.payload);
        self.srtp_sender
            .protect_rtp(Ssrc(packet.ssrc), seq, out, header_len, plain_len)
            .expect("it fits")
    }

    /// Lets the publisher send an RTCP compound with what `write` puts into it.
    pub fn send_rtcp(&mut self, write: impl FnOnce(&mut CompoundWriter<'_>)) {
        let mut compound = protect_compound(&mut self.srtp_sender, write);
        self.receive_from_publisher(&mut compound);
    }

    /// Returns the statistics of a producer.
    pub fn producer_stats(&mut self, producer: ProducerId) -> Vec<ProducerStats> {
        match self.command(Command::ProducerStats { producer }) {
            Reply::ProducerStats(stats) => stats,
            other => panic!("no producer statistics in {other:?}"),
        }
    }

    /// Returns how many keyframes were requested from the publisher of the current producer.
    pub fn keyframe_requests(&mut self) -> u64 {
        let stats = self.producer_stats(self.producer);
        stats.iter().map(|it| it.pli_count).sum()
    }

    /// Advances the time and runs the timers that are due. Returns every datagram sent.
    pub fn advance(&mut self, span: Duration) -> Vec<Datagram> {
        self.now = self.now + span;
        self.worker.handle_timeout(self.now);
        self.drain()
    }

    /// Sends a command that must be carried out.
    pub fn command(&mut self, command: Command) -> Reply {
        self.worker
            .handle_command(self.now, command)
            .expect("carried out")
    }

    fn next_id(&mut self) -> Uuid {
        self.last_id += 1;
        Uuid::from_u128(self.last_id)
    }

    fn connect(&mut self, transport: TransportId, path: Path) {
        self.command(Command::CreateTransport {
            router: self.router,
            transport,
            options: self.transport_options.clone(),
        });
        self.reconnect(transport, path);
    }

    /// Makes this the path of a transport.
    pub fn reconnect(&mut self, transport: TransportId, path: Path) {
        let (local, remote) = (key(self.profile, SERVER_KEY), key(self.profile, PEER_KEY));
        let connected =
            self.worker
                .assume_connected(self.now, transport, path, self.profile, &local, &remote);
        connected.expect("connected");
    }

    /// Adds a viewer of the publisher's video.
    pub fn add_viewer(&mut self) -> Viewer {
        self.add_viewer_of(self.producer)
    }

    /// Adds a viewer of the publisher's video that does not support retransmissions on an RTX stream.
    pub fn add_viewer_without_rtx(&mut self) -> Viewer {
        let capabilities = self.capabilities.clone();
        self.capabilities
            .codecs
            .retain(|codec| !codec.mime_type.ends_with("/rtx"));
        let viewer = self.add_viewer();
        self.capabilities = capabilities;
        viewer
    }

    /// Adds a viewer of this producer.
    pub fn add_viewer_of(&mut self, producer: ProducerId) -> Viewer {
        self.add_viewer_with(producer, self.capabilities.clone())
    }

    /// Adds a viewer of this producer that has these capabilities.
    pub fn add_viewer_with(
        &mut self,
        producer: ProducerId,
        capabilities: RtpCapabilities,
    ) -> Viewer {
        let transport = TransportId(self.next_id());
        self.last_port += 1;
        let path = loopback_path(self.last_port);
        self.connect(transport, path);
        let consumer = ConsumerId(self.next_id());
        let reply = self.command(Command::Consume {
            transport,
            consumer,
            producer,
            capabilities,
            paused: false,
            preferred_layers: None,
            priority: 1,
            degradation_preference: DegradationPreference::MaintainFramerate,
        });
        let Reply::Consumer { rtp, .. } = reply else {
            panic!("a consumer answers with its parameters");
        };
        let (local, remote) = (key(self.profile, PEER_KEY), key(self.profile, SERVER_KEY));
        Viewer {
            transport,
            consumer,
            path,
            rtp,
            srtp_sender: SrtpSender::new(self.profile, &local).expect("a good key"),
            srtp_receiver: SrtpReceiver::new(self.profile, &remote).expect("a good key"),
        }
    }

    /// Writes the publisher's next packet, protected, into `out`. Returns its length.
    pub fn protect_packet(&mut self, keyframe: bool, payload_len: usize, out: &mut [u8]) -> usize {
        let seq = self.next_seq;
        self.next_seq = SeqNo(seq.0 + 1);
        let (header_len, plain_len) = write_vp8_packet(out, (SSRC, PT, seq), keyframe, payload_len);
        self.srtp_sender
            .protect_rtp(SSRC, seq, out, header_len, plain_len)
            .expect("it fits")
    }

    /// Skips numbers of the publisher's stream, as if it had been cut off or had started anew.
    pub fn skip_numbers(&mut self, count: u64) {
        self.next_seq = SeqNo(self.next_seq.0 + count);
    }

    /// Lets the publisher send its next packet, which waits in the worker afterwards.
    pub fn receive_packet(&mut self, keyframe: bool, payload_len: usize) {
        let mut packet = [0; 4_000];
        let len = self.protect_packet(keyframe, payload_len, &mut packet);
        self.receive_from_publisher(&mut packet[..len]);
    }

    /// Passes a datagram of the publisher to the worker.
    pub fn receive_from_publisher(&mut self, datagram: &mut [u8]) {
        self.worker
            .handle_datagram(self.now, self.publisher_path, datagram);
    }

    /// Passes a datagram of a viewer to the worker.
    pub fn receive_from(&mut self, viewer: &Viewer, mut datagram: Vec<u8>) {
        self.worker
            .handle_datagram(self.now, viewer.path, &mut datagram);
    }

    /// Lets the publisher send its next packet. Returns every datagram sent in consequence.
    pub fn publish(&mut self, keyframe: bool, payload_len: usize) -> Vec<Datagram> {
        self.receive_packet(keyframe, payload_len);
        self.drain()
    }

    /// Returns every datagram that the worker has to send.
    pub fn drain(&mut self) -> Vec<Datagram> {
        drain_datagrams(&mut self.worker, self.now)
    }
}

impl Viewer {
    /// Decrypts the RTP packets among `sent` that were sent to this viewer.
    pub fn received(&mut self, sent: &[Datagram]) -> Vec<ReceivedRtp> {
        let mut received = Vec::new();
        for (path, datagram) in sent {
            if *path != self.path || is_rtcp(datagram) {
                continue;
            }
            let mut packet = datagram.clone();
            let header = RtpHeader::parse(&packet).expect("a good header");
            let srtp_header = SrtpHeader {
                ssrc: header.ssrc,
                seq: header.seq,
                header_len: header.header_len,
            };
            let len = self
                .srtp_receiver
                .unprotect_rtp(srtp_header, &mut packet)
                .expect("authentic");
            packet.truncate(len);
            received.push((header, packet));
        }
        received
    }

    /// Decrypts the RTCP compounds among `sent` that were sent to this viewer.
    pub fn received_rtcp(&mut self, sent: &[Datagram]) -> Vec<Vec<u8>> {
        let mut received = Vec::new();
        for (path, datagram) in sent {
            if *path == self.path && is_rtcp(datagram) {
                let mut compound = datagram.clone();
                let len = self.srtp_receiver.unprotect_rtcp(&mut compound);
                compound.truncate(len.expect("authentic"));
                received.push(compound);
            }
        }
        received
    }

    /// Returns a protected RTCP compound with what `write` puts into it.
    pub fn rtcp(&mut self, write: impl FnOnce(&mut CompoundWriter<'_>)) -> Vec<u8> {
        protect_compound(&mut self.srtp_sender, write)
    }

    /// Returns a protected NACK for these sequence numbers of `ssrc`.
    pub fn nack(&mut self, ssrc: Ssrc, seqs: &[u16]) -> Vec<u8> {
        self.rtcp(|writer| assert_eq!(writer.write_nack(Ssrc(1), ssrc, seqs), seqs.len()))
    }
}

fn protect_compound(
    sender: &mut SrtpSender,
    write: impl FnOnce(&mut CompoundWriter<'_>),
) -> Vec<u8> {
    let mut compound = Vec::new();
    write(&mut CompoundWriter::new(&mut compound));
    let plain_len = compound.len();
    compound.resize(plain_len + 64, 0);
    let len = sender.protect_rtcp(&mut compound, plain_len);
    compound.truncate(len.expect("it fits"));
    compound
}

fn key(profile: SrtpProfile, fill: u8) -> Vec<u8> {
    vec![fill; profile.master_len()]
}

fn loopback_path(port: u16) -> Path {
    Path::udp(([127, 0, 0, 1], 20_000 + port).into())
}
