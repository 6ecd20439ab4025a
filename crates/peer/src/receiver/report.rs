//! The verdict on a received stream, in the words of the quality bars.

use std::fmt;
use std::time::Duration;

use watersmeet_wire::units::Time;

use super::audio::Audio;
use super::video::Video;
use crate::tag::Tag;

/// How a video looked since judging began.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoReport {
    /// Frames shown per second.
    pub fps: f64,
    /// Frames shown.
    pub frames: u64,
    /// Time from the making of the track to the first frame.
    pub first_frame: Option<Duration>,
    /// Freezes, as the W3C defines them.
    pub freezes: u64,
    /// Share of the time that was frozen.
    pub freeze_ratio: f64,
    /// The longest freeze.
    pub longest_freeze: Duration,
    /// Packets that should have come.
    pub expected: u64,
    /// Packets that did not, not even by retransmission.
    pub lost: u64,
    /// Packets that a retransmission brought.
    pub repaired: u64,
    /// Packets that came more than once.
    pub repeated: u64,
    /// Packets asked for again.
    pub nacked: u64,
    /// Keyframes asked for.
    pub plis: u64,
    /// Keyframes shown.
    pub keyframes: u64,
    /// How often another encoding was shown, since the track was made.
    pub switches: u64,
    /// Whole frames that came too late to be shown.
    pub late: u64,
    /// Milliseconds from capture to being shown, of half of the frames at most.
    pub delay_ms_p50: usize,
    /// The same for 95 in 100.
    pub delay_ms_p95: usize,
    /// The last frame shown.
    pub shown: Option<Tag>,
    /// How far sender reports put the capture from where it was, in microseconds.
    pub skew_micros: Option<i64>,
}

impl VideoReport {
    /// The verdict on `video` so far.
    pub fn of(now: Time, video: &Video, skew_micros: Option<i64>) -> Self {
        let (freezes, _, longest_freeze) = video.smoothness.freezes(now);
        Self {
            fps: video.smoothness.fps(now),
            frames: video.smoothness.frames(),
            first_frame: video.smoothness.first_frame(),
            freezes,
            freeze_ratio: video.smoothness.freeze_ratio(now),
            longest_freeze,
            expected: video.ledger.expected(),
            lost: video.ledger.lost(now),
            repaired: video.ledger.repaired,
            repeated: video.ledger.repeated,
            nacked: video.nacked,
            plis: video.plis,
            keyframes: video.keyframes,
            switches: video.switches(),
            late: video.late,
            delay_ms_p50: video.smoothness.delay_ms(0.5),
            delay_ms_p95: video.smoothness.delay_ms(0.95),
            shown: video.shown,
            skew_micros,
        }
    }

    /// Share of packets that never came.
    pub fn residual_loss(&self) -> f64 {
        share(self.lost, self.expected)
    }
}

impl fmt::Display for VideoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first_frame.map_or(0, |first| first.as_millis());
        write!(
            f,
            "{:.1} fps, first frame {first} ms, {} freezes ({:.2} %, longest {} ms), \
             lost {}/{} ({:.3} %), repaired {}, nacked {}, {} PLI, {} keyframes, {} late, \
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
            self.late,
            self.delay_ms_p50,
            self.delay_ms_p95,
        )
    }
}

/// How an audio stream sounded since judging began.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioReport {
    /// Time from the making of the track to the first packet.
    pub first_packet: Option<Duration>,
    /// Packets that should have come.
    pub expected: u64,
    /// Packets that did not.
    pub lost: u64,
    /// Packets of speech.
    pub spoken: u64,
    /// Packets of silence.
    pub silent: u64,
    /// How far sender reports put the capture from where it was, in microseconds.
    pub skew_micros: Option<i64>,
}

impl AudioReport {
    /// The verdict on `audio` so far.
    pub fn of(now: Time, audio: &Audio, skew_micros: Option<i64>) -> Self {
        Self {
            first_packet: audio.first_packet(),
            expected: audio.ledger.expected(),
            lost: audio.ledger.lost(now),
            spoken: audio.spoken,
            silent: audio.silent,
            skew_micros,
        }
    }

    /// Share of packets that never came.
    pub fn residual_loss(&self) -> f64 {
        share(self.lost, self.expected)
    }
}

impl fmt::Display for AudioReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first_packet.map_or(0, |first| first.as_millis());
        write!(
            f,
            "first packet {first} ms, lost {}/{} ({:.2} %), {} spoken, {} silent",
            self.lost,
            self.expected,
            self.residual_loss() * 100.0,
            self.spoken,
            self.silent,
        )
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
