//! Media of the str0m peers: frames of `watersmeet-peer`, so that received media can be verified.

use str0m::RtcConfig;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Frequency, KeyframeRequestKind, MediaKind as Str0mKind};
use str0m::rtp::{Extension, ExtensionMap, ExtensionValues, RtpWrite, SeqNo as Str0mSeqNo};
use watersmeet_engine::command::{Command, ConsumerId, DegradationPreference, ProducerId, Reply};
use watersmeet_peer::negotiation::{self, AudioRepair, IncomingStream};
use watersmeet_peer::receiver::video::{VideoPacket, VideoTrack};
use watersmeet_peer::receiver::violation::Violation;
use watersmeet_peer::sender::encoder::Encoder;
use watersmeet_peer::sender::media_source::{Camera, CameraOptions, Microphone};
use watersmeet_peer::signature::PacketSignature;
use watersmeet_sim::profiles::AccessLink;
use watersmeet_sim::seeds;
use watersmeet_wire::params::{MediaKind, RtpCapabilities, RtpParameters};
use watersmeet_wire::units::{Rng, Time};

use crate::session::Session;

/// Returns the signature template of a source.
pub fn signature(source: u32) -> PacketSignature {
    PacketSignature {
        room: 1,
        source,
        layer: 0,
        temporal: 0,
        keyframe: false,
        reference_distances: [0, 0],
        frame: 0,
        index: 0,
        count: 0,
        captured: Time::ZERO,
    }
}

/// str0m peer that publishes a simulcast camera and a microphone.
pub struct Publisher {
    pub index: usize,
    pub camera: Camera,
    pub microphone: Microphone,
    /// SSRC and next sequence number of each stream; the last one is the microphone.
    pub streams: Vec<(str0m::rtp::Ssrc, u64)>,
    pub rng: Rng,
}

impl Publisher {
    /// Connects and creates the producers; also returns the ids of video and audio.
    pub fn new(
        session: &mut Session,
        config: RtcConfig,
        access: AccessLink,
        active: bool,
    ) -> (Self, ProducerId, ProducerId) {
        let index = session.connect(config.set_rtp_mode(true), access, active);
        let mut rng = seeds::generator(9, "publisher");
        let options = CameraOptions::simulcast(3);
        let transport = session.peers[index].transport;
        let mut encodings = Vec::new();
        let mut encoders = Vec::new();
        let mut streams = Vec::new();
        let mut api = session.peers[index].rtc.direct_api();
        api.declare_media("0".into(), Str0mKind::Video);
        api.declare_media("1".into(), Str0mKind::Audio);
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
            let producer = ProducerId::generate(&mut session.rng);
            let rtp: RtpParameters = serde_json::from_value(rtp).unwrap();
            session.command(Command::Produce {
                transport,
                producer,
                kind,
                rtp,
                paused: false,
                is_screen: false,
            });
            producer
        };
        let (video, audio) = (
            produce(MediaKind::Video, video),
            produce(MediaKind::Audio, audio),
        );
        let camera = Camera::new(Time::ZERO, &options, encoders);
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

    pub fn poll_timeout(&self) -> Time {
        self.camera
            .poll_timeout()
            .min(self.microphone.poll_timeout())
    }

    /// Sends due packets once connected, and answers keyframe requests.
    pub fn publish(&mut self, session: &mut Session) {
        let (now, instant) = (session.now, session.instant());
        let pieces = self.camera.capture(now, &mut self.rng);
        let voice = self.microphone.capture(now, &mut self.rng);
        let peer = &mut session.peers[self.index];
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
            let number: Str0mSeqNo = (*seq).into();
            *seq += 1;
            let write = RtpWrite::new(pt.0.into(), number, piece.ticks, instant, piece.payload)
                .marker(piece.marker)
                .nackable(stream < 3)
                .ext_vals(extensions);
            api.stream_tx(ssrc).unwrap().write_rtp(write);
        }
    }
}

/// str0m peer that receives one video and one audio stream.
pub struct Viewer {
    pub index: usize,
    pub video_ssrc: u32,
    pub video: VideoTrack,
    pub violations: Vec<Violation>,
    pub speech_packets: u64,
}

impl Viewer {
    pub fn new(
        session: &mut Session,
        config: RtcConfig,
        access: AccessLink,
        active: bool,
        producers: [ProducerId; 2],
    ) -> Self {
        let (config, capabilities) = receiving(config, &session.capabilities);
        let index = session.connect(config, access, active);
        let transport = session.peers[index].transport;
        let mut video_ssrc = 0;
        for (producer, kind) in producers
            .into_iter()
            .zip([Str0mKind::Video, Str0mKind::Audio])
        {
            let consume = Command::Consume {
                transport,
                consumer: ConsumerId::generate(&mut session.rng),
                producer,
                capabilities: capabilities.clone(),
                paused: false,
                preferred_layers: None,
                priority: 1,
                degradation_preference: DegradationPreference::MaintainFramerate,
            };
            let Reply::Consumer { rtp, .. } = session.command(consume) else {
                panic!("no consumer");
            };
            let incoming =
                IncomingStream::from_parameters(&rtp).expect("the parameters have an SSRC");
            let mid = str0m::media::Mid::from(rtp.mid.unwrap().as_str());
            let mut api = session.peers[index].rtc.direct_api();
            api.declare_media(mid, kind);
            let rtx = incoming.rtx_ssrc.map(|ssrc| ssrc.0.into());
            api.expect_stream_rx(incoming.ssrc.0.into(), rtx, mid, None);
            if kind == Str0mKind::Video {
                video_ssrc = incoming.ssrc.0;
            }
        }
        let video = VideoTrack::new(session.now);
        Self {
            index,
            video_ssrc,
            video,
            violations: Vec::new(),
            speech_packets: 0,
        }
    }

    /// Processes received packets.
    pub fn process_received(&mut self, session: &mut Session) {
        let (now, index) = (session.now, self.index);
        for packet in std::mem::take(&mut session.peers[index].received) {
            if *packet.header.ssrc != self.video_ssrc {
                let signature = packet.payload.get(1..).and_then(PacketSignature::parse);
                self.speech_packets +=
                    u64::from(signature.is_some_and(|signature| signature.source == 2));
                continue;
            }
            let media = VideoPacket {
                seq: packet.header.sequence_number,
                timestamp: packet.header.timestamp,
                marker: packet.header.marker,
                payload: &packet.payload,
                repaired: false,
            };
            match self.video.receive(now, &media) {
                Ok(signature) => assert!(signature.is_none_or(|signature| signature.source == 1)),
                Err(violation) => self.violations.push(violation),
            }
        }
        self.violations.extend(self.video.render_due_frames(now));
        // str0m requests retransmissions by itself, but keyframes only when told to.
        if self.video.take_pli(now) {
            let mut api = session.peers[index].rtc.direct_api();
            let stream = api.stream_rx(&self.video_ssrc.into()).unwrap();
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }
}

/// Returns a str0m configuration with the payload types and extension ids of the router, and its
/// capabilities.
pub fn receiving(config: RtcConfig, router: &RtpCapabilities) -> (RtcConfig, RtpCapabilities) {
    let router = serde_json::to_value(router).unwrap();
    let capabilities = negotiation::receive_capabilities(&router, AudioRepair::Retransmission);
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
