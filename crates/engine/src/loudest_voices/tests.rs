//! Which voices are chosen, when a place changes, and the bounds.

use std::collections::BTreeSet;

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use watersmeet_wire::units::Rng;

use super::*;

/// Time between two packets.
const PACKET: Duration = Duration::from_millis(20);

const LOUD: u8 = 25;
const SPEECH: u8 = 40;
const NOISE: u8 = 85;

/// A room whose voices send a packet every 20 ms.
struct Room {
    voices: LoudestVoices<usize>,
    now: Time,
    speaker: Option<usize>,
}

impl Room {
    fn new(places: usize) -> Self {
        Self {
            voices: LoudestVoices::new(places),
            now: Time::from_millis(1_000),
            speaker: None,
        }
    }

    /// Lets each voice send packets with its level for some milliseconds. Returns the choices of the last
    /// packets, and the voices that started.
    fn send(&mut self, levels: &[u8], millis: u64) -> (Vec<Choice>, Vec<usize>) {
        let mut last = Vec::new();
        let mut started = Vec::new();
        for _ in 0..millis / 20 {
            self.now = self.now + PACKET;
            last = levels
                .iter()
                .enumerate()
                .map(|(key, level)| self.observe(key, *level))
                .collect();
            let starts = last
                .iter()
                .enumerate()
                .filter(|(_, it)| **it == Choice::Start);
            started.extend(starts.map(|(key, _)| key));
        }
        (last, started)
    }

    fn observe(&mut self, key: usize, level: u8) -> Choice {
        let is_speaker = self.speaker == Some(key);
        self.voices.observe(self.now, key, level, is_speaker)
    }

    fn chosen(&self, count: usize) -> Vec<usize> {
        (0..count).filter(|it| self.voices.contains(*it)).collect()
    }
}

#[test]
fn all_voices_are_chosen_while_there_are_places() {
    let mut room = Room::new(3);
    let (last, started) = room.send(&[NOISE, 127, SPEECH], 1_000);
    assert_eq!(last, [Choice::Forward; 3]);
    assert_eq!(started, [0, 1, 2]);
}

#[test]
fn first_packet_of_a_speaker_takes_the_place_of_a_silent_voice() {
    let mut room = Room::new(2);
    room.send(&[NOISE, NOISE, NOISE], 100);
    assert_eq!(room.chosen(3), [0, 1]);
    room.now = room.now + PACKET;
    assert_eq!(room.observe(2, SPEECH), Choice::Start);
    assert_eq!(room.observe(2, SPEECH), Choice::Forward);
    assert_eq!(room.chosen(3).len(), 2);
}

#[test]
fn louder_voice_replaces_the_quietest_after_it_was_held() {
    let mut room = Room::new(2);
    room.send(&[SPEECH, LOUD], 500);
    let (last, _) = room.send(&[SPEECH, LOUD, LOUD], 400);
    assert_eq!(last, [Choice::Forward, Choice::Forward, Choice::Omit]);
    let (_, started) = room.send(&[SPEECH, LOUD, LOUD], 400);
    assert_eq!(started, [2]);
    assert_eq!(room.chosen(3), [1, 2]);
}

#[test]
fn equally_loud_voices_do_not_alternate() {
    let mut room = Room::new(2);
    room.send(&[SPEECH; 4], 3_000);
    // Pauses between words are shorter than the time in which a voice becomes quiet.
    for _ in 0..50 {
        for key in 0..4 {
            let mut levels = [SPEECH; 4];
            levels[key] = NOISE;
            let (_, started) = room.send(&levels, 300);
            assert!(started.is_empty(), "{started:?}");
        }
    }
}

#[test]
fn place_of_a_voice_that_stopped_is_taken_by_the_next_one() {
    let mut room = Room::new(1);
    room.send(&[SPEECH, SPEECH], 3_000);
    assert_eq!(room.chosen(2), [0]);
    // The other packets do not arrive any more.
    for _ in 0..30 {
        room.now = room.now + PACKET;
        room.observe(1, SPEECH);
    }
    assert_eq!(room.chosen(2), [1]);
}

#[test]
fn silence_and_noise_take_no_place() {
    let mut room = Room::new(1);
    room.send(&[127, 127], 2_000);
    let (_, started) = room.send(&[127, CHALLENGER_LEVEL_MAX + 1], 5_000);
    assert!(started.is_empty(), "{started:?}");
    let (_, started) = room.send(&[127, CHALLENGER_LEVEL_MAX], 20);
    assert_eq!(started, [1]);
}

#[test]
fn active_speaker_is_chosen_however_quiet_it_is() {
    let mut room = Room::new(2);
    room.send(&[LOUD, LOUD, SPEECH], 300);
    room.speaker = Some(2);
    let (last, _) = room.send(&[LOUD, LOUD, CHALLENGER_LEVEL_MAX], 20);
    assert_eq!(last[2], Choice::Start);
    let (last, _) = room.send(&[LOUD, LOUD, CHALLENGER_LEVEL_MAX], 10_000);
    assert_eq!(last[2], Choice::Forward);
    // Its place is taken when it pauses, and it has one again with its next word.
    let (last, _) = room.send(&[LOUD, LOUD, NOISE], 600);
    assert_eq!(last[2], Choice::Omit);
    let (last, _) = room.send(&[LOUD, LOUD, SPEECH], 20);
    assert_eq!(last[2], Choice::Start);
}

#[test]
fn two_active_speakers_do_not_replace_one_another() {
    let mut voices = LoudestVoices::new(1);
    let now = Time::from_millis(1_000);
    assert_eq!(voices.observe(now, 'a', SPEECH, true), Choice::Start);
    assert_eq!(voices.observe(now, 'b', LOUD, true), Choice::Omit);
    // One that sends nothing any more gives its place up.
    let later = now + SPEAKER_PAUSE_MAX;
    assert_eq!(voices.observe(later, 'b', LOUD, true), Choice::Start);
}

#[test]
fn removed_voice_leaves_its_place_to_the_next_packet() {
    let mut room = Room::new(1);
    room.send(&[SPEECH, NOISE], 500);
    room.voices.remove(0);
    assert_eq!(room.observe(1, 127), Choice::Start);
}

#[test]
fn number_of_places_is_bounded() {
    assert_eq!(LoudestVoices::<u8>::new(0).places, 1);
    let mut room = Room::new(usize::MAX);
    room.send(&[SPEECH; LOUDEST_MAX + 10], 20);
    assert_eq!(room.chosen(LOUDEST_MAX + 10).len(), LOUDEST_MAX);
}

/// With random audio levels, never more voices are chosen than there are places, a place changes at most
/// once a second while its voice is heard, `Start` comes before `Forward`, and nothing allocates.
#[test]
fn choices_of_random_levels_keep_the_rules() {
    for seed in 0..50 {
        let mut rng = Rng::seed_from_u64(seed);
        let places = 1 + usize::try_from(rng.next_u32() % 4).unwrap();
        let mut room = Room::new(places);
        let capacity = room.voices.chosen.capacity();
        let mut forwarded = BTreeSet::new();
        let mut changes = 0;
        for _ in 0..3_000 {
            room.now = room.now + PACKET;
            for key in 0..12 {
                // Some speak and some are silent, by turns of two seconds.
                let turn = usize::try_from(room.now.as_millis() / 2_000).unwrap();
                let is_speaking = (turn * 7 + key * 5) % 12 < 6;
                let noise = u8::try_from(rng.next_u32() % 12).unwrap();
                let level = if is_speaking { 30 + noise } else { 80 + noise };
                let was = forwarded.contains(&key);
                match room.observe(key, level) {
                    Choice::Forward => assert!(was),
                    Choice::Start => {
                        assert!(!was);
                        changes += 1;
                    }
                    Choice::Omit => {
                        assert!(level > CHALLENGER_LEVEL_MAX || room.chosen(12).len() == places)
                    }
                }
                forwarded = room.chosen(12).into_iter().collect();
            }
            assert!(forwarded.len() <= places);
        }
        // A minute, in which each place may change once a second.
        assert!(
            changes <= 60 * places,
            "seed {seed}: {changes} changes of {places}"
        );
        assert_eq!(room.voices.chosen.capacity(), capacity);
    }
}
