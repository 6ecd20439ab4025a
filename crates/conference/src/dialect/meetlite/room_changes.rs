//! Records changes of participants and producers, and encodes them as events.

use serde_json::json;
use watersmeet_engine::command::ProducerId;

use super::payloads::{self, ProducerLabel, emit};
use super::state::State;
use crate::dialect::effect::Effect;
use crate::message::{Notice, PeerId};

impl State {
    /// Records a change of participants or producers. Notifies the client if it has received the
    /// list of participants.
    pub(super) fn encode_room_change(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::ParticipantJoined(joined) => {
                let payload = json!({
                    "participantId": joined.peer.as_str(),
                    "userInfo": payloads::participant_info(joined),
                });
                self.others.push((**joined).clone());
                self.if_known(emit("participant-joined", payload))
            }
            Notice::ParticipantLeft {
                peer, producers, ..
            } => {
                self.others.retain(|it| it.peer != *peer);
                for producer in producers {
                    self.consumers.forget(*producer);
                }
                let payload = json!({ "participantId": peer.as_str() });
                let mut effects = self.if_known(emit("participant-left", payload));
                if self.is_p2p {
                    effects.push(emit("user-left", json!({ "userId": peer.as_str() })));
                }
                effects
            }
            Notice::ProducerAdded { peer, producer, .. } => {
                let mut others = self.others.iter_mut();
                if let Some(other) = others.find(|it| it.peer == *peer) {
                    other.producers.push(producer.clone());
                }
                self.consumers.consume_all(&self.others)
            }
            Notice::ProducerPaused {
                peer,
                producer,
                paused,
            } => self.producer_paused(peer, *producer, *paused),
            Notice::ProducerClosed { peer, producer } => {
                if !self.remove_own_producer(*producer) {
                    for other in &mut self.others {
                        other.producers.retain(|it| it.producer != *producer);
                    }
                }
                let payload = json!({
                    "participantId": peer.as_str(),
                    "producerId": producer.to_string(),
                });
                let mut effects = self.if_known(emit("producer-closed", payload));
                effects.extend(self.consumers.close(*producer));
                effects
            }
            // Clients have no events for other notices.
            _ => Vec::new(),
        }
    }

    /// Returns the effect if the client has received the list of participants.
    fn if_known(&self, effect: Effect) -> Vec<Effect> {
        let effect = Some(effect).filter(|_| self.knows_others);
        effect.into_iter().collect()
    }

    /// Records that a participant paused or resumed a producer.
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
            "kind": ProducerLabel::of(producer),
            "event": event,
            "data": { "producerId": id.to_string() },
        });
        self.if_known(emit("producer-state-changed", payload))
    }
}
