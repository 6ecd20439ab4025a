//! Encodes acknowledgements and events.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{APPROVE, APPROVE_AND_PROMOTE, JOIN, JOIN_WITH_ROLES, NAMESPACE, RECEIVE, State};
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::media_json::{consumer_parameters, transport_parameters};
use crate::dialect::socketio_event::{self, acknowledge, acknowledge_refusal};
use crate::message::{
    Applicant, CreatedConsumer, Direction, Notice, ParticipantSummary, PeerId, ProducerSummary,
    Refusal, Reply, Role, RoomSnapshot,
};

impl State {
    /// Encodes the reply to a request.
    pub(crate) fn encode_reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        let answer = match reply {
            Reply::RouterCapabilities(capabilities) => {
                self.router_capabilities = Some(Arc::clone(capabilities));
                let join = self.pending_join.take();
                let join = join.map(|request| Effect::Request(tag.clone(), request));
                return join.into_iter().collect();
            }
            Reply::Joined(snapshot) => {
                let mut effects = self.enter(&snapshot.room);
                effects.extend(self.joined(tag, snapshot.role, &snapshot.others));
                return effects;
            }
            Reply::WaitingForApproval(lobby) => return self.wait_for_approval(tag, &lobby.room),
            Reply::TransportCreated(created) => {
                if created.direction == Direction::Recv {
                    self.recv_transport = Some(created.clone());
                }
                Value::Object(transport_parameters(created))
            }
            Reply::TransportConnected { .. } => json!({ "connected": true }),
            Reply::Produced { producer, .. } => json!({ "id": producer.producer.to_string() }),
            Reply::Consumed(created) => self.consumed(created),
            Reply::ConsumerPaused { .. } => json!({ "resumed": true }),
            Reply::Done => done_payload(tag.event),
            _ => return Vec::new(),
        };
        acknowledge(NAMESPACE, tag, answer)
    }

    /// Encodes the refusal of a request.
    pub(crate) fn encode_refusal(&mut self, tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
        match (tag.event, refusal) {
            // The requests that wait for the transport are refused one by one.
            (RECEIVE, _) => Vec::new(),
            (JOIN | JOIN_WITH_ROLES, refusal) => {
                self.pending_join = None;
                refuse_join(tag, refusal)
            }
            _ => acknowledge_refusal(NAMESPACE, tag, refusal),
        }
    }

    /// Encodes a notice.
    pub(crate) fn encode_notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::ParticipantJoined(joined) => self.peer_joined(joined),
            Notice::ParticipantLeft {
                peer, display_name, ..
            } => vec![emit("peerLeft", peer_json(peer, display_name))],
            Notice::ProducerAdded {
                peer,
                display_name,
                producer,
            } => {
                let payload = json!({
                    "producerId": producer.producer.to_string(),
                    "producerSocketId": peer.as_str(),
                    "kind": producer.kind,
                    "producerDisplayName": name_or_empty(display_name),
                });
                vec![emit("newProducer", payload)]
            }
            Notice::ProducerClosed { peer, producer } => {
                let producer = producer.to_string();
                let payload = json!({ "producerId": producer, "producerSocketId": peer.as_str() });
                vec![emit("producerClosed", payload)]
            }
            Notice::TransportClosed { transport, .. } => {
                let recv_transport = self.recv_transport.take();
                self.recv_transport = recv_transport.filter(|it| it.transport != *transport);
                Vec::new()
            }
            Notice::WorkerLost => vec![Effect::CLOSE_MEDIA_LOST],
            Notice::Removed { .. } => {
                let mut effects = self.refuse_unanswered_join();
                effects.push(Effect::CLOSE_REMOVED);
                effects
            }
            _ => self.encode_role_notice(notice),
        }
    }

    /// Encodes a notice about admissions and roles.
    fn encode_role_notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::JoinRequested(applicant) => {
                self.waiting.insert(applicant.peer.clone());
                let mut payload = peer_request(applicant);
                let name = applicant.display_name.as_deref();
                let name = name.filter(|it| !it.is_empty()).unwrap_or("Somebody");
                let message = format!("{name} requests to join");
                payload.insert("message".to_owned(), json!(message));
                vec![emit("joinRequest", payload.into())]
            }
            Notice::JoinRequestResolved { peer } => {
                self.waiting.remove(peer);
                Vec::new()
            }
            Notice::Admitted(snapshot) => self.admitted(snapshot),
            Notice::SpeakRequested(applicant) => {
                let payload = peer_request(applicant);
                vec![emit("speakingPermissionRequest", payload.into())]
            }
            Notice::RoleChanged { peer, role, .. } if *peer == self.context.peer => {
                match *role {
                    Role::Speaker => vec![emit_message("promotedToProducer", "You may speak now")],
                    Role::Viewer => {
                        vec![emit_message("demotedToConsumer", "You may only watch now")]
                    }
                    // Clients have no event for a new host, and "promoted" would make them publish
                    // twice.
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
                vec![emit(name, peer_with_role(peer, display_name, *role))]
            }
            // Clients have no events for other notices.
            _ => Vec::new(),
        }
    }

    /// Records that the client is in a room or waits for one, and resets the state of an earlier
    /// one.
    fn enter(&mut self, room: &Arc<str>) -> Vec<Effect> {
        self.room = Some(Arc::clone(room));
        self.recv_transport = None;
        self.waiting.clear();
        self.refuse_unanswered_join()
    }

    /// Refuses a `join` that is not answered yet.
    fn refuse_unanswered_join(&mut self) -> Vec<Effect> {
        let unanswered = self.unanswered_join.take();
        unanswered.map_or_else(Vec::new, |tag| refuse_join(&tag, &Refusal::Forbidden))
    }

    /// Notifies a client that supports waiting rooms that a host has to admit it.
    fn wait_for_approval(&mut self, tag: &RequestTag, room: &Arc<str>) -> Vec<Effect> {
        let mut effects = self.enter(room);
        if tag.event == JOIN_WITH_ROLES {
            let answer = json!({
                "rtpCapabilitiesRouter": self.router_capabilities.as_deref(),
                "existingProducers": [],
                "participants": [],
                "yourRole": "waiting",
                "yourSocketId": self.context.peer.as_str(),
            });
            effects.extend(acknowledge(NAMESPACE, tag, answer));
        } else {
            self.unanswered_join = Some(tag.clone());
        }
        effects
    }

    /// Acknowledges a `join`.
    fn joined(&self, tag: &RequestTag, role: Role, others: &[ParticipantSummary]) -> Vec<Effect> {
        let mut answer = self.snapshot(role, others);
        if tag.event == JOIN_WITH_ROLES {
            answer.insert("yourRole".to_owned(), json!(role_name(role)));
            let peer = self.context.peer.as_str();
            answer.insert("yourSocketId".to_owned(), json!(peer));
        }
        acknowledge(NAMESPACE, tag, answer.into())
    }

    /// Notifies the client that a host has admitted it.
    fn admitted(&mut self, snapshot: &RoomSnapshot) -> Vec<Effect> {
        self.enter(&snapshot.room);
        let (role, others) = (snapshot.role, &snapshot.others);
        if let Some(tag) = self.unanswered_join.take() {
            return self.joined(&tag, role, others);
        }
        let mut payload = self.snapshot(role, others);
        payload.insert("message".to_owned(), json!("You were let in"));
        payload.insert("promote".to_owned(), json!(role != Role::Viewer));
        vec![emit("joinApproved", payload.into())]
    }

    /// Notifies the client of a new participant, and of its approval if it waited for this host.
    fn peer_joined(&mut self, joined: &ParticipantSummary) -> Vec<Effect> {
        let (peer, name, role) = (&joined.peer, &joined.display_name, joined.role);
        let mut effects = vec![emit("peerJoined", peer_json(peer, name))];
        if self.waiting.remove(peer) {
            effects.push(emit("peerApproved", peer_with_role(peer, name, role)));
        }
        effects
    }

    /// Returns the state of the room for a client that enters. The client itself is listed last
    /// among the participants, as in the list of the HTTP API: some clients show no other list,
    /// and the others recognise themselves by the id of their socket. A client that supports roles
    /// labels people by their roles and user ids.
    fn snapshot(&self, role: Role, others: &[ParticipantSummary]) -> Map<String, Value> {
        let producers = others.iter().flat_map(|other| {
            let producers = other.producers.iter();
            producers.map(move |it| existing_producer(other, it))
        });
        let producers: Vec<_> = producers.collect();
        let myself = self.participant(
            &self.context.peer,
            self.display_name.as_deref(),
            role,
            self.user_id.as_deref(),
        );
        let participants = others.iter().map(|other| {
            let (peer, name) = (&other.peer, other.display_name.as_deref());
            self.participant(peer, name, other.role, other.known_as())
        });
        let participants: Vec<_> = participants.chain([myself]).collect();
        let mut snapshot = Map::new();
        let capabilities = json!(self.router_capabilities.as_deref());
        snapshot.insert("rtpCapabilitiesRouter".to_owned(), capabilities);
        snapshot.insert("existingProducers".to_owned(), producers.into());
        snapshot.insert("participants".to_owned(), participants.into());
        snapshot
    }

    /// Returns one entry of the list of participants.
    fn participant(
        &self,
        peer: &PeerId,
        name: Option<&str>,
        role: Role,
        user: Option<&str>,
    ) -> Value {
        let name = name.unwrap_or_default();
        match self.user_id {
            Some(_) => json!({
                "id": peer.as_str(), "displayName": name, "role": role_name(role), "userId": user,
            }),
            None => json!({ "id": peer.as_str(), "displayName": name }),
        }
    }

    /// Returns the acknowledgement of `consume`: the consumer and its receive transport.
    fn consumed(&self, created: &CreatedConsumer) -> Value {
        let recv_transport = self.recv_transport.as_deref();
        let mut answer = recv_transport
            .filter(|it| it.transport == created.transport)
            .map(transport_parameters)
            .unwrap_or_default();
        answer.extend(consumer_parameters(created));
        let transport = created.transport.to_string();
        answer.insert("transportId".to_owned(), transport.into());
        answer.into()
    }
}

/// Returns the acknowledgement of a request without a result.
fn done_payload(event: &'static str) -> Value {
    match event {
        APPROVE | APPROVE_AND_PROMOTE => {
            json!({ "approved": true, "promoted": event == APPROVE_AND_PROMOTE })
        }
        "promoteToProducer" => json!({ "promoted": true }),
        "demoteToConsumer" => json!({ "demoted": true }),
        _ => json!({ "requested": true }),
    }
}

/// Writes the refusal of a `join`.
fn refuse_join(tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
    let error = match refusal {
        Refusal::InvalidToken => "Invalid invite token",
        _ => "Failed to join room",
    };
    acknowledge(NAMESPACE, tag, json!({ "error": error }))
}

/// Writes an event for the client.
fn emit(name: &str, payload: Value) -> Effect {
    socketio_event::emit(NAMESPACE, name, payload)
}

/// Writes an event with a message for people.
fn emit_message(name: &str, text: &str) -> Effect {
    emit(name, json!({ "message": text }))
}

/// Returns a display name, or an empty text if there is none, as clients expect.
fn name_or_empty(display_name: &Option<Arc<str>>) -> &str {
    display_name.as_deref().unwrap_or_default()
}

/// Returns a participant with its display name.
fn peer_json(peer: &PeerId, display_name: &Option<Arc<str>>) -> Value {
    json!({ "peerId": peer.as_str(), "displayName": name_or_empty(display_name) })
}

/// Returns a participant with its display name and role.
fn peer_with_role(peer: &PeerId, display_name: &Option<Arc<str>>, role: Role) -> Value {
    json!({
        "peerId": peer.as_str(),
        "displayName": name_or_empty(display_name),
        "role": role_name(role),
    })
}

/// Returns a participant that asks a host for admission or for a role.
fn peer_request(applicant: &Applicant) -> Map<String, Value> {
    let name = name_or_empty(&applicant.display_name);
    let mut request = Map::new();
    request.insert("peerId".to_owned(), json!(applicant.peer.as_str()));
    request.insert("userId".to_owned(), json!(applicant.user.as_deref()));
    request.insert("displayName".to_owned(), json!(name));
    request
}

/// Returns the name of a role in this dialect.
const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Host => "host",
        Role::Speaker => "producer",
        Role::Viewer => "consumer",
    }
}

/// Returns a producer of a room that is entered.
fn existing_producer(owner: &ParticipantSummary, producer: &ProducerSummary) -> Value {
    json!({
        "peerId": owner.peer.as_str(),
        "producerId": producer.producer.to_string(),
        "kind": producer.kind,
        "producerDisplayName": name_or_empty(&owner.display_name),
    })
}
