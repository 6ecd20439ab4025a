//! The active speaker of each router, from the audio levels of its publishers' packets.
//!
//! Levels of piped producers are not used: each publisher counts on the one shard to which it sends, and
//! the conference decides between the shards of a room (docs/decisions/0026-active-speaker.md).

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::rtp::extension::{AudioLevel, ExtensionKind};
use watersmeet_wire::units::Time;

use super::Worker;
use crate::active_speaker::DECISION_INTERVAL;
use crate::command::Event;
use crate::packet::ExtensionSpans;
use crate::slots::{ProducerKey, RouterKey};
use crate::timers::TimerKind;

impl Worker {
    /// Records the audio level of a packet (RFC 6464), and sets the timer of the next decision who is
    /// speaking. Returns the level, in −dBov; `None` when the packet has none or is not of audio.
    pub(super) fn record_audio_level(
        &mut self,
        now: Time,
        key: ProducerKey,
        spans: &ExtensionSpans,
        packet: &[u8],
    ) -> Option<u8> {
        let level = audio_level(spans, packet)?;
        let producer = self.producers.get_mut(key);
        let producer = producer.filter(|it| it.kind == MediaKind::Audio)?;
        producer.has_levels = true;
        producer.loudest = Some(producer.loudest.unwrap_or(u8::MAX).min(level));
        let router_key = producer.router;
        let router = self.routers.get_mut(router_key)?;
        router.speakers.observe(now, key, level);
        let due = now + DECISION_INTERVAL;
        let kind = TimerKind::Speaker(router_key);
        self.timers.set(&mut router.speaker_deadline, due, kind);
        Some(level)
    }

    /// Decides who is speaking in a router, and reports a change. Decides again soon while somebody is
    /// the active speaker, also when no further packet arrives.
    pub(super) fn update_speaker(&mut self, now: Time, key: RouterKey) {
        let Some(router) = self.routers.get_mut(key) else {
            return;
        };
        router.speakers.decide(now);
        if router.speakers.dominant().is_some() {
            let (due, kind) = (now + DECISION_INTERVAL, TimerKind::Speaker(key));
            self.timers.set(&mut router.speaker_deadline, due, kind);
        }
        self.report_speaker(key);
    }

    /// Forgets what a producer has said, because it is paused.
    pub(super) fn remove_speaker(&mut self, key: ProducerKey) {
        let Some(producer) = self.producers.get(key) else {
            return;
        };
        let router_key = producer.router;
        if let Some(router) = self.routers.get_mut(router_key) {
            router.remove_speaker(key);
            self.report_speaker(router_key);
        }
    }

    /// Reports the active speaker of a router if it has changed.
    pub(super) fn report_speaker(&mut self, key: RouterKey) {
        let router = self.routers.get_mut(key);
        let changed = router.and_then(|it| Some((it.id, it.take_changed_speaker()?)));
        if let Some((router, speaker)) = changed {
            let speaker = speaker.and_then(|it| self.producers.get(it));
            let producer = speaker.map(|it| it.id);
            self.report_event(Event::ActiveSpeakerChanged { router, producer });
        }
    }
}

/// Returns the audio level of a packet, in −dBov, if it has one.
pub(super) fn audio_level(spans: &ExtensionSpans, packet: &[u8]) -> Option<u8> {
    let value = spans.value(ExtensionKind::AudioLevel, packet)?;
    Some(AudioLevel::parse(value)?.level)
}
