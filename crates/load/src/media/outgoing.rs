//! What a scripted peer sends: the streams of a camera or a microphone, sealed, numbered and kept
//! for a second in case they are asked for again (RFC 3550 §5.1, RFC 4588 §4, RFC 8285 §4.2).

use std::collections::VecDeque;

use watersmeet_engine::transport::srtp::SrtpSender;
use watersmeet_peer::negotiation::{ExtensionIds, OPUS, VP8, VP8_RTX};
use watersmeet_wire::rtcp::report::SenderInfo;
use watersmeet_wire::rtp::extension::{AbsSendTime, AudioLevel};
use watersmeet_wire::rtp::{RtpHeaderFields, write_header};
use watersmeet_wire::units::{SeqNo, Ssrc, Time};

use crate::camera::{Camera, Slice};
use crate::clock::Clock;
use crate::microphone::{Microphone, Spoken};
use crate::payload;
use crate::stamp::Stamp;
use crate::tally::Tally;

/// Packets of a stream that can be sent again: a second of video of 1 Mbit/s.
const KEPT_MAX: usize = 128;

/// Room for a header with all its extensions.
const HEADER_LEN_MAX: usize = 96;

/// Seconds from the origin of NTP to that of the wall's clock.
const NTP_UNIX_S: u64 = 2_208_988_800;

/// What makes media.
pub enum Origin {
    /// Video.
    Camera(Camera),
    /// Audio.
    Microphone(Microphone),
}

/// One stream to announce: its names on the wire.
#[derive(Debug, Clone)]
pub struct StreamIds {
    /// The stream.
    pub ssrc: Ssrc,
    /// Its retransmissions.
    pub rtx_ssrc: Option<Ssrc>,
    /// Name of the encoding, when there are several.
    pub rid: Option<String>,
}

/// One stream.
struct Stream {
    ids: StreamIds,
    /// Number of the next packet.
    seq: SeqNo,
    /// Number of the next packet that is sent again.
    rtx_seq: SeqNo,
    /// Packets so far.
    packets: u64,
    /// Bytes of their payloads.
    octets: u64,
    /// RTP time of the newest.
    timestamp: u32,
    /// Whether the server reports of it, so that it need not be named in every packet.
    is_known: bool,
    /// The newest packets, oldest first.
    kept: VecDeque<Kept>,
}

/// A packet that may be sent again.
struct Kept {
    seq: SeqNo,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// Who sends.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    /// The run.
    pub run: u32,
    /// The room.
    pub room: u32,
    /// The camera or microphone.
    pub source: u32,
}

/// What is needed to send a packet.
pub struct Outlet<'a> {
    /// Now.
    pub now: Time,
    /// Seals.
    pub sender: &'a mut SrtpSender,
    /// Number of the next packet on the transport.
    pub transport_seq: &'a mut u16,
    /// Counts.
    pub tally: &'a mut Tally,
    /// A datagram in the making.
    pub scratch: &'a mut Vec<u8>,
    /// Takes what is sealed.
    pub send: &'a mut dyn FnMut(&[u8]),
}

/// A camera's or a microphone's streams.
pub struct Outgoing {
    from: Sender,
    mid: String,
    origin: Origin,
    streams: Vec<Stream>,
}

impl Outgoing {
    /// Streams of `origin`, in the order of its encodings.
    pub fn new(from: Sender, mid: String, origin: Origin, ids: Vec<StreamIds>, first: u16) -> Self {
        let streams = ids.into_iter().map(|ids| Stream {
            ids,
            seq: SeqNo::first(first),
            rtx_seq: SeqNo::first(first),
            packets: 0,
            octets: 0,
            timestamp: 0,
            is_known: false,
            kept: VecDeque::new(),
        });
        Self {
            from,
            mid,
            origin,
            streams: streams.collect(),
        }
    }

    /// When there is something to send.
    pub fn poll_timeout(&self) -> Time {
        match &self.origin {
            Origin::Camera(camera) => camera.poll_timeout(),
            Origin::Microphone(microphone) => microphone.poll_timeout(),
        }
    }

    /// Sends what is due.
    pub fn handle_timeout(&mut self, outlet: &mut Outlet<'_>) {
        let now = outlet.now;
        let Self {
            from,
            mid,
            origin,
            streams,
        } = self;
        match origin {
            Origin::Camera(camera) => {
                while let Some(slice) = camera.poll_slice(now) {
                    if let Some(stream) = streams.get_mut(slice.layer) {
                        stream.send_slice(*from, mid, &slice, outlet);
                    }
                }
            }
            Origin::Microphone(microphone) => {
                while let Some(spoken) = microphone.poll_packet(now) {
                    if let Some(stream) = streams.first_mut() {
                        stream.send_spoken(*from, mid, spoken, outlet);
                    }
                }
            }
        }
    }

    /// Makes a keyframe of the stream, if it is one of these.
    pub fn request_keyframe(&mut self, ssrc: Ssrc) -> bool {
        let at = self.streams.iter().position(|it| it.ids.ssrc == ssrc);
        match (&mut self.origin, at) {
            (Origin::Camera(camera), Some(layer)) => {
                camera.request_keyframe(layer);
                true
            }
            _ => false,
        }
    }

    /// Notes that the server knows the stream.
    pub fn note_report(&mut self, ssrc: Ssrc) {
        if let Some(stream) = self.streams.iter_mut().find(|it| it.ids.ssrc == ssrc) {
            stream.is_known = true;
        }
    }

    /// Sends a packet again, if it is one of these.
    pub fn resend(&mut self, ssrc: Ssrc, seq: u16, outlet: &mut Outlet<'_>) {
        let mid = &self.mid;
        if let Some(stream) = self.streams.iter_mut().find(|it| it.ids.ssrc == ssrc) {
            stream.resend(mid, seq, outlet);
        }
    }

    /// What a report says of each stream that has begun.
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

/// The low 32 bits of a counter.
fn wrapped(count: u64) -> u32 {
    u32::try_from(count & u64::from(u32::MAX)).unwrap_or(0)
}

/// A moment of the wall's clock as NTP has it.
pub fn ntp(wall_ns: u64) -> u64 {
    let (seconds, nanos) = (wall_ns / 1_000_000_000, wall_ns % 1_000_000_000);
    ((seconds + NTP_UNIX_S) << 32) | ((nanos << 32) / 1_000_000_000)
}

impl Stream {
    fn send_slice(&mut self, from: Sender, mid: &str, slice: &Slice, outlet: &mut Outlet<'_>) {
        let layer = u32::try_from(slice.layer).unwrap_or(0);
        let stamp = self.stamp(from, layer);
        let mut payload = match self.kept.len() {
            KEPT_MAX => self.kept.pop_front().map(|it| it.payload),
            _ => None,
        }
        .unwrap_or_default();
        payload.clear();
        payload::write_video(&mut payload, &slice.piece, &stamp);
        let fields = RtpHeaderFields {
            marker: slice.piece.last,
            padding: false,
            pt: VP8,
            seq: self.seq.raw(),
            timestamp: slice.timestamp,
            ssrc: self.ids.ssrc,
        };
        self.send(&fields, &stamp, mid, &payload, outlet);
        self.kept.push_back(Kept {
            seq: self.seq,
            timestamp: slice.timestamp,
            marker: slice.piece.last,
            payload,
        });
        self.seq.0 += 1;
    }

    fn send_spoken(&mut self, from: Sender, mid: &str, spoken: Spoken, outlet: &mut Outlet<'_>) {
        let stamp = self.stamp(from, 0);
        let mut payload = Vec::with_capacity(spoken.len);
        payload::write_audio(&mut payload, spoken.len, &stamp);
        let fields = RtpHeaderFields {
            marker: self.packets == 0,
            padding: false,
            pt: OPUS,
            seq: self.seq.raw(),
            timestamp: spoken.timestamp,
            ssrc: self.ids.ssrc,
        };
        self.send(&fields, &stamp, mid, &payload, outlet);
        self.seq.0 += 1;
    }

    fn stamp(&self, from: Sender, layer: u32) -> Stamp {
        Stamp {
            run: from.run,
            room: from.room,
            source: from.source,
            layer,
            number: self.packets,
            sent_ns: Clock::wall_ns(),
        }
    }

    /// Seals and sends a packet for the first time.
    fn send(
        &mut self,
        fields: &RtpHeaderFields,
        stamp: &Stamp,
        mid: &str,
        payload: &[u8],
        outlet: &mut Outlet<'_>,
    ) {
        self.packets += 1;
        self.octets += payload.len() as u64;
        self.timestamp = fields.timestamp;
        let len = self.seal(fields, self.seq, mid, &[], payload, outlet);
        outlet.tally.publish(stamp.source, stamp.sent_ns, len);
    }

    fn resend(&mut self, mid: &str, seq: u16, outlet: &mut Outlet<'_>) {
        let Some(rtx_ssrc) = self.ids.rtx_ssrc else {
            return;
        };
        let at = self.kept.iter().position(|it| it.seq.raw() == seq);
        let Some(kept) = at.and_then(|at| self.kept.get(at)) else {
            return;
        };
        let fields = RtpHeaderFields {
            marker: kept.marker,
            padding: false,
            pt: VP8_RTX,
            seq: self.rtx_seq.raw(),
            timestamp: kept.timestamp,
            ssrc: rtx_ssrc,
        };
        let osn = kept.seq.raw().to_be_bytes();
        self.seal(&fields, self.rtx_seq, mid, &osn, &kept.payload, outlet);
        self.rtx_seq.0 += 1;
    }

    /// Seals and sends a packet; bytes of the datagram.
    fn seal(
        &self,
        fields: &RtpHeaderFields,
        seq: SeqNo,
        mid: &str,
        prefix: &[u8],
        payload: &[u8],
        outlet: &mut Outlet<'_>,
    ) -> usize {
        let transport_seq = outlet.transport_seq.to_be_bytes();
        *outlet.transport_seq = outlet.transport_seq.wrapping_add(1);
        let sent = AbsSendTime::from_micros(outlet.now.as_micros()).write();
        let loudness = AudioLevel {
            level: 30,
            voice: true,
        };
        let loudness = loudness.write();
        let ids = ExtensionIds::CHROME;
        let names = !self.is_known;
        let rid = if fields.pt == VP8_RTX {
            ids.repaired_rid
        } else {
            ids.rid
        };
        let elements = [
            (ids.transport_wide_cc, Some(&transport_seq[..])),
            (ids.abs_send_time, Some(&sent[..])),
            (
                ids.audio_level,
                (fields.pt == OPUS).then_some(&loudness[..]),
            ),
            (ids.mid, names.then_some(mid.as_bytes())),
            (
                rid,
                self.ids.rid.as_deref().filter(|_| names).map(str::as_bytes),
            ),
        ];
        let mut extensions: [(u8, &[u8]); 5] = [(0, &[]); 5];
        let present = elements.into_iter().filter_map(|(id, value)| id.zip(value));
        let mut count = 0;
        for (place, element) in extensions.iter_mut().zip(present) {
            *place = element;
            count += 1;
        }
        let extensions = extensions.get(..count).unwrap_or_default();
        let packet = &mut *outlet.scratch;
        packet.clear();
        packet.resize(HEADER_LEN_MAX, 0);
        let Some(header_len) = write_header(packet, fields, extensions) else {
            return 0;
        };
        packet.truncate(header_len);
        packet.extend_from_slice(prefix);
        packet.extend_from_slice(payload);
        let plain_len = packet.len();
        packet.resize(plain_len + outlet.sender.overhead(), 0);
        let sealed = outlet
            .sender
            .protect_rtp(fields.ssrc, seq, packet, header_len, plain_len);
        let Some(datagram) = sealed.and_then(|len| packet.get(..len)) else {
            return 0;
        };
        (outlet.send)(datagram);
        datagram.len()
    }
}
