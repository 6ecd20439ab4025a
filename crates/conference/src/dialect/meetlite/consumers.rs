//! What a meetlite client receives: the server consumes everything for it, as soon as it is known
//! what the client can receive and there is a transport for it. And what the client is told of
//! people and of what they send.

use serde_json::{Value, json};
use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{MediaKind, RtpCapabilities};
use watersmeet_wire::units::Map;

use super::payloads::{self, Label, told};
use super::{CONSUME, PAUSE_CONSUMER, RESUME_CONSUMER, State};
use crate::dialect::{Effect, RequestTag, media_json};
use crate::message::{CreatedConsumer, Notice, ParticipantSummary, PeerId, Request};

/// Longest text that comes back as the consumer that is none, in characters: an id has 36.
const CONSUMER_ID_LEN_MAX: usize = 64;

/// Most consumers that are being made for one client at a time. Each request carries what the
/// client can receive, and a room may have hundreds of producers.
const ASKED_MAX: usize = 32;

/// What a client receives.
#[derive(Debug, Default)]
pub(super) struct Receptions {
    /// What it can receive, once it has said so.
    capabilities: Option<RtpCapabilities>,
    /// Its newest transport to receive on.
    pub transport: Option<TransportId>,
    /// What is received on that transport. Each producer of the room at most once.
    taken: Map<ProducerId, Reception>,
}

/// A producer on its way to the client.
#[derive(Debug)]
enum Reception {
    /// Its consumer is being made.
    Asked,
    /// There is none to be had, with what the client can receive.
    Refused,
    /// The client knows of its consumer.
    Made(Made),
}

/// A consumer that the client knows of.
#[derive(Debug)]
struct Made {
    /// Its id.
    consumer: ConsumerId,
    /// Whose media it brings.
    peer: PeerId,
    /// Audio or video.
    kind: MediaKind,
    /// Whether the client has stopped it, or not begun yet.
    paused: bool,
}

impl Receptions {
    /// The client can receive this.
    pub(super) fn set_capabilities(&mut self, capabilities: RtpCapabilities) {
        self.capabilities = Some(capabilities);
        self.taken.retain(|_, it| !matches!(it, Reception::Refused));
    }

    /// Receives on another transport from now on. Gives the one before.
    pub(super) fn begin(&mut self, transport: TransportId) -> Option<TransportId> {
        self.taken.clear();
        self.transport.replace(transport)
    }

    /// Consumes whatever is not consumed yet, a few at a time.
    pub(super) fn consume(&mut self, others: &[ParticipantSummary]) -> Vec<Effect> {
        let (Some(capabilities), Some(transport)) = (&self.capabilities, self.transport) else {
            return Vec::new();
        };
        let asked = self.taken.values();
        let asked = asked.filter(|it| matches!(it, Reception::Asked)).count();
        let mut effects = Vec::new();
        for producer in others.iter().flat_map(|it| &it.producers) {
            let producer = producer.producer;
            if asked + effects.len() >= ASKED_MAX {
                break;
            }
            if self.taken.contains_key(&producer) {
                continue;
            }
            self.taken.insert(producer, Reception::Asked);
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

    /// Something cannot be consumed. It is asked for again when the client can receive more.
    pub(super) fn give_up(&mut self, tag: &RequestTag) {
        let id = tag.id.clone().unwrap_or_default();
        let asked = serde_json::from_value::<(ProducerId, TransportId)>(id);
        if let Ok((producer, transport)) = asked
            && self.transport == Some(transport)
            && let Some(reception) = self.taken.get_mut(&producer)
        {
            *reception = Reception::Refused;
        }
    }

    /// Tells of a consumer. One on a transport that was replaced is gone with it.
    pub(super) fn consumed(&mut self, offer: &CreatedConsumer) -> Vec<Effect> {
        if self.transport != Some(offer.transport) {
            return Vec::new();
        }
        let made = Made {
            consumer: offer.consumer,
            peer: offer.producer_peer.clone(),
            kind: offer.kind,
            paused: offer.paused,
        };
        self.taken.insert(offer.producer, Reception::Made(made));
        let mut payload = payloads::screen_marks(&offer.source);
        payload.extend(media_json::consumer_parameters(offer));
        let consumer = payload.remove("id");
        payload.insert("consumerId".to_owned(), consumer.unwrap_or_default());
        let peer = offer.producer_peer.as_str();
        payload.insert("participantId".to_owned(), json!(peer));
        payload.insert("producerPaused".to_owned(), json!(offer.source.paused));
        payload.insert("consumerPaused".to_owned(), json!(offer.paused));
        vec![told("new-consumer", payload.into())]
    }

    /// Asks for everything to go on that the client has stopped, or not begun yet.
    pub(super) fn resume_all(&self) -> Vec<Effect> {
        let paused = self.taken.values().filter_map(|it| match it {
            Reception::Made(made) if made.paused => Some(made.consumer.to_string()),
            _ => None,
        });
        paused.map(|it| pause(RESUME_CONSUMER, &it)).collect()
    }

    /// The consumers that the client knows of.
    pub(super) fn list(&self) -> Vec<Value> {
        let made = self.taken.iter().filter_map(|(producer, it)| match it {
            Reception::Made(made) => Some(json!({
                "consumerId": made.consumer.to_string(),
                "producerId": producer.to_string(),
                "participantId": made.peer.as_str(),
                "kind": made.kind,
            })),
            Reception::Asked | Reception::Refused => None,
        });
        made.collect()
    }

    /// Tells that a consumer has stopped or goes on because the client wanted it.
    pub(super) fn paused(&mut self, consumer: ConsumerId, paused: bool) -> Vec<Effect> {
        let Some(made) = self.made(consumer) else {
            return Vec::new();
        };
        made.paused = paused;
        let payload = json!({
            "consumerId": consumer.to_string(),
            "participantId": made.peer.as_str(),
            "kind": made.kind,
        });
        let name = match paused {
            true => "consumer-paused",
            false => "consumer-resumed",
        };
        vec![told(name, payload)]
    }

    /// Tells that nothing comes, or something again, because its sender wanted it.
    pub(super) fn producer_paused(&mut self, consumer: ConsumerId, paused: bool) -> Vec<Effect> {
        let name = match paused {
            true => "consumer-producer-paused",
            false => "consumer-producer-resumed",
        };
        let made = self.made(consumer);
        made.map(|made| consumer_event(name, made))
            .into_iter()
            .collect()
    }

    /// Tells that a consumer is gone, if the client knows of it.
    pub(super) fn close(&mut self, producer: ProducerId) -> Vec<Effect> {
        match self.taken.remove(&producer) {
            Some(Reception::Made(made)) => vec![consumer_event("consumer-closed", &made)],
            Some(Reception::Asked | Reception::Refused) | None => Vec::new(),
        }
    }

    /// Forgets what a participant sent, which the client does by itself when that one leaves.
    fn forget(&mut self, producer: ProducerId) {
        self.taken.remove(&producer);
    }

    /// Tells that all consumers are gone, if they were on this transport.
    pub(super) fn end(&mut self, transport: TransportId) -> Vec<Effect> {
        if self.transport != Some(transport) {
            return Vec::new();
        }
        self.transport = None;
        let producers: Vec<_> = self.taken.keys().copied().collect();
        let closed = producers.into_iter().flat_map(|it| self.close(it));
        closed.collect()
    }

    /// A consumer that the client knows of.
    fn made(&mut self, consumer: ConsumerId) -> Option<&mut Made> {
        self.taken.values_mut().find_map(|it| match it {
            Reception::Made(made) if made.consumer == consumer => Some(made),
            _ => None,
        })
    }
}

/// Reads `resume-consumer` or `pause-consumer`.
pub(super) fn pause(event: &'static str, consumer: &str) -> Effect {
    let shown: String = consumer.chars().take(CONSUMER_ID_LEN_MAX).collect();
    let tag = RequestTag {
        id: Some(json!(shown)),
        event,
    };
    match media_json::consumer(consumer) {
        Ok(consumer) => {
            let paused = event == PAUSE_CONSUMER;
            Effect::Request(tag, Request::PauseConsumer { consumer, paused })
        }
        Err(refusal) => payloads::consumer_error(&tag, &refusal),
    }
}

/// What happened to a consumer.
fn consumer_event(name: &str, made: &Made) -> Effect {
    let payload = json!({
        "consumerId": made.consumer.to_string(),
        "participantId": made.peer.as_str(),
    });
    told(name, payload)
}

impl State {
    /// Somebody else in the room.
    pub(super) fn other(&self, peer: &PeerId) -> Option<&ParticipantSummary> {
        self.others.iter().find(|it| it.peer == *peer)
    }

    /// Notes what changed in the room. The client is told once it knows of the room.
    pub(super) fn changed(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::ParticipantJoined {
                peer,
                display_name,
                user,
                role,
            } => {
                let other = ParticipantSummary {
                    peer: peer.clone(),
                    display_name: display_name.clone(),
                    user: user.clone(),
                    role: *role,
                    producers: Vec::new(),
                };
                let payload = json!({
                    "participantId": peer.as_str(),
                    "userInfo": payloads::info(&other),
                });
                self.others.push(other);
                self.visible(told("participant-joined", payload))
            }
            Notice::ParticipantLeft {
                peer, producers, ..
            } => {
                self.others.retain(|it| it.peer != *peer);
                for producer in producers {
                    self.receptions.forget(*producer);
                }
                let payload = json!({ "participantId": peer.as_str() });
                let mut effects = self.visible(told("participant-left", payload));
                if self.is_calling {
                    effects.push(told("user-left", json!({ "userId": peer.as_str() })));
                }
                effects
            }
            Notice::ProducerAdded { peer, producer, .. } => {
                let mut others = self.others.iter_mut();
                if let Some(other) = others.find(|it| it.peer == *peer) {
                    other.producers.push(producer.clone());
                }
                self.receptions.consume(&self.others)
            }
            Notice::ProducerPaused {
                peer,
                producer,
                paused,
            } => self.producer_paused(peer, *producer, *paused),
            Notice::ProducerClosed { peer, producer } => {
                if !self.forget_own(*producer) {
                    for other in &mut self.others {
                        other.producers.retain(|it| it.producer != *producer);
                    }
                }
                let payload = json!({
                    "participantId": peer.as_str(),
                    "producerId": producer.to_string(),
                });
                let mut effects = self.visible(told("producer-closed", payload));
                effects.extend(self.receptions.close(*producer));
                effects
            }
            // Its clients have no words for these.
            _ => Vec::new(),
        }
    }

    /// What a client is told that knows of the room.
    fn visible(&self, effect: Effect) -> Vec<Effect> {
        let effect = Some(effect).filter(|_| self.is_visible);
        effect.into_iter().collect()
    }

    /// Notes that somebody paused or resumed what it sends.
    fn producer_paused(&mut self, peer: &PeerId, id: ProducerId, paused: bool) -> Vec<Effect> {
        let others = self.others.iter_mut();
        let mut producers = others.flat_map(|it| &mut it.producers);
        let Some(producer) = producers.find(|it| it.producer == id) else {
            return Vec::new();
        };
        producer.paused = paused;
        let event = match paused {
            true => "paused",
            false => "resumed",
        };
        let payload = json!({
            "participantId": peer.as_str(),
            "kind": Label::of(producer),
            "event": event,
            "data": { "producerId": id.to_string() },
        });
        self.visible(told("producer-state-changed", payload))
    }
}
