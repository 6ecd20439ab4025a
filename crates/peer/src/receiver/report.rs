//! Measurements of a received stream.

use std::fmt;
use std::time::Duration;

use watersmeet_wire::units::Time;

use super::audio::AudioTrack;
use super::video::VideoTrack;
use crate::signature::PacketSignature;

/// Measurements of a video since they were last reset.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoReport {
    /// Rendered frames per second.
    pub fps: f64,
    /// Number of rendered frames.
    pub frames: u64,
    /// Time from the creation of the track to the first frame.
    pub first_frame: Option<Duration>,
    /// Number of freezes, as the W3C defines them.
    pub freezes: u64,
    /// Share of the time that was frozen, from 0 to 1.
    pub freeze_ratio: f64,
    /// Longest freeze.
    pub longest_freeze: Duration,
    /// Number of packets that should have arrived.
    pub expected: u64,
    /// Number of packets that were neither received nor recovered.
    pub lost: u64,
    /// Number of packets recovered by retransmissions.
    pub repaired: u64,
    /// Number of duplicate packets.
    pub repeated: u64,
    /// Number of requested retransmissions.
    pub nacked: u64,
    /// Number of requested keyframes.
    pub plis: u64,
    /// Number of rendered keyframes.
    pub keyframes: u64,
    /// Number of changes to another encoding since the track was created.
    pub layer_switches: u64,
    /// Number of complete frames that arrived too late to be rendered.
    pub late_frames: u64,
    /// Median of the delay from capture to rendering, in milliseconds.
    pub delay_ms_p50: usize,
    /// 95th percentile of that delay, in milliseconds.
    pub delay_ms_p95: usize,
    /// Signature of the last rendered frame.
    pub last_frame: Option<PacketSignature>,
    /// Capture time according to sender reports minus actual capture time, in microseconds.
    pub skew_micros: Option<i64>,
}

impl VideoReport {
    /// Collects the measurements of `video`.
    pub fn new(now: Time, video: &VideoTrack, skew_micros: Option<i64>) -> Self {
        let (freezes, _, longest_freeze) = video.quality.freezes(now);
        Self {
            fps: video.quality.fps(now),
            frames: video.quality.frames(),
            first_frame: video.quality.first_frame(),
            freezes,
            freeze_ratio: video.quality.freeze_ratio(now),
            longest_freeze,
            expected: video.packet_stats.expected(),
            lost: video.packet_stats.lost(now),
            repaired: video.packet_stats.repaired,
            repeated: video.packet_stats.repeated,
            nacked: video.nacked,
            plis: video.plis,
            keyframes: video.keyframes,
            layer_switches: video.layer_switches(),
            late_frames: video.late_frames,
            delay_ms_p50: video.quality.delay_ms(0.5),
            delay_ms_p95: video.quality.delay_ms(0.95),
            last_frame: video.last_frame,
            skew_micros,
        }
    }

    /// Returns the share of lost packets, from 0 to 1.
    pub fn residual_loss(&self) -> f64 {
        ratio(self.lost, self.expected)
    }
}

impl fmt::Display for VideoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first_frame.map_or(0, |first| first.as_millis());
        write!(
            f,
            "{:.1} fps, first frame {first} ms, {} freezes ({:.2} %, longest {} ms), \
             lost {}/{} ({:.3} %), repaired {}, nacked {}, {} PLI, {} keyframes, {} late_frames, \
             delay {}/{} ms",
            self.fps,
            self.freezes,
            self.freeze_ratio * 100.0,
            self.longest_freeze.as_millis(),
            self.lost,
            self.expected,
            self.residual_loss() * 100.0,
            self.repaired,
            self.nacked,
            self.plis,
            self.keyframes,
            self.late_frames,
            self.delay_ms_p50,
            self.delay_ms_p95,
        )
    }
}

/// Progress of a video since its track was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoProgress {
    /// Encoding of the last rendered frame.
    pub layer: Option<u8>,
    /// Number of rendered frames.
    pub frames: u64,
}

/// Measurements of an audio stream since they were last reset.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioReport {
    /// Time from the creation of the track to the first packet.
    pub first_packet: Option<Duration>,
    /// Number of packets that should have arrived.
    pub expected: u64,
    /// Number of packets that were not received.
    pub lost: u64,
    /// Number of packets with speech.
    pub speech_packets: u64,
    /// Number of packets with silence.
    pub silence_packets: u64,
    /// Number of packets that arrived too late to be played.
    pub late_packets: u64,
    /// Number of lost packets that later ones repeated.
    pub recovered: u64,
    /// Capture time according to sender reports minus actual capture time, in microseconds.
    pub skew_micros: Option<i64>,
}

impl AudioReport {
    /// Collects the measurements of `audio`.
    pub fn new(now: Time, audio: &AudioTrack, skew_micros: Option<i64>) -> Self {
        Self {
            first_packet: audio.first_packet(),
            expected: audio.packet_stats.expected(),
            lost: audio.packet_stats.lost(now),
            speech_packets: audio.speech_packets,
            silence_packets: audio.silence_packets,
            late_packets: audio.late_packets,
            recovered: audio.recovered,
            skew_micros,
        }
    }

    /// Returns the share of lost packets, from 0 to 1.
    pub fn residual_loss(&self) -> f64 {
        ratio(self.lost, self.expected)
    }

    /// Returns the share of packets that a browser has to conceal, because they are lost or late; from
    /// 0 to 1.
    pub fn concealed(&self) -> f64 {
        ratio(self.lost + self.late_packets, self.expected)
    }
}

impl fmt::Display for AudioReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first_packet.map_or(0, |first| first.as_millis());
        write!(
            f,
            "first packet {first} ms, lost {}/{} ({:.2} %), {} late, {} recovered, {} spoken, {} silent",
            self.lost,
            self.expected,
            self.residual_loss() * 100.0,
            self.late_packets,
            self.recovered,
            self.speech_packets,
            self.silence_packets,
        )
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
