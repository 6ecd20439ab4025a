//! Writes what an rmm client is answered and told.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{APPROVE, APPROVE_AND_PROMOTE, JOIN, JOIN_WITH_ROLES, NAMESPACE, RECEIVE, State};
use crate::dialect::{Effect, RequestTag, media_json};
use crate::message::{
    CreatedConsumer, Direction, Notice, ParticipantSummary, PeerId, ProducerSummary, Refusal,
    Reply, Role,
};

impl State {
    /// Writes the answer to a request.
    pub(in crate::dialect) fn reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        let answer = match reply {
            Reply::RouterCapabilities(capabilities) => {
                self.capabilities = Some(Arc::clone(capabilities));
                let request = self.joining.take();
                let ask = request.map(|request| Effect::Request(tag.clone(), request));
                return ask.into_iter().collect();
            }
            Reply::Joined { room, role, others } => {
                let mut effects = self.enter(room);
                effects.extend(self.joined(tag, *role, others));
                return effects;
            }
            Reply::WaitingForApproval { room } => return self.wait(tag, room),
            Reply::TransportCreated(offer) => {
                if offer.direction == Direction::Recv {
                    self.receiving = Some(offer.clone());
                }
                Value::Object(media_json::transport_parameters(offer))
            }
            Reply::TransportConnected { .. } => json!({ "connected": true }),
            Reply::Produced { producer, .. } => json!({ "id": producer.producer.to_string() }),
            Reply::Consumed(offer) => self.consumed(offer),
            Reply::ConsumerPaused { .. } => json!({ "resumed": true }),
            Reply::Done => done(tag.event),
            _ => return Vec::new(),
        };
        media_json::acknowledged(NAMESPACE, tag, answer)
    }

    /// Writes the refusal of a request.
    pub(in crate::dialect) fn refusal(
        &mut self,
        tag: &RequestTag,
        refusal: &Refusal,
    ) -> Vec<Effect> {
        match (tag.event, refusal) {
            // The wishes that wait for the transport are refused one by one.
            (RECEIVE, _) => Vec::new(),
            (JOIN | JOIN_WITH_ROLES, refusal) => {
                self.joining = None;
                not_joined(tag, refusal)
            }
            _ => media_json::refused(NAMESPACE, tag, refusal),
        }
    }

    /// Writes a notice.
    pub(in crate::dialect) fn notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::ParticipantJoined {
                peer,
                display_name,
                role,
                ..
            } => self.peer_joined(peer, display_name, *role),
            Notice::ParticipantLeft {
                peer, display_name, ..
            } => vec![told("peerLeft", named(peer, display_name))],
            Notice::ProducerAdded {
                peer,
                display_name,
                producer,
            } => {
                let payload = json!({
                    "producerId": producer.producer.to_string(),
                    "producerSocketId": peer.as_str(),
                    "kind": producer.kind,
                    "producerDisplayName": shown(display_name),
                });
                vec![told("newProducer", payload)]
            }
            Notice::ProducerClosed { peer, producer } => {
                let producer = producer.to_string();
                let payload = json!({ "producerId": producer, "producerSocketId": peer.as_str() });
                vec![told("producerClosed", payload)]
            }
            Notice::TransportClosed { transport, .. } => {
                let receiving = self.receiving.take();
                self.receiving = receiving.filter(|it| it.transport != *transport);
                Vec::new()
            }
            Notice::WorkerLost => vec![Effect::CLOSE_MEDIA_LOST],
            Notice::Removed { .. } => {
                let mut effects = self.refuse_held();
                effects.push(Effect::CLOSE_REMOVED);
                effects
            }
            _ => self.role_notice(notice),
        }
    }

    /// Writes a notice of who may do what.
    fn role_notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::JoinRequested {
                peer,
                user,
                display_name,
            } => {
                self.waiting.insert(peer.clone());
                let mut payload = wish(peer, user, display_name);
                payload.insert("message".to_owned(), json!("Somebody wants to join"));
                vec![told("joinRequest", payload.into())]
            }
            Notice::JoinRequestResolved { peer } => {
                self.waiting.remove(peer);
                Vec::new()
            }
            Notice::Admitted { room, role, others } => self.admitted(room, *role, others),
            Notice::SpeakRequested {
                peer,
                user,
                display_name,
            } => {
                let payload = wish(peer, user, display_name);
                vec![told("speakingPermissionRequest", payload.into())]
            }
            Notice::RoleChanged { peer, role, .. } if *peer == self.opened.peer => {
                match *role {
                    Role::Speaker => vec![message("promotedToProducer", "You may speak now")],
                    Role::Viewer => vec![message("demotedToConsumer", "You may only watch now")],
                    // It has no word for this, and "promoted" would make it publish twice.
                    Role::Host => Vec::new(),
                }
            }
            Notice::RoleChanged {
                peer,
                display_name,
                role,
            } => {
                let name = match role {
                    Role::Host | Role::Speaker => "peerPromoted",
                    Role::Viewer => "peerDemoted",
                };
                vec![told(name, with_role(peer, display_name, *role))]
            }
            // Its clients have no words for these.
            _ => Vec::new(),
        }
    }

    /// Notes that it is in a room, or waits for one, where nothing of an earlier room holds.
    fn enter(&mut self, room: &Arc<str>) -> Vec<Effect> {
        self.room = Some(Arc::clone(room));
        self.receiving = None;
        self.waiting.clear();
        self.refuse_held()
    }

    /// Refuses a `join` that is waiting for its answer.
    fn refuse_held(&mut self) -> Vec<Effect> {
        let held = self.held.take();
        held.map_or_else(Vec::new, |tag| not_joined(&tag, &Refusal::Forbidden))
    }

    /// Tells that a host has to let it in first, to a client that knows of this.
    fn wait(&mut self, tag: &RequestTag, room: &Arc<str>) -> Vec<Effect> {
        let mut effects = self.enter(room);
        if tag.event == JOIN_WITH_ROLES {
            let answer = json!({
                "rtpCapabilitiesRouter": self.capabilities.as_deref(),
                "existingProducers": [],
                "participants": [],
                "yourRole": "waiting",
                "yourSocketId": self.opened.peer.as_str(),
            });
            effects.extend(media_json::acknowledged(NAMESPACE, tag, answer));
        } else {
            self.held = Some(tag.clone());
        }
        effects
    }

    /// Writes the answer to a `join`.
    fn joined(&self, tag: &RequestTag, role: Role, others: &[ParticipantSummary]) -> Vec<Effect> {
        let mut answer = self.snapshot(others);
        if tag.event == JOIN_WITH_ROLES {
            answer.insert("yourRole".to_owned(), json!(role_name(role)));
            let peer = self.opened.peer.as_str();
            answer.insert("yourSocketId".to_owned(), json!(peer));
        }
        media_json::acknowledged(NAMESPACE, tag, answer.into())
    }

    /// Tells that a host has let it in.
    fn admitted(
        &mut self,
        room: &Arc<str>,
        role: Role,
        others: &[ParticipantSummary],
    ) -> Vec<Effect> {
        if let Some(tag) = self.held.take() {
            self.enter(room);
            return self.joined(&tag, role, others);
        }
        self.enter(room);
        let mut payload = self.snapshot(others);
        payload.insert("message".to_owned(), json!("You were let in"));
        payload.insert("promote".to_owned(), json!(role != Role::Viewer));
        vec![told("joinApproved", payload.into())]
    }

    /// Tells that somebody came in, and that it was let in if it waited for this host.
    fn peer_joined(
        &mut self,
        peer: &PeerId,
        display_name: &Option<Arc<str>>,
        role: Role,
    ) -> Vec<Effect> {
        let mut effects = vec![told("peerJoined", named(peer, display_name))];
        if self.waiting.remove(peer) {
            effects.push(told("peerApproved", with_role(peer, display_name, role)));
        }
        effects
    }

    /// What somebody finds who enters. Everybody is among the participants, oneself last, as in the
    /// list that the server gives by HTTP: a client that shows nobody else's list needs that, and
    /// one that knows itself finds itself by its socket's id.
    fn snapshot(&self, others: &[ParticipantSummary]) -> Map<String, Value> {
        let producers = others.iter().flat_map(|other| {
            let producers = other.producers.iter();
            producers.map(move |it| existing_producer(other, it))
        });
        let producers: Vec<_> = producers.collect();
        let myself = json!({
            "id": self.opened.peer.as_str(),
            "displayName": self.display_name.as_deref().unwrap_or_default(),
        });
        let participants = others.iter().map(
            |other| json!({ "id": other.peer.as_str(), "displayName": shown(&other.display_name) }),
        );
        let participants: Vec<_> = participants.chain([myself]).collect();
        let mut snapshot = Map::new();
        let capabilities = json!(self.capabilities.as_deref());
        snapshot.insert("rtpCapabilitiesRouter".to_owned(), capabilities);
        snapshot.insert("existingProducers".to_owned(), producers.into());
        snapshot.insert("participants".to_owned(), participants.into());
        snapshot
    }

    /// The answer to `consume`: the consumer, and the transport that it comes on.
    fn consumed(&self, offer: &CreatedConsumer) -> Value {
        let receiving = self.receiving.as_deref();
        let mut answer = receiving
            .filter(|it| it.transport == offer.transport)
            .map(media_json::transport_parameters)
            .unwrap_or_default();
        answer.extend(media_json::consumer_parameters(offer));
        let transport = offer.transport.to_string();
        answer.insert("transportId".to_owned(), transport.into());
        answer.into()
    }
}

/// The acknowledgement of what leaves nothing to tell.
fn done(event: &'static str) -> Value {
    match event {
        APPROVE | APPROVE_AND_PROMOTE => {
            json!({ "approved": true, "promoted": event == APPROVE_AND_PROMOTE })
        }
        "promoteToProducer" => json!({ "promoted": true }),
        "demoteToConsumer" => json!({ "demoted": true }),
        _ => json!({ "requested": true }),
    }
}

/// Tells that a room was not entered.
fn not_joined(tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
    let error = match refusal {
        Refusal::InvalidToken => "Invalid invite token",
        _ => "Failed to join room",
    };
    media_json::acknowledged(NAMESPACE, tag, json!({ "error": error }))
}

/// An event for the client.
fn told(name: &str, payload: Value) -> Effect {
    media_json::told(NAMESPACE, name, payload)
}

/// An event that only says something.
fn message(name: &str, text: &str) -> Effect {
    told(name, json!({ "message": text }))
}

/// A name as clients show it: they expect a text.
fn shown(display_name: &Option<Arc<str>>) -> &str {
    display_name.as_deref().unwrap_or_default()
}

/// Somebody, with its name.
fn named(peer: &PeerId, display_name: &Option<Arc<str>>) -> Value {
    json!({ "peerId": peer.as_str(), "displayName": shown(display_name) })
}

/// Somebody, with its name and what it may do.
fn with_role(peer: &PeerId, display_name: &Option<Arc<str>>, role: Role) -> Value {
    json!({
        "peerId": peer.as_str(),
        "displayName": shown(display_name),
        "role": role_name(role),
    })
}

/// Somebody who wants something of a host.
fn wish(
    peer: &PeerId,
    user: &Option<Arc<str>>,
    display_name: &Option<Arc<str>>,
) -> Map<String, Value> {
    let mut wish = Map::new();
    wish.insert("peerId".to_owned(), json!(peer.as_str()));
    wish.insert("userId".to_owned(), json!(user.as_deref()));
    wish.insert("displayName".to_owned(), json!(shown(display_name)));
    wish
}

/// A role, in the words of `promoteToProducer` and `demoteToConsumer`.
const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Host => "host",
        Role::Speaker => "producer",
        Role::Viewer => "consumer",
    }
}

/// A producer that was there before.
fn existing_producer(owner: &ParticipantSummary, producer: &ProducerSummary) -> Value {
    json!({
        "peerId": owner.peer.as_str(),
        "producerId": producer.producer.to_string(),
        "kind": producer.kind,
        "producerDisplayName": shown(&owner.display_name),
    })
}
