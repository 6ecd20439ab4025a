//! Detects which encodings of a producer are active. An encoding is judged against the others of its
//! source, never by the clock alone: slides bring a picture a minute, and all encodings of a source
//! rest together. One that stops while others continue becomes inactive after a second or a few
//! frames, whichever is later, and active again after two seconds of sending: a publisher short of
//! bandwidth stops and starts its best encoding every few seconds, and each switch costs a keyframe.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// Minimum silence after which an encoding counts as stopped.
const LAYER_SILENT_AFTER: Duration = Duration::from_secs(1);

/// Minimum number of frames of other encodings during that silence. An encoder falls to five frames a
/// second before it stops an encoding, so that five are missing after a second.
const FRAMES_MISSED_MIN: u32 = 5;

/// Number of its usual intervals between two frames that an encoding must miss: its frame rate may be a
/// fraction of the others'.
const INTERVALS_MISSED_MIN: u32 = 3;

/// Silence of all encodings after which all may resume at once, as a camera does that was off.
const SOURCE_RESTED_AFTER: Duration = Duration::from_millis(2_500);

/// Time that an encoding which stopped while others continued must send to count as active.
const LASTING_AFTER: Duration = Duration::from_secs(2);

/// Interval at which packets of one encoding cause a check of the others.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Largest step back of a timestamp that reordering explains: a second of video.
const REORDERING_MAX: i32 = 90_000;

/// Activity of one encoding.
#[derive(Debug, Default, Clone, Copy)]
struct Encoding {
    /// Arrival time of its last packet.
    last: Option<Time>,
    /// RTP timestamp of its last frame.
    timestamp: u32,
    /// Value of [`Activity::frames`] at its last packet.
    frames: u32,
    /// Smoothed number of the source's frames from one of its frames to the next, times eight.
    interval_q3: u32,
    /// Whether it stopped while others continued.
    is_unstable: bool,
    /// Start of the time since which it has been sending without a pause.
    since: Time,
}

/// Activity of the encodings of a producer.
#[derive(Debug)]
pub struct Activity {
    /// Encodings, lowest quality first.
    encodings: Vec<Encoding>,
    /// Active encodings, as a bit set.
    active: u8,
    /// Frames of the source, counted by whichever encoding sends most, modulo 2^32.
    frames: u32,
    /// Encodings that have sent a frame since `frames` last grew, as a bit set.
    framed: u8,
    /// Arrival time of the last packet of any encoding.
    last: Time,
    /// Time of the next check for silence.
    check_at: Time,
}

impl Activity {
    /// Creates the activity of `count` encodings that have sent nothing.
    pub fn new(count: usize) -> Self {
        Self {
            encodings: vec![Encoding::default(); count],
            active: 0,
            frames: 0,
            framed: 0,
            last: Time::ZERO,
            check_at: Time::ZERO,
        }
    }

    /// Returns the active encodings, as a bit set.
    pub fn active(&self) -> u8 {
        self.active
    }

    /// Sets the active encodings that another shard reports. Returns whether they changed.
    pub fn set_active(&mut self, active: u8) -> bool {
        std::mem::replace(&mut self.active, active) != active
    }

    /// Expects an encoding to start because its publisher was told so: it need not show that it lasts.
    pub fn expect_start(&mut self, index: u8) {
        if let Some(encoding) = self.encodings.get_mut(usize::from(index)) {
            encoding.is_unstable = false;
        }
    }

    /// Records a new packet of an encoding, with its RTP timestamp. Returns whether the active
    /// encodings changed.
    #[inline]
    pub fn record_packet(&mut self, now: Time, index: u8, timestamp: u32) -> bool {
        let before = self.active;
        if now.since(self.last) > SOURCE_RESTED_AFTER {
            self.trust_all();
        }
        self.last = now;
        let frames = self.frames;
        let Some(encoding) = self.encodings.get_mut(usize::from(index)) else {
            return false;
        };
        if encoding.is_stopped(now, frames) || encoding.last.is_none() {
            encoding.since = now;
        }
        let is_frame = encoding.is_new_frame(timestamp);
        if is_frame {
            encoding.record_frame(timestamp, frames);
        }
        encoding.frames = frames;
        encoding.last = Some(now);
        let is_stable = !encoding.is_unstable || now.since(encoding.since) >= LASTING_AFTER;
        if is_stable {
            encoding.is_unstable = false;
            self.active |= bit(index);
        }
        if is_frame {
            self.count_frame(index);
        }
        if now >= self.check_at {
            self.check_at = now + CHECK_INTERVAL;
            self.drop_stopped(now);
        }
        self.active != before
    }

    /// Checks which encodings have stopped. Returns whether the active encodings changed.
    pub fn check_silence(&mut self, now: Time) -> bool {
        let before = self.active;
        self.drop_stopped(now);
        self.active != before
    }

    /// Counts a frame of the source when an encoding starts its second one since the last count.
    fn count_frame(&mut self, index: u8) {
        if self.framed & bit(index) == 0 {
            self.framed |= bit(index);
            return;
        }
        self.framed = bit(index);
        self.frames = self.frames.wrapping_add(1);
        if let Some(encoding) = self.encodings.get_mut(usize::from(index)) {
            encoding.frames = self.frames;
        }
    }

    fn drop_stopped(&mut self, now: Time) {
        for (encoding, index) in self.encodings.iter_mut().zip(0..) {
            if self.active & bit(index) != 0 && encoding.is_stopped(now, self.frames) {
                self.active &= !bit(index);
                encoding.is_unstable = true;
            }
        }
    }

    /// Lets every encoding count as active with its next packet.
    fn trust_all(&mut self) {
        for encoding in &mut self.encodings {
            encoding.is_unstable = false;
        }
    }
}

impl Encoding {
    /// Returns whether it has been silent while the source has sent `frames` frames in all.
    fn is_stopped(&self, now: Time, frames: u32) -> bool {
        let Some(last) = self.last else {
            return false;
        };
        let usual = (self.interval_q3 * INTERVALS_MISSED_MIN) >> 3;
        now.since(last) > LAYER_SILENT_AFTER
            && frames.wrapping_sub(self.frames) >= usual.max(FRAMES_MISSED_MIN)
    }

    /// Returns whether a packet with this timestamp starts a frame that is not older than the last.
    fn is_new_frame(&self, timestamp: u32) -> bool {
        let ahead = timestamp.wrapping_sub(self.timestamp).cast_signed();
        self.last.is_none() || !(-REORDERING_MAX..=0).contains(&ahead)
    }

    /// Records a frame, which starts when the source has sent `frames` frames in all.
    fn record_frame(&mut self, timestamp: u32, frames: u32) {
        self.timestamp = timestamp;
        if self.last.is_some() {
            // The bound keeps a long absence from counting as the usual interval.
            let interval = frames.wrapping_sub(self.frames).clamp(1, 1_000);
            self.interval_q3 = self.interval_q3 - (self.interval_q3 >> 3) + interval;
        }
    }
}

/// Returns the bit of an encoding; zero past the eighth, which RTP parameters do not allow.
pub fn bit(index: u8) -> u8 {
    1_u8.checked_shl(u32::from(index)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
