//! A shard without media, for tests of the conference.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use watersmeet_engine::command::{
    Command, ConsumerId, Event, ProducerId, Refusal, Reply, RouterId, TransportId,
};
use watersmeet_wire::params::MediaKind;

use super::{candidate, dtls_parameters, ice_parameters, rtp_parameters};

/// A shard without media. It refuses what a worker would refuse, and records which objects exist.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FakeShard {
    pub routers: BTreeSet<RouterId>,
    pub transports: BTreeMap<TransportId, RouterId>,
    pub producers: BTreeMap<ProducerId, (TransportId, MediaKind)>,
    pub consumers: BTreeMap<ConsumerId, (TransportId, ProducerId)>,
    /// Producers that no client can consume.
    pub unconsumable: BTreeSet<ProducerId>,
    /// Consumers that are held back.
    pub held: BTreeSet<ConsumerId>,
    /// Voices to which routers are limited.
    pub voices: BTreeMap<RouterId, u8>,
    /// Whether datagrams arrive on the transports.
    pub hears_media: bool,
    /// Piped producers: router and origin shard of each.
    pub pipes: BTreeMap<ProducerId, (RouterId, MediaKind, u8)>,
}

impl FakeShard {
    /// Executes a command as a worker would. Events report the other objects that it closes.
    pub fn execute(&mut self, command: Command, events: &mut Vec<Event>) -> Result<Reply, Refusal> {
        match command {
            Command::CreateRouter { router, .. } => {
                assert!(self.routers.insert(router), "a router id twice");
                let capabilities = serde_json::from_value(json!({})).unwrap();
                return Ok(Reply::Router { capabilities });
            }
            Command::CloseRouter { router } => {
                if !self.routers.remove(&router) {
                    return Err(Refusal::RouterNotFound);
                }
                self.voices.remove(&router);
                let own = self.transports.iter().filter(|(_, it)| **it == router);
                let own: Vec<_> = own.map(|(id, _)| *id).collect();
                for transport in own {
                    self.close_transport(transport, events);
                }
                self.pipes.retain(|_, (it, ..)| *it != router);
            }
            Command::CreateTransport {
                router, transport, ..
            } => {
                if !self.routers.contains(&router) {
                    return Err(Refusal::RouterNotFound);
                }
                assert!(self.transports.insert(transport, router).is_none());
                return Ok(transport_reply());
            }
            Command::ConnectTransport { transport, .. } => self.transport(transport)?,
            Command::RestartIce { transport } => {
                self.transport(transport)?;
                let Reply::Transport { ice, .. } = transport_reply() else {
                    unreachable!()
                };
                return Ok(Reply::IceRestarted { ice });
            }
            Command::CloseTransport { transport } => {
                self.transport(transport)?;
                self.close_transport(transport, events);
            }
            Command::Produce {
                transport,
                producer,
                kind,
                ..
            } => {
                self.transport(transport)?;
                assert!(self.producers.insert(producer, (transport, kind)).is_none());
                let consumable = serde_json::from_value(rtp_parameters()).unwrap();
                return Ok(Reply::Producer {
                    consumable: Box::new(consumable),
                });
            }
            Command::CreatePipedProducer {
                router,
                producer,
                kind,
                origin,
                ..
            } => {
                if !self.routers.contains(&router) {
                    return Err(Refusal::RouterNotFound);
                }
                assert!(
                    !self.producers.contains_key(&producer),
                    "the producer is on this shard"
                );
                let pipe = (router, kind, origin);
                assert!(self.pipes.insert(producer, pipe).is_none(), "piped twice");
            }
            Command::PauseProducer { producer } => self.pause(producer, true, events)?,
            Command::ResumeProducer { producer } => self.pause(producer, false, events)?,
            Command::CloseProducer { producer } => {
                self.kind_of(producer)?;
                self.close_producer(producer, events);
            }
            Command::Consume {
                transport,
                consumer,
                producer,
                capabilities,
                ..
            } => {
                self.transport(transport)?;
                let kind = self.kind_of(producer)?;
                if capabilities.codecs.is_empty() || self.unconsumable.contains(&producer) {
                    return Err(Refusal::CannotConsume);
                }
                assert!(
                    self.consumers
                        .insert(consumer, (transport, producer))
                        .is_none()
                );
                return Ok(Reply::Consumer {
                    kind,
                    rtp: serde_json::from_value(rtp_parameters()).unwrap(),
                    producer_paused: false,
                    simulcast: false,
                });
            }
            Command::LimitVoices { router, count } => {
                if !self.routers.contains(&router) {
                    return Err(Refusal::RouterNotFound);
                }
                self.voices.insert(router, count);
            }
            Command::HoldConsumer { consumer, held } => {
                self.consumer(consumer)?;
                let is_changed = match held {
                    true => self.held.insert(consumer),
                    false => self.held.remove(&consumer),
                };
                assert!(is_changed, "held or let go on twice");
            }
            Command::PauseConsumer { consumer }
            | Command::ResumeConsumer { consumer }
            | Command::SetPreferredLayers { consumer, .. }
            | Command::SetPriority { consumer, .. }
            | Command::RequestKeyframe { consumer } => self.consumer(consumer)?,
            Command::CloseConsumer { consumer } => {
                self.consumer(consumer)?;
                self.consumers.remove(&consumer);
                self.held.remove(&consumer);
            }
            Command::ProducerStats { producer } => {
                self.producers
                    .get(&producer)
                    .ok_or(Refusal::ProducerNotFound)?;
                return Ok(Reply::ProducerStats(Vec::new()));
            }
            Command::TransportSilence { transport } => {
                self.transport(transport)?;
                let silence = if self.hears_media { 0 } else { 60 };
                return Ok(Reply::TransportSilence(Duration::from_secs(silence)));
            }
            // Real values come from the engine; a fake shard has none.
            Command::TransportStats { transport } => {
                self.transport(transport)?;
                return Ok(Reply::ProducerStats(Vec::new()));
            }
            Command::ConsumerStats { consumer } => {
                self.consumer(consumer)?;
                return Ok(Reply::ProducerStats(Vec::new()));
            }
        }
        Ok(Reply::Done)
    }

    fn transport(&self, id: TransportId) -> Result<(), Refusal> {
        self.transports
            .get(&id)
            .map(|_| ())
            .ok_or(Refusal::TransportNotFound)
    }

    /// Returns the kind of a producer that can be consumed here, its own or a piped one.
    fn kind_of(&self, id: ProducerId) -> Result<MediaKind, Refusal> {
        let own = self.producers.get(&id).map(|(_, kind)| *kind);
        let kind = own.or_else(|| self.pipes.get(&id).map(|(_, kind, _)| *kind));
        kind.ok_or(Refusal::ProducerNotFound)
    }

    fn consumer(&self, id: ConsumerId) -> Result<(), Refusal> {
        self.consumers
            .get(&id)
            .map(|_| ())
            .ok_or(Refusal::ConsumerNotFound)
    }

    fn pause(&self, id: ProducerId, paused: bool, events: &mut Vec<Event>) -> Result<(), Refusal> {
        self.producers.get(&id).ok_or(Refusal::ProducerNotFound)?;
        let consumers = self.consumers.iter().filter(|(_, (_, it))| *it == id);
        events.extend(consumers.map(|(id, _)| Event::ConsumerProducerPaused {
            consumer: *id,
            paused,
        }));
        Ok(())
    }

    fn close_producer(&mut self, id: ProducerId, events: &mut Vec<Event>) {
        self.producers.remove(&id);
        self.pipes.remove(&id);
        self.consumers.retain(|consumer, (_, producer)| {
            if *producer == id {
                events.push(Event::ConsumerClosed {
                    consumer: *consumer,
                });
                self.held.remove(consumer);
            }
            *producer != id
        });
    }

    pub fn close_transport(&mut self, id: TransportId, events: &mut Vec<Event>) {
        self.transports.remove(&id);
        let held = &mut self.held;
        self.consumers.retain(|consumer, (transport, _)| {
            if *transport == id {
                held.remove(consumer);
            }
            *transport != id
        });
        let own = self.producers.iter().filter(|(_, (it, _))| *it == id);
        let own: Vec<_> = own.map(|(id, _)| *id).collect();
        for producer in own {
            self.close_producer(producer, events);
            events.push(Event::ProducerClosed { producer });
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Returns the reply to `CreateTransport`.
fn transport_reply() -> Reply {
    Reply::Transport {
        ice: serde_json::from_value(ice_parameters()).unwrap(),
        candidates: serde_json::from_value(json!([candidate()])).unwrap(),
        dtls: serde_json::from_value(dtls_parameters("auto")).unwrap(),
    }
}
