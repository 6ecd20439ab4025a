//! Consumers of a meetlite client. The server consumes every producer of others for its client, as
//! soon as it has the client's RTP capabilities and a receive transport.

use serde_json::{Value, json};
use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{MediaKind, RtpCapabilities};
use watersmeet_wire::units::Map;

use super::payloads::{self, emit};
use super::request_names::{CONSUME, PAUSE_CONSUMER, RESUME_CONSUMER};
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::media_json::{consumer_parameters, parse_consumer_id};
use crate::message::{CreatedConsumer, ParticipantSummary, PeerId, Request};

/// Maximum length of a consumer id that is echoed in an error, in characters. A valid id has 36.
const CONSUMER_ID_LEN_MAX: usize = 64;

/// Maximum number of consumers requested for one client at a time. Each request carries the
/// client's RTP capabilities, and a room may have hundreds of producers.
const REQUESTED_MAX: usize = 32;

/// Consumers of one client.
#[derive(Debug, Default)]
pub(super) struct ClientConsumers {
    /// RTP capabilities of the client.
    capabilities: Option<RtpCapabilities>,
    /// Newest transport that the client receives on.
    pub transport: Option<TransportId>,
    /// State of each consumer on that transport, by its producer.
    by_producer: Map<ProducerId, ConsumerState>,
}

/// State of the consumer of a producer.
#[derive(Debug)]
enum ConsumerState {
    /// The consumer was requested and is not created yet.
    Requested,
    /// The request was refused with the client's current RTP capabilities.
    Refused,
    /// The consumer was announced to the client.
    Announced(AnnouncedConsumer),
}

/// A consumer that was announced to the client.
#[derive(Debug)]
struct AnnouncedConsumer {
    /// Id of the consumer.
    consumer: ConsumerId,
    /// Owner of the producer.
    peer: PeerId,
    /// Media kind: audio or video.
    kind: MediaKind,
    /// Whether the client has paused the consumer, or has not resumed it yet.
    paused: bool,
}

impl ClientConsumers {
    /// Sets the client's RTP capabilities. Refused producers are tried again.
    pub(super) fn set_capabilities(&mut self, capabilities: RtpCapabilities) {
        self.capabilities = Some(capabilities);
        self.by_producer
            .retain(|_, it| !matches!(it, ConsumerState::Refused));
    }

    /// Makes `transport` the receive transport, without any consumers. Returns the previous one.
    pub(super) fn replace_transport(&mut self, transport: TransportId) -> Option<TransportId> {
        self.by_producer.clear();
        self.transport.replace(transport)
    }

    /// Requests consumers for producers without one, at most [`REQUESTED_MAX`] at a time.
    pub(super) fn consume_all(&mut self, others: &[ParticipantSummary]) -> Vec<Effect> {
        let (Some(capabilities), Some(transport)) = (&self.capabilities, self.transport) else {
            return Vec::new();
        };
        let states = self.by_producer.values();
        let requested = states
            .filter(|it| matches!(it, ConsumerState::Requested))
            .count();
        let mut effects = Vec::new();
        for producer in others.iter().flat_map(|it| &it.producers) {
            let producer = producer.producer;
            if requested + effects.len() >= REQUESTED_MAX {
                break;
            }
            if self.by_producer.contains_key(&producer) {
                continue;
            }
            self.by_producer.insert(producer, ConsumerState::Requested);
            let tag = RequestTag {
                id: Some(json!([producer, transport])),
                event: CONSUME,
            };
            let request = Request::Consume {
                producer,
                transport: Some(transport),
                capabilities: capabilities.clone(),
                start_paused: true,
            };
            effects.push(Effect::Request(tag, request));
        }
        effects
    }

    /// Records that a producer cannot be consumed, unless the transport was replaced meanwhile.
    pub(super) fn mark_refused(&mut self, tag: &RequestTag) {
        let id = tag.id.clone().unwrap_or_default();
        let requested = serde_json::from_value::<(ProducerId, TransportId)>(id);
        if let Ok((producer, transport)) = requested
            && self.transport == Some(transport)
            && let Some(state) = self.by_producer.get_mut(&producer)
        {
            *state = ConsumerState::Refused;
        }
    }

    /// Announces a consumer with `new-consumer`, unless its transport was replaced meanwhile.
    pub(super) fn add(&mut self, created: &CreatedConsumer) -> Vec<Effect> {
        if self.transport != Some(created.transport) {
            return Vec::new();
        }
        let announced = AnnouncedConsumer {
            consumer: created.consumer,
            peer: created.producer_peer.clone(),
            kind: created.kind,
            paused: created.paused,
        };
        self.by_producer
            .insert(created.producer, ConsumerState::Announced(announced));
        let producer = &created.producer_summary;
        let mut payload = payloads::screen_members(producer);
        payload.extend(consumer_parameters(created));
        let consumer = payload.remove("id");
        payload.insert("consumerId".to_owned(), consumer.unwrap_or_default());
        let peer = created.producer_peer.as_str();
        payload.insert("participantId".to_owned(), json!(peer));
        payload.insert("producerPaused".to_owned(), json!(producer.paused));
        payload.insert("consumerPaused".to_owned(), json!(created.paused));
        vec![emit("new-consumer", payload.into())]
    }

    /// Requests to resume every paused consumer.
    pub(super) fn resume_all(&self) -> Vec<Effect> {
        let paused = self.by_producer.values().filter_map(|it| match it {
            ConsumerState::Announced(announced) if announced.paused => {
                Some(announced.consumer.to_string())
            }
            _ => None,
        });
        paused
            .map(|it| decode_pause(RESUME_CONSUMER, &it))
            .collect()
    }

    /// Returns the announced consumers for `participant-stats`.
    pub(super) fn list(&self) -> Vec<Value> {
        let announced = self
            .by_producer
            .iter()
            .filter_map(|(producer, it)| match it {
                ConsumerState::Announced(announced) => Some(json!({
                    "consumerId": announced.consumer.to_string(),
                    "producerId": producer.to_string(),
                    "participantId": announced.peer.as_str(),
                    "kind": announced.kind,
                })),
                ConsumerState::Requested | ConsumerState::Refused => None,
            });
        announced.collect()
    }

    /// Records that the client paused or resumed a consumer, and confirms it.
    pub(super) fn set_paused(&mut self, consumer: ConsumerId, paused: bool) -> Vec<Effect> {
        let Some(announced) = self.find(consumer) else {
            return Vec::new();
        };
        announced.paused = paused;
        let payload = json!({
            "consumerId": consumer.to_string(),
            "participantId": announced.peer.as_str(),
            "kind": announced.kind,
        });
        let name = match paused {
            true => "consumer-paused",
            false => "consumer-resumed",
        };
        vec![emit(name, payload)]
    }

    /// Notifies the client that the producer of a consumer was paused or resumed.
    pub(super) fn producer_paused(&mut self, consumer: ConsumerId, paused: bool) -> Vec<Effect> {
        let name = match paused {
            true => "consumer-producer-paused",
            false => "consumer-producer-resumed",
        };
        let announced = self.find(consumer);
        announced
            .map(|it| consumer_event(name, it))
            .into_iter()
            .collect()
    }

    /// Removes the consumer of a producer, and notifies the client if it was announced.
    pub(super) fn close(&mut self, producer: ProducerId) -> Vec<Effect> {
        match self.by_producer.remove(&producer) {
            Some(ConsumerState::Announced(announced)) => {
                vec![consumer_event("consumer-closed", &announced)]
            }
            Some(ConsumerState::Requested | ConsumerState::Refused) | None => Vec::new(),
        }
    }

    /// Removes the consumer of a producer whose owner left. Clients remove these without a notice.
    pub(super) fn forget(&mut self, producer: ProducerId) {
        self.by_producer.remove(&producer);
    }

    /// Notifies the client that all consumers are closed, if this was their transport.
    pub(super) fn transport_closed(&mut self, transport: TransportId) -> Vec<Effect> {
        if self.transport != Some(transport) {
            return Vec::new();
        }
        self.transport = None;
        let producers: Vec<_> = self.by_producer.keys().copied().collect();
        let closed = producers.into_iter().flat_map(|it| self.close(it));
        closed.collect()
    }

    /// Returns an announced consumer.
    fn find(&mut self, consumer: ConsumerId) -> Option<&mut AnnouncedConsumer> {
        self.by_producer.values_mut().find_map(|it| match it {
            ConsumerState::Announced(announced) if announced.consumer == consumer => {
                Some(announced)
            }
            _ => None,
        })
    }
}

/// Decodes `resume-consumer` or `pause-consumer`. An error names the consumer, so the id is the
/// tag.
pub(super) fn decode_pause(event: &'static str, consumer: &str) -> Effect {
    let echoed: String = consumer.chars().take(CONSUMER_ID_LEN_MAX).collect();
    let tag = RequestTag {
        id: Some(json!(echoed)),
        event,
    };
    match parse_consumer_id(consumer) {
        Ok(consumer) => {
            let paused = event == PAUSE_CONSUMER;
            Effect::Request(tag, Request::PauseConsumer { consumer, paused })
        }
        Err(refusal) => payloads::consumer_error(&tag, &refusal),
    }
}

/// Writes an event about a consumer.
fn consumer_event(name: &str, announced: &AnnouncedConsumer) -> Effect {
    let payload = json!({
        "consumerId": announced.consumer.to_string(),
        "participantId": announced.peer.as_str(),
    });
    emit(name, payload)
}
