//! Receiving half of a scripted browser. It measures how a viewer would see and hear the streams of
//! one transport, requests retransmissions and keyframes, and detects protocol violations of the
//! server. It takes decrypted packets and returns RTCP before encryption.
//!
//! RFC 3550 §6.4, RFC 4585 §6, RFC 4588, RFC 7741; W3C webrtc-stats for freezes.

pub mod arrival_log;
pub mod audio;
pub mod decoder;
pub mod frame_assembler;
pub mod nack;
pub mod packet_stats;
pub mod playback_quality;
pub mod playout;
pub mod report;
pub mod request_storm;
pub mod stream_arrivals;
#[cfg(test)]
mod tests;
pub mod video;
pub mod violation;

use std::time::Duration;

use watersmeet_wire::rtcp::report::{ReportBlock, ntp_middle};
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtcp::{self, Packet};
use watersmeet_wire::rtp::{self, RtpHeader};
use watersmeet_wire::units::{Map, Ssrc, Time};

use self::arrival_log::{ArrivalLog, FEEDBACK_INTERVAL, FeedbackClaim};
use self::audio::AudioTrack;
use self::report::{AudioReport, VideoProgress, VideoReport};
use self::request_storm::RequestStorm;
use self::stream_arrivals::StreamArrivalLog;
use self::video::{VideoPacket, VideoTrack};
use self::violation::Violation;
use crate::negotiation::{IncomingStream, PROBATION_PT, PROBATION_SSRC};
use crate::ntp;
use crate::signature::PacketSignature;

/// SSRC of a receiver without media of its own, as in libwebrtc.
const REPORTER: Ssrc = Ssrc(1);

/// Interval between two receiver reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Round-trip time assumed until one is measured, as in libwebrtc.
const RTT_UNKNOWN: Duration = Duration::from_millis(100);

/// Most violations that are kept; later ones are dropped.
pub const VIOLATIONS_MAX: usize = 64;

/// Most RTCP packets in the outgoing queue.
pub const OUTGOING_MAX: usize = 1_024;

/// Origin of a received packet, for the check whether the receiver may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedPacket {
    /// Stream that it arrived on.
    pub ssrc: Ssrc,
    /// Signature of the packet.
    pub signature: PacketSignature,
}

/// Track of a stream.
#[derive(Debug)]
enum Track {
    /// Video track.
    Video(Box<VideoTrack>),
    /// Audio track.
    Audio(Box<AudioTrack>),
}

/// Last sender report of a stream.
#[derive(Debug, Clone, Copy)]
struct LastSenderReport {
    /// Middle 32 bits of its NTP time.
    middle: u32,
    /// Arrival of the report.
    at: Time,
    /// NTP time of the report.
    ntp: u64,
    /// RTP timestamp of the report.
    timestamp: u32,
}

/// Announced stream.
#[derive(Debug)]
struct Stream {
    /// Description of the stream.
    incoming: IncomingStream,
    /// Measurements of the received media.
    track: Track,
    /// Last sender report.
    report: Option<LastSenderReport>,
    /// Capture time according to sender reports minus actual capture time, in microseconds. The
    /// difference between two streams is their synchronisation error.
    skew: Option<i64>,
}

/// Receiver of all streams of one transport.
#[derive(Debug)]
pub struct Receiver {
    /// Wall clock at `Time::ZERO`.
    unix_epoch: Duration,
    /// Announced streams.
    streams: Map<Ssrc, Stream>,
    /// Media SSRC of each retransmission SSRC.
    repairs: Map<Ssrc, Ssrc>,
    /// The first video: with it a receiver of the probation stream is created, which stays.
    first_video: Option<IncomingStream>,
    /// Removal time of removed streams; late packets of these are not violations.
    removed: Map<Ssrc, Time>,
    /// Arrivals to report by transport-wide sequence numbers.
    arrival_log: ArrivalLog,
    /// Arrivals to report by stream, where the receiver does that instead.
    stream_arrivals: Option<StreamArrivalLog>,
    /// Requests without need, where the receiver makes them.
    storm: Option<RequestStorm>,
    /// Time of the next feedback.
    feedback_at: Time,
    /// Time of the next receiver reports.
    report_at: Time,
    /// Outgoing RTCP packets.
    outgoing: Vec<Vec<u8>>,
    /// Round-trip time, when known.
    rtt: Option<Duration>,
    /// Detected violations.
    violations: Vec<Violation>,
    /// Number of received packets, RTP and RTCP.
    pub packets: u64,
    /// Number of received packets that are only padding.
    pub padding_packets: u64,
}

impl Receiver {
    /// Creates a receiver without streams. `unix_epoch` is the wall clock at `Time::ZERO`.
    pub fn new(unix_epoch: Duration) -> Self {
        Self {
            unix_epoch,
            streams: Map::new(),
            repairs: Map::new(),
            first_video: None,
            removed: Map::new(),
            arrival_log: ArrivalLog::default(),
            stream_arrivals: None,
            storm: None,
            feedback_at: Time::FAR_FUTURE,
            report_at: Time::FAR_FUTURE,
            outgoing: Vec::new(),
            rtt: None,
            violations: Vec::new(),
            packets: 0,
            padding_packets: 0,
        }
    }

    /// Adds an announced stream.
    pub fn add_stream(&mut self, now: Time, incoming: IncomingStream) {
        let track = if incoming.video {
            Track::Video(Box::new(VideoTrack::new(now)))
        } else {
            Track::Audio(Box::new(AudioTrack::new(now, incoming.nack)))
        };
        if incoming.video && self.first_video.is_none() {
            self.first_video = Some(incoming.clone());
        }
        if let Some(rtx) = incoming.rtx_ssrc {
            self.repairs.insert(rtx, incoming.ssrc);
        }
        self.report_at = self.report_at.min(now + REPORT_INTERVAL);
        self.streams.insert(
            incoming.ssrc,
            Stream {
                incoming,
                track,
                report: None,
                skew: None,
            },
        );
    }

    /// Removes a stream. Packets in flight are still accepted.
    pub fn remove_stream(&mut self, now: Time, ssrc: Ssrc) {
        let Some(stream) = self.streams.remove(&ssrc) else {
            return;
        };
        self.removed.insert(ssrc, now);
        if let Some(rtx) = stream.incoming.rtx_ssrc {
            self.repairs.remove(&rtx);
            self.removed.insert(rtx, now);
        }
    }

    /// Stops measuring a paused stream until it resumes.
    pub fn pause_stream(&mut self, now: Time, ssrc: Ssrc) {
        if let Some(Track::Video(video)) = self.streams.get_mut(&ssrc).map(|it| &mut it.track) {
            video.pause(now);
        }
    }

    /// Measures a stream again after a pause.
    pub fn resume_stream(&mut self, now: Time, ssrc: Ssrc) {
        if let Some(Track::Video(video)) = self.streams.get_mut(&ssrc).map(|it| &mut it.track) {
            video.quality.resume(now);
        }
    }

    /// Sets the round-trip time, measured by the sending half.
    pub const fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = Some(rtt);
    }

    /// Handles a decrypted RTP packet; returns its origin.
    pub fn handle_rtp(&mut self, now: Time, packet: &[u8]) -> Option<ReceivedPacket> {
        self.packets += 1;
        let Ok(header) = RtpHeader::parse(packet) else {
            self.record_violation(Violation::Unreadable { ssrc: Ssrc(0) });
            return None;
        };
        let ssrc = header.ssrc;
        let repaired = self.repairs.get(&ssrc).copied();
        let media_ssrc = repaired.unwrap_or(ssrc);
        let Some(stream) = self.streams.get_mut(&media_ssrc) else {
            if ssrc == PROBATION_SSRC {
                self.receive_probation(now, &header, packet);
            } else if !self.removed.contains_key(&ssrc) {
                self.record_violation(Violation::UnknownStream { ssrc });
            }
            return None;
        };
        let transport_seq = stream.incoming.transport_seq(&header, packet);
        if let Some(log) = &mut self.stream_arrivals {
            log.record(now, ssrc, header.seq);
            self.feedback_at = self.feedback_at.min(now + FEEDBACK_INTERVAL);
        } else if let Some(seq) = transport_seq {
            self.arrival_log.record(now, seq, ssrc);
            self.feedback_at = self.feedback_at.min(now + FEEDBACK_INTERVAL);
        }
        if let Some(storm) = self.storm.as_mut().filter(|_| repaired.is_none()) {
            storm.record(ssrc, header.seq);
        }
        match stream.receive(now, &header, packet, repaired.is_some(), self.unix_epoch) {
            Ok(signature) => signature.map(|signature| ReceivedPacket {
                ssrc: media_ssrc,
                signature,
            }),
            Err(violation) => {
                self.record_violation(violation.with_stream(media_ssrc));
                None
            }
        }
    }

    /// Handles a packet of the probation stream: padding with the header extensions of the first video.
    fn receive_probation(&mut self, now: Time, header: &RtpHeader, packet: &[u8]) {
        let ssrc = header.ssrc;
        if header.pt != PROBATION_PT {
            self.record_violation(Violation::WrongPayloadType { ssrc });
        }
        if header.payload(packet).is_ok_and(<[u8]>::is_empty) {
            self.padding_packets += 1;
        } else {
            self.record_violation(Violation::Unreadable { ssrc });
        }
        if let Some(log) = &mut self.stream_arrivals {
            log.record(now, ssrc, header.seq);
            self.feedback_at = self.feedback_at.min(now + FEEDBACK_INTERVAL);
            return;
        }
        let first_video = self.first_video.as_ref();
        match first_video.and_then(|it| it.transport_seq(header, packet)) {
            Some(seq) => {
                self.arrival_log.record(now, seq, ssrc);
                self.feedback_at = self.feedback_at.min(now + FEEDBACK_INTERVAL);
            }
            // Its arrival cannot be reported: there has been no video.
            None => self.record_violation(Violation::UnknownStream { ssrc }),
        }
    }

    /// Sets what feedback says from now on.
    pub fn set_feedback_claim(&mut self, claim: FeedbackClaim) {
        match &mut self.stream_arrivals {
            Some(log) => log.set_claim(claim),
            None => self.arrival_log.set_claim(claim),
        }
    }

    /// Reports arrivals by stream (RFC 8888) instead of transport-wide.
    pub fn send_congestion_feedback(&mut self) {
        self.stream_arrivals = Some(StreamArrivalLog::default());
    }

    /// Requests from now on far more than it needs.
    pub fn start_request_storm(&mut self, now: Time) {
        self.storm = Some(RequestStorm::new(now));
    }

    /// Handles a decrypted compound RTCP packet.
    pub fn handle_rtcp(&mut self, now: Time, compound: &[u8]) {
        self.packets += 1;
        for packet in rtcp::packets(compound) {
            match packet {
                Ok(Packet::SenderReport(report)) => {
                    let info = report.info;
                    let last = LastSenderReport {
                        middle: ntp_middle(info.ntp),
                        at: now,
                        ntp: info.ntp,
                        timestamp: info.rtp_timestamp,
                    };
                    if let Some(stream) = self.streams.get_mut(&info.ssrc) {
                        stream.report = Some(last);
                    }
                }
                Ok(_) => {}
                Err(_) => self.record_violation(Violation::Unreadable { ssrc: Ssrc(0) }),
            }
        }
    }

    /// Returns when `handle_timeout` or `poll_rtcp` must be called next.
    pub fn poll_timeout(&self) -> Time {
        if !self.outgoing.is_empty() {
            return Time::ZERO;
        }
        let rtt = self.rtt.unwrap_or(RTT_UNKNOWN);
        let tracks = self.streams.values().map(|stream| match &stream.track {
            Track::Video(video) => video.poll_timeout(rtt),
            Track::Audio(audio) => audio.poll_timeout(rtt),
        });
        let storm = self.storm.as_ref().map(RequestStorm::poll_timeout);
        tracks
            .min()
            .unwrap_or(Time::FAR_FUTURE)
            .min(self.feedback_at)
            .min(self.report_at)
            .min(storm.unwrap_or(Time::FAR_FUTURE))
    }

    /// Renders due frames, and requests missing packets and keyframes.
    pub fn handle_timeout(&mut self, now: Time) {
        let rtt = self.rtt.unwrap_or(RTT_UNKNOWN);
        let mut violations = Vec::new();
        for (ssrc, stream) in &mut self.streams {
            let nacks = match &mut stream.track {
                Track::Video(video) => {
                    violations.extend(video.render_due_frames(now));
                    video.take_nacks(now, rtt)
                }
                Track::Audio(audio) => audio.take_nacks(now, rtt),
            };
            let mut rest = nacks.as_slice();
            while !rest.is_empty() {
                let mut packet = Vec::new();
                let taken = CompoundWriter::new(&mut packet).write_nack(REPORTER, *ssrc, rest);
                rest = rest.get(taken.max(1)..).unwrap_or_default();
                self.outgoing.push(packet);
            }
            if let Track::Video(video) = &mut stream.track
                && video.take_pli(now)
            {
                let mut packet = Vec::new();
                let written = CompoundWriter::new(&mut packet).write_pli(REPORTER, *ssrc);
                debug_assert!(written, "a PLI fits a packet");
                self.outgoing.push(packet);
            }
        }
        violations
            .into_iter()
            .for_each(|violation| self.record_violation(violation));
        if now >= self.feedback_at {
            self.feedback_at = Time::FAR_FUTURE;
            match &mut self.stream_arrivals {
                Some(log) => {
                    let feedback = log.take_feedback(REPORTER, self.unix_epoch, now);
                    self.outgoing.push(feedback);
                }
                None => self
                    .outgoing
                    .extend(self.arrival_log.take_feedback(REPORTER)),
            }
        }
        if now >= self.report_at {
            self.report_at = now + REPORT_INTERVAL;
            self.write_reports(now);
        }
        if let Some(storm) = &mut self.storm {
            self.outgoing.extend(storm.take_requests(now, REPORTER));
        }
        self.outgoing.truncate(OUTGOING_MAX);
    }

    /// Returns the next RTCP packet to send.
    pub fn poll_rtcp(&mut self) -> Option<Vec<u8>> {
        if self.outgoing.is_empty() {
            None
        } else {
            Some(self.outgoing.remove(0))
        }
    }

    /// Returns the detected violations.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Records a violation.
    pub fn record_violation(&mut self, violation: Violation) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation);
        }
    }

    /// Restarts all measurements.
    pub fn reset_measurements(&mut self, now: Time) {
        for stream in self.streams.values_mut() {
            match &mut stream.track {
                Track::Video(video) => {
                    video.packet_stats.reset();
                    video.quality.reset(now);
                    (video.plis, video.nacked, video.late_frames, video.keyframes) = (0, 0, 0, 0);
                }
                Track::Audio(audio) => {
                    audio.packet_stats.reset();
                    (audio.speech_packets, audio.silence_packets) = (0, 0);
                    (audio.late_packets, audio.recovered) = (0, 0);
                }
            }
        }
    }

    /// Returns the measurements of a video stream.
    pub fn video_report(&self, now: Time, ssrc: Ssrc) -> Option<VideoReport> {
        let stream = self.streams.get(&ssrc)?;
        match &stream.track {
            Track::Video(video) => Some(VideoReport::new(now, video, stream.skew)),
            Track::Audio(_) => None,
        }
    }

    /// Returns the progress of a video stream.
    pub fn video_progress(&self, ssrc: Ssrc) -> Option<VideoProgress> {
        let stream = self.streams.get(&ssrc)?;
        let Track::Video(video) = &stream.track else {
            return None;
        };
        Some(VideoProgress {
            layer: video.last_frame.map(|signature| signature.layer),
            frames: video.rendered,
        })
    }

    /// Returns the measurements of an audio stream.
    pub fn audio_report(&self, now: Time, ssrc: Ssrc) -> Option<AudioReport> {
        let stream = self.streams.get(&ssrc)?;
        match &stream.track {
            Track::Audio(audio) => Some(AudioReport::new(now, audio, stream.skew)),
            Track::Video(_) => None,
        }
    }

    /// Queues receiver reports on all streams.
    fn write_reports(&mut self, now: Time) {
        let blocks: Vec<ReportBlock> = self
            .streams
            .values_mut()
            .filter_map(|stream| stream.report_block(now))
            .collect();
        // More than 31 blocks do not fit one packet (RFC 3550 §6.4.2).
        for blocks in blocks.chunks(24) {
            let mut packet = Vec::new();
            let written = CompoundWriter::new(&mut packet).write_receiver_report(REPORTER, blocks);
            debug_assert!(written, "24 blocks fit a packet");
            self.outgoing.push(packet);
        }
    }
}

impl Stream {
    fn receive(
        &mut self,
        now: Time,
        header: &RtpHeader,
        packet: &[u8],
        repaired: bool,
        unix_epoch: Duration,
    ) -> Result<Option<PacketSignature>, Violation> {
        let ssrc = header.ssrc;
        let is_redundant = !repaired && self.incoming.red_pt == Some(header.pt);
        let expected = if repaired {
            self.incoming.rtx_pt
        } else {
            Some(self.incoming.pt)
        };
        if expected != Some(header.pt) && !is_redundant {
            return Err(Violation::WrongPayloadType { ssrc });
        }
        let payload = header
            .payload(packet)
            .map_err(|_| Violation::Unreadable { ssrc })?;
        let (seq, payload) = if repaired {
            match rtp::split_osn(payload) {
                Some(split) => split,
                // Probe: a retransmission packet that is only padding.
                None => return Ok(None),
            }
        } else {
            (header.seq, payload)
        };
        let clock_rate = self.incoming.clock_rate;
        let timestamp = header.timestamp;
        let signature = match &mut self.track {
            Track::Video(video) => {
                if !repaired {
                    video
                        .packet_stats
                        .record_timestamp(now, timestamp, clock_rate);
                }
                let marker = header.marker;
                video.receive(
                    now,
                    &VideoPacket {
                        seq,
                        timestamp,
                        marker,
                        payload,
                        repaired,
                    },
                )?
            }
            Track::Audio(audio) => {
                audio
                    .packet_stats
                    .record_timestamp(now, timestamp, clock_rate);
                if is_redundant {
                    let pt = self.incoming.pt;
                    audio.receive_redundant(now, seq, timestamp, payload, pt)?
                } else {
                    audio.receive(now, seq, timestamp, payload)?
                }
            }
        };
        if let (Some(report), Some(signature)) = (self.report, signature) {
            self.skew = Some(report.skew(unix_epoch, clock_rate, timestamp, &signature));
        }
        Ok(signature)
    }

    fn report_block(&mut self, now: Time) -> Option<ReportBlock> {
        let packet_stats = match &mut self.track {
            Track::Video(video) => &mut video.packet_stats,
            Track::Audio(audio) => &mut audio.packet_stats,
        };
        let reported = packet_stats.report()?;
        Some(ReportBlock {
            ssrc: self.incoming.ssrc,
            fraction_lost: reported.fraction_lost,
            cumulative_lost: reported.cumulative_lost,
            highest_seq: reported.highest,
            jitter: reported.jitter,
            last_sr: self.report.map_or(0, |report| report.middle),
            delay_since_last_sr: self
                .report
                .map_or(0, |report| ntp::to_short(now.since(report.at))),
        })
    }
}

impl LastSenderReport {
    /// Returns the capture time according to sender reports minus the one in the signature, in
    /// microseconds.
    fn skew(
        &self,
        unix_epoch: Duration,
        clock_rate: u32,
        timestamp: u32,
        signature: &PacketSignature,
    ) -> i64 {
        let ticks = i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed());
        let captured = ntp::timestamp(unix_epoch, signature.captured);
        let since_report = ticks * 1_000_000 / i64::from(clock_rate.max(1));
        ntp::micros_between(captured, self.ntp) + since_report
    }
}

impl Violation {
    /// Sets the stream of violations that are detected without knowing it.
    const fn with_stream(self, stream: Ssrc) -> Self {
        match self {
            Self::SequenceJump { .. } => Self::SequenceJump { ssrc: stream },
            Self::WrongRedundancy { .. } => Self::WrongRedundancy { ssrc: stream },
            other => other,
        }
    }
}
