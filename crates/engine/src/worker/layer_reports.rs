//! Reports which layers a consumer is sent, and why they are no better: because of the receiver's
//! bandwidth, or because the publisher does not send better ones.

use watersmeet_wire::units::Time;

use super::Worker;
use crate::command::Event;
use crate::consumer::Consumer;
use crate::consumer::layer_limit::LayerLimit;
use crate::layers::LayersReason;
use crate::producer::Producer;
use crate::producer::activity::bit;
use crate::slots::ConsumerKey;

impl Worker {
    /// Reports the layers of a consumer that have changed.
    pub(super) fn report_layers(&mut self, now: Time, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key) else {
            return;
        };
        if let Some(producer) = self.producers.get(consumer.producer) {
            let event = layers_event(now, consumer, producer);
            self.report_event(event);
        }
    }

    /// Reports the layers of a consumer if only the reason has changed for which they are no better.
    pub(super) fn report_layers_reason(&mut self, now: Time, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get(key) else {
            return;
        };
        let Some(producer) = self.producers.get(consumer.producer) else {
            return;
        };
        // While the first keyframe is awaited, the layers are about to be reported.
        let is_settled =
            consumer.layers.current().is_some() || consumer.layers.limit() == LayerLimit::Paused;
        let reason = layers_reason(now, consumer, producer);
        if is_settled && reason.is_some_and(|it| consumer.told.is_reason_due(now, it)) {
            self.report_layers(now, key);
        }
    }
}

/// Returns the report of the layers that a consumer is sent, and records it.
pub(super) fn layers_event(now: Time, consumer: &mut Consumer, producer: &Producer) -> Event {
    let reason = layers_reason(now, consumer, producer);
    consumer.told.record_layers(now, reason);
    Event::ConsumerLayersChanged {
        consumer: consumer.id,
        layers: consumer.layers.sent(),
        reason,
    }
}

/// Returns why a consumer is sent lower layers than it prefers. `None` when it is sent that layer, or when
/// a better one only waits for a keyframe or for its publisher to start it.
fn layers_reason(now: Time, consumer: &Consumer, producer: &Producer) -> Option<LayersReason> {
    if consumer.held {
        return Some(LayersReason::LastN);
    }
    let best = producer.layer_count().checked_sub(1)?;
    let preferred = consumer.layers.preferred_max().min(best);
    let sent = consumer.layers.current();
    let is_slowed = consumer.share.is_slowed;
    if sent >= Some(preferred) {
        return is_slowed.then_some(LayersReason::Bandwidth);
    }
    if consumer.share.is_limited || is_slowed {
        return Some(LayersReason::Bandwidth);
    }
    let active = consumer.layers.active();
    let is_missing = |layer| active & bit(layer) == 0 && !producer.would_start(now, layer);
    let mut better = sent.map_or(0, |sent| sent + 1)..=preferred;
    better.all(is_missing).then_some(LayersReason::Publisher)
}
