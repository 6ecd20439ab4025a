//! Forwards only the loudest voices of a router, where that is set. Each shard chooses among all voices for
//! its own consumers, and among those of its own publishers for other shards, which get no others.
//!
//! Packets that are left out touch no consumer. With the first packet of a voice that is chosen, its consumers
//! continue their numbers, so that their peers see no gap.

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::Time;

use super::Worker;
use super::speakers::audio_level;
use crate::loudest_voices::{Choice, LoudestVoices};
use crate::packet::Arrival;
use crate::shard_message::{SharedPacket, VoiceState};
use crate::slots::ProducerKey;

/// Decision about a packet of a publisher.
#[derive(Debug, Clone, Copy)]
pub(super) struct VoiceChoice {
    /// For consumers on this worker.
    pub here: Choice,
    /// For other workers.
    pub piped: Choice,
    /// Whether the publisher is the active speaker.
    is_speaker: bool,
}

impl VoiceChoice {
    /// Decision about packets that are always forwarded.
    const FORWARD: Self = Self {
        here: Choice::Forward,
        piped: Choice::Forward,
        is_speaker: false,
    };

    /// Returns what other workers are told with the packet.
    pub(super) fn piped_state(&self) -> VoiceState {
        VoiceState {
            starts: self.piped == Choice::Start,
            is_speaker: self.is_speaker,
        }
    }
}

impl Worker {
    /// Decides about a packet of a publisher, which has this audio level. Without levels, a voice is always
    /// forwarded.
    pub(super) fn choose_voice(
        &mut self,
        now: Time,
        key: ProducerKey,
        level: Option<u8>,
    ) -> VoiceChoice {
        let Some(producer) = self.producers.get(key).filter(|it| it.has_levels) else {
            return VoiceChoice::FORWARD;
        };
        let router = self.routers.get_mut(producer.router);
        let Some(router) = router else {
            return VoiceChoice::FORWARD;
        };
        let is_speaker = router.speakers.dominant() == Some(key);
        let Some(voices) = &mut router.voices else {
            return VoiceChoice::FORWARD;
        };
        let choice = VoiceChoice {
            here: choose(&mut voices.here, now, key, (level, is_speaker)),
            piped: choose(&mut voices.piped, now, key, (level, is_speaker)),
            is_speaker,
        };
        self.closed_totals.voices_omitted += u64::from(!choice.here.is_forwarded());
        choice
    }

    /// Decides about a packet that another shard forwards.
    pub(super) fn choose_piped_voice(
        &mut self,
        now: Time,
        key: ProducerKey,
        packet: &SharedPacket,
    ) -> Choice {
        let spans = packet.incoming.as_ref().map(|it| it.extensions);
        let level = spans.and_then(|spans| audio_level(&spans, &packet.bytes));
        let Some(producer) = self.producers.get_mut(key) else {
            return Choice::Omit;
        };
        producer.has_levels |= level.is_some() && producer.kind == MediaKind::Audio;
        let router = self.routers.get_mut(producer.router);
        let voices = router.and_then(|it| it.voices.as_mut());
        let choice = match voices.filter(|_| producer.has_levels) {
            Some(voices) => {
                let observed = (level, packet.voice.is_speaker);
                choose(&mut voices.here, now, key, observed)
            }
            None => Choice::Forward,
        };
        self.closed_totals.voices_omitted += u64::from(!choice.is_forwarded());
        match choice {
            Choice::Forward if packet.voice.starts => Choice::Start,
            choice => choice,
        }
    }

    /// Offers a packet to all consumers of its producer, unless its voice is left out.
    pub(super) fn fan_out_voice(
        &mut self,
        now: Time,
        key: ProducerKey,
        arrival: &Arrival,
        choice: Choice,
    ) {
        match choice {
            Choice::Omit => return,
            Choice::Start => self.continue_consumers_at(key, arrival),
            Choice::Forward => {}
        }
        self.fan_out(now, key, arrival);
    }

    /// Continues the numbers of a producer's consumers with this packet.
    fn continue_consumers_at(&mut self, key: ProducerKey, arrival: &Arrival) {
        let producer = self.producers.get(key);
        let router = producer.and_then(|it| self.routers.get(it.router));
        for consumer in router.map_or(&[][..], |it| it.consumers_of(key)) {
            if let Some(consumer) = self.consumers.get_mut(*consumer) {
                consumer.continue_at(arrival.seq);
            }
        }
    }
}

/// Decides about a packet by its level, or if it has none by those before.
fn choose(
    voices: &mut LoudestVoices<ProducerKey>,
    now: Time,
    key: ProducerKey,
    (level, is_speaker): (Option<u8>, bool),
) -> Choice {
    match level {
        Some(level) => voices.observe(now, key, level, is_speaker),
        None if voices.contains(key) => Choice::Forward,
        None => Choice::Omit,
    }
}
