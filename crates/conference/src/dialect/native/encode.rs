//! Encodes replies, refusals and notices as frames. A client of the protocol's first version gets
//! only the fields and frames of that version.

use serde_json::Value;
use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{IceParameters, MediaKind, RtpCapabilities};

use super::config::Config;
use super::encode_breakouts::encode_breakout_notice;
use super::encode_conversation::{conversation, encode_conversation_notice};
use super::encode_media::{consumer_paused_type, encode_media_notice};
use super::frame::frame;
use super::payloads::*;
use super::state::State;
use crate::dialect::session_context::SessionContext;
use crate::message::{
    self, Applicant, CreatedConsumer, CreatedTransport, LobbyState, MediaSource, Notice, PeerId,
    Refusal, Reply, Role, RoomSnapshot, Sharing, StatsSubject,
};

/// Writes `connected`.
pub(crate) fn encode_connected(context: &SessionContext, config: &Config) -> String {
    let ice_servers = Some(context.ice_servers.to_vec()).filter(|it| !it.is_empty());
    let connected = Connected {
        peer_id: context.peer.to_string(),
        ice_servers,
        options: config.client.clone(),
    };
    frame("connected", &None, connected)
}

/// Writes `error`.
pub(crate) fn encode_refusal(id: &Option<Value>, refusal: &Refusal) -> String {
    frame(
        "error",
        id,
        ErrorPayload {
            message: refusal.to_string(),
            code: refusal.code(),
        },
    )
}

/// Encodes the reply to a request.
pub(crate) fn encode_reply(state: &State, id: &Option<Value>, reply: &Reply) -> String {
    match reply {
        Reply::RouterCapabilities(capabilities) => frame(
            "routerRtpCapabilities",
            id,
            capabilities_payload(capabilities),
        ),
        Reply::Joined(snapshot) => frame("roomJoined", id, room_joined(state, snapshot)),
        Reply::WaitingForApproval(lobby) => frame("waiting", id, waiting(lobby)),
        Reply::Left { room } => frame("roomLeft", id, room_left(room)),
        Reply::Participants(participants) => {
            let participants = participants.iter().map(participant_summary).collect();
            frame("participants", id, Participants { participants })
        }
        Reply::TransportCreated(created) => {
            frame("transportCreated", id, transport_created(created))
        }
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
            frame(producer_paused_type(*paused), id, producer_ref(*producer))
        }
        Reply::ProducerClosed { producer } => frame("closedProducer", id, producer_ref(*producer)),
        Reply::Consumed(created) => frame("consumed", id, consumed(created)),
        Reply::ConsumerPaused { consumer, paused } => {
            frame(consumer_paused_type(*paused), id, consumer_ref(*consumer))
        }
        Reply::ConsumerClosed { consumer } => frame("closedConsumer", id, consumer_ref(*consumer)),
        Reply::PreferredLayersSet { consumer } => {
            frame("preferredLayersSet", id, consumer_ref(*consumer))
        }
        Reply::KeyframeRequested { consumer } => {
            frame("keyframeRequested", id, consumer_ref(*consumer))
        }
        Reply::Stats { subject, reports } => frame("stats", id, stats(*subject, reports)),
        Reply::ChatSent {
            message,
            sent_at_ms,
        } => {
            let (message_id, sent_at) = (*message, *sent_at_ms);
            frame(
                "done",
                id,
                ChatSent {
                    message_id,
                    sent_at,
                },
            )
        }
        Reply::Resumed { last_request } => {
            let last_request = last_request.clone();
            frame("resumed", id, Resumed { last_request })
        }
        Reply::Conversation(snapshot) => frame("conversation", id, conversation(snapshot)),
        Reply::Done => frame("done", id, Empty {}),
    }
}

/// Encodes a notice. The first version of the protocol has no frame for a participant whose
/// producers are closed, so that one that starts anew leaves and comes back.
pub(crate) fn encode_notice(state: &State, notice: &Notice) -> Vec<String> {
    if let Notice::ParticipantRestarted { participant, .. } = notice {
        let (peer, name) = (&participant.peer, participant.display_name.as_deref());
        return vec![
            frame("peerLeft", &None, peer_left(peer)),
            frame(
                "newPeer",
                &None,
                new_peer(state, peer, name, participant.role),
            ),
        ];
    }
    encode_single(state, notice).into_iter().collect()
}

/// Encodes a notice as one frame. Returns `None` when the client does not support it.
fn encode_single(state: &State, notice: &Notice) -> Option<String> {
    let id = &None;
    Some(match notice {
        Notice::ParticipantJoined(joined) => {
            let name = joined.display_name.as_deref();
            let payload = new_peer(state, &joined.peer, name, joined.role);
            frame("newPeer", id, payload)
        }
        Notice::ParticipantLeft { peer, .. } => frame("peerLeft", id, peer_left(peer)),
        Notice::ProducerAdded {
            peer,
            display_name,
            producer,
        } => {
            let payload = new_producer(state, peer, display_name.as_deref(), producer);
            frame("newProducer", id, payload)
        }
        Notice::WorkerLost if !state.extended => encode_refusal(id, &Refusal::WorkerLost),
        // A client without support for waiting rooms still waits for the reply to its join.
        Notice::Admitted(snapshot) if !state.extended => {
            frame("roomJoined", id, room_joined(state, snapshot))
        }
        Notice::Removed { .. } if !state.extended => encode_refusal(id, &Refusal::NotInRoom),
        _ if !state.extended => return None,
        _ => return encode_extended(state, notice),
    })
}

/// Encodes a notice that the first version of the protocol does not have.
fn encode_extended(state: &State, notice: &Notice) -> Option<String> {
    let id = &None;
    Some(match notice {
        Notice::ProducerClosed { peer, producer } => {
            frame("producerClosed", id, peer_producer_ref(peer, *producer))
        }
        Notice::ProducerPaused {
            peer,
            producer,
            paused,
        } => {
            let payload = peer_producer_ref(peer, *producer);
            frame(producer_paused_type(*paused), id, payload)
        }
        Notice::TransportClosed { .. }
        | Notice::ConsumerPaused { .. }
        | Notice::ConsumerClosed { .. }
        | Notice::ConsumerLayersChanged { .. }
        | Notice::ProducerScore { .. }
        | Notice::ConsumerScore { .. }
        | Notice::ProducerDemandChanged { .. } => return encode_media_notice(notice),
        Notice::WorkerLost => frame("workerLost", id, Empty {}),
        Notice::ParticipantJoined(_)
        | Notice::ParticipantLeft { .. }
        | Notice::ProducerAdded { .. }
        | Notice::ParticipantRestarted { .. }
        | Notice::DisplayNameChanged { .. }
        | Notice::MediaState { .. }
        | Notice::Relayed { .. } => return None,
        Notice::Chat(_)
        | Notice::ChatPolicyChanged { .. }
        | Notice::HandRaised(_)
        | Notice::HandLowered { .. }
        | Notice::Reaction { .. }
        | Notice::Caption(_)
        | Notice::PollOpened(_)
        | Notice::PollChanged { .. } => return encode_conversation_notice(notice),
        Notice::Breakouts(_) | Notice::BreakoutMoved(_) | Notice::BreakoutsClosed => {
            return encode_breakout_notice(notice);
        }
        Notice::Moved(snapshot) => frame("moved", id, room_joined(state, snapshot)),
        Notice::JoinRequested(_)
        | Notice::JoinRequestResolved { .. }
        | Notice::Admitted(_)
        | Notice::RoleChanged { .. }
        | Notice::SpeakRequested(_)
        | Notice::Muted { .. }
        | Notice::PolicyChanged { .. }
        | Notice::LobbyChanged(_)
        | Notice::ParticipantCount { .. }
        | Notice::ActiveSpeaker { .. }
        | Notice::ServerClosing { .. }
        | Notice::UnmuteRequested { .. }
        | Notice::SharingStopped
        | Notice::SpotlightChanged { .. }
        | Notice::SharingChanged { .. }
        | Notice::InterruptionChanged { .. }
        | Notice::Removed { .. } => return encode_room_notice(state, notice),
    })
}

/// Encodes a notice about admissions, roles, or the room as a whole.
fn encode_room_notice(state: &State, notice: &Notice) -> Option<String> {
    let id = &None;
    Some(match notice {
        Notice::ServerClosing { seconds } => {
            frame("serverClosing", id, ServerClosing { seconds: *seconds })
        }
        Notice::ParticipantCount { count } => {
            frame("participantCount", id, ParticipantCount { count: *count })
        }
        Notice::ActiveSpeaker { peer } => frame("activeSpeaker", id, active_speaker(peer.as_ref())),
        Notice::LobbyChanged(lobby) => frame("waiting", id, waiting(lobby)),
        Notice::Admitted(snapshot) => frame("admitted", id, room_joined(state, snapshot)),
        Notice::JoinRequested(applicant) => frame("joinRequested", id, peer_request(applicant)),
        Notice::SpeakRequested(applicant) => frame("speakRequested", id, peer_request(applicant)),
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
        _ => return encode_moderation_notice(notice),
    })
}

/// Encodes a notice about what hosts do, or about the connection of a participant.
fn encode_moderation_notice(notice: &Notice) -> Option<String> {
    let id = &None;
    Some(match notice {
        Notice::UnmuteRequested { by } => {
            let peer_id = by.as_ref().map(PeerId::to_string);
            frame("unmuteRequested", id, UnmuteRequested { peer_id })
        }
        Notice::SharingStopped => frame("sharingStopped", id, Empty {}),
        Notice::SpotlightChanged { peer } => {
            let peer_id = peer.as_ref().map(PeerId::to_string);
            frame("spotlightChanged", id, SpotlightChanged { peer_id })
        }
        Notice::SharingChanged { sharing } => {
            let sharing = *sharing;
            frame("sharingChanged", id, SharingChanged { sharing })
        }
        Notice::InterruptionChanged { peer, interrupted } => {
            let (peer_id, interrupted) = (peer.to_string(), *interrupted);
            let payload = InterruptionChanged {
                peer_id,
                interrupted,
            };
            frame("interruptionChanged", id, payload)
        }
        _ => return None,
    })
}

/// Returns the payload of `joinRequested` and `speakRequested`.
fn peer_request(applicant: &Applicant) -> PeerRequest {
    PeerRequest {
        peer_id: applicant.peer.to_string(),
        user_id: applicant.user.as_deref().map(str::to_owned),
        display_name: applicant.display_name.as_deref().map(str::to_owned),
    }
}

/// Returns the type of the frame about a paused or resumed producer.
const fn producer_paused_type(paused: bool) -> &'static str {
    if paused {
        "producerPaused"
    } else {
        "producerResumed"
    }
}

/// Returns the payload of `routerRtpCapabilities`.
fn capabilities_payload(capabilities: &RtpCapabilities) -> RouterRtpCapabilities<'_> {
    RouterRtpCapabilities {
        rtp_capabilities: capabilities,
    }
}

/// Returns the payload of `waiting`.
fn waiting(lobby: &LobbyState) -> Waiting {
    Waiting {
        room_id: lobby.room.to_string(),
        title: lobby.title.as_deref().map(str::to_owned),
        host_present: lobby.has_host,
    }
}

/// Returns the payload of `roomLeft`.
fn room_left(room: &str) -> RoomLeft {
    RoomLeft {
        room_id: room.to_owned(),
    }
}

/// Returns the payload of `transportCreated`.
fn transport_created(created: &CreatedTransport) -> TransportCreated<'_> {
    TransportCreated {
        transport_id: created.transport.to_string(),
        ice_parameters: &created.ice,
        ice_candidates: &created.candidates,
        dtls_parameters: &created.dtls,
        direction: created.direction,
    }
}

/// Returns the payload of `iceRestarted`.
fn ice_restarted(transport: TransportId, ice: &IceParameters) -> IceRestarted<'_> {
    IceRestarted {
        transport_id: transport.to_string(),
        ice_parameters: ice,
    }
}

/// Returns the payload of `produced`.
fn produced(producer: ProducerId, kind: MediaKind) -> Produced {
    Produced {
        producer_id: producer.to_string(),
        kind,
    }
}

/// Returns the payload of `consumed`.
fn consumed(created: &CreatedConsumer) -> Consumed<'_> {
    Consumed {
        consumer_id: created.consumer.to_string(),
        producer_id: created.producer.to_string(),
        producer_peer_id: created.producer_peer.to_string(),
        kind: created.kind,
        rtp_parameters: &created.rtp,
    }
}

/// Returns the payload of `stats`.
fn stats(subject: StatsSubject, reports: &[Value]) -> Stats<'_> {
    Stats {
        subject: subject_ref(subject),
        stats: reports,
    }
}

/// Returns the payload that names a transport.
fn transport_ref(transport: TransportId) -> TransportRef {
    TransportRef {
        transport_id: transport.to_string(),
    }
}

/// Returns the payload that names a producer.
fn producer_ref(producer: ProducerId) -> ProducerRef {
    ProducerRef {
        producer_id: producer.to_string(),
    }
}

/// Returns the payload that names a consumer.
fn consumer_ref(consumer: ConsumerId) -> ConsumerRef {
    ConsumerRef {
        consumer_id: consumer.to_string(),
    }
}

/// Returns the payload that names the object of statistics.
fn subject_ref(subject: StatsSubject) -> SubjectRef {
    let mut named = SubjectRef::default();
    match subject {
        StatsSubject::Transport(id) => named.transport_id = Some(id.to_string()),
        StatsSubject::Producer(id) => named.producer_id = Some(id.to_string()),
        StatsSubject::Consumer(id) => named.consumer_id = Some(id.to_string()),
    }
    named
}

/// Returns the payload of `roomJoined` and `admitted`.
fn room_joined(state: &State, snapshot: &RoomSnapshot) -> RoomJoined {
    let RoomSnapshot {
        room,
        title,
        role,
        others,
        count,
        active_speaker,
        spotlight,
        sharing,
    } = snapshot;
    let existing_producers = others
        .iter()
        .filter(|other| !other.producers.is_empty())
        .map(|other| PeerProducers {
            peer_id: other.peer.to_string(),
            display_name: known_name(state, other.display_name.as_deref()),
            producers: other
                .producers
                .iter()
                .map(|it| producer_summary(state, it))
                .collect(),
        })
        .collect();
    RoomJoined {
        room_id: room.to_string(),
        title: title
            .as_deref()
            .filter(|_| state.extended)
            .map(str::to_owned),
        peers: others.iter().map(|other| other.peer.to_string()).collect(),
        existing_producers,
        participants: state
            .extended
            .then(|| others.iter().map(participant_summary).collect()),
        role: state.extended.then_some(*role),
        participant_count: count.filter(|_| state.extended),
        active_speaker: known_peer(state, active_speaker.as_ref()),
        spotlight: known_peer(state, spotlight.as_ref()),
        sharing: (state.extended && *sharing == Sharing::Hosts).then_some(*sharing),
    }
}

/// Returns the id of the active speaker or of who is in the spotlight, if the client supports that.
fn known_peer(state: &State, peer: Option<&PeerId>) -> Option<String> {
    peer.filter(|_| state.extended).map(PeerId::to_string)
}

/// Returns the payload of `activeSpeaker`.
fn active_speaker(peer: Option<&PeerId>) -> ActiveSpeaker {
    ActiveSpeaker {
        peer_id: peer.map(PeerId::to_string),
    }
}

/// Returns a display name, if the client supports names.
fn known_name(state: &State, name: Option<&str>) -> Option<String> {
    name.filter(|_| state.extended).map(str::to_owned)
}

/// Returns a producer with the fields that the client supports.
fn producer_summary(state: &State, producer: &message::ProducerSummary) -> ProducerSummary {
    ProducerSummary {
        producer_id: producer.producer.to_string(),
        kind: producer.kind,
        source: producer.source.filter(|_| state.extended),
        paused: (state.extended && producer.paused).then_some(true),
    }
}

/// Returns a participant with its role and media.
fn participant_summary(participant: &message::ParticipantSummary) -> ParticipantSummary {
    let sends = |kind| {
        let is_device = |it: &message::ProducerSummary| {
            !matches!(
                it.source,
                Some(MediaSource::Screen | MediaSource::ScreenAudio)
            )
        };
        let mut producers = participant.producers.iter();
        producers.any(|it| it.kind == kind && is_device(it) && !it.paused)
    };
    ParticipantSummary {
        peer_id: participant.peer.to_string(),
        display_name: participant.display_name.as_deref().map(str::to_owned),
        audio: sends(MediaKind::Audio),
        video: sends(MediaKind::Video),
        role: participant.role,
        interrupted: participant.is_interrupted.then_some(true),
    }
}

/// Returns the payload of `newPeer`.
fn new_peer(state: &State, peer: &PeerId, name: Option<&str>, role: Role) -> NewPeer {
    NewPeer {
        peer_id: peer.to_string(),
        display_name: known_name(state, name),
        role: (state.extended && role != Role::Speaker).then_some(role),
    }
}

/// Returns the payload of `peerLeft`.
fn peer_left(peer: &PeerId) -> PeerLeft {
    PeerLeft {
        peer_id: peer.to_string(),
    }
}

/// Returns the payload of `newProducer`.
fn new_producer(
    state: &State,
    peer: &PeerId,
    name: Option<&str>,
    producer: &message::ProducerSummary,
) -> NewProducer {
    NewProducer {
        peer_id: peer.to_string(),
        display_name: known_name(state, name),
        producer: producer_summary(state, producer),
    }
}

/// Returns the payload that names a producer of a participant.
fn peer_producer_ref(peer: &PeerId, producer: ProducerId) -> PeerProducerRef {
    PeerProducerRef {
        peer_id: peer.to_string(),
        producer_id: producer.to_string(),
    }
}
