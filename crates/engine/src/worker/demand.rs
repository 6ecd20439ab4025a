//! Adds up the layers and bitrates of a producer that its consumers want, here and on other shards, and
//! reports changes to its publisher.

use std::time::Duration;

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::{Bitrate, Time};

use super::Worker;
use crate::command::Event;
use crate::consumer::Consumer;
use crate::producer::demand::Want;
use crate::producer::{Origin, Producer};
use crate::slots::{ConsumerKey, ProducerKey};
use crate::timers::TimerKind;

/// Interval at which what is wanted is compared with what the publisher was told.
const DEMAND_INTERVAL: Duration = Duration::from_millis(500);

/// Bitrate of the lowest layer, in percent of what it has, below which its receivers need it lower.
const LOWER_PERCENT: u64 = 130;

/// Bitrate that a receiver can be sent below which the publisher of a shared screen is told: no screen needs
/// more.
const SCREEN_LIMITED_BELOW: Bitrate = Bitrate::from_kbps(2_500);

impl Worker {
    /// Handles the timer of a producer's demand: tells its publisher what is wanted, if that has changed.
    pub(super) fn update_demand(&mut self, now: Time, key: ProducerKey) {
        let want = self.want_of_all(now, key);
        let Some(producer) = self.producers.get_mut(key) else {
            return;
        };
        if producer.kind == MediaKind::Audio || !producer.is_local() {
            return;
        }
        let due = now + DEMAND_INTERVAL;
        self.timers
            .set(&mut producer.demand_deadline, due, TimerKind::Demand(key));
        if let Some(demand) = producer.update_demand(now, want) {
            let producer = producer.id;
            self.report_event(Event::ProducerDemandChanged { producer, demand });
        }
    }

    /// Tells the publisher at once when a consumer wants a better layer than all others.
    pub(super) fn raise_demand(&mut self, now: Time, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get(key) else {
            return;
        };
        let producer_key = consumer.producer;
        let Some(producer) = self.producers.get(producer_key) else {
            return;
        };
        let wanted = consumer.wanted_layer(producer.layer_count());
        if wanted <= producer.told_layer() {
            return;
        }
        match producer.origin {
            Origin::Transport(_) => self.update_demand(now, producer_key),
            Origin::Shard(_) => self.subscribe(now, producer_key),
        }
    }

    /// Returns what the consumers of this shard want of a producer.
    pub(super) fn want_here(&self, now: Time, key: ProducerKey) -> Want {
        let Some(producer) = self.producers.get(key) else {
            return Want::NOTHING;
        };
        let consumers = self.consumers_of(key).iter();
        consumers
            .filter_map(|consumer| self.consumers.get(*consumer))
            .map(|consumer| want_of(now, consumer, producer))
            .fold(Want::NOTHING, Want::and)
    }

    fn want_of_all(&self, now: Time, key: ProducerKey) -> Want {
        let producer = self.producers.get(key);
        let pipes = producer.map_or(&[][..], |producer| &producer.pipes);
        let here = self.want_here(now, key);
        pipes.iter().map(|pipe| pipe.want).fold(here, Want::and)
    }
}

/// Returns what one consumer wants.
fn want_of(now: Time, consumer: &Consumer, producer: &Producer) -> Want {
    let Some(layer) = consumer.wanted_layer(producer.layer_count()) else {
        return Want::NOTHING;
    };
    let share = consumer.share;
    let measured = producer.layer_bitrate(now, 0);
    let is_too_much = |share: &Bitrate| {
        // The present bitrate of a shared screen does not predict that of its next page.
        producer.is_screen() && *share < SCREEN_LIMITED_BELOW
            || measured.is_some_and(|it| share.as_bps() < it.as_bps() * LOWER_PERCENT / 100)
    };
    let carried = share.bitrate.filter(|_| layer == 0).filter(is_too_much);
    Want {
        layer: Some(layer),
        lowest: carried.unwrap_or(Want::NOTHING.lowest),
        highest: share.bitrate.unwrap_or(Bitrate::ZERO),
        is_limited: share.is_limited && share.bitrate.is_some(),
    }
}
