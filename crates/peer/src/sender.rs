//! The sending half of a scripted browser: cameras and microphones on one transport, with pacing,
//! retransmission and reports, as libwebrtc does it. It gives out plain RTP and RTCP; whoever owns
//! the network seals and carries it. It obeys what the server asks (NACK, PLI, FIR) and never
//! adapts its rate, so that what it sends is known.
//!
//! RFC 3550 §6.4, RFC 4585 §6, RFC 5104 §4.3.1, RFC 4588, RFC 8852.

pub mod camera;
pub mod encoder;
pub mod pacer;
mod reports;
pub mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_wire::units::{Bitrate, Mid, Rng, Ssrc, Time};

use self::camera::{Camera, CameraOptions, Microphone};
use self::encoder::Encoder;
use self::pacer::{Pacer, Waiting};
use self::stream::{Stream, StreamOptions};
use crate::chance;
use crate::negotiation::{self, AUDIO_CLOCK, ExtensionIds, OPUS, VIDEO_CLOCK, VP8, VP8_RTX};
use crate::packet::Packet;
use crate::tag::Tag;

/// Time between two sender reports of a stream.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Most sources on one transport.
pub const SOURCES_MAX: usize = 16;

/// What was published: a camera or a microphone, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId(usize);

/// What a sender counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SenderCounts {
    /// RTP packets sent, without retransmissions.
    pub packets: u64,
    /// Retransmissions sent.
    pub resent: u64,
    /// Retransmissions asked for that were no longer kept.
    pub forgotten: u64,
    /// Picture loss indications received.
    pub plis: u64,
    /// Full intra requests received.
    pub firs: u64,
    /// Packets asked for again.
    pub nacked: u64,
    /// Keyframes made in answer to requests or at the start.
    pub keyframes: u64,
    /// Transport-wide feedback messages received.
    pub feedback: u64,
    /// Packets that feedback reported as received.
    pub feedback_received: u64,
    /// Packets that feedback reported as lost.
    pub feedback_lost: u64,
    /// Receiver estimates of the bandwidth received (REMB).
    pub estimates: u64,
    /// RTCP packets that could not be read.
    pub unreadable: u64,
}

/// A camera or a microphone, or the place of one that was taken away.
#[derive(Debug)]
enum Source {
    /// It films.
    Camera(Camera),
    /// It listens.
    Microphone(Microphone),
    /// It is gone.
    Gone,
}

/// Everything one peer sends on one transport.
#[derive(Debug)]
pub struct Sender {
    /// Name of this end point in reports.
    cname: String,
    /// Wall clock at the origin of time.
    unix_epoch: Duration,
    /// Header extension ids.
    extensions: ExtensionIds,
    /// Where streams begin; absent means anywhere.
    beginning: Option<(u16, u32)>,
    /// Draws what is random.
    rng: Rng,
    /// Cameras and microphones.
    sources: Vec<Source>,
    /// Their streams.
    streams: Vec<Stream>,
    /// What waits for its moment.
    pacer: Pacer,
    /// Number of the next packet on the transport.
    transport_seq: u16,
    /// Whether media may leave: the transport is connected.
    connected: bool,
    /// Reports that wait.
    reports: Vec<Vec<u8>>,
    /// When the next reports are due.
    report_at: Time,
    /// Round trip time, as reports show it.
    rtt: Option<Duration>,
    /// What was counted.
    counts: SenderCounts,
}

impl Sender {
    /// A sender without sources. `unix_epoch` is the wall clock at `Time::ZERO`.
    pub const fn new(cname: String, unix_epoch: Duration, rng: Rng) -> Self {
        Self {
            cname,
            unix_epoch,
            extensions: ExtensionIds::CHROME,
            beginning: None,
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
                resent: 0,
                forgotten: 0,
                plis: 0,
                firs: 0,
                nacked: 0,
                keyframes: 0,
                feedback: 0,
                feedback_received: 0,
                feedback_lost: 0,
                estimates: 0,
                unreadable: 0,
            },
        }
    }

    /// Lets media leave.
    pub fn connect(&mut self, now: Time) {
        self.connected = true;
        self.report_at = now + REPORT_INTERVAL;
    }

    /// Adds a camera whose packets are signed with `signature`; also its RTP parameters.
    pub fn add_camera(
        &mut self,
        now: Time,
        signature: Tag,
        options: &CameraOptions,
    ) -> (SourceId, Value) {
        let mid = self.next_mid();
        let mut encoders = Vec::new();
        let mut encodings = Vec::new();
        for (layer, encoding) in options.encodings.iter().enumerate() {
            let stream = StreamOptions {
                ssrc: Ssrc(chance::identifier(&mut self.rng)),
                rtx_ssrc: Some(Ssrc(chance::identifier(&mut self.rng))),
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
        let id = self.add(Source::Camera(Camera::new(now, options.fps, encoders)));
        (
            id,
            negotiation::camera_parameters(&mid, &self.cname, &encodings),
        )
    }

    /// Adds a microphone; also its RTP parameters. With `pauses` it hears somebody who pauses.
    pub fn add_microphone(&mut self, now: Time, signature: Tag, pauses: bool) -> (SourceId, Value) {
        let mid = self.next_mid();
        let ssrc = Ssrc(chance::identifier(&mut self.rng));
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

    /// Mutes a source or lets it go on.
    pub fn set_enabled(&mut self, now: Time, id: SourceId, enabled: bool) {
        match self.sources.get_mut(id.0) {
            Some(Source::Camera(camera)) => camera.film(now, enabled),
            Some(Source::Microphone(microphone)) => microphone.listen(now, enabled),
            Some(Source::Gone) | None => {}
        }
    }

    /// Takes a source away for good.
    pub fn remove(&mut self, id: SourceId) {
        if let Some(source) = self.sources.get_mut(id.0) {
            *source = Source::Gone;
        }
        self.retarget();
    }

    /// Makes the streams of later sources begin at this sequence number and media time: for tests
    /// of wrapping.
    pub const fn begin_at(&mut self, seq: u16, ticks: u32) {
        self.beginning = Some((seq, ticks));
    }

    /// What was counted.
    pub fn counts(&self) -> SenderCounts {
        let mut counts = self.counts;
        for stream in &self.streams {
            counts.resent += stream.resent;
            counts.forgotten += stream.forgotten;
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

    /// The round trip time that reports show.
    pub const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// When `handle_timeout` or `poll_packet` has something to do.
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

    /// Captures what is due and makes the reports that are.
    pub fn handle_timeout(&mut self, now: Time) {
        if !self.connected {
            return;
        }
        for source in &mut self.sources {
            match source {
                Source::Camera(camera) => {
                    for (stream, piece) in camera.capture(now, &mut self.rng) {
                        self.pacer.push_video(Waiting::New {
                            stream,
                            piece,
                            captured: now,
                        });
                    }
                }
                Source::Microphone(microphone) => {
                    if let Some(piece) = microphone.capture(now, &mut self.rng) {
                        let stream = microphone.stream;
                        self.pacer.push_audio(Waiting::New {
                            stream,
                            piece,
                            captured: now,
                        });
                    }
                }
                Source::Gone => {}
            }
        }
        if now >= self.report_at {
            self.report_at = now + REPORT_INTERVAL;
            self.report(now);
        }
    }

    /// The next packet to send now.
    pub fn poll_packet(&mut self, now: Time) -> Option<Packet> {
        if let Some(report) = self.reports.pop() {
            return Some(Packet::Rtcp(report));
        }
        loop {
            let transport_seq = self.transport_seq;
            let extensions = self.extensions;
            let packet = match self.pacer.pop(now)? {
                Waiting::New {
                    stream,
                    piece,
                    captured,
                } => {
                    self.counts.packets += 1;
                    let stream = self.streams.get_mut(stream)?;
                    let held = stream.options.rtx_ssrc.is_some();
                    let packet = stream.send(now, captured, piece, &extensions, transport_seq);
                    if held {
                        self.pacer.spend(packet.len());
                    }
                    packet
                }
                Waiting::Again { stream, seq } => {
                    let stream = self.streams.get_mut(stream)?;
                    let Some(packet) = stream.resend(now, seq, &extensions, transport_seq) else {
                        continue;
                    };
                    self.pacer.spend(packet.len());
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
            "a script publishes a few sources"
        );
        self.sources.push(source);
        self.retarget();
        SourceId(self.sources.len() - 1)
    }

    fn add_stream(&mut self, options: StreamOptions) {
        let mut stream = Stream::new(options, &mut self.rng);
        if let Some((seq, ticks)) = self.beginning {
            stream.begin_at(seq, ticks);
        }
        self.streams.push(stream);
    }

    fn retarget(&mut self) {
        let rates = self.sources.iter().map(|source| match source {
            Source::Camera(camera) => camera.bitrate().as_bps(),
            Source::Microphone(_) | Source::Gone => 0,
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
            Self::Gone => Time::FAR_FUTURE,
        }
    }
}

/// An encoding as mediasoup-client describes it: by its RID, or by its SSRCs when it is alone.
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
