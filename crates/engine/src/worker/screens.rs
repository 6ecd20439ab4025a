//! Shared screens on slow paths: what waits to be sent of them, and keyframes that would come while the last
//! one is still being sent.

use std::time::Duration;

use watersmeet_wire::units::Time;

use super::Worker;
use crate::consumer::screen::Excess;
use crate::slots::ConsumerKey;

/// Round-trip time assumed while none is measured.
const ROUND_TRIP_DEFAULT: Duration = Duration::from_millis(100);

impl Worker {
    /// Drops what is too much of a screen. It continues with a keyframe, once the picture that is being sent
    /// has been.
    pub(super) fn drop_excess(&mut self, now: Time, key: ConsumerKey, excess: Excess) {
        let Excess::Behind(sending) = excess else {
            return self.restart_video(now, key);
        };
        let Some(consumer) = self.consumers.get_mut(key) else {
            return;
        };
        consumer.layers.restart();
        let transport = consumer.transport;
        self.withdraw_packets_if(transport, |packet| {
            packet.consumer == key && packet.is_first() && packet.timestamp != sending
        });
        self.request_awaited_keyframe(now, key);
    }

    /// Returns whether the keyframe that a screen waits for is to be requested later, when what waits of it has
    /// been sent, and remembers to.
    pub(super) fn awaits_sending(&mut self, key: ConsumerKey) -> bool {
        let Some(consumer) = self.consumers.get(key) else {
            return false;
        };
        let entry = self.transports.get_mut(consumer.transport);
        let Some(entry) = entry.filter(|_| consumer.screen.is_some()) else {
            return false;
        };
        entry.outbound.restart_after_sending(key)
    }

    /// Returns whether a peer that asks for a keyframe of a screen is just being sent one.
    pub(super) fn is_keyframe_leaving(&self, now: Time, key: ConsumerKey) -> bool {
        let Some(consumer) = self.consumers.get(key) else {
            return false;
        };
        let Some(screen) = &consumer.screen else {
            return false;
        };
        let Some(entry) = self.transports.get(consumer.transport) else {
            return false;
        };
        let outbound = &entry.outbound;
        let measured = outbound.round_trip.get(now);
        let mut waiting = outbound.unsent().iter();
        screen.is_keyframe_arriving(now, measured.unwrap_or(ROUND_TRIP_DEFAULT))
            || waiting.any(|it| it.consumer == key && screen.is_of_keyframe(it))
    }
}
