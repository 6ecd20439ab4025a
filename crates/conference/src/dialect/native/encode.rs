//! Writes replies, refusals and notices as frames. A plain client is never told what it does not
//! know.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use watersmeet_engine::command::{CloseReason, ConsumerId, Layers, ProducerId, TransportId};
use watersmeet_wire::params::{IceParameters, MediaKind, RtpCapabilities};

use super::payloads::*;
use super::{Config, State};
use crate::dialect::SessionContext;
use crate::message::{
    self, CreatedConsumer, CreatedTransport, MediaSource, Notice, PeerId, Refusal, Reply, Role,
    StatsSubject,
};

/// A frame on its way out.
#[derive(Serialize)]
struct Frame<'a, T> {
    /// What the payload is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The payload.
    payload: T,
    /// The request that this answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
}

/// Writes a frame. A payload of this module always has a JSON form, so the fallback is for the
/// compiler.
fn frame(kind: &'static str, id: &Option<Value>, payload: impl Serialize) -> String {
    let frame = Frame {
        kind,
        payload,
        id: id.as_ref(),
    };
    serde_json::to_string(&frame).unwrap_or_default()
}

/// Writes `connected`.
pub(in crate::dialect) fn connected(opened: &SessionContext, options: &Config) -> String {
    let ice_servers = Some(opened.ice_servers.to_vec()).filter(|it| !it.is_empty());
    let connected = Connected {
        peer_id: opened.peer.to_string(),
        ice_servers,
        options: options.client.clone(),
    };
    frame("connected", &None, connected)
}

/// Writes `error`.
pub(in crate::dialect) fn refusal(id: &Option<Value>, refusal: &Refusal) -> String {
    frame(
        "error",
        id,
        ErrorPayload {
            message: refusal.to_string(),
            code: refusal.code(),
        },
    )
}

/// Writes the answer to a request.
pub(in crate::dialect) fn reply(state: &State, id: &Option<Value>, reply: &Reply) -> String {
    match reply {
        Reply::RouterCapabilities(capabilities) => frame(
            "routerRtpCapabilities",
            id,
            capabilities_payload(capabilities),
        ),
        Reply::Joined { room, role, others } => {
            frame("roomJoined", id, room_joined(state, room, *role, others))
        }
        Reply::WaitingForApproval { room } => frame("waiting", id, room_left(room)),
        Reply::Left { room } => frame("roomLeft", id, room_left(room)),
        Reply::Participants(participants) => {
            let participants = participants.iter().map(participant_summary).collect();
            frame("participants", id, Participants { participants })
        }
        Reply::TransportCreated(offer) => frame("transportCreated", id, transport_created(offer)),
        Reply::TransportConnected { transport } => {
            frame("transportConnected", id, transport_ref(*transport))
        }
        Reply::IceRestarted { transport, ice } => {
            frame("iceRestarted", id, ice_restarted(*transport, ice))
        }
        Reply::TransportClosed { transport } => {
            frame("closedTransport", id, transport_ref(*transport))
        }
        Reply::Produced { producer, .. } => {
            frame("produced", id, produced(producer.producer, producer.kind))
        }
        Reply::ProducerPaused { producer, paused } => {
            frame(producer_pause(*paused), id, producer_ref(*producer))
        }
        Reply::ProducerClosed { producer } => frame("closedProducer", id, producer_ref(*producer)),
        Reply::Consumed(offer) => frame("consumed", id, consumed(offer)),
        Reply::ConsumerPaused { consumer, paused } => {
            frame(consumer_pause(*paused), id, consumer_ref(*consumer))
        }
        Reply::ConsumerClosed { consumer } => frame("closedConsumer", id, consumer_ref(*consumer)),
        Reply::PreferredLayersSet { consumer } => {
            frame("preferredLayersSet", id, consumer_ref(*consumer))
        }
        Reply::KeyframeRequested { consumer } => {
            frame("keyframeRequested", id, consumer_ref(*consumer))
        }
        Reply::Stats { subject, reports } => frame("stats", id, stats(*subject, reports)),
        Reply::Done => frame("done", id, Empty {}),
    }
}

/// Writes a notice, unless it is one that the client does not know.
pub(in crate::dialect) fn notice(state: &State, notice: &Notice) -> Option<String> {
    let id = &None;
    Some(match notice {
        Notice::ParticipantJoined {
            peer, display_name, ..
        } => frame(
            "newPeer",
            id,
            new_peer(state, peer, display_name.as_deref()),
        ),
        Notice::ParticipantLeft { peer, .. } => frame("peerLeft", id, peer_left(peer)),
        Notice::ProducerAdded {
            peer,
            display_name,
            producer,
        } => {
            let payload = new_producer(state, peer, display_name.as_deref(), producer);
            frame("newProducer", id, payload)
        }
        Notice::ProducerClosed { peer, producer } => {
            frame("producerClosed", id, peer_producer_ref(peer, *producer))
        }
        Notice::WorkerLost if !state.extended => refusal(id, &Refusal::WorkerLost),
        // A client that knows of no waiting has waited for its answer.
        Notice::Admitted { room, role, others } if !state.extended => {
            frame("roomJoined", id, room_joined(state, room, *role, others))
        }
        Notice::Removed { .. } if !state.extended => refusal(id, &Refusal::NotInRoom),
        _ if !state.extended => return None,
        Notice::ProducerPaused {
            peer,
            producer,
            paused,
        } => {
            let payload = peer_producer_ref(peer, *producer);
            frame(producer_pause(*paused), id, payload)
        }
        Notice::TransportClosed { transport, reason } => {
            frame("transportClosed", id, transport_closed(*transport, *reason))
        }
        Notice::ConsumerPaused { consumer, paused } => {
            frame(consumer_pause(*paused), id, paused_by_producer(*consumer))
        }
        Notice::ConsumerClosed { consumer, producer } => {
            frame("consumerClosed", id, consumer_closed(*consumer, *producer))
        }
        Notice::ConsumerLayersChanged { consumer, layers } => frame(
            "consumerLayersChanged",
            id,
            layers_changed(*consumer, *layers),
        ),
        Notice::WorkerLost => frame("workerLost", id, Empty {}),
        Notice::DisplayNameChanged { .. } | Notice::MediaState { .. } | Notice::Relayed { .. } => {
            return None;
        }
        Notice::Chat { .. }
        | Notice::JoinRequested { .. }
        | Notice::JoinRequestResolved { .. }
        | Notice::Admitted { .. }
        | Notice::RoleChanged { .. }
        | Notice::SpeakRequested { .. }
        | Notice::Muted { .. }
        | Notice::PolicyChanged { .. }
        | Notice::Removed { .. } => return moderation(state, notice),
    })
}

/// Writes a notice of who may do what, and of what is said.
fn moderation(state: &State, notice: &Notice) -> Option<String> {
    let id = &None;
    Some(match notice {
        Notice::Admitted { room, role, others } => {
            frame("admitted", id, room_joined(state, room, *role, others))
        }
        Notice::JoinRequested {
            peer,
            user,
            display_name,
        } => frame("joinRequested", id, wish(peer, user, display_name)),
        Notice::SpeakRequested {
            peer,
            user,
            display_name,
        } => frame("speakRequested", id, wish(peer, user, display_name)),
        Notice::JoinRequestResolved { peer } => {
            let peer_id = peer.to_string();
            frame("joinSettled", id, PeerRef { peer_id })
        }
        Notice::RoleChanged { peer, role, .. } => {
            let (peer_id, role) = (peer.to_string(), *role);
            frame("roleChanged", id, RoleChanged { peer_id, role })
        }
        Notice::Muted { producer, kind } => frame("muted", id, produced(*producer, *kind)),
        Notice::PolicyChanged { policy } => {
            let policy = *policy;
            frame("policyChanged", id, PolicyChanged { policy })
        }
        Notice::Removed { reason } => frame("removed", id, Removed { reason: *reason }),
        Notice::Chat {
            peer,
            display_name,
            text,
        } => {
            let payload = ChatNotice {
                peer_id: peer.to_string(),
                display_name: display_name.as_deref().map(str::to_owned),
                text: text.to_string(),
            };
            frame("chat", id, payload)
        }
        _ => return None,
    })
}

/// The payload of `joinRequested` and `speakRequested`.
fn wish(peer: &PeerId, user: &Option<Arc<str>>, display_name: &Option<Arc<str>>) -> PeerRequest {
    PeerRequest {
        peer_id: peer.to_string(),
        user_id: user.as_deref().map(str::to_owned),
        display_name: display_name.as_deref().map(str::to_owned),
    }
}

/// The word for a producer that was paused or resumed.
const fn producer_pause(paused: bool) -> &'static str {
    if paused {
        "producerPaused"
    } else {
        "producerResumed"
    }
}

/// The word for a consumer that was paused or resumed.
const fn consumer_pause(paused: bool) -> &'static str {
    if paused {
        "consumerPaused"
    } else {
        "consumerResumed"
    }
}

/// The payload of `routerRtpCapabilities`.
fn capabilities_payload(capabilities: &RtpCapabilities) -> RouterRtpCapabilities<'_> {
    RouterRtpCapabilities {
        rtp_capabilities: capabilities,
    }
}

/// The payload of `roomLeft`.
fn room_left(room: &str) -> RoomLeft {
    RoomLeft {
        room_id: room.to_owned(),
    }
}

/// The payload of `transportCreated`.
fn transport_created(offer: &CreatedTransport) -> TransportCreated<'_> {
    TransportCreated {
        transport_id: offer.transport.to_string(),
        ice_parameters: &offer.ice,
        ice_candidates: &offer.candidates,
        dtls_parameters: &offer.dtls,
        direction: offer.direction,
    }
}

/// The payload of `iceRestarted`.
fn ice_restarted(transport: TransportId, ice: &IceParameters) -> IceRestarted<'_> {
    IceRestarted {
        transport_id: transport.to_string(),
        ice_parameters: ice,
    }
}

/// The payload of `produced`.
fn produced(producer: ProducerId, kind: MediaKind) -> Produced {
    Produced {
        producer_id: producer.to_string(),
        kind,
    }
}

/// The payload of `consumed`.
fn consumed(offer: &CreatedConsumer) -> Consumed<'_> {
    Consumed {
        consumer_id: offer.consumer.to_string(),
        producer_id: offer.producer.to_string(),
        producer_peer_id: offer.producer_peer.to_string(),
        kind: offer.kind,
        rtp_parameters: &offer.rtp,
    }
}

/// The payload of `stats`.
fn stats(subject: StatsSubject, reports: &[Value]) -> Stats<'_> {
    Stats {
        subject: subject_ref(subject),
        stats: reports,
    }
}

/// The payload that names a transport.
fn transport_ref(transport: TransportId) -> TransportRef {
    TransportRef {
        transport_id: transport.to_string(),
    }
}

/// The payload that names one's producer.
fn producer_ref(producer: ProducerId) -> ProducerRef {
    ProducerRef {
        producer_id: producer.to_string(),
    }
}

/// The payload that names a consumer.
fn consumer_ref(consumer: ConsumerId) -> ConsumerRef {
    ConsumerRef {
        consumer_id: consumer.to_string(),
    }
}

/// The payload that names whose statistics these are.
fn subject_ref(subject: StatsSubject) -> SubjectRef {
    let mut named = SubjectRef::default();
    match subject {
        StatsSubject::Transport(id) => named.transport_id = Some(id.to_string()),
        StatsSubject::Producer(id) => named.producer_id = Some(id.to_string()),
        StatsSubject::Consumer(id) => named.consumer_id = Some(id.to_string()),
    }
    named
}

/// The payload of `roomJoined`.
fn room_joined(
    state: &State,
    room: &str,
    role: Role,
    others: &[message::ParticipantSummary],
) -> RoomJoined {
    let existing_producers = others
        .iter()
        .filter(|other| !other.producers.is_empty())
        .map(|other| PeerProducers {
            peer_id: other.peer.to_string(),
            display_name: shown_name(state, other.display_name.as_deref()),
            producers: other
                .producers
                .iter()
                .map(|it| producer_summary(state, it))
                .collect(),
        })
        .collect();
    RoomJoined {
        room_id: room.to_owned(),
        peers: others.iter().map(|other| other.peer.to_string()).collect(),
        existing_producers,
        participants: state
            .extended
            .then(|| others.iter().map(participant_summary).collect()),
        role: state.extended.then_some(role),
    }
}

/// A name, for clients that know of names.
fn shown_name(state: &State, name: Option<&str>) -> Option<String> {
    name.filter(|_| state.extended).map(str::to_owned)
}

/// One producer, in as many words as the client knows.
fn producer_summary(state: &State, producer: &message::ProducerSummary) -> ProducerSummary {
    ProducerSummary {
        producer_id: producer.producer.to_string(),
        kind: producer.kind,
        source: producer.source.filter(|_| state.extended),
        paused: (state.extended && producer.paused).then_some(true),
    }
}

/// One participant at a glance.
fn participant_summary(participant: &message::ParticipantSummary) -> ParticipantSummary {
    let sends = |kind| {
        let is_person = |it: &message::ProducerSummary| {
            !matches!(
                it.source,
                Some(MediaSource::Screen | MediaSource::ScreenAudio)
            )
        };
        let mut producers = participant.producers.iter();
        producers.any(|it| it.kind == kind && is_person(it) && !it.paused)
    };
    ParticipantSummary {
        peer_id: participant.peer.to_string(),
        display_name: participant.display_name.as_deref().map(str::to_owned),
        audio: sends(MediaKind::Audio),
        video: sends(MediaKind::Video),
        role: participant.role,
    }
}

/// The payload of `newPeer`.
fn new_peer(state: &State, peer: &PeerId, name: Option<&str>) -> NewPeer {
    NewPeer {
        peer_id: peer.to_string(),
        display_name: shown_name(state, name),
    }
}

/// The payload of `peerLeft`.
fn peer_left(peer: &PeerId) -> PeerLeft {
    PeerLeft {
        peer_id: peer.to_string(),
    }
}

/// The payload of `newProducer`.
fn new_producer(
    state: &State,
    peer: &PeerId,
    name: Option<&str>,
    producer: &message::ProducerSummary,
) -> NewProducer {
    NewProducer {
        peer_id: peer.to_string(),
        display_name: shown_name(state, name),
        producer: producer_summary(state, producer),
    }
}

/// The payload of `transportClosed`.
fn transport_closed(transport: TransportId, reason: CloseReason) -> TransportClosed {
    TransportClosed {
        transport_id: transport.to_string(),
        reason,
    }
}

/// The payload that says that a consumer stopped or went on because its producer did.
fn paused_by_producer(consumer: ConsumerId) -> ConsumerPausedNotice {
    ConsumerPausedNotice {
        consumer_id: consumer.to_string(),
        by_producer: true,
    }
}

/// The payload of `consumerClosed`.
fn consumer_closed(consumer: ConsumerId, producer: ProducerId) -> ConsumerClosed {
    ConsumerClosed {
        consumer_id: consumer.to_string(),
        producer_id: producer.to_string(),
    }
}

/// The payload of `consumerLayersChanged`.
fn layers_changed(consumer: ConsumerId, layers: Option<Layers>) -> ConsumerLayersChanged {
    ConsumerLayersChanged {
        consumer_id: consumer.to_string(),
        spatial_layer: layers.map(|it| it.spatial_layer),
        temporal_layer: layers.and_then(|it| it.temporal_layer),
    }
}

/// The payload that names somebody's producer.
fn peer_producer_ref(peer: &PeerId, producer: ProducerId) -> PeerProducerRef {
    PeerProducerRef {
        peer_id: peer.to_string(),
        producer_id: producer.to_string(),
    }
}
