//! Conversations of synthetic speech: syllables of 120 to 300 ms with gaps, phrases with pauses.

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use watersmeet_wire::units::Rng;

use super::*;

const PACKET_MS: u64 = 20;
const SILENCE: u8 = 127;

/// Speaks until stopped; otherwise its microphone has a little noise.
struct Voice {
    rng: Rng,
    is_speaking: bool,
    /// Level of the noise.
    noise: u8,
    /// Whether a syllable or a gap is heard, and until when.
    is_voiced: bool,
    until_ms: u64,
    /// Syllables left in the phrase.
    syllables: u64,
}

impl Voice {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng::seed_from_u64(seed),
            is_speaking: false,
            noise: 85,
            is_voiced: false,
            until_ms: 0,
            syllables: 0,
        }
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + u64::from(self.rng.next_u32()) % (high - low)
    }

    fn level(&mut self, now_ms: u64) -> u8 {
        let jitter = u8::try_from(self.between(0, 6)).unwrap();
        if !self.is_speaking {
            self.is_voiced = false;
            self.until_ms = now_ms;
            return self.noise - jitter;
        }
        if now_ms >= self.until_ms {
            self.is_voiced = !self.is_voiced;
            let duration = match (self.is_voiced, self.syllables) {
                (true, 0) => {
                    self.syllables = self.between(6, 14);
                    self.between(120, 300)
                }
                (true, _) => {
                    self.syllables -= 1;
                    self.between(120, 300)
                }
                (false, 0) => self.between(250, 600),
                (false, _) => self.between(20, 70),
            };
            self.until_ms = now_ms + duration;
        }
        if self.is_voiced {
            25 + 2 * jitter
        } else {
            self.noise - jitter
        }
    }
}

/// Room whose speakers all send packets of 20 ms.
struct Room {
    speakers: ActiveSpeakers<u8>,
    voices: Vec<Voice>,
    now_ms: u64,
    /// Dominant speaker after each change, with the time.
    changes: Vec<(u64, u8)>,
}

impl Room {
    fn new(voices: u8, seed: u64) -> Self {
        Self {
            speakers: ActiveSpeakers::default(),
            voices: (0..voices)
                .map(|it| Voice::new(seed * 100 + u64::from(it)))
                .collect(),
            now_ms: 1_000,
            changes: Vec::new(),
        }
    }

    /// Lets exactly these speak for a time.
    fn speak(&mut self, speaking: &[u8], duration_ms: u64) {
        self.run(duration_ms, |voices, now_ms, index| {
            let voice = &mut voices[usize::from(index)];
            voice.is_speaking = speaking.contains(&index);
            voice.level(now_ms)
        });
    }

    fn run(&mut self, duration_ms: u64, mut level: impl FnMut(&mut [Voice], u64, u8) -> u8) {
        let end = self.now_ms + duration_ms;
        while self.now_ms < end {
            let now = Time::from_millis(self.now_ms);
            for index in 0..u8::try_from(self.voices.len()).unwrap() {
                let level = level(&mut self.voices, self.now_ms, index);
                self.speakers.observe(now, index, level);
            }
            if let Some(dominant) = self.speakers.dominant(now)
                && self
                    .changes
                    .last()
                    .is_none_or(|(_, last)| *last != dominant)
            {
                self.changes.push((self.now_ms, dominant));
            }
            self.now_ms += PACKET_MS;
        }
    }

    fn dominant(&mut self) -> Option<u8> {
        self.speakers.dominant(Time::from_millis(self.now_ms))
    }
}

#[test]
fn speaker_is_found_within_a_second() {
    for seed in 0..50 {
        let mut room = Room::new(5, seed);
        room.speak(&[], 3_000);
        assert_eq!(room.dominant(), None, "nobody has spoken");
        room.speak(&[2], 1_000);
        assert_eq!(room.dominant(), Some(2), "seed {seed}");
        let (found_at, _) = room.changes[0];
        assert!(
            found_at >= 4_400,
            "not before there is enough speech: {found_at}"
        );
    }
}

#[test]
fn next_speaker_takes_over_within_a_second() {
    for (seed, pause_ms) in (0..50).flat_map(|seed| [(seed, 0), (seed, 300), (seed, 2_000)]) {
        let mut room = Room::new(3, seed);
        room.speak(&[0], 6_000);
        room.speak(&[], pause_ms);
        let start = room.now_ms;
        room.speak(&[1], 3_000);
        let speakers: Vec<u8> = room.changes.iter().map(|(_, speaker)| *speaker).collect();
        assert_eq!(speakers, [0, 1], "seed {seed}, pause of {pause_ms} ms");
        let delay = room.changes[1].0 - start;
        assert!(delay <= 1_000, "seed {seed}: {delay} ms");
    }
}

#[test]
fn cough_does_not_take_over() {
    for cough_ms in [100, 200, 300, 400] {
        let mut room = Room::new(3, 1);
        room.speak(&[0], 5_000);
        room.speak(&[], 2_000);
        for _ in 0..5 {
            room.run(cough_ms, |voices, now_ms, index| {
                if index == 1 {
                    10
                } else {
                    voices[usize::from(index)].level(now_ms)
                }
            });
            room.speak(&[], 2_000);
        }
        assert_eq!(room.changes.len(), 1, "a cough of {cough_ms} ms");
    }
}

#[test]
fn silence_keeps_the_last_speaker() {
    let mut room = Room::new(3, 7);
    room.speak(&[1], 3_000);
    room.speak(&[], 60_000);
    assert_eq!(room.dominant(), Some(1));
    // Also when no packets arrive at all.
    room.now_ms += 3_600_000;
    assert_eq!(room.dominant(), Some(1));
    assert_eq!(room.changes.len(), 1);
}

#[test]
fn two_people_who_speak_at_once_do_not_alternate() {
    for seed in 0..20 {
        let mut room = Room::new(2, seed);
        room.speak(&[0, 1], 60_000);
        let changes = &room.changes;
        assert!(changes.len() <= 3, "seed {seed}: {changes:?}");
        for pair in changes.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= 2_000, "seed {seed}: {changes:?}");
        }
    }
}

#[test]
fn short_interjections_do_not_take_over() {
    for seed in 0..20 {
        let mut room = Room::new(2, seed);
        room.speak(&[0], 4_000);
        for _ in 0..10 {
            room.speak(&[0, 1], 300);
            room.speak(&[0], 2_000);
        }
        assert_eq!(room.changes.len(), 1, "seed {seed}: {:?}", room.changes);
    }
}

#[test]
fn steady_noise_is_not_speech_for_long() {
    let mut room = Room::new(2, 3);
    room.voices[1].noise = 55;
    // The first seconds of a loud fan may be taken for speech.
    room.speak(&[], 12_000);
    room.speak(&[0], 2_000);
    assert_eq!(room.dominant(), Some(0));
    room.speak(&[], 20_000);
    assert_eq!(room.dominant(), Some(0));
    // Speech above the noise is found.
    room.speak(&[1], 2_000);
    assert_eq!(room.dominant(), Some(1));
}

#[test]
fn quiet_microphone_is_heard_over_digital_silence() {
    let mut room = Room::new(2, 4);
    for _ in 0..3 {
        room.run(400, |_, _, index| if index == 1 { 55 } else { SILENCE });
        room.run(60, |_, _, _| SILENCE);
    }
    assert_eq!(room.dominant(), Some(1));
}

#[test]
fn packets_of_60_ms_and_gaps_of_dtx_are_understood() {
    let mut speakers = ActiveSpeakers::<u8>::default();
    for packet in 0..20 {
        speakers.observe(Time::from_millis(1_000 + 60 * packet), 1, 30);
    }
    assert_eq!(speakers.dominant(Time::from_millis(2_150)), Some(1));

    // A loud packet every 400 ms is no speech.
    let mut speakers = ActiveSpeakers::<u8>::default();
    for packet in 0..50 {
        let now = Time::from_millis(1_000 + 400 * packet);
        speakers.observe(now, 1, 30);
        assert_eq!(speakers.dominant(now), None);
    }
}

#[test]
fn last_speakers_are_ordered_by_when_they_last_spoke() {
    let mut room = Room::new(5, 11);
    assert!(room.speakers.last_speakers(5).is_empty());
    for speaker in [3, 1, 3, 4] {
        room.speak(&[speaker], 3_000);
        room.speak(&[], 1_000);
    }
    assert_eq!(room.speakers.last_speakers(9), [4, 3, 1, 0, 2]);
    assert_eq!(room.speakers.last_speakers(2), [4, 3]);
    room.speakers.remove(4);
    assert_eq!(room.dominant(), None, "the dominant speaker left");
    assert_eq!(room.speakers.last_speakers(9), [3, 1, 0, 2]);
    room.voices.truncate(4);
    room.speak(&[0], 1_500);
    assert_eq!(room.dominant(), Some(0));
}

#[test]
fn number_of_speakers_is_bounded() {
    let mut speakers = ActiveSpeakers::<u32>::default();
    for packet in 0..50 {
        speakers.observe(Time::from_millis(1_000 + 20 * packet), 0, 30);
    }
    assert_eq!(speakers.dominant(Time::from_millis(2_000)), Some(0));
    for speaker in 1..2_000 {
        speakers.observe(Time::from_millis(10_000 + u64::from(speaker)), speaker, 90);
    }
    let order = speakers.last_speakers(usize::MAX);
    assert_eq!(order.len(), SPEAKERS_MAX);
    assert_eq!(order[0], 0, "the dominant speaker stays");
    assert!(order.contains(&1_999) && !order.contains(&1));
}

#[test]
fn time_that_goes_backwards_is_harmless() {
    let mut speakers = ActiveSpeakers::<u8>::default();
    for now_ms in [5_000, 100, 5_020, 0, u64::MAX / 1_000, 7] {
        speakers.observe(Time::from_millis(now_ms), 1, 0);
        speakers.observe(Time::FAR_FUTURE, 2, 255);
        assert_eq!(speakers.dominant(Time::from_millis(now_ms)), None);
    }
}
