//! The native dialect: every frame is JSON `{type, payload, id?}`. A request may carry an `id`,
//! which its reply or its error carries too.
//!
//! A client that never sends an `id` is served exactly the frames of the protocol's first
//! description: no field and no notice that it does not know. The first `id` says that the client
//! knows the whole protocol, and from then on it is told everything. Must never decide who may do
//! what.

mod frames;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use watersmeet_engine::command::{ConsumerId, Layers, ProducerId, TransportId};
use watersmeet_wire::params::MediaKind;

use self::frames::*;
pub use self::frames::{ClientOptions, IceServer};
use super::{Reject, RequestId, json};
use crate::message::{self, Notice, PeerId, Refusal, Reply, Request, Source, Subject};

/// Longest text that is an `id`, in bytes.
const REQUEST_ID_LEN_MAX: usize = 256;

/// Longest explanation in an error, in characters: it may quote what the client sent.
const EXPLANATION_LEN_MAX: usize = 200;

/// What native clients are told when they connect.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Options {
    /// STUN and TURN servers; usually none, since the server itself is reachable.
    pub ice_servers: Vec<IceServer>,
    /// What to do differently, if anything.
    pub client: Option<ClientOptions>,
}

/// What is remembered of a connection.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Whether the client has shown that it knows more than the first description.
    extended: bool,
}

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
fn frame(kind: &'static str, id: &RequestId, payload: impl Serialize) -> String {
    let frame = Frame {
        kind,
        payload,
        id: id.as_ref(),
    };
    serde_json::to_string(&frame).unwrap_or_default()
}

/// Writes `connected`.
pub(super) fn greeting(peer: PeerId, options: &Options) -> String {
    let ice_servers = Some(options.ice_servers.clone()).filter(|it| !it.is_empty());
    let connected = Connected {
        peer_id: peer.to_string(),
        ice_servers,
        options: options.client.clone(),
    };
    frame("connected", &None, connected)
}

/// Reads a frame.
pub(super) fn decode(state: &mut State, text: &str) -> Result<(RequestId, Request), Reject> {
    let reject = |id: RequestId, what: &str| {
        let what: String = what.chars().take(EXPLANATION_LEN_MAX).collect();
        Reject {
            id,
            refusal: Refusal::BadRequest(what),
        }
    };
    let value = json::parse(text).map_err(|error| reject(None, &error))?;
    let Value::Object(mut fields) = value else {
        return Err(reject(None, "not an object"));
    };
    let id = request_id(&mut fields)
        .ok_or_else(|| reject(None, "id is not a short text or a number"))?;
    state.extended |= id.is_some();
    let Some(Value::String(kind)) = fields.remove("type") else {
        return Err(reject(id, "missing type"));
    };
    let payload = match fields.remove("payload") {
        Some(Value::Object(payload)) => payload,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(reject(id, "payload is not an object")),
    };
    match request(&kind, payload) {
        Ok(request) => Ok((id, request)),
        Err(Refusal::BadRequest(what)) => Err(reject(id, &what)),
        Err(refusal) => Err(Reject { id, refusal }),
    }
}

/// Takes the `id` out of a frame. `None` when it is none that can be echoed.
fn request_id(fields: &mut Map<String, Value>) -> Option<RequestId> {
    match fields.remove("id") {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) if text.len() > REQUEST_ID_LEN_MAX => None,
        Some(id @ (Value::String(_) | Value::Number(_))) => Some(Some(id)),
        Some(_) => None,
    }
}

/// Reads a payload as what its type says.
fn request(kind: &str, payload: Map<String, Value>) -> Result<Request, Refusal> {
    Ok(match kind {
        "getRouterRtpCapabilities" => Request::RouterCapabilities,
        "joinRoom" => {
            let JoinRoom {
                room_id,
                display_name,
            } = read(payload)?;
            Request::Join {
                room: room_id,
                display_name,
            }
        }
        "leaveRoom" => Request::Leave,
        "getParticipants" => Request::ListParticipants,
        "createTransport" => Request::CreateTransport {
            direction: read::<CreateTransport>(payload)?.direction,
        },
        "connectTransport" => {
            let ConnectTransport {
                transport_id,
                dtls_parameters,
            } = read(payload)?;
            Request::ConnectTransport {
                transport: transport(&transport_id)?,
                dtls: dtls_parameters,
            }
        }
        "restartIce" => {
            let TransportRef { transport_id } = read(payload)?;
            Request::RestartIce {
                transport: transport(&transport_id)?,
            }
        }
        "produce" => produce(read(payload)?)?,
        "pauseProducer" | "resumeProducer" => {
            let ProducerRef { producer_id } = read(payload)?;
            let paused = kind == "pauseProducer";
            Request::PauseProducer {
                producer: producer(&producer_id)?,
                paused,
            }
        }
        "closeProducer" => {
            let ProducerRef { producer_id } = read(payload)?;
            Request::CloseProducer {
                producer: producer(&producer_id)?,
            }
        }
        "consume" => consume(read(payload)?)?,
        "pauseConsumer" | "resumeConsumer" => {
            let ConsumerRef { consumer_id } = read(payload)?;
            let paused = kind == "pauseConsumer";
            Request::PauseConsumer {
                consumer: consumer(&consumer_id)?,
                paused,
            }
        }
        "setPreferredLayers" => {
            let SetPreferredLayers {
                consumer_id,
                spatial_layer,
                temporal_layer,
            } = read(payload)?;
            let layers = Layers {
                spatial_layer,
                temporal_layer,
            };
            Request::SetPreferredLayers {
                consumer: consumer(&consumer_id)?,
                layers,
            }
        }
        "requestKeyframe" => {
            let ConsumerRef { consumer_id } = read(payload)?;
            Request::RequestKeyframe {
                consumer: consumer(&consumer_id)?,
            }
        }
        "getStats" => Request::Stats {
            subject: subject(&read(payload)?)?,
        },
        _ => return Err(Refusal::UnknownType),
    })
}

/// Reads a payload.
fn read<T: DeserializeOwned>(payload: Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(payload))
        .map_err(|error| Refusal::BadRequest(error.to_string()))
}

/// Reads `produce`.
fn produce(payload: Produce) -> Result<Request, Refusal> {
    if let Some(app_data) = &payload.app_data {
        if !(app_data.is_object() || app_data.is_null()) {
            return Err(Refusal::BadRequest("appData is not an object".to_owned()));
        }
        if !json::is_unpolluted(app_data) {
            return Err(Refusal::BadRequest(
                "appData has a forbidden key".to_owned(),
            ));
        }
    }
    Ok(Request::Produce {
        transport: transport(&payload.transport_id)?,
        kind: payload.kind,
        rtp: payload.rtp_parameters,
        source: payload.source,
        paused: payload.paused.unwrap_or(false),
    })
}

/// Reads `consume`. The client resumes when it is ready.
fn consume(payload: Consume) -> Result<Request, Refusal> {
    Ok(Request::Consume {
        producer: producer(&payload.producer_id)?,
        transport: payload.transport_id.as_deref().map(transport).transpose()?,
        capabilities: payload.rtp_capabilities,
        start_paused: true,
    })
}

/// Reads the payload of `getStats`, which names exactly one object.
fn subject(payload: &SubjectRef) -> Result<Subject, Refusal> {
    let SubjectRef {
        transport_id,
        producer_id,
        consumer_id,
    } = payload;
    match (transport_id, producer_id, consumer_id) {
        (Some(id), None, None) => Ok(Subject::Transport(transport(id)?)),
        (None, Some(id), None) => Ok(Subject::Producer(producer(id)?)),
        (None, None, Some(id)) => Ok(Subject::Consumer(consumer(id)?)),
        _ => Err(Refusal::BadRequest(
            "one of transportId, producerId and consumerId is needed".to_owned(),
        )),
    }
}

/// Reads a transport's id.
fn transport(text: &str) -> Result<TransportId, Refusal> {
    TransportId::parse(text).ok_or(Refusal::TransportNotFound)
}

/// Reads a producer's id.
fn producer(text: &str) -> Result<ProducerId, Refusal> {
    ProducerId::parse(text).ok_or(Refusal::ProducerNotFound)
}

/// Reads a consumer's id.
fn consumer(text: &str) -> Result<ConsumerId, Refusal> {
    ConsumerId::parse(text).ok_or(Refusal::ConsumerNotFound)
}

/// Writes `error`.
pub(super) fn refusal(id: &RequestId, refusal: &Refusal) -> String {
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
pub(super) fn reply(state: &State, id: &RequestId, reply: &Reply) -> String {
    match reply {
        Reply::RouterCapabilities(capabilities) => {
            let payload = RouterRtpCapabilities {
                rtp_capabilities: capabilities,
            };
            frame("routerRtpCapabilities", id, payload)
        }
        Reply::Joined { room, others } => frame("roomJoined", id, room_joined(state, room, others)),
        Reply::Left { room } => frame(
            "roomLeft",
            id,
            RoomLeft {
                room_id: room.to_string(),
            },
        ),
        Reply::Participants(participants) => {
            let participants = participants.iter().map(participant_summary).collect();
            frame("participants", id, Participants { participants })
        }
        Reply::TransportCreated {
            transport,
            direction,
            ice,
            candidates,
            dtls,
        } => {
            let payload = TransportCreated {
                transport_id: transport.to_string(),
                ice_parameters: ice,
                ice_candidates: candidates,
                dtls_parameters: dtls,
                direction: *direction,
            };
            frame("transportCreated", id, payload)
        }
        Reply::TransportConnected { transport } => {
            let payload = TransportRef {
                transport_id: transport.to_string(),
            };
            frame("transportConnected", id, payload)
        }
        Reply::IceRestarted { transport, ice } => {
            let payload = IceRestarted {
                transport_id: transport.to_string(),
                ice_parameters: ice,
            };
            frame("iceRestarted", id, payload)
        }
        Reply::Produced { producer, kind } => {
            let payload = Produced {
                producer_id: producer.to_string(),
                kind: *kind,
            };
            frame("produced", id, payload)
        }
        Reply::ProducerPaused { producer, paused } => {
            let kind = if *paused {
                "producerPaused"
            } else {
                "producerResumed"
            };
            frame(
                kind,
                id,
                ProducerRef {
                    producer_id: producer.to_string(),
                },
            )
        }
        Reply::ProducerClosed { producer } => frame(
            "closedProducer",
            id,
            ProducerRef {
                producer_id: producer.to_string(),
            },
        ),
        Reply::Consumed {
            consumer,
            producer,
            producer_peer,
            kind,
            rtp,
        } => {
            let payload = Consumed {
                consumer_id: consumer.to_string(),
                producer_id: producer.to_string(),
                producer_peer_id: producer_peer.to_string(),
                kind: *kind,
                rtp_parameters: rtp,
            };
            frame("consumed", id, payload)
        }
        Reply::ConsumerPaused { consumer, paused } => {
            let kind = if *paused {
                "consumerPaused"
            } else {
                "consumerResumed"
            };
            frame(kind, id, consumer_ref(*consumer))
        }
        Reply::PreferredLayersSet { consumer } => {
            frame("preferredLayersSet", id, consumer_ref(*consumer))
        }
        Reply::KeyframeRequested { consumer } => {
            frame("keyframeRequested", id, consumer_ref(*consumer))
        }
        Reply::Stats { subject, reports } => {
            let payload = Stats {
                subject: subject_ref(*subject),
                stats: reports,
            };
            frame("stats", id, payload)
        }
    }
}

/// The payload that names a consumer.
fn consumer_ref(consumer: ConsumerId) -> ConsumerRef {
    ConsumerRef {
        consumer_id: consumer.to_string(),
    }
}

/// The payload that names whose statistics these are.
fn subject_ref(subject: Subject) -> SubjectRef {
    let mut named = SubjectRef::default();
    match subject {
        Subject::Transport(id) => named.transport_id = Some(id.to_string()),
        Subject::Producer(id) => named.producer_id = Some(id.to_string()),
        Subject::Consumer(id) => named.consumer_id = Some(id.to_string()),
    }
    named
}

/// The payload of `roomJoined`.
fn room_joined(state: &State, room: &str, others: &[message::ParticipantSummary]) -> RoomJoined {
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
            !matches!(it.source, Some(Source::Screen | Source::ScreenAudio))
        };
        let mut producers = participant.producers.iter();
        producers.any(|it| it.kind == kind && is_person(it) && !it.paused)
    };
    ParticipantSummary {
        peer_id: participant.peer.to_string(),
        display_name: participant.display_name.as_deref().map(str::to_owned),
        audio: sends(MediaKind::Audio),
        video: sends(MediaKind::Video),
    }
}

/// Writes a notice, unless it is one that the client does not know.
pub(super) fn notice(state: &State, notice: &Notice) -> Option<String> {
    let none = &None;
    Some(match notice {
        Notice::ParticipantJoined { peer, display_name } => {
            let display_name = shown_name(state, display_name.as_deref());
            frame(
                "newPeer",
                none,
                NewPeer {
                    peer_id: peer.to_string(),
                    display_name,
                },
            )
        }
        Notice::ParticipantLeft { peer } => frame(
            "peerLeft",
            none,
            PeerLeft {
                peer_id: peer.to_string(),
            },
        ),
        Notice::ProducerAdded {
            peer,
            display_name,
            producer,
        } => {
            let payload = NewProducer {
                peer_id: peer.to_string(),
                display_name: shown_name(state, display_name.as_deref()),
                producer: producer_summary(state, producer),
            };
            frame("newProducer", none, payload)
        }
        Notice::ProducerClosed { peer, producer } => {
            frame("producerClosed", none, peer_producer_ref(*peer, *producer))
        }
        Notice::WorkerLost if !state.extended => refusal(none, &Refusal::WorkerLost),
        _ if !state.extended => return None,
        Notice::ProducerPaused {
            peer,
            producer,
            paused,
        } => {
            let kind = if *paused {
                "producerPaused"
            } else {
                "producerResumed"
            };
            frame(kind, none, peer_producer_ref(*peer, *producer))
        }
        Notice::TransportClosed { transport, reason } => {
            let payload = TransportClosed {
                transport_id: transport.to_string(),
                reason: *reason,
            };
            frame("transportClosed", none, payload)
        }
        Notice::ConsumerPaused { consumer, paused } => {
            let kind = if *paused {
                "consumerPaused"
            } else {
                "consumerResumed"
            };
            let payload = ConsumerPausedNotice {
                consumer_id: consumer.to_string(),
                by_producer: true,
            };
            frame(kind, none, payload)
        }
        Notice::ConsumerClosed { consumer, producer } => {
            let payload = ConsumerClosed {
                consumer_id: consumer.to_string(),
                producer_id: producer.to_string(),
            };
            frame("consumerClosed", none, payload)
        }
        Notice::ConsumerLayersChanged { consumer, layers } => {
            let payload = ConsumerLayersChanged {
                consumer_id: consumer.to_string(),
                spatial_layer: layers.map(|it| it.spatial_layer),
                temporal_layer: layers.and_then(|it| it.temporal_layer),
            };
            frame("consumerLayersChanged", none, payload)
        }
        Notice::WorkerLost => frame("workerLost", none, Empty {}),
    })
}

/// The payload that names somebody's producer.
fn peer_producer_ref(peer: PeerId, producer: ProducerId) -> PeerProducerRef {
    PeerProducerRef {
        peer_id: peer.to_string(),
        producer_id: producer.to_string(),
    }
}
