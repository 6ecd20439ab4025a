//! Writes acknowledgements and events.

use serde_json::{Value, json};
use watersmeet_engine::command::ProducerId;

use super::{CONSUME, CREATE_TRANSPORT, State};
use crate::dialect::remote_producers::RemoteProducers;
use crate::dialect::{Effect, RequestTag, media_json};
use crate::message::{
    CreatedTransport, Direction, Notice, ParticipantSummary, Refusal, Reply, Request,
};

impl State {
    /// Writes the answer to a request.
    pub(in crate::dialect) fn reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        let answer = match reply {
            Reply::Joined { others, .. } => return self.entered(tag.clone(), others),
            Reply::WaitingForApproval { .. } => {
                let before = self.waiting.replace(tag.clone());
                return self.given_up(before);
            }
            Reply::RouterCapabilities(capabilities) => {
                json!({ "rtpCapabilities": **capabilities })
            }
            Reply::TransportCreated(offer) => self.transport_created(offer),
            Reply::TransportConnected { .. } => json!({ "connected": true }),
            Reply::Produced { producer, others } => {
                json!({ "id": producer.producer.to_string(), "producersExist": *others > 0 })
            }
            Reply::Participants(participants) => self.listed(participants),
            Reply::Consumed(offer) => {
                let id = offer.consumer.to_string();
                let mut parameters = media_json::consumer_parameters(offer);
                parameters.insert("serverConsumerId".to_owned(), Value::from(id));
                json!({ "params": parameters })
            }
            Reply::ConsumerPaused { .. } => json!({ "resumed": true }),
            _ => return Vec::new(),
        };
        self.acknowledged(tag, answer)
    }

    /// It is in a room now. Its `joinRoom` is answered with the capabilities.
    fn entered(&mut self, tag: RequestTag, others: &[ParticipantSummary]) -> Vec<Effect> {
        self.remotes = RemoteProducers::of(others);
        self.sending = None;
        let waiting = self.waiting.take();
        let mut effects = self.given_up(waiting);
        effects.push(Effect::Request(tag, Request::RouterCapabilities));
        effects
    }

    /// Writes the refusal of a `joinRoom` that waited until another one came.
    fn given_up(&mut self, waiting: Option<RequestTag>) -> Vec<Effect> {
        waiting.map_or_else(Vec::new, |tag| self.refusal(&tag, &Refusal::NotInRoom))
    }

    /// Writes a transport.
    fn transport_created(&mut self, offer: &CreatedTransport) -> Value {
        if offer.direction == Direction::Send {
            self.sending = Some(offer.transport);
        }
        json!({ "params": media_json::transport_parameters(offer) })
    }

    /// Writes what the others send.
    fn listed(&self, participants: &[ParticipantSummary]) -> Value {
        let others = participants.iter().filter(|it| it.peer != self.opened.peer);
        let producers = others.flat_map(|it| &it.producers);
        producers
            .map(|it| Value::from(it.producer.to_string()))
            .collect()
    }

    /// Writes the refusal of a request.
    pub(in crate::dialect) fn refusal(
        &mut self,
        tag: &RequestTag,
        refusal: &Refusal,
    ) -> Vec<Effect> {
        match tag.event {
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
                let payload = json!({ "producerId": producer.producer.to_string() });
                vec![media_json::told(self.namespace, "new-producer", payload)]
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
            Notice::Admitted { others, .. } => match self.waiting.take() {
                Some(tag) => self.entered(tag, others),
                None => Vec::new(),
            },
            Notice::WorkerLost => vec![Effect::CLOSE_MEDIA_LOST],
            Notice::Removed { .. } => vec![Effect::CLOSE_REMOVED],
            _ => Vec::new(),
        }
    }

    /// Writes that a producer of somebody else has ended, and closes its transport.
    fn ended(&mut self, producer: ProducerId) -> Vec<Effect> {
        let Some(mut effects) = self.remotes.end(producer) else {
            return Vec::new();
        };
        let payload = json!({ "remoteProducerId": producer.to_string() });
        effects.push(media_json::told(self.namespace, "producer-closed", payload));
        effects
    }

    /// Writes an acknowledgement, if one is wanted.
    fn acknowledged(&self, tag: &RequestTag, answer: Value) -> Vec<Effect> {
        media_json::acknowledged(self.namespace, tag, answer)
    }
}
