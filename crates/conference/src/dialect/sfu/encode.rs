//! Encodes acknowledgements and events.

use serde_json::{Value, json};
use watersmeet_engine::command::ProducerId;
use watersmeet_wire::params::MediaKind;

use super::{BARE_CAPABILITIES, Entry, JOIN, State};
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::media_json::{consumer_parameters, transport_parameters};
use crate::dialect::remote_producers::RemoteProducers;
use crate::dialect::socketio_event::{acknowledge, emit};
use crate::dialect::transport_events::{encode_refusal, producers_of_others};
use crate::message::{
    CreatedTransport, Direction, Notice, ParticipantSummary, Refusal, Reply, RoomSnapshot,
    TransportKey,
};

impl State {
    /// Encodes the reply to a request.
    pub(crate) fn encode_reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        let answer = match reply {
            Reply::Joined(RoomSnapshot { others, .. }) => return self.enter(others),
            Reply::RouterCapabilities(capabilities) => {
                let answer = match tag.event {
                    BARE_CAPABILITIES => json!(**capabilities),
                    _ => json!({ "rtpCapabilities": **capabilities }),
                };
                let mut effects = acknowledge(self.namespace, tag, answer);
                let unannounced = self.unannounced.take().unwrap_or_default();
                effects.extend(unannounced.into_iter().map(|it| self.announce(it)));
                return effects;
            }
            Reply::TransportCreated(created) => return self.transport_created(tag, created),
            Reply::TransportConnected { .. } => json!({ "connected": true }),
            Reply::Produced { producer, .. } => {
                self.own_producer = Some(producer.producer);
                json!({ "id": producer.producer.to_string() })
            }
            Reply::Consumed(created) => {
                self.newest_consumer = Some(created.consumer);
                self.nameless_consumed(tag);
                json!({ "params": consumer_parameters(created) })
            }
            Reply::ConsumerPaused { .. } => json!({ "resumed": true }),
            Reply::Participants(participants) => {
                // This reply lists the producers, so they are not announced again.
                self.unannounced = self.unannounced.take().map(|_| Vec::new());
                producers_of_others(participants, &self.context.peer)
                    .map(|it| json!({ "id": it.producer.to_string(), "kind": it.kind }))
                    .collect::<Value>()
            }
            _ => return Vec::new(),
        };
        acknowledge(self.namespace, tag, answer)
    }

    /// Records that the client is in its room, and sends the request that waited for it.
    fn enter(&mut self, others: &[ParticipantSummary]) -> Vec<Effect> {
        self.remote_producers = RemoteProducers::of(others);
        let producers = others.iter().flat_map(|it| &it.producers);
        self.unannounced = Some(producers.map(|it| (it.producer, it.kind)).collect());
        match std::mem::replace(&mut self.entry, Entry::Inside) {
            Entry::Joining(tag, request) => vec![Effect::Request(tag, *request)],
            Entry::Outside | Entry::Inside => Vec::new(),
        }
    }

    /// Acknowledges a created transport. If its producer was closed meanwhile, the request is
    /// refused and the transport closed.
    fn transport_created(&mut self, tag: &RequestTag, created: &CreatedTransport) -> Vec<Effect> {
        if created.direction == Direction::Send {
            self.send_transport = Some(created.transport);
        }
        if let Some(TransportKey::RecvProducer(producer)) = created.key
            && !self
                .remote_producers
                .set_transport(producer, created.transport)
        {
            let mut effects = self.encode_refusal(tag, &Refusal::ProducerNotFound);
            effects.extend(self.remote_producers.close_unused(created.transport));
            return effects;
        }
        let answer = json!({ "params": transport_parameters(created) });
        let mut effects = acknowledge(self.namespace, tag, answer);
        effects.extend(self.nameless_transport_created(created));
        effects
    }

    /// Encodes the refusal of a request.
    pub(crate) fn encode_refusal(&mut self, tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
        if let Some(next) = self.consume_next(tag, refusal) {
            return vec![next];
        }
        if tag.event != JOIN {
            return encode_refusal(self.namespace, tag, refusal);
        }
        // The event that waited for the join is refused for the same reason.
        match std::mem::replace(&mut self.entry, Entry::Outside) {
            Entry::Joining(tag, _) => encode_refusal(self.namespace, &tag, refusal),
            Entry::Outside | Entry::Inside => Vec::new(),
        }
    }

    /// Encodes a notice.
    pub(crate) fn encode_notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::ProducerAdded { producer, .. } => {
                self.remote_producers.add(producer.producer);
                let added = (producer.producer, producer.kind);
                match &mut self.unannounced {
                    Some(unannounced) => {
                        unannounced.push(added);
                        Vec::new()
                    }
                    None => vec![self.announce(added)],
                }
            }
            Notice::ProducerClosed { producer, .. } => self.producer_closed(*producer),
            Notice::ParticipantLeft { producers, .. } => {
                let closed = producers.iter().flat_map(|it| self.producer_closed(*it));
                closed.collect()
            }
            Notice::TransportClosed { transport, .. } => {
                self.remote_producers.forget_transport(*transport);
                self.send_transport = self.send_transport.filter(|it| it != transport);
                self.nameless_transport = self.nameless_transport.filter(|it| it != transport);
                Vec::new()
            }
            Notice::Admitted(RoomSnapshot { others, .. }) => self.enter(others),
            Notice::WorkerLost => vec![Effect::CLOSE_MEDIA_LOST],
            Notice::Removed { .. } => vec![Effect::CLOSE_REMOVED],
            _ => Vec::new(),
        }
    }

    /// Closes the transport of another participant's closed producer, and notifies the client if
    /// the producer was announced.
    fn producer_closed(&mut self, producer: ProducerId) -> Vec<Effect> {
        let Some(mut effects) = self.remote_producers.remove(producer) else {
            return Vec::new();
        };
        if let Some(unannounced) = &mut self.unannounced
            && let Some(index) = unannounced.iter().position(|(it, _)| *it == producer)
        {
            unannounced.remove(index);
            return effects;
        }
        let payload = json!({ "producerId": producer.to_string() });
        effects.push(emit(self.namespace, "delete-producer", payload));
        effects
    }

    /// Announces a producer of another participant.
    fn announce(&self, (producer, kind): (ProducerId, MediaKind)) -> Effect {
        let payload = json!({ "producerId": producer.to_string(), "kind": kind });
        emit(self.namespace, "new-producer", payload)
    }
}
