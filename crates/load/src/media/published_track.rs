//! A published track: the streams of a camera or microphone. Packets are numbered, encrypted, and
//! cached for a second for retransmission (RFC 3550 §5.1, RFC 4588 §4, RFC 8285 §4.2).

use std::collections::VecDeque;

use watersmeet_engine::transport::srtp::SrtpSender;
use watersmeet_peer::negotiation::{ExtensionIds, OPUS, VP8, VP8_RTX};
use watersmeet_wire::rtcp::report::SenderInfo;
use watersmeet_wire::rtp::extension::{AbsSendTime, AudioLevel};
use watersmeet_wire::rtp::{RtpHeaderFields, write_header};
use watersmeet_wire::units::{SeqNo, Ssrc, Time};

use crate::camera::{Camera, VideoPacket};
use crate::clock::Clock;
use crate::microphone::{AudioPacket, Microphone};
use crate::payload;
use crate::test_header::TestHeader;
use crate::traffic_stats::TrafficStats;

/// Cached packets of a stream: a second of video at 1 Mbit/s.
const CACHE_MAX: usize = 128;

/// Bytes of the longest RTP header with all extensions.
const HEADER_LEN_MAX: usize = 96;

/// Seconds from the NTP epoch to the Unix epoch.
const NTP_UNIX_S: u64 = 2_208_988_800;

/// Generates the media of a track.
pub enum MediaGenerator {
    /// Generates video.
    Camera(Camera),
    /// Generates audio.
    Microphone(Microphone),
}

/// Identifiers of a stream in signalling and on the wire.
#[derive(Debug, Clone)]
pub struct StreamIds {
    /// SSRC.
    pub ssrc: Ssrc,
    /// SSRC of retransmissions.
    pub rtx_ssrc: Option<Ssrc>,
    /// RID of the simulcast layer, if there are several.
    pub rid: Option<String>,
}

/// A stream of a track.
struct Stream {
    ids: StreamIds,
    /// Sequence number of the next packet.
    seq: SeqNo,
    /// Sequence number of the next retransmission.
    rtx_seq: SeqNo,
    /// Packets sent.
    packets: u64,
    /// Payload bytes sent.
    octets: u64,
    /// RTP timestamp of the last packet.
    timestamp: u32,
    /// Whether the server has reported on it, so that packets need not carry MID and RID.
    is_known: bool,
    /// Cached packets, the oldest first.
    cache: VecDeque<CachedPacket>,
}

/// A packet cached for retransmission.
struct CachedPacket {
    seq: SeqNo,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// Sender of a track, as written into test headers.
#[derive(Debug, Clone, Copy)]
pub struct TrackSender {
    /// Number of the run.
    pub run: u32,
    /// Number of the room.
    pub room: u32,
    /// Number of the producer.
    pub producer: u32,
}

/// State of the transport that is needed to send a packet.
pub struct SendContext<'a> {
    /// Current time.
    pub now: Time,
    /// Encrypts packets.
    pub sender: &'a mut SrtpSender,
    /// Transport-wide sequence number of the next packet.
    pub transport_seq: &'a mut u16,
    /// Counters.
    pub stats: &'a mut TrafficStats,
    /// Reused buffer for the datagram being written.
    pub scratch: &'a mut Vec<u8>,
    /// Sends a datagram.
    pub send: &'a mut dyn FnMut(&[u8]),
}

/// A published camera or microphone.
pub struct PublishedTrack {
    sender: TrackSender,
    mid: String,
    generator: MediaGenerator,
    streams: Vec<Stream>,
}

impl PublishedTrack {
    /// Creates a track. `ids` are its streams, in the order of the layers.
    pub fn new(
        sender: TrackSender,
        mid: String,
        generator: MediaGenerator,
        ids: Vec<StreamIds>,
        first: u16,
    ) -> Self {
        let streams = ids.into_iter().map(|ids| Stream {
            ids,
            seq: SeqNo::first(first),
            rtx_seq: SeqNo::first(first),
            packets: 0,
            octets: 0,
            timestamp: 0,
            is_known: false,
            cache: VecDeque::new(),
        });
        Self {
            sender,
            mid,
            generator,
            streams: streams.collect(),
        }
    }

    /// Returns when the next packet is due.
    pub fn poll_timeout(&self) -> Time {
        match &self.generator {
            MediaGenerator::Camera(camera) => camera.poll_timeout(),
            MediaGenerator::Microphone(microphone) => microphone.poll_timeout(),
        }
    }

    /// Sends the packets that are due.
    pub fn handle_timeout(&mut self, context: &mut SendContext<'_>) {
        let now = context.now;
        let Self {
            sender,
            mid,
            generator,
            streams,
        } = self;
        match generator {
            MediaGenerator::Camera(camera) => {
                while let Some(packet) = camera.poll_packet(now) {
                    if let Some(stream) = streams.get_mut(packet.layer) {
                        stream.send_video(*sender, mid, &packet, context);
                    }
                }
            }
            MediaGenerator::Microphone(microphone) => {
                while let Some(packet) = microphone.poll_packet(now) {
                    if let Some(stream) = streams.first_mut() {
                        stream.send_audio(*sender, mid, packet, context);
                    }
                }
            }
        }
    }

    /// Requests a keyframe of a layer. Returns false if the stream is not one of this track.
    pub fn request_keyframe(&mut self, ssrc: Ssrc) -> bool {
        let at = self.streams.iter().position(|it| it.ids.ssrc == ssrc);
        match (&mut self.generator, at) {
            (MediaGenerator::Camera(camera), Some(layer)) => {
                camera.request_keyframe(layer);
                true
            }
            _ => false,
        }
    }

    /// Records that the server reported on the stream.
    pub fn record_receiver_report(&mut self, ssrc: Ssrc) {
        if let Some(stream) = self.streams.iter_mut().find(|it| it.ids.ssrc == ssrc) {
            stream.is_known = true;
        }
    }

    /// Retransmits a packet, if it belongs to this track and is cached.
    pub fn resend(&mut self, ssrc: Ssrc, seq: u16, context: &mut SendContext<'_>) {
        let mid = &self.mid;
        if let Some(stream) = self.streams.iter_mut().find(|it| it.ids.ssrc == ssrc) {
            stream.resend(mid, seq, context);
        }
    }

    /// Returns the sender information of each stream that has started.
    pub fn reports(&self, wall_ns: u64) -> impl Iterator<Item = SenderInfo> + '_ {
        let ntp = ntp(wall_ns);
        self.streams
            .iter()
            .filter(|it| it.packets > 0)
            .map(move |stream| SenderInfo {
                ssrc: stream.ids.ssrc,
                ntp,
                rtp_timestamp: stream.timestamp,
                packet_count: wrapped(stream.packets),
                octet_count: wrapped(stream.octets),
            })
    }
}

/// Returns the low 32 bits of a counter.
fn wrapped(count: u64) -> u32 {
    u32::try_from(count & u64::from(u32::MAX)).unwrap_or(0)
}

/// Converts nanoseconds since the Unix epoch to an NTP timestamp.
pub fn ntp(wall_ns: u64) -> u64 {
    let (seconds, nanos) = (wall_ns / 1_000_000_000, wall_ns % 1_000_000_000);
    ((seconds + NTP_UNIX_S) << 32) | ((nanos << 32) / 1_000_000_000)
}

impl Stream {
    fn send_video(
        &mut self,
        sender: TrackSender,
        mid: &str,
        packet: &VideoPacket,
        context: &mut SendContext<'_>,
    ) {
        let layer = u32::try_from(packet.layer).unwrap_or(0);
        let test_header = self.test_header(sender, layer);
        let mut payload = match self.cache.len() {
            CACHE_MAX => self.cache.pop_front().map(|it| it.payload),
            _ => None,
        }
        .unwrap_or_default();
        payload.clear();
        payload::write_video(&mut payload, &packet.part, &test_header);
        let fields = RtpHeaderFields {
            marker: packet.part.last,
            padding: false,
            pt: VP8,
            seq: self.seq.raw(),
            timestamp: packet.timestamp,
            ssrc: self.ids.ssrc,
        };
        self.send(&fields, &test_header, mid, &payload, context);
        self.cache.push_back(CachedPacket {
            seq: self.seq,
            timestamp: packet.timestamp,
            marker: packet.part.last,
            payload,
        });
        self.seq.0 += 1;
    }

    fn send_audio(
        &mut self,
        sender: TrackSender,
        mid: &str,
        packet: AudioPacket,
        context: &mut SendContext<'_>,
    ) {
        let test_header = self.test_header(sender, 0);
        let mut payload = Vec::with_capacity(packet.len);
        payload::write_audio(&mut payload, packet.len, &test_header);
        let fields = RtpHeaderFields {
            marker: self.packets == 0,
            padding: false,
            pt: OPUS,
            seq: self.seq.raw(),
            timestamp: packet.timestamp,
            ssrc: self.ids.ssrc,
        };
        self.send(&fields, &test_header, mid, &payload, context);
        self.seq.0 += 1;
    }

    fn test_header(&self, sender: TrackSender, layer: u32) -> TestHeader {
        TestHeader {
            run: sender.run,
            room: sender.room,
            producer: sender.producer,
            layer,
            number: self.packets,
            sent_ns: Clock::wall_ns(),
        }
    }

    /// Encrypts, sends and counts a packet.
    fn send(
        &mut self,
        fields: &RtpHeaderFields,
        test_header: &TestHeader,
        mid: &str,
        payload: &[u8],
        context: &mut SendContext<'_>,
    ) {
        self.packets += 1;
        self.octets += payload.len() as u64;
        self.timestamp = fields.timestamp;
        let len = self.encrypt_and_send(fields, self.seq, mid, &[], payload, context);
        context
            .stats
            .record_sent(test_header.producer, test_header.sent_ns, len);
    }

    fn resend(&mut self, mid: &str, seq: u16, context: &mut SendContext<'_>) {
        let Some(rtx_ssrc) = self.ids.rtx_ssrc else {
            return;
        };
        let at = self.cache.iter().position(|it| it.seq.raw() == seq);
        let Some(cached) = at.and_then(|at| self.cache.get(at)) else {
            return;
        };
        let fields = RtpHeaderFields {
            marker: cached.marker,
            padding: false,
            pt: VP8_RTX,
            seq: self.rtx_seq.raw(),
            timestamp: cached.timestamp,
            ssrc: rtx_ssrc,
        };
        let osn = cached.seq.raw().to_be_bytes();
        self.encrypt_and_send(&fields, self.rtx_seq, mid, &osn, &cached.payload, context);
        self.rtx_seq.0 += 1;
    }

    /// Encrypts and sends a packet. Returns the bytes of the datagram.
    fn encrypt_and_send(
        &self,
        fields: &RtpHeaderFields,
        seq: SeqNo,
        mid: &str,
        prefix: &[u8],
        payload: &[u8],
        context: &mut SendContext<'_>,
    ) -> usize {
        let transport_seq = context.transport_seq.to_be_bytes();
        *context.transport_seq = context.transport_seq.wrapping_add(1);
        let send_time = AbsSendTime::from_micros(context.now.as_micros()).write();
        let audio_level = AudioLevel {
            level: 30,
            voice: true,
        };
        let audio_level = audio_level.write();
        let ids = ExtensionIds::CHROME;
        let carries_ids = !self.is_known;
        let rid = if fields.pt == VP8_RTX {
            ids.repaired_rid
        } else {
            ids.rid
        };
        let elements = [
            (ids.transport_wide_cc, Some(&transport_seq[..])),
            (ids.abs_send_time, Some(&send_time[..])),
            (
                ids.audio_level,
                (fields.pt == OPUS).then_some(&audio_level[..]),
            ),
            (ids.mid, carries_ids.then_some(mid.as_bytes())),
            (
                rid,
                self.ids
                    .rid
                    .as_deref()
                    .filter(|_| carries_ids)
                    .map(str::as_bytes),
            ),
        ];
        let mut extensions: [(u8, &[u8]); 5] = [(0, &[]); 5];
        let present = elements.into_iter().filter_map(|(id, value)| id.zip(value));
        let mut count = 0;
        for (slot, element) in extensions.iter_mut().zip(present) {
            *slot = element;
            count += 1;
        }
        let extensions = extensions.get(..count).unwrap_or_default();
        let packet = &mut *context.scratch;
        packet.clear();
        packet.resize(HEADER_LEN_MAX, 0);
        let Some(header_len) = write_header(packet, fields, extensions) else {
            return 0;
        };
        packet.truncate(header_len);
        packet.extend_from_slice(prefix);
        packet.extend_from_slice(payload);
        let plain_len = packet.len();
        packet.resize(plain_len + context.sender.overhead(), 0);
        let encrypted = context
            .sender
            .protect_rtp(fields.ssrc, seq, packet, header_len, plain_len);
        let Some(datagram) = encrypted.and_then(|len| packet.get(..len)) else {
            return 0;
        };
        (context.send)(datagram);
        datagram.len()
    }
}
