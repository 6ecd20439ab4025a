//! Detects the dominant speaker of a room from the audio levels of packets (RFC 6464).
//!
//! The method is that of Volfin and Cohen, "Dominant speaker identification for multipoint
//! videoconferencing" (Computer Speech & Language 27, 2013): speech is judged in three time scales, and
//! a challenger becomes the dominant speaker only when it is ahead in all of them. A transient noise is
//! short in the long scale, and a speaker who pauses for breath is still ahead in it. Header extensions
//! carry no spectrum, so a frame is speech when it is louder than the noise of its speaker; and since
//! the likelihood of speech grows with the number of such frames, the numbers are compared.
//!
//! Pure: the caller passes the time with every call.

mod noise_floor;
mod speech;
#[cfg(test)]
mod tests;

use std::time::Duration;

use watersmeet_wire::units::{Map, Time};

use self::speech::Speech;

/// Most speakers of a room. One more replaces the one that was silent for longest.
pub const SPEAKERS_MAX: usize = 256;

/// Shortest time between two decisions.
pub const DECISION_INTERVAL: Duration = Duration::from_millis(100);

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
    speakers: Map<K, Speaker>,
    dominant: Option<K>,
    /// Time of the last change of the dominant speaker.
    changed_at: Option<Time>,
    /// Time of the last decision.
    decided_at: Option<Time>,
    /// Number of speakers and changes so far, for the order of speakers.
    counter: u64,
}

#[derive(Debug, Clone)]
struct Speaker {
    speech: Speech,
    /// Count at which it last became dominant; zero when it never was.
    dominant_since: u64,
    /// Count at which it was first heard.
    heard_since: u64,
}

impl<K> Default for ActiveSpeakers<K> {
    fn default() -> Self {
        Self {
            speakers: Map::new(),
            dominant: None,
            changed_at: None,
            decided_at: None,
            counter: 0,
        }
    }
}

impl<K: Copy + Ord> ActiveSpeakers<K> {
    /// Records the level of an audio packet that arrived at `now`: 0 is the loudest, 127 silence, in
    /// −dBov.
    pub fn observe(&mut self, now: Time, speaker: K, level: u8) {
        if !self.speakers.contains_key(&speaker) {
            self.add(now, speaker);
        }
        if let Some(entry) = self.speakers.get_mut(&speaker) {
            entry.speech.observe(now, level);
        }
    }

    /// Removes a speaker, such as one whose producer closed. The dominant speaker has no successor
    /// until somebody speaks.
    pub fn remove(&mut self, speaker: K) {
        self.speakers.remove(&speaker);
        if self.dominant == Some(speaker) {
            self.dominant = None;
            self.changed_at = None;
        }
    }

    /// Returns the dominant speaker, after a decision when the last one is [`DECISION_INTERVAL`] ago.
    /// In silence that is who spoke last; `None` when nobody has spoken yet.
    pub fn dominant(&mut self, now: Time) -> Option<K> {
        let is_due = self
            .decided_at
            .is_none_or(|last| now.since(last) >= DECISION_INTERVAL);
        if is_due {
            self.decided_at = Some(now);
            if let Some(speaker) = self.challenger(now) {
                self.counter += 1;
                self.dominant = Some(speaker);
                self.changed_at = Some(now);
                if let Some(entry) = self.speakers.get_mut(&speaker) {
                    entry.dominant_since = self.counter;
                }
            }
        }
        self.dominant
    }

    /// Returns up to `count` speakers in the order in which they last became dominant, the current one
    /// first; after them, those who never were, in the order in which they were first heard.
    pub fn last_speakers(&self, count: usize) -> Vec<K> {
        let mut order: Vec<_> = self.speakers.iter().collect();
        order.sort_by_key(|(_, entry)| (u64::MAX - entry.dominant_since, entry.heard_since));
        order.iter().take(count).map(|(key, _)| **key).collect()
    }

    /// Returns the speaker that replaces the dominant one now.
    fn challenger(&self, now: Time) -> Option<K> {
        let dominant = self.dominant.and_then(|key| self.speakers.get(&key));
        let dominant = dominant.map(|entry| entry.speech.activity(now));
        let is_held = self
            .changed_at
            .is_some_and(|changed| now.since(changed) < HOLD_TIME);
        let others = self.speakers.iter();
        others
            .filter(|(key, _)| Some(**key) != self.dominant)
            .map(|(key, entry)| (key, entry.speech.activity(now)))
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

    fn add(&mut self, now: Time, speaker: K) {
        if self.speakers.len() >= SPEAKERS_MAX {
            let others = self.speakers.iter();
            let longest_silent = others
                .filter(|(key, _)| Some(**key) != self.dominant)
                .min_by_key(|(_, entry)| entry.speech.spoke_at())
                .map(|(key, _)| *key);
            if let Some(key) = longest_silent {
                self.speakers.remove(&key);
            }
        }
        self.counter += 1;
        let entry = Speaker {
            speech: Speech::new(now),
            dominant_since: 0,
            heard_since: self.counter,
        };
        self.speakers.insert(speaker, entry);
    }
}
