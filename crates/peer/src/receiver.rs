//! The receiving half of a scripted browser: what a viewer would have seen and heard of the streams
//! on one transport, what was asked of the server on the way, and every fault of the server that
//! the packets prove. It takes plain packets and gives out plain RTCP.
//!
//! RFC 3550 §6.4, RFC 4585 §6, RFC 4588, RFC 7741; W3C webrtc-stats for freezes.

pub mod arrivals;
pub mod assembly;
pub mod audio;
pub mod decoder;
pub mod ledger;
pub mod nack;
pub mod playout;
pub mod report;
pub mod smoothness;
pub mod video;
pub mod violation;

use std::time::Duration;

use watersmeet_wire::rtcp::report::{ReportBlock, ntp_middle};
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtcp::{self, Packet};
use watersmeet_wire::rtp::{self, RtpHeader, extension};
use watersmeet_wire::units::{Map, Ssrc, Time};

use self::arrivals::{Arrivals, FEEDBACK_INTERVAL};
use self::audio::Audio;
use self::report::{AudioReport, VideoReport};
use self::video::{Media, Video};
use self::violation::Violation;
use crate::clock;
use crate::negotiation::Incoming;
use crate::tag::Tag;

/// Who a receiver without own media is in its reports, as in libwebrtc.
const REPORTER: Ssrc = Ssrc(1);

/// Time between two reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Round trip time that is assumed while none is known, as in libwebrtc.
const RTT_UNKNOWN: Duration = Duration::from_millis(100);

/// Most violations that are kept; the first ones tell the most.
pub const VIOLATIONS_MAX: usize = 64;

/// Most RTCP packets that wait.
pub const OUTGOING_MAX: usize = 1_024;

/// A packet's origin, for whoever knows who may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The stream it came on.
    pub ssrc: Ssrc,
    /// Its signature.
    pub tag: Tag,
}

/// What a track is.
#[derive(Debug)]
enum Track {
    /// Pictures.
    Video(Box<Video>),
    /// Sound.
    Audio(Audio),
}

/// The last sender report of a stream.
#[derive(Debug, Clone, Copy)]
struct LastReport {
    /// The middle of its NTP time.
    middle: u32,
    /// When it came.
    at: Time,
    /// Its NTP time.
    ntp: u64,
    /// Its media time.
    timestamp: u32,
}

/// One announced stream.
#[derive(Debug)]
struct Stream {
    /// How it was announced.
    incoming: Incoming,
    /// What came of it.
    track: Track,
    /// The last sender report.
    report: Option<LastReport>,
    /// Media clock of the reports against the camera's, in microseconds: how far lips and voice may
    /// be apart is the difference of two streams' figures.
    skew: Option<i64>,
}

/// Everything one peer receives on one transport.
#[derive(Debug)]
pub struct Receiver {
    /// Wall clock at the origin of time.
    unix_epoch: Duration,
    /// Announced streams.
    streams: Map<Ssrc, Stream>,
    /// Retransmission streams and the streams they repair.
    repairs: Map<Ssrc, Ssrc>,
    /// Streams that were taken away and since when: stragglers are no fault.
    gone: Map<Ssrc, Time>,
    /// Arrivals to tell.
    arrivals: Arrivals,
    /// When they are told.
    feedback_at: Time,
    /// When reports are due.
    report_at: Time,
    /// RTCP that waits.
    outgoing: Vec<Vec<u8>>,
    /// Round trip time, when somebody knows it.
    rtt: Option<Duration>,
    /// What the server did wrong.
    violations: Vec<Violation>,
    /// Packets received, of all kinds.
    pub packets: u64,
}

impl Receiver {
    /// A receiver of nothing yet. `unix_epoch` is the wall clock at `Time::ZERO`.
    pub fn new(unix_epoch: Duration) -> Self {
        Self {
            unix_epoch,
            streams: Map::new(),
            repairs: Map::new(),
            gone: Map::new(),
            arrivals: Arrivals::default(),
            feedback_at: Time::FAR_FUTURE,
            report_at: Time::FAR_FUTURE,
            outgoing: Vec::new(),
            rtt: None,
            violations: Vec::new(),
            packets: 0,
        }
    }

    /// Expects a stream.
    pub fn add(&mut self, now: Time, incoming: Incoming) {
        let track = if incoming.video {
            Track::Video(Box::new(Video::new(now)))
        } else {
            Track::Audio(Audio::new(now))
        };
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

    /// Expects a stream no longer. What is on its way still comes.
    pub fn remove(&mut self, now: Time, ssrc: Ssrc) {
        let Some(stream) = self.streams.remove(&ssrc) else {
            return;
        };
        self.gone.insert(ssrc, now);
        if let Some(rtx) = stream.incoming.rtx_ssrc {
            self.repairs.remove(&rtx);
            self.gone.insert(rtx, now);
        }
    }

    /// Expects nothing of a stream until its next frame: it was paused.
    pub fn hold(&mut self, now: Time, ssrc: Ssrc) {
        if let Some(Track::Video(video)) = self.streams.get_mut(&ssrc).map(|it| &mut it.track) {
            video.hold(now);
        }
    }

    /// Expects frames of a stream again, from now on.
    pub fn expect(&mut self, now: Time, ssrc: Ssrc) {
        if let Some(Track::Video(video)) = self.streams.get_mut(&ssrc).map(|it| &mut it.track) {
            video.smoothness.expect(now);
        }
    }

    /// Uses a round trip time that was measured elsewhere.
    pub const fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = Some(rtt);
    }

    /// Takes a plain RTP packet; whose it was.
    pub fn handle_rtp(&mut self, now: Time, packet: &[u8]) -> Option<Seen> {
        self.packets += 1;
        let Ok(header) = RtpHeader::parse(packet) else {
            self.accuse(Violation::Unreadable { ssrc: Ssrc(0) });
            return None;
        };
        let ssrc = header.ssrc;
        let repaired = self.repairs.get(&ssrc).copied();
        let media_ssrc = repaired.unwrap_or(ssrc);
        let Some(stream) = self.streams.get_mut(&media_ssrc) else {
            if !self.gone.contains_key(&ssrc) {
                self.accuse(Violation::UnknownStream { ssrc });
            }
            return None;
        };
        let id = stream.incoming.extensions.transport_wide_cc.unwrap_or(0);
        let transport_seq = header
            .extension(packet, id)
            .and_then(extension::parse_transport_seq);
        if let Some(seq) = transport_seq {
            self.arrivals.note(now, seq, ssrc);
            self.feedback_at = self.feedback_at.min(now + FEEDBACK_INTERVAL);
        }
        match stream.receive(now, &header, packet, repaired.is_some(), self.unix_epoch) {
            Ok(tag) => tag.map(|tag| Seen {
                ssrc: media_ssrc,
                tag,
            }),
            Err(violation) => {
                self.accuse(violation.of(media_ssrc));
                None
            }
        }
    }

    /// Takes a plain compound RTCP packet.
    pub fn handle_rtcp(&mut self, now: Time, compound: &[u8]) {
        self.packets += 1;
        for packet in rtcp::packets(compound) {
            match packet {
                Ok(Packet::SenderReport(report)) => {
                    let info = report.info;
                    let last = LastReport {
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
                Err(_) => self.accuse(Violation::Unreadable { ssrc: Ssrc(0) }),
            }
        }
    }

    /// When `handle_timeout` or `poll_rtcp` has something to do.
    pub fn poll_timeout(&self) -> Time {
        if !self.outgoing.is_empty() {
            return Time::ZERO;
        }
        let rtt = self.rtt.unwrap_or(RTT_UNKNOWN);
        let tracks = self
            .streams
            .values()
            .filter_map(|stream| match &stream.track {
                Track::Video(video) => Some(video.poll_timeout(rtt)),
                Track::Audio(_) => None,
            });
        tracks
            .min()
            .unwrap_or(Time::FAR_FUTURE)
            .min(self.feedback_at)
            .min(self.report_at)
    }

    /// Shows what is due and asks for what is missing.
    pub fn handle_timeout(&mut self, now: Time) {
        let rtt = self.rtt.unwrap_or(RTT_UNKNOWN);
        let mut violations = Vec::new();
        for (ssrc, stream) in &mut self.streams {
            let Track::Video(video) = &mut stream.track else {
                continue;
            };
            violations.extend(video.show(now));
            let nacks = video.take_nacks(now, rtt);
            let mut rest = nacks.as_slice();
            while !rest.is_empty() {
                let mut packet = Vec::new();
                let taken = CompoundWriter::new(&mut packet).write_nack(REPORTER, *ssrc, rest);
                rest = rest.get(taken.max(1)..).unwrap_or_default();
                self.outgoing.push(packet);
            }
            if video.take_pli(now) {
                let mut packet = Vec::new();
                let written = CompoundWriter::new(&mut packet).write_pli(REPORTER, *ssrc);
                debug_assert!(written, "a PLI fits a packet");
                self.outgoing.push(packet);
            }
        }
        violations
            .into_iter()
            .for_each(|violation| self.accuse(violation));
        if now >= self.feedback_at {
            self.feedback_at = Time::FAR_FUTURE;
            self.outgoing.extend(self.arrivals.write(REPORTER));
        }
        if now >= self.report_at {
            self.report_at = now + REPORT_INTERVAL;
            self.report(now);
        }
        self.outgoing.truncate(OUTGOING_MAX);
    }

    /// The next RTCP packet to send.
    pub fn poll_rtcp(&mut self) -> Option<Vec<u8>> {
        if self.outgoing.is_empty() {
            None
        } else {
            Some(self.outgoing.remove(0))
        }
    }

    /// What the server did wrong.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Notes a fault that was proved elsewhere.
    pub fn accuse(&mut self, violation: Violation) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation);
        }
    }

    /// Judges afresh from now on.
    pub fn restart_judging(&mut self, now: Time) {
        for stream in self.streams.values_mut() {
            match &mut stream.track {
                Track::Video(video) => {
                    video.ledger.restart();
                    video.smoothness.restart(now);
                    (video.plis, video.nacked, video.late, video.keyframes) = (0, 0, 0, 0);
                }
                Track::Audio(audio) => {
                    audio.ledger.restart();
                    (audio.spoken, audio.silent) = (0, 0);
                }
            }
        }
    }

    /// How a video looked.
    pub fn video_report(&self, now: Time, ssrc: Ssrc) -> Option<VideoReport> {
        let stream = self.streams.get(&ssrc)?;
        match &stream.track {
            Track::Video(video) => Some(VideoReport::of(now, video, stream.skew)),
            Track::Audio(_) => None,
        }
    }

    /// How an audio stream sounded.
    pub fn audio_report(&self, now: Time, ssrc: Ssrc) -> Option<AudioReport> {
        let stream = self.streams.get(&ssrc)?;
        match &stream.track {
            Track::Audio(audio) => Some(AudioReport::of(now, audio, stream.skew)),
            Track::Video(_) => None,
        }
    }

    /// Reports how every stream arrives.
    fn report(&mut self, now: Time) {
        let blocks: Vec<ReportBlock> = self
            .streams
            .values_mut()
            .filter_map(|stream| stream.block(now))
            .collect();
        // More than 31 blocks do not fit one packet (RFC 3550 §6.4.2).
        for blocks in blocks.chunks(24) {
            let mut packet = Vec::new();
            let written = CompoundWriter::new(&mut packet).write_receiver_report(REPORTER, blocks);
            debug_assert!(written, "two dozen blocks fit a packet");
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
    ) -> Result<Option<Tag>, Violation> {
        let ssrc = header.ssrc;
        let expected = if repaired {
            self.incoming.rtx_pt
        } else {
            Some(self.incoming.pt)
        };
        if expected != Some(header.pt) {
            return Err(Violation::WrongPayloadType { ssrc });
        }
        let payload = header
            .payload(packet)
            .map_err(|_| Violation::Unreadable { ssrc })?;
        let (seq, payload) = if repaired {
            match rtp::split_osn(payload) {
                Some(split) => split,
                // A probe: padding on the retransmission stream.
                None => return Ok(None),
            }
        } else {
            (header.seq, payload)
        };
        let clock_rate = self.incoming.clock_rate;
        let timestamp = header.timestamp;
        let tag = match &mut self.track {
            Track::Video(video) => {
                if !repaired {
                    video.ledger.clock(now, timestamp, clock_rate);
                }
                let marker = header.marker;
                video.receive(
                    now,
                    &Media {
                        seq,
                        timestamp,
                        marker,
                        payload,
                        repaired,
                    },
                )?
            }
            Track::Audio(audio) => {
                audio.ledger.clock(now, timestamp, clock_rate);
                audio.receive(now, seq, payload)?
            }
        };
        if let (Some(report), Some(tag)) = (self.report, tag) {
            self.skew = Some(report.skew(unix_epoch, clock_rate, timestamp, &tag));
        }
        Ok(tag)
    }

    fn block(&mut self, now: Time) -> Option<ReportBlock> {
        let ledger = match &mut self.track {
            Track::Video(video) => &mut video.ledger,
            Track::Audio(audio) => &mut audio.ledger,
        };
        let reported = ledger.report()?;
        Some(ReportBlock {
            ssrc: self.incoming.ssrc,
            fraction_lost: reported.fraction_lost,
            cumulative_lost: reported.cumulative_lost,
            highest_seq: reported.highest,
            jitter: reported.jitter,
            last_sr: self.report.map_or(0, |report| report.middle),
            delay_since_last_sr: self
                .report
                .map_or(0, |report| clock::short(now.since(report.at))),
        })
    }
}

impl LastReport {
    /// How much later the reports put the capture of a packet than its signature does, in
    /// microseconds.
    fn skew(&self, unix_epoch: Duration, clock_rate: u32, timestamp: u32, tag: &Tag) -> i64 {
        let ticks = i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed());
        let captured = clock::ntp(unix_epoch, tag.captured);
        let since_report = ticks * 1_000_000 / i64::from(clock_rate.max(1));
        clock::micros_between(captured, self.ntp) + since_report
    }
}

impl Violation {
    /// Names the stream, where only the receiver knows it.
    const fn of(self, stream: Ssrc) -> Self {
        match self {
            Self::SequenceJump { .. } => Self::SequenceJump { ssrc: stream },
            other => other,
        }
    }
}
