//! Encodes notices about the receiver's own transports, producers and consumers as frames.

use watersmeet_engine::command::{
    self, CloseReason, ConsumerId, Demand, EncodingScore, Layers, ProducerId, TransportId,
};
use watersmeet_wire::units::Bitrate;

use super::frame::frame;
use super::payloads::*;
use crate::message::{Notice, overall_score};

/// Encodes a notice about the receiver's own transports, producers and consumers.
pub(super) fn encode_media_notice(notice: &Notice) -> Option<String> {
    let id = &None;
    Some(match notice {
        Notice::TransportClosed { transport, reason } => {
            frame("transportClosed", id, transport_closed(*transport, *reason))
        }
        Notice::ConsumerPaused { consumer, paused } => frame(
            consumer_paused_type(*paused),
            id,
            paused_by_producer(*consumer),
        ),
        Notice::ConsumerClosed { consumer, producer } => {
            frame("consumerClosed", id, consumer_closed(*consumer, *producer))
        }
        Notice::ConsumerLayersChanged {
            consumer,
            layers,
            reason,
        } => frame(
            "consumerLayersChanged",
            id,
            layers_changed(*consumer, *layers, *reason),
        ),
        Notice::ProducerScore { producer, scores } => {
            frame("producerScore", id, producer_score(*producer, scores))
        }
        Notice::ConsumerScore {
            consumer,
            score,
            producer_scores,
        } => frame(
            "consumerScore",
            id,
            consumer_score(*consumer, *score, producer_scores),
        ),
        Notice::ProducerDemandChanged { producer, demand } => frame(
            "producerDemandChanged",
            id,
            producer_demand(*producer, *demand),
        ),
        _ => return None,
    })
}

/// Returns the type of the frame about a paused or resumed consumer.
pub(super) const fn consumer_paused_type(paused: bool) -> &'static str {
    if paused {
        "consumerPaused"
    } else {
        "consumerResumed"
    }
}

/// Returns the payload of `transportClosed`.
fn transport_closed(transport: TransportId, reason: CloseReason) -> TransportClosed {
    TransportClosed {
        transport_id: transport.to_string(),
        reason,
    }
}

/// Returns the payload about a consumer that follows its paused or resumed producer.
fn paused_by_producer(consumer: ConsumerId) -> ConsumerPausedNotice {
    ConsumerPausedNotice {
        consumer_id: consumer.to_string(),
        by_producer: true,
    }
}

/// Returns the payload of `consumerClosed`.
fn consumer_closed(consumer: ConsumerId, producer: ProducerId) -> ConsumerClosed {
    ConsumerClosed {
        consumer_id: consumer.to_string(),
        producer_id: producer.to_string(),
    }
}

/// Returns the payload of `producerDemandChanged`.
fn producer_demand(producer: ProducerId, demand: Demand) -> ProducerDemandChanged {
    let bps = |bitrate: Bitrate| u32::try_from(bitrate.as_bps()).unwrap_or(u32::MAX);
    ProducerDemandChanged {
        producer_id: producer.to_string(),
        spatial_layer: demand.layer,
        lowest_bitrate: demand.lowest.map(bps),
        highest_bitrate: demand.highest.map(bps),
    }
}

/// Returns the payload of `consumerLayersChanged`.
fn layers_changed(
    consumer: ConsumerId,
    layers: Option<Layers>,
    reason: Option<command::LayersReason>,
) -> ConsumerLayersChanged {
    ConsumerLayersChanged {
        consumer_id: consumer.to_string(),
        spatial_layer: layers.map(|it| it.spatial_layer),
        temporal_layer: layers.and_then(|it| it.temporal_layer),
        reason: reason.map(Into::into),
    }
}

/// Returns the payload of `producerScore`.
fn producer_score(producer: ProducerId, scores: &[EncodingScore]) -> ProducerScore {
    ProducerScore {
        producer_id: producer.to_string(),
        score: overall_score(scores),
    }
}

/// Returns the payload of `consumerScore`.
fn consumer_score(
    consumer: ConsumerId,
    score: u8,
    producer_scores: &[EncodingScore],
) -> ConsumerScore {
    ConsumerScore {
        consumer_id: consumer.to_string(),
        score,
        producer_score: overall_score(producer_scores),
    }
}
