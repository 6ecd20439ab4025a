//! Writes acknowledgements and events.

use serde_json::{Value, json};
use watersmeet_engine::command::ProducerId;
use watersmeet_wire::params::MediaKind;

use super::{BARE_CAPABILITIES, CONSUME, CREATE_TRANSPORT, Entry, JOIN, State};
use crate::dialect::remote_producers::RemoteProducers;
use crate::dialect::{Effect, RequestTag, media_json};
use crate::message::{
    CreatedTransport, Direction, Notice, ParticipantSummary, Refusal, Reply, TransportKey,
};

impl State {
    /// Writes the answer to a request.
    pub(in crate::dialect) fn reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        match reply {
            Reply::Joined { others, .. } => self.entered(others),
            Reply::RouterCapabilities(capabilities) => {
                let answer = match tag.event {
                    BARE_CAPABILITIES => json!(**capabilities),
                    _ => json!({ "rtpCapabilities": **capabilities }),
                };
                let mut effects = self.acknowledged(tag, answer);
                let unannounced = self.unannounced.take().unwrap_or_default();
                effects.extend(unannounced.into_iter().map(|it| self.announced(it)));
                effects
            }
            Reply::TransportCreated(offer) => self.transport_created(tag, offer),
            Reply::TransportConnected { .. } => {
                self.acknowledged(tag, json!({ "connected": true }))
            }
            Reply::Produced { producer, .. } => {
                self.acknowledged(tag, json!({ "id": producer.producer.to_string() }))
            }
            Reply::Consumed(offer) => {
                self.newest_consumer = Some(offer.consumer);
                let parameters = media_json::consumer_parameters(offer);
                self.acknowledged(tag, json!({ "params": parameters }))
            }
            Reply::ConsumerPaused { .. } => self.acknowledged(tag, json!({ "resumed": true })),
            Reply::Participants(participants) => {
                let own = &self.opened.peer;
                let others = participants.iter().filter(|it| it.peer != *own);
                let producers = others.flat_map(|it| &it.producers);
                let listed = producers
                    .map(|it| json!({ "id": it.producer.to_string(), "kind": it.kind }))
                    .collect();
                // Whoever was told of them is not told again.
                self.unannounced = self.unannounced.take().map(|_| Vec::new());
                self.acknowledged(tag, Value::Array(listed))
            }
            _ => Vec::new(),
        }
    }

    /// It is in its room now: what it asked first is asked now.
    fn entered(&mut self, others: &[ParticipantSummary]) -> Vec<Effect> {
        self.remotes = RemoteProducers::of(others);
        let producers = others.iter().flat_map(|it| &it.producers);
        self.unannounced = Some(producers.map(|it| (it.producer, it.kind)).collect());
        match std::mem::replace(&mut self.entry, Entry::Inside) {
            Entry::Entering(tag, request) => vec![Effect::Request(tag, *request)],
            Entry::Outside | Entry::Inside => Vec::new(),
        }
    }

    /// Writes a transport, unless the producer it was for has ended meanwhile.
    fn transport_created(&mut self, tag: &RequestTag, offer: &CreatedTransport) -> Vec<Effect> {
        if offer.direction == Direction::Send {
            self.sending = Some(offer.transport);
        }
        if let Some(TransportKey::RecvProducer(producer)) = offer.key
            && !self.remotes.arrives(producer, offer.transport)
        {
            let mut effects = self.refusal(tag, &Refusal::ProducerNotFound);
            effects.extend(self.remotes.close(offer.transport));
            return effects;
        }
        let parameters = media_json::transport_parameters(offer);
        self.acknowledged(tag, json!({ "params": parameters }))
    }

    /// Writes the refusal of a request.
    pub(in crate::dialect) fn refusal(
        &mut self,
        tag: &RequestTag,
        refusal: &Refusal,
    ) -> Vec<Effect> {
        match tag.event {
            // What it asked first is refused for the reason that it may not come in.
            JOIN => match std::mem::replace(&mut self.entry, Entry::Outside) {
                Entry::Entering(tag, _) => self.refusal(&tag, refusal),
                Entry::Outside | Entry::Inside => Vec::new(),
            },
            CREATE_TRANSPORT | CONSUME => {
                let error = json!({ "error": refusal.to_string() });
                self.acknowledged(tag, json!({ "params": error }))
            }
            _ => media_json::refused(self.namespace, tag, refusal),
        }
    }

    /// Writes a notice.
    pub(in crate::dialect) fn notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::ProducerAdded { producer, .. } => {
                self.remotes.add(producer.producer);
                let added = (producer.producer, producer.kind);
                match &mut self.unannounced {
                    Some(unannounced) => {
                        unannounced.push(added);
                        Vec::new()
                    }
                    None => vec![self.announced(added)],
                }
            }
            Notice::ProducerClosed { producer, .. } => self.ended(*producer),
            Notice::ParticipantLeft { producers, .. } => {
                producers.iter().flat_map(|it| self.ended(*it)).collect()
            }
            Notice::TransportClosed { transport, .. } => {
                self.remotes.forget(*transport);
                self.sending = self.sending.filter(|it| it != transport);
                Vec::new()
            }
            Notice::Admitted { others, .. } => self.entered(others),
            Notice::WorkerLost => vec![Effect::CLOSE_MEDIA_LOST],
            Notice::Removed { .. } => vec![Effect::CLOSE_REMOVED],
            _ => Vec::new(),
        }
    }

    /// Writes that a producer has ended, if the client was told of it, and closes its transport.
    fn ended(&mut self, producer: ProducerId) -> Vec<Effect> {
        let Some(mut effects) = self.remotes.end(producer) else {
            return Vec::new();
        };
        if let Some(unannounced) = &mut self.unannounced
            && let Some(index) = unannounced.iter().position(|(it, _)| *it == producer)
        {
            unannounced.remove(index);
            return effects;
        }
        let payload = json!({ "producerId": producer.to_string() });
        effects.push(media_json::told(self.namespace, "delete-producer", payload));
        effects
    }

    /// Writes that there is something to receive.
    fn announced(&self, (producer, kind): (ProducerId, MediaKind)) -> Effect {
        let payload = json!({ "producerId": producer.to_string(), "kind": kind });
        media_json::told(self.namespace, "new-producer", payload)
    }

    /// Writes an acknowledgement, if one is wanted.
    fn acknowledged(&self, tag: &RequestTag, answer: Value) -> Vec<Effect> {
        media_json::acknowledged(self.namespace, tag, answer)
    }
}
