//! Speech of one speaker in the last second, in frames of 20 ms.

use watersmeet_wire::units::Time;

use super::noise_floor::NoiseFloor;

/// Length of a frame: what most audio packets hold.
const FRAME_MICROS: u64 = 20_000;

/// Frames of the immediate scale, which is also the length of a block: 100 ms.
const BLOCK_FRAMES: u32 = 5;
/// Blocks of the medium scale: 700 ms.
const MEDIUM_BLOCKS: u32 = 7;
/// Blocks of the long scale: a second.
const LONG_BLOCKS: u32 = 10;
/// Fewest frames of speech in a block of speech. Blows and keystrokes are shorter.
const BLOCK_SPEECH_MIN: u32 = 4;

/// Most frames that one packet stands for: Opus packets of 60 ms are common, longer ones are not.
const PACKET_FRAMES_MAX: u64 = 3;

/// Loudness of silence, in dB above itself: levels are 0 to 127 −dBov.
const LEVEL_MAX: u8 = 127;
/// Quietest speech, in dB above silence: −60 dBov.
const SPEECH_LOUDNESS_MIN: u8 = 67;
/// How much louder than the noise speech is, in dB.
const ABOVE_NOISE_MIN: u8 = 10;

/// Recent frames of a speaker.
#[derive(Debug, Clone)]
pub struct Speech {
    /// Frames of speech; bit 0 is the newest.
    frames: u64,
    /// Number of the newest frame since the origin of time.
    newest: u64,
    noise: NoiseFloor,
    /// Time of the last frame of speech, or when the speaker was first heard.
    spoke_at: Time,
}

/// Amount of speech in the three time scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// Whether a frame of the immediate scale is speech.
    pub is_speaking: bool,
    /// Frames of speech in the blocks of speech of the medium scale.
    pub medium_frames: u32,
    /// Blocks of speech in the long scale.
    pub long_blocks: u32,
}

impl Speech {
    /// Starts with silence.
    pub const fn new(now: Time) -> Self {
        Self {
            frames: 0,
            newest: frame_at(now),
            noise: NoiseFloor::new(now),
            spoke_at: now,
        }
    }

    /// Returns the time of the last speech, or when the speaker was first heard.
    pub const fn spoke_at(&self) -> Time {
        self.spoke_at
    }

    /// Records the level of a packet, in −dBov. It also stands for the frames since the packet before,
    /// when that is not longer ago than a packet lasts.
    pub fn observe(&mut self, now: Time, level: u8) {
        let loudness = LEVEL_MAX.saturating_sub(level);
        self.noise.observe(now, loudness);
        let needed = self.noise.loudness().saturating_add(ABOVE_NOISE_MIN);
        let is_speech = loudness >= needed.max(SPEECH_LOUDNESS_MIN);
        let passed = frame_at(now).saturating_sub(self.newest);
        self.frames = shift(self.frames, passed);
        self.newest += passed;
        if is_speech {
            self.spoke_at = self.spoke_at.max(now);
            let covered = if passed <= PACKET_FRAMES_MAX {
                passed.max(1)
            } else {
                1
            };
            self.frames |= (1 << covered) - 1;
        }
    }

    /// Returns the speech in the time before `now`.
    pub fn activity(&self, now: Time) -> Activity {
        let frames = shift(self.frames, frame_at(now).saturating_sub(self.newest));
        let block = |index: u32| newest(frames >> (index * BLOCK_FRAMES), BLOCK_FRAMES);
        let mut activity = Activity {
            is_speaking: block(0) > 0,
            medium_frames: 0,
            long_blocks: 0,
        };
        for index in 0..LONG_BLOCKS {
            let speech = block(index);
            if speech >= BLOCK_SPEECH_MIN {
                activity.long_blocks += 1;
                activity.medium_frames += if index < MEDIUM_BLOCKS { speech } else { 0 };
            }
        }
        activity
    }
}

/// Returns the number of the frame at a time.
const fn frame_at(now: Time) -> u64 {
    now.as_micros() / FRAME_MICROS
}

/// Appends `count` frames of silence.
fn shift(frames: u64, count: u64) -> u64 {
    let count = u32::try_from(count).unwrap_or(u64::BITS);
    frames.checked_shl(count).unwrap_or(0)
}

/// Returns how many of the newest `count` frames are speech.
const fn newest(frames: u64, count: u32) -> u32 {
    (frames & ((1 << count) - 1)).count_ones()
}
