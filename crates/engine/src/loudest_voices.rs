//! Chooses the loudest voices of a room by the audio levels of their packets (RFC 6464), so that only these
//! are forwarded.
//!
//! A voice that is chosen keeps its place while nobody is clearly louder: its loudness falls slowly between
//! words, a challenger needs a margin, and a place that was taken is held for a moment. Silence challenges
//! nobody. The active speaker is always among the chosen, except that somebody louder may take its place while
//! it pauses.
//!
//! Pure: the caller passes the time with every call.

#[cfg(test)]
mod tests;

use std::time::Duration;

use watersmeet_wire::units::Time;

/// Upper bound of the voices that are chosen in a room.
pub const LOUDEST_MAX: usize = 64;

/// Level of silence, in −dBov.
const SILENCE: u8 = 127;

/// Quietest sound that takes a place from somebody else, in −dBov. It is below quiet speech, and above the
/// noise of most rooms.
const CHALLENGER_LEVEL_MAX: u8 = 70;

/// How much louder than a chosen voice a challenger is, in thousandths of a decibel.
const MARGIN: u32 = 6_000;

/// How fast the loudness of a voice that is not heard falls, in thousandths of a decibel per millisecond:
/// by 3 dB in a pause between words, by 20 dB in two seconds.
const FALL_PER_MILLI: u64 = 10;

/// Time for which a voice that is heard keeps a place that it has taken.
const HOLD_TIME: Duration = Duration::from_secs(1);

/// Pause of the active speaker after which somebody who is louder may take its place.
const SPEAKER_PAUSE_MAX: Duration = Duration::from_millis(500);

/// Decision about a packet of a voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It is forwarded.
    Forward,
    /// It is forwarded, and is the first one after others that were omitted.
    Start,
    /// It is omitted.
    Omit,
}

impl Choice {
    /// Returns whether the packet is forwarded.
    pub fn is_forwarded(self) -> bool {
        self != Self::Omit
    }
}

/// The loudest voices of one room. `K` identifies a voice.
#[derive(Debug)]
pub struct LoudestVoices<K> {
    /// Number of voices that are chosen.
    places: usize,
    /// Chosen voices, at most `places`.
    chosen: Vec<Voice<K>>,
}

/// A voice that is chosen.
#[derive(Debug, Clone, Copy)]
struct Voice<K> {
    key: K,
    /// Loudness at the time `heard_at`, in thousandths of a decibel above silence.
    loudness: u32,
    /// Arrival time of its last packet.
    heard_at: Time,
    /// Arrival time of its last packet that is loud enough to take a place.
    spoke_at: Time,
    /// Time at which it was chosen.
    since: Time,
    /// Whether it was the active speaker at its last packet.
    is_speaker: bool,
}

impl<K: Copy + Eq> LoudestVoices<K> {
    /// Creates a choice of up to `places` voices.
    pub fn new(places: usize) -> Self {
        let places = places.clamp(1, LOUDEST_MAX);
        Self {
            places,
            chosen: Vec::with_capacity(places),
        }
    }

    /// Records the level of a packet, in −dBov, and decides about it. `is_speaker` says whether the voice is
    /// the active speaker.
    pub fn observe(&mut self, now: Time, key: K, level: u8, is_speaker: bool) -> Choice {
        let loudness = u32::from(SILENCE.saturating_sub(level)) * 1_000;
        if let Some(voice) = self.chosen.iter_mut().find(|it| it.key == key) {
            voice.loudness = loudness.max(voice.loudness_at(now));
            voice.heard_at = now;
            if level <= CHALLENGER_LEVEL_MAX {
                voice.spoke_at = now;
            }
            voice.is_speaker = is_speaker;
            return Choice::Forward;
        }
        let voice = Voice {
            key,
            loudness,
            heard_at: now,
            spoke_at: now,
            since: now,
            is_speaker,
        };
        if self.chosen.len() < self.places {
            self.chosen.push(voice);
            return Choice::Start;
        }
        if level > CHALLENGER_LEVEL_MAX {
            return Choice::Omit;
        }
        match self.replaceable(now, &voice) {
            Some(former) => {
                *former = voice;
                Choice::Start
            }
            None => Choice::Omit,
        }
    }

    /// Returns whether a voice is chosen.
    pub fn contains(&self, key: K) -> bool {
        self.chosen.iter().any(|it| it.key == key)
    }

    /// Removes a voice, such as one whose producer is paused. Its place is free.
    pub fn remove(&mut self, key: K) {
        self.chosen.retain(|it| it.key != key);
    }

    /// Returns the quietest voice that a challenger may replace.
    fn replaceable(&mut self, now: Time, challenger: &Voice<K>) -> Option<&mut Voice<K>> {
        let candidates = self.chosen.iter_mut();
        let candidates =
            candidates.filter(|it| !it.is_kept(now) && (challenger.is_speaker || !it.is_held(now)));
        let quietest = candidates.min_by_key(|it| it.loudness_at(now))?;
        let is_louder = challenger.loudness >= quietest.loudness_at(now) + MARGIN;
        (challenger.is_speaker || is_louder).then_some(quietest)
    }
}

impl<K> Voice<K> {
    /// Returns its loudness, which falls after its last packet.
    fn loudness_at(&self, now: Time) -> u32 {
        let millis = u64::try_from(now.since(self.heard_at).as_millis()).unwrap_or(u64::MAX);
        let fallen = u32::try_from(millis.saturating_mul(FALL_PER_MILLI)).unwrap_or(u32::MAX);
        self.loudness.saturating_sub(fallen)
    }

    /// Returns whether nobody may replace it, because it is the active speaker and does not pause.
    fn is_kept(&self, now: Time) -> bool {
        self.is_speaker && now.since(self.spoke_at) < SPEAKER_PAUSE_MAX
    }

    /// Returns whether it has taken its place only just now, and is heard.
    fn is_held(&self, now: Time) -> bool {
        let audible = u32::from(SILENCE - CHALLENGER_LEVEL_MAX) * 1_000;
        now.since(self.since) < HOLD_TIME && self.loudness_at(now) >= audible
    }
}
