//! Redundancy of audio (RFC 2198): lets consumers repeat earlier payloads as their losses call for, as far
//! as the path of their transport carries it ([`crate::redundancy`] chooses by the losses).

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

use super::Worker;
use super::outbound::Outbound;
use crate::redundancy::DISTANCE_MAX;
use crate::slots::TransportKey;

/// Part of the estimated bitrate of a path that redundancy may take, in percent. The estimate is what the
/// path carries besides speech itself; the rest is for pictures.
const SHARE_PERCENT: u64 = 50;

/// Queue on a path without an estimate, as its round trips show it, from which on losses come from
/// congestion, which redundancy would make worse.
const QUEUE_MAX: Duration = Duration::from_millis(150);

impl Worker {
    /// Distributes what the path of a transport can carry of redundancy among its audio consumers: everybody
    /// repeats one earlier payload before anybody repeats two.
    pub(super) fn distribute_redundancy(&mut self, now: Time, key: TransportKey) {
        let Some(entry) = self.transports.get(key) else {
            return;
        };
        let outbound = &entry.outbound;
        let mut left = outbound.redundancy_bitrate(now);
        for distance in 0..=DISTANCE_MAX {
            for consumer_key in &outbound.consumers {
                let consumer = self.consumers.get_mut(*consumer_key);
                let Some(consumer) = consumer.filter(|it| it.accepts_redundancy()) else {
                    continue;
                };
                if distance == 0 {
                    consumer.set_distance(0);
                    continue;
                }
                if consumer.wanted_distance() < distance || !consumer.is_sending() {
                    continue;
                }
                let producer = self.producers.get(consumer.producer);
                let cost = producer.and_then(|it| it.layer_bitrate(now, 0));
                let cost = cost.unwrap_or(Bitrate::ZERO).as_bps();
                if cost <= left && consumer.distance() == distance - 1 {
                    consumer.set_distance(distance);
                    left -= cost;
                }
            }
        }
    }
}

impl Outbound {
    /// Returns the bitrate that redundancy may take, in bits per second. Where a queue overflows it would make more be
    /// lost.
    fn redundancy_bitrate(&self, now: Time) -> u64 {
        let bandwidth = self.bandwidth.as_ref();
        if bandwidth.is_some_and(|it| it.estimator.loses_by_overflow(now)) {
            return 0;
        }
        if let Some(available) = self.available_bitrate(now) {
            return available.as_bps() * SHARE_PERCENT / 100;
        }
        let queue = self.round_trip.get(now);
        let queue = queue.map(|it| it.saturating_sub(self.shortest_round_trip.get()));
        match queue {
            Some(queue) if queue > QUEUE_MAX => 0,
            _ => u64::MAX,
        }
    }
}
