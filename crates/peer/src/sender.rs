//! Sending half of a scripted browser: cameras and microphones on one transport, with pacing,
//! retransmissions and reports like libwebrtc. It returns RTP and RTCP before encryption; the
//! caller encrypts and sends them. It answers NACK, PLI and FIR, and never adapts its bitrate, so
//! that the sent media is known in advance.
//!
//! RFC 3550 §6.4, RFC 4585 §6, RFC 5104 §4.3.1, RFC 4588, RFC 8852.

pub mod encoder;
pub mod media_source;
pub mod pacer;
mod reports;
pub mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_wire::units::{Bitrate, Mid, Rng, Ssrc, Time};

use self::encoder::Encoder;
use self::media_source::{Camera, CameraOptions, Microphone};
use self::pacer::{PacedPacket, Pacer};
use self::stream::{Stream, StreamOptions};
use crate::negotiation::{self, AUDIO_CLOCK, ExtensionIds, OPUS, VIDEO_CLOCK, VP8, VP8_RTX};
use crate::packet::Packet;
use crate::random;
use crate::signature::PacketSignature;

/// Interval between two sender reports of a stream.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Most media sources on one transport.
pub const SOURCES_MAX: usize = 16;

/// Identifies a camera or microphone of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId(usize);

/// Clock whose time sender reports state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportClock {
    /// The wall clock.
    True,
    /// No clock: NTP timestamps are zero.
    Absent,
    /// Time since the start of the device.
    SinceStart,
    /// A wall clock that is ahead.
    Ahead(Duration),
}

/// Counters of a sender.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SenderCounts {
    /// RTP packets sent, without retransmissions.
    pub packets: u64,
    /// Retransmissions sent.
    pub retransmitted: u64,
    /// Requested retransmissions of packets that are no longer kept.
    pub expired: u64,
    /// Picture loss indications received.
    pub plis: u64,
    /// Full intra requests received.
    pub firs: u64,
    /// Requested retransmissions.
    pub nacked: u64,
    /// Keyframes sent on request or at the start.
    pub keyframes: u64,
    /// Transport-wide feedback messages received.
    pub feedback: u64,
    /// Packets that feedback reported as received.
    pub feedback_received: u64,
    /// Packets that feedback reported as lost.
    pub feedback_lost: u64,
    /// Bandwidth estimates received (REMB).
    pub rembs: u64,
    /// RTCP packets that could not be parsed.
    pub malformed: u64,
}

/// Media source, or the slot of a removed one.
#[derive(Debug)]
enum Source {
    /// A camera.
    Camera(Camera),
    /// A microphone.
    Microphone(Microphone),
    /// The source was removed.
    Removed,
}

/// Sender of all media of one transport.
#[derive(Debug)]
pub struct Sender {
    /// Canonical name in reports.
    cname: String,
    /// Wall clock at `Time::ZERO`.
    unix_epoch: Duration,
    /// Clock of its sender reports.
    report_clock: ReportClock,
    /// Ids of the header extensions.
    extensions: ExtensionIds,
    /// First sequence number and RTP timestamp of new streams; random when absent.
    start_values: Option<(u16, u32)>,
    /// Random generator.
    rng: Rng,
    /// Cameras and microphones.
    sources: Vec<Source>,
    /// Streams of all sources.
    streams: Vec<Stream>,
    /// Queue of outgoing packets.
    pacer: Pacer,
    /// Transport-wide sequence number of the next packet.
    transport_seq: u16,
    /// Whether the transport is connected and media may be sent.
    connected: bool,
    /// Outgoing sender reports.
    reports: Vec<Vec<u8>>,
    /// Time of the next sender reports.
    report_at: Time,
    /// Round-trip time, measured with reports.
    rtt: Option<Duration>,
    /// Counters.
    counts: SenderCounts,
}

impl Sender {
    /// Creates a sender without sources. `unix_epoch` is the wall clock at `Time::ZERO`.
    pub const fn new(cname: String, unix_epoch: Duration, rng: Rng) -> Self {
        Self {
            cname,
            unix_epoch,
            report_clock: ReportClock::True,
            extensions: ExtensionIds::CHROME,
            start_values: None,
            rng,
            sources: Vec::new(),
            streams: Vec::new(),
            pacer: Pacer::new(Time::ZERO),
            transport_seq: 0,
            connected: false,
            reports: Vec::new(),
            report_at: Time::FAR_FUTURE,
            rtt: None,
            counts: SenderCounts {
                packets: 0,
                retransmitted: 0,
                expired: 0,
                plis: 0,
                firs: 0,
                nacked: 0,
                keyframes: 0,
                feedback: 0,
                feedback_received: 0,
                feedback_lost: 0,
                rembs: 0,
                malformed: 0,
            },
        }
    }

    /// Starts sending: the transport is connected.
    pub fn connect(&mut self, now: Time) {
        self.connected = true;
        self.report_at = now + REPORT_INTERVAL;
    }

    /// Adds a camera whose packets carry `signature`; also returns its RTP parameters.
    pub fn add_camera(
        &mut self,
        now: Time,
        signature: PacketSignature,
        options: &CameraOptions,
    ) -> (SourceId, Value) {
        let mid = self.next_mid();
        let mut encoders = Vec::new();
        let mut encodings = Vec::new();
        for (layer, encoding) in options.encodings.iter().enumerate() {
            let stream = StreamOptions {
                ssrc: Ssrc(random::nonzero_u32(&mut self.rng)),
                rtx_ssrc: Some(Ssrc(random::nonzero_u32(&mut self.rng))),
                pt: VP8,
                rtx_pt: VP8_RTX,
                clock_rate: VIDEO_CLOCK,
                mid,
                rid: encoding.rid,
            };
            encodings.push(encoding_parameters(&stream, encoding.bitrate));
            let layer = u8::try_from(layer).unwrap_or(u8::MAX);
            let temporal_layers = options.temporal_layers;
            let encoder = Encoder::new(
                encoding.clone(),
                layer,
                signature,
                temporal_layers,
                &mut self.rng,
            );
            encoders.push((encoder, self.streams.len()));
            self.add_stream(stream);
        }
        let id = self.add(Source::Camera(Camera::new(now, options, encoders)));
        (
            id,
            negotiation::camera_parameters(&mid, &self.cname, &encodings),
        )
    }

    /// Adds a microphone; also returns its RTP parameters. With `pauses` the speech has pauses.
    pub fn add_microphone(
        &mut self,
        now: Time,
        signature: PacketSignature,
        pauses: bool,
    ) -> (SourceId, Value) {
        let mid = self.next_mid();
        let ssrc = Ssrc(random::nonzero_u32(&mut self.rng));
        let stream = StreamOptions {
            ssrc,
            rtx_ssrc: None,
            pt: OPUS,
            rtx_pt: OPUS,
            clock_rate: AUDIO_CLOCK,
            mid,
            rid: None,
        };
        let microphone = Microphone::new(now, signature, self.streams.len(), pauses);
        self.add_stream(stream);
        let id = self.add(Source::Microphone(microphone));
        (
            id,
            negotiation::microphone_parameters(&mid, &self.cname, ssrc),
        )
    }

    /// Mutes or unmutes a source.
    pub fn set_enabled(&mut self, now: Time, id: SourceId, enabled: bool) {
        match self.sources.get_mut(id.0) {
            Some(Source::Camera(camera)) => camera.set_enabled(now, enabled),
            Some(Source::Microphone(microphone)) => microphone.set_enabled(now, enabled),
            Some(Source::Removed) | None => {}
        }
    }

    /// Turns an encoding of a camera on or off, as a browser does when its own line carries less or
    /// nobody wants the encoding.
    pub fn set_encoding_active(&mut self, id: SourceId, encoding: usize, active: bool) {
        if let Some(Source::Camera(camera)) = self.sources.get_mut(id.0) {
            camera.set_encoding_active(encoding, active);
        }
        self.update_pacing();
    }

    /// Removes a source.
    pub fn remove(&mut self, id: SourceId) {
        if let Some(source) = self.sources.get_mut(id.0) {
            *source = Source::Removed;
        }
        self.update_pacing();
    }

    /// Sets the first sequence number and RTP timestamp of streams added later, for tests of
    /// wrapping.
    pub const fn start_at(&mut self, seq: u16, ticks: u32) {
        self.start_values = Some((seq, ticks));
    }

    /// Sets the clock of sender reports from now on.
    pub const fn set_report_clock(&mut self, clock: ReportClock) {
        self.report_clock = clock;
    }

    /// Lets the sequence numbers and RTP timestamps of all streams jump, as after a restart of the
    /// encoders.
    pub fn jump(&mut self, numbers: u16, ticks: u32) {
        for stream in &mut self.streams {
            stream.jump(numbers, ticks);
        }
    }

    /// Returns the counters.
    pub fn counts(&self) -> SenderCounts {
        let mut counts = self.counts;
        for stream in &self.streams {
            counts.retransmitted += stream.retransmitted;
            counts.expired += stream.expired;
        }
        for source in &self.sources {
            if let Source::Camera(camera) = source {
                counts.keyframes += camera
                    .encoders
                    .iter()
                    .map(|(encoder, _)| encoder.keyframes)
                    .sum::<u64>();
            }
        }
        counts
    }

    /// Returns the round-trip time, measured with reports.
    pub const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Returns when `handle_timeout` or `poll_packet` must be called next.
    pub fn poll_timeout(&self) -> Time {
        if !self.connected {
            return Time::FAR_FUTURE;
        }
        let capture = self.sources.iter().map(Source::poll_timeout).min();
        let waiting = if self.reports.is_empty() {
            Time::FAR_FUTURE
        } else {
            Time::ZERO
        };
        capture
            .unwrap_or(Time::FAR_FUTURE)
            .min(self.pacer.poll_timeout())
            .min(self.report_at)
            .min(waiting)
    }

    /// Captures due frames, and writes due reports.
    pub fn handle_timeout(&mut self, now: Time) {
        if !self.connected {
            return;
        }
        for source in &mut self.sources {
            match source {
                Source::Camera(camera) => {
                    for (stream, content) in camera.capture(now, &mut self.rng) {
                        self.pacer.push_video(PacedPacket::Media {
                            stream,
                            content,
                            captured: now,
                        });
                    }
                }
                Source::Microphone(microphone) => {
                    if let Some(content) = microphone.capture(now, &mut self.rng) {
                        let stream = microphone.stream;
                        self.pacer.push_audio(PacedPacket::Media {
                            stream,
                            content,
                            captured: now,
                        });
                    }
                }
                Source::Removed => {}
            }
        }
        if now >= self.report_at {
            self.report_at = now + REPORT_INTERVAL;
            self.write_reports(now);
        }
    }

    /// Returns the next packet to send now.
    pub fn poll_packet(&mut self, now: Time) -> Option<Packet> {
        if let Some(report) = self.reports.pop() {
            return Some(Packet::Rtcp(report));
        }
        loop {
            let transport_seq = self.transport_seq;
            let extensions = self.extensions;
            let packet = match self.pacer.pop(now)? {
                PacedPacket::Media {
                    stream,
                    content,
                    captured,
                } => {
                    self.counts.packets += 1;
                    let stream = self.streams.get_mut(stream)?;
                    let is_paced = stream.options.rtx_ssrc.is_some();
                    let packet = stream.send(now, captured, content, &extensions, transport_seq);
                    if is_paced {
                        self.pacer.consume_allowance(packet.len());
                    }
                    packet
                }
                PacedPacket::Retransmission { stream, seq } => {
                    let stream = self.streams.get_mut(stream)?;
                    let Some(packet) = stream.retransmit(now, seq, &extensions, transport_seq)
                    else {
                        continue;
                    };
                    self.pacer.consume_allowance(packet.len());
                    packet
                }
            };
            self.transport_seq = self.transport_seq.wrapping_add(1);
            return Some(Packet::Rtp(packet));
        }
    }

    fn add(&mut self, source: Source) -> SourceId {
        debug_assert!(
            self.sources.len() < SOURCES_MAX,
            "a script publishes at most SOURCES_MAX sources"
        );
        self.sources.push(source);
        self.update_pacing();
        SourceId(self.sources.len() - 1)
    }

    fn add_stream(&mut self, options: StreamOptions) {
        let mut stream = Stream::new(options, &mut self.rng);
        if let Some((seq, ticks)) = self.start_values {
            stream.start_at(seq, ticks);
        }
        self.streams.push(stream);
    }

    fn update_pacing(&mut self) {
        let rates = self.sources.iter().map(|source| match source {
            Source::Camera(camera) => camera.bitrate().as_bps(),
            Source::Microphone(_) | Source::Removed => 0,
        });
        self.pacer.set_target(Bitrate::from_bps(rates.sum()));
    }

    fn next_mid(&self) -> Mid {
        Mid::from(&self.sources.len().to_string()).unwrap_or_default()
    }
}

impl Source {
    fn poll_timeout(&self) -> Time {
        match self {
            Self::Camera(camera) => camera.poll_timeout(),
            Self::Microphone(microphone) => microphone.poll_timeout(),
            Self::Removed => Time::FAR_FUTURE,
        }
    }
}

/// Returns an encoding in the format of mediasoup-client: with a RID, or with SSRCs when it is the
/// only one.
fn encoding_parameters(stream: &StreamOptions, bitrate: Bitrate) -> Value {
    match (stream.rid, stream.rtx_ssrc) {
        (Some(rid), _) => json!({
            "rid": rid.as_str(), "active": true, "maxBitrate": bitrate.as_bps(),
            "scalabilityMode": "L1T3", "dtx": false,
        }),
        (None, rtx) => json!({
            "ssrc": stream.ssrc.0, "rtx": {"ssrc": rtx.map(|rtx| rtx.0)}, "dtx": false,
        }),
    }
}
