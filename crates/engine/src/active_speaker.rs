//! Detects the dominant speaker of a room from the audio levels of packets (RFC 6464).
//!
//! The method is that of Volfin and Cohen, "Dominant speaker identification for multipoint
//! videoconferencing" (Computer Speech & Language 27, 2013): speech is judged in three time scales, and
//! a challenger becomes the dominant speaker only when it is ahead in all of them. A transient noise is
//! short in the long scale, and a speaker who pauses for breath is still ahead in it. Header extensions
//! carry no spectrum, so a frame is speech when it is louder than the noise of its speaker; and since
//! the likelihood of speech grows with the number of such frames, the numbers are compared.
//!
//! Pure: the caller passes the time with every call, and decides when a decision is due.

mod noise_floor;
mod speech;
#[cfg(test)]
mod tests;

use std::time::Duration;

use watersmeet_wire::units::{Map, Time};

use self::speech::{Activity, Speech};

/// Most speakers of a room. One more replaces the one that was silent for longest.
const SPEAKERS_MAX: usize = 256;

/// Time between two decisions.
pub const DECISION_INTERVAL: Duration = Duration::from_millis(100);

/// Time after which a room has no dominant speaker any more, when that one has been silent in the long
/// scale meanwhile, which is a second itself: longer than the pauses of somebody who is still speaking.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Time after a change in which another one needs a dominant speaker who has been silent in the long
/// scale. Two people who speak at once would otherwise alternate with their pauses.
const HOLD_TIME: Duration = Duration::from_secs(2);

/// Fewest frames of speech in the medium scale, of 35: about 300 ms of fluent speech.
const MEDIUM_FRAMES_MIN: u32 = 12;

/// How many times as many frames of the medium scale a challenger needs as the dominant speaker, who
/// then has paused for about 600 ms: longer than between two phrases.
const MEDIUM_RATIO: u32 = 6;

/// Fewest blocks of speech in the long scale, of 10: a cough is over after three or four.
const LONG_BLOCKS_MIN: u32 = 5;

/// Finds the dominant speaker of one room. `K` identifies a speaker.
#[derive(Debug, Clone)]
pub struct ActiveSpeakers<K> {
    /// Recent speech of those who were heard.
    speakers: Map<K, Speech>,
    /// Dominant speaker by the last decision.
    dominant: Option<Dominant<K>>,
}

/// The dominant speaker.
#[derive(Debug, Clone, Copy)]
struct Dominant<K> {
    speaker: K,
    /// Time at which it became the dominant speaker.
    since: Time,
    /// Time of the last decision that found speech in its long scale.
    spoke_at: Time,
}

impl<K> Default for ActiveSpeakers<K> {
    fn default() -> Self {
        Self {
            speakers: Map::new(),
            dominant: None,
        }
    }
}

impl<K: Copy + Ord> ActiveSpeakers<K> {
    /// Records the level of an audio packet that arrived at `now`: 0 is the loudest, 127 silence, in
    /// −dBov.
    pub fn observe(&mut self, now: Time, speaker: K, level: u8) {
        if let Some(speech) = self.speakers.get_mut(&speaker) {
            return speech.observe(now, level);
        }
        self.make_space();
        let mut speech = Speech::new(now);
        speech.observe(now, level);
        self.speakers.insert(speaker, speech);
    }

    /// Removes a speaker, such as one whose producer closed. The dominant speaker has no successor
    /// until somebody speaks.
    pub fn remove(&mut self, speaker: K) {
        self.speakers.remove(&speaker);
        self.dominant = self.dominant.filter(|it| it.speaker != speaker);
    }

    /// Decides again who is the dominant speaker. To be called every [`DECISION_INTERVAL`] while
    /// somebody is heard or there is a dominant speaker.
    pub fn decide(&mut self, now: Time) {
        let activity = self.dominant_activity(now);
        if let Some(speaker) = self.challenger(now, activity) {
            self.dominant = Some(Dominant {
                speaker,
                since: now,
                spoke_at: now,
            });
        } else if let Some(dominant) = &mut self.dominant {
            if activity.is_some_and(|it| it.long_blocks > 0) {
                dominant.spoke_at = now;
            } else if now.since(dominant.spoke_at) >= SILENCE_MAX {
                self.dominant = None;
            }
        }
    }

    /// Returns the dominant speaker; `None` in silence.
    pub fn dominant(&self) -> Option<K> {
        self.dominant.map(|it| it.speaker)
    }

    /// Returns the recent speech of the dominant speaker.
    fn dominant_activity(&self, now: Time) -> Option<Activity> {
        let speech = self.speakers.get(&self.dominant()?)?;
        Some(speech.activity(now))
    }

    /// Returns the speaker that replaces the dominant one now, who has the activity `dominant`.
    fn challenger(&self, now: Time, dominant: Option<Activity>) -> Option<K> {
        let is_held = self
            .dominant
            .is_some_and(|it| now.since(it.since) < HOLD_TIME);
        let others = self.speakers.iter();
        others
            .filter(|(key, _)| Some(**key) != self.dominant())
            .map(|(key, speech)| (key, speech.activity(now)))
            .filter(|(_, activity)| {
                activity.is_speaking
                    && activity.medium_frames >= MEDIUM_FRAMES_MIN
                    && activity.long_blocks >= LONG_BLOCKS_MIN
            })
            .filter(|(_, activity)| {
                dominant.is_none_or(|dominant| {
                    activity.medium_frames > MEDIUM_RATIO * dominant.medium_frames
                        && activity.long_blocks > dominant.long_blocks
                        && (dominant.long_blocks == 0 || !is_held)
                })
            })
            .max_by_key(|(_, activity)| (activity.medium_frames, activity.long_blocks))
            .map(|(key, _)| *key)
    }

    /// Removes the one who was silent for longest when there are too many speakers.
    fn make_space(&mut self) {
        if self.speakers.len() < SPEAKERS_MAX {
            return;
        }
        let others = self.speakers.iter();
        let longest_silent = others
            .filter(|(key, _)| Some(**key) != self.dominant())
            .min_by_key(|(_, speech)| speech.spoke_at())
            .map(|(key, _)| *key);
        if let Some(key) = longest_silent {
            self.speakers.remove(&key);
        }
    }
}
