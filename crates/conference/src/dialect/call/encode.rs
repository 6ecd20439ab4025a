//! Encodes acknowledgements and events.

use serde_json::{Value, json};
use watersmeet_engine::command::ProducerId;

use super::State;
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::media_json::{consumer_parameters, transport_parameters};
use crate::dialect::remote_producers::RemoteProducers;
use crate::dialect::socketio_event::{acknowledge, emit};
use crate::dialect::transport_events::{encode_refusal, producers_of_others};
use crate::message::{
    CreatedTransport, Direction, Notice, ParticipantSummary, Refusal, Reply, Request, RoomSnapshot,
};

impl State {
    /// Encodes the reply to a request.
    pub(crate) fn encode_reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        let answer = match reply {
            Reply::Joined(RoomSnapshot { others, .. }) => return self.enter(tag.clone(), others),
            Reply::WaitingForApproval(_) => {
                let previous = self.pending_join.replace(tag.clone());
                return self.refuse_join(previous);
            }
            Reply::RouterCapabilities(capabilities) => {
                json!({ "rtpCapabilities": **capabilities })
            }
            Reply::TransportCreated(created) => self.transport_created(created),
            Reply::TransportConnected { .. } => json!({ "connected": true }),
            Reply::Produced { producer, others } => {
                json!({ "id": producer.producer.to_string(), "producersExist": *others > 0 })
            }
            Reply::Participants(participants) => {
                producers_of_others(participants, &self.context.peer)
                    .map(|it| Value::from(it.producer.to_string()))
                    .collect()
            }
            Reply::Consumed(created) => {
                let id = created.consumer.to_string();
                let mut parameters = consumer_parameters(created);
                parameters.insert("serverConsumerId".to_owned(), Value::from(id));
                json!({ "params": parameters })
            }
            Reply::ConsumerPaused { .. } => json!({ "resumed": true }),
            _ => return Vec::new(),
        };
        acknowledge(self.namespace, tag, answer)
    }

    /// Records that the client is in a room, and requests the capabilities that acknowledge its
    /// `joinRoom`.
    fn enter(&mut self, tag: RequestTag, others: &[ParticipantSummary]) -> Vec<Effect> {
        self.remote_producers = RemoteProducers::of(others);
        self.send_transport = None;
        let pending = self.pending_join.take();
        let mut effects = self.refuse_join(pending);
        effects.push(Effect::Request(tag, Request::RouterCapabilities));
        effects
    }

    /// Refuses a `joinRoom` that was waiting when a later one replaced it.
    fn refuse_join(&mut self, pending: Option<RequestTag>) -> Vec<Effect> {
        pending.map_or_else(Vec::new, |tag| {
            self.encode_refusal(&tag, &Refusal::NotInRoom)
        })
    }

    /// Returns the acknowledgement of a created transport.
    fn transport_created(&mut self, created: &CreatedTransport) -> Value {
        if created.direction == Direction::Send {
            self.send_transport = Some(created.transport);
        }
        json!({ "params": transport_parameters(created) })
    }

    /// Encodes the refusal of a request.
    pub(crate) fn encode_refusal(&mut self, tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
        encode_refusal(self.namespace, tag, refusal)
    }

    /// Encodes a notice.
    pub(crate) fn encode_notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::ProducerAdded { producer, .. } => {
                self.remote_producers.add(producer.producer);
                let payload = json!({ "producerId": producer.producer.to_string() });
                vec![emit(self.namespace, "new-producer", payload)]
            }
            Notice::ProducerClosed { producer, .. } => self.producer_closed(*producer),
            Notice::ParticipantLeft { producers, .. } => {
                let closed = producers.iter().flat_map(|it| self.producer_closed(*it));
                closed.collect()
            }
            Notice::TransportClosed { transport, .. } => {
                self.remote_producers.forget_transport(*transport);
                self.send_transport = self.send_transport.filter(|it| it != transport);
                Vec::new()
            }
            Notice::Admitted(RoomSnapshot { others, .. }) => match self.pending_join.take() {
                Some(tag) => self.enter(tag, others),
                None => Vec::new(),
            },
            Notice::WorkerLost => vec![Effect::CLOSE_MEDIA_LOST],
            Notice::Removed { .. } => vec![Effect::CLOSE_REMOVED],
            _ => Vec::new(),
        }
    }

    /// Tells the client that a producer of another participant was closed, and closes its
    /// transport.
    fn producer_closed(&mut self, producer: ProducerId) -> Vec<Effect> {
        let Some(mut effects) = self.remote_producers.remove(producer) else {
            return Vec::new();
        };
        let payload = json!({ "remoteProducerId": producer.to_string() });
        effects.push(emit(self.namespace, "producer-closed", payload));
        effects
    }
}
