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
    changes: Vec<(u64, Option<u8>)>,
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
            if self.now_ms.is_multiple_of(100) {
                self.speakers.decide(now);
            }
            let dominant = self.speakers.dominant();
            if dominant != self.changes.last().and_then(|(_, last)| *last) {
                self.changes.push((self.now_ms, dominant));
            }
            self.now_ms += PACKET_MS;
        }
    }

    fn dominant(&self) -> Option<u8> {
        self.speakers.dominant()
    }

    /// Returns those who became the dominant speaker, in order.
    fn successors(&self) -> Vec<u8> {
        let speakers = self.changes.iter();
        speakers.filter_map(|(_, speaker)| *speaker).collect()
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
    for (seed, pause_ms) in (0..50).flat_map(|seed| [(seed, 0), (seed, 300), (seed, 3_000)]) {
        let mut room = Room::new(3, seed);
        room.speak(&[0], 6_000);
        room.speak(&[], pause_ms);
        let start = room.now_ms;
        room.speak(&[1], 3_000);
        assert_eq!(
            room.successors(),
            [0, 1],
            "seed {seed}, pause of {pause_ms} ms"
        );
        let (taken_over_at, _) = room.changes[room.changes.len() - 1];
        let delay = taken_over_at - start;
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
        assert_eq!(room.successors(), [0], "a cough of {cough_ms} ms");
    }
}

/// Lets voice 0 type, and voice 1 speak or listen: five keystrokes a second, each of two packets.
fn type_while(room: &mut Room, is_speaking: bool, duration_ms: u64) {
    room.run(duration_ms, |voices, now_ms, index| {
        let voice = &mut voices[usize::from(index)];
        voice.is_speaking = is_speaking && index == 1;
        if index == 0 && now_ms % 200 < 40 {
            40
        } else {
            voice.level(now_ms)
        }
    });
}

#[test]
fn speaker_who_types_afterwards_does_not_stay_the_speaker() {
    for seed in 0..50 {
        let mut room = Room::new(3, seed);
        room.speak(&[0], 6_000);
        let start = room.now_ms;
        type_while(&mut room, true, 3_000);
        assert_eq!(room.successors(), [0, 1], "seed {seed}");
        let delay = room.changes[1].0 - start;
        assert!(delay <= 1_000, "seed {seed}: {delay} ms");

        let mut room = Room::new(3, seed);
        room.speak(&[0], 6_000);
        type_while(&mut room, false, 2_500);
        assert_eq!(room.dominant(), None, "seed {seed}");
        type_while(&mut room, false, 20_000);
        assert_eq!(room.successors(), [0], "seed {seed}");
    }
}

#[test]
fn speaker_is_kept_in_pauses_and_lost_after_two_seconds_of_silence() {
    for seed in 0..20 {
        let mut room = Room::new(3, seed);
        room.speak(&[1], 3_000);
        for _ in 0..5 {
            room.speak(&[], 1_200);
            room.speak(&[1], 500);
        }
        assert_eq!(room.changes.len(), 1, "seed {seed}: {:?}", room.changes);
        let silent_since = room.now_ms;
        room.speak(&[], 5_000);
        assert_eq!(room.dominant(), None);
        let (lost_at, _) = room.changes[1];
        let silence = lost_at - silent_since;
        assert!(
            (1_300..=2_200).contains(&silence),
            "seed {seed}: {silence} ms"
        );
        // A word is not enough to become the dominant speaker again; a sentence is.
        room.speak(&[1], 200);
        room.speak(&[], 1_000);
        assert_eq!(room.dominant(), None, "seed {seed}");
        room.speak(&[1], 3_000);
        assert_eq!(room.dominant(), Some(1), "seed {seed}");
    }
}

#[test]
fn speaker_is_lost_when_no_packets_arrive_at_all() {
    let mut room = Room::new(3, 7);
    room.speak(&[1], 3_000);
    for step in 1..=30 {
        let silence_ms = 100 * step;
        let now = Time::from_millis(room.now_ms + silence_ms);
        room.speakers.decide(now);
        match silence_ms {
            0..1_400 => assert_eq!(room.dominant(), Some(1), "after {silence_ms} ms"),
            2_200.. => assert_eq!(room.dominant(), None, "after {silence_ms} ms"),
            _ => {}
        }
    }
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
    assert_eq!(room.dominant(), None);
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
    speakers.decide(Time::from_millis(2_150));
    assert_eq!(speakers.dominant(), Some(1));

    // A loud packet every 400 ms is no speech.
    let mut speakers = ActiveSpeakers::<u8>::default();
    for packet in 0..50 {
        let now = Time::from_millis(1_000 + 400 * packet);
        speakers.observe(now, 1, 30);
        speakers.decide(now);
        assert_eq!(speakers.dominant(), None);
    }
}

#[test]
fn removed_speaker_has_no_successor_until_somebody_speaks() {
    let mut room = Room::new(3, 11);
    room.speak(&[2], 3_000);
    room.speakers.remove(1);
    assert_eq!(room.dominant(), Some(2), "another one was removed");
    room.speakers.remove(2);
    assert_eq!(room.dominant(), None);
    room.voices.truncate(2);
    room.speak(&[], 1_000);
    assert_eq!(room.dominant(), None);
    room.speak(&[0], 1_500);
    assert_eq!(room.dominant(), Some(0));
}

#[test]
fn number_of_speakers_is_bounded() {
    let mut speakers = ActiveSpeakers::<u32>::default();
    for packet in 0..50 {
        speakers.observe(Time::from_millis(1_000 + 20 * packet), 0, 30);
    }
    speakers.decide(Time::from_millis(2_000));
    assert_eq!(speakers.dominant(), Some(0));
    for speaker in 1..2_000 {
        speakers.observe(Time::from_millis(10_000 + u64::from(speaker)), speaker, 90);
    }
    let heard = &speakers.speakers;
    assert_eq!(heard.len(), SPEAKERS_MAX);
    assert!(heard.contains_key(&0), "the dominant speaker stays");
    assert!(heard.contains_key(&1_999) && !heard.contains_key(&1));
}

#[test]
fn time_that_goes_backwards_is_harmless() {
    let mut speakers = ActiveSpeakers::<u8>::default();
    for now_ms in [5_000, 100, 5_020, 0, u64::MAX / 1_000, 7] {
        speakers.observe(Time::from_millis(now_ms), 1, 0);
        speakers.observe(Time::FAR_FUTURE, 2, 255);
        speakers.decide(Time::from_millis(now_ms));
        assert_eq!(speakers.dominant(), None);
    }
}
