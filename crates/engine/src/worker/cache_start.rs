//! Starts a consumer with the last keyframe that is cached, and all frames since: its peer sees a picture
//! without waiting for the publisher, who is not asked for a keyframe.
//!
//! The frames are those of up to a second. Their timestamps are changed to be close together, right before
//! that of the newest frame, so that the receiver shows them at once and does not stay behind.

use watersmeet_wire::units::Time;

use super::Worker;
use crate::consumer::forward::Forwarding;
use crate::keyframe_index::CatchUpLimits;
use crate::packet::Arrival;
use crate::slots::{ConsumerKey, TransportKey};

/// Most packets sent at once.
const PACKETS_MAX: usize = 512;

/// Longest time that they may take on the peer's path, by its available bitrate, in milliseconds.
const SENDING_TIME_MAX_MS: u64 = 400;

impl Worker {
    /// Starts a consumer that sends nothing with cached packets of the layer it waits for. Returns whether
    /// it did: a complete keyframe must be cached, not too far back for the peer's path.
    pub(super) fn start_from_cache(&mut self, now: Time, key: ConsumerKey) -> bool {
        let Some(transport) = self.consumers.get(key).map(|it| it.transport) else {
            return false;
        };
        let Some(limits) = self.catch_up_limits(now, transport) else {
            return false;
        };
        let Some((arrivals, has_layers)) = self.past_frames(key, limits) else {
            return false;
        };
        let (Some(consumer), Some(entry)) = (
            self.consumers.get_mut(key),
            self.transports.get_mut(transport),
        ) else {
            return false;
        };
        let outbound = &mut entry.outbound;
        let mut is_started = false;
        for arrival in arrivals {
            match consumer.forward(now, &arrival) {
                Forwarding::First(queued) => {
                    is_started = true;
                    outbound.enqueue(queued);
                }
                Forwarding::Packet(queued) | Forwarding::Changed(queued) => {
                    outbound.enqueue(queued);
                }
                Forwarding::Nothing | Forwarding::Interrupted => {}
            }
        }
        if !is_started {
            return false;
        }
        self.send_queue
            .enqueue_media(now, now, transport, &mut outbound.queue_entry);
        if has_layers || consumer.told.reason().is_some() {
            self.report_layers(now, key);
        }
        true
    }

    /// Returns the cached packets of the layer that a consumer waits for, from a keyframe on, with the
    /// timestamps to send them with, and whether its producer has several layers.
    fn past_frames(&self, key: ConsumerKey, limits: CatchUpLimits) -> Option<(Vec<Arrival>, bool)> {
        let consumer = self.consumers.get(key)?;
        let producer = self.producers.get(consumer.producer)?;
        if producer.paused || consumer.layers.current().is_some() {
            return None;
        }
        let layer = consumer.awaited_keyframe()?;
        let found = producer.catch_up(layer, limits)?;
        let cached = producer.cached_between(producer.stream_of(layer), found.first, found.last);
        let mut arrivals: Vec<_> = cached.collect();
        let newest = *arrivals.last()?;
        let frames = count_frames(&arrivals);
        compress(&mut arrivals, consumer.catch_up_step(&newest, frames)?);
        Some((arrivals, producer.layer_count() > 1))
    }

    /// Returns how much a transport may be sent at once; `None` where that is not known, or not now.
    fn catch_up_limits(&mut self, now: Time, key: TransportKey) -> Option<CatchUpLimits> {
        if self.defers_keyframes(now, key) {
            return None;
        }
        let available = self.transports.get(key)?.outbound.available_bitrate(now)?;
        let bytes = available.as_bps() / 8 * SENDING_TIME_MAX_MS / 1_000;
        Some(CatchUpLimits {
            packets: PACKETS_MAX,
            bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
        })
    }
}

/// Returns how many frames these packets, in order, belong to.
fn count_frames(arrivals: &[Arrival]) -> u32 {
    let pairs = arrivals.windows(2);
    pairs.fold(1, |frames, pair| match pair {
        [one, two] if one.timestamp != two.timestamp => frames + 1,
        _ => frames,
    })
}

/// Moves the timestamps of frames to `step` before that of the next one, and their arrival to that of the
/// newest.
fn compress(arrivals: &mut [Arrival], step: u32) {
    let Some(newest) = arrivals.last() else {
        return;
    };
    let (at, mut original, mut timestamp) = (newest.at, newest.timestamp, newest.timestamp);
    for arrival in arrivals.iter_mut().rev() {
        if arrival.timestamp != original {
            original = arrival.timestamp;
            timestamp = timestamp.wrapping_sub(step);
        }
        arrival.timestamp = timestamp;
        arrival.at = at;
    }
}
