//! Reads frames as requests. What makes no sense is refused with the words for it, and with the
//! frame's id when that much could be read; whether a request may be made is decided elsewhere.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use watersmeet_engine::command::{ConsumerId, Layers, ProducerId, TransportId};

use super::State;
use super::payloads::*;
use crate::dialect::media_json::{consumer, producer, transport};
use crate::dialect::{DecodeError, Effect, RequestTag, json};
use crate::message::{Moderation, Refusal, Request, StatsSubject};

/// Longest text that is an `id`, in bytes.
const REQUEST_ID_LEN_MAX: usize = 256;

/// Longest secret of a client that may come back, in bytes.
const RESUME_LEN_MAX: usize = 256;

/// Longest explanation in an error, in characters: it may quote what the client sent.
const EXPLANATION_LEN_MAX: usize = 200;

/// Reads a frame.
pub(in crate::dialect) fn decode(
    state: &mut State,
    text: &str,
) -> Result<Vec<Effect>, DecodeError> {
    let tag = |id| RequestTag { id, event: "" };
    let reject = |id: Option<Value>, what: &str| {
        let what: String = what.chars().take(EXPLANATION_LEN_MAX).collect();
        DecodeError {
            tag: tag(id),
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
        Ok(request) => Ok(vec![Effect::Request(tag(id), request)]),
        Err(Refusal::BadRequest(what)) => Err(reject(id, &what)),
        Err(refusal) => Err(DecodeError {
            tag: tag(id),
            refusal,
        }),
    }
}

/// Takes the `id` out of a frame. `None` when it is none that can be echoed.
fn request_id(fields: &mut Map<String, Value>) -> Option<Option<Value>> {
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
        "joinRoom" => join_room(read(payload)?)?,
        "leaveRoom" => Request::Leave,
        "getParticipants" => Request::ListParticipants,
        "createTransport" => Request::CreateTransport {
            direction: read::<CreateTransport>(payload)?.direction,
            key: None,
        },
        "closeTransport" => Request::CloseTransport {
            transport: named_transport(payload)?,
        },
        "connectTransport" => connect_transport(read(payload)?)?,
        "restartIce" => Request::RestartIce {
            transport: named_transport(payload)?,
        },
        "produce" => produce(read(payload)?)?,
        "pauseProducer" | "resumeProducer" => Request::PauseProducer {
            producer: named_producer(payload)?,
            paused: kind == "pauseProducer",
        },
        "closeProducer" => Request::CloseProducer {
            producer: named_producer(payload)?,
        },
        "consume" => consume(read(payload)?)?,
        "pauseConsumer" | "resumeConsumer" => Request::PauseConsumer {
            consumer: named_consumer(payload)?,
            paused: kind == "pauseConsumer",
        },
        "closeConsumer" => Request::CloseConsumer {
            consumer: named_consumer(payload)?,
        },
        "setPreferredLayers" => set_preferred_layers(read(payload)?)?,
        "requestKeyframe" => Request::RequestKeyframe {
            consumer: named_consumer(payload)?,
        },
        "getStats" => Request::Stats {
            subject: subject(&read(payload)?)?,
        },
        "chat" => Request::Chat {
            text: read::<Chat>(payload)?.text,
        },
        "requestToSpeak" => Request::RequestToSpeak,
        "moderate" => Request::Moderate(moderation(read(payload)?)),
        _ => return Err(Refusal::UnknownType),
    })
}

/// Reads a payload.
fn read<T: DeserializeOwned>(payload: Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(payload))
        .map_err(|error| Refusal::BadRequest(error.to_string()))
}

/// Reads a payload that names a transport.
fn named_transport(payload: Map<String, Value>) -> Result<TransportId, Refusal> {
    transport(&read::<TransportRef>(payload)?.transport_id)
}

/// Reads a payload that names a producer.
fn named_producer(payload: Map<String, Value>) -> Result<ProducerId, Refusal> {
    producer(&read::<ProducerRef>(payload)?.producer_id)
}

/// Reads a payload that names a consumer.
fn named_consumer(payload: Map<String, Value>) -> Result<ConsumerId, Refusal> {
    consumer(&read::<ConsumerRef>(payload)?.consumer_id)
}

/// Reads `joinRoom`.
fn join_room(payload: JoinRoom) -> Result<Request, Refusal> {
    let JoinRoom {
        room_id,
        display_name,
        token,
        resume,
    } = payload;
    if resume.is_some_and(|it| it.len() > RESUME_LEN_MAX) {
        return Err(Refusal::BadRequest("resume is too long".to_owned()));
    }
    Ok(Request::Join {
        room: room_id,
        display_name,
        token,
        user: None,
        policy: None,
    })
}

/// Reads `connectTransport`.
fn connect_transport(payload: ConnectTransport) -> Result<Request, Refusal> {
    Ok(Request::ConnectTransport {
        transport: transport(&payload.transport_id)?,
        dtls: payload.dtls_parameters,
    })
}

/// Reads `produce`.
fn produce(payload: Produce) -> Result<Request, Refusal> {
    if let Some(app_data) = &payload.app_data {
        if !(app_data.is_object() || app_data.is_null()) {
            return Err(Refusal::BadRequest("appData is not an object".to_owned()));
        }
        if !json::is_prototype_safe(app_data) {
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
        app_data: payload.app_data.filter(Value::is_object),
    })
}

/// Reads `moderate`.
fn moderation(payload: Moderate) -> Moderation {
    match payload {
        Moderate::Admit { peer_id, promote } => Moderation::Admit {
            peer: peer_id,
            promote: promote.unwrap_or(true),
        },
        Moderate::Deny { peer_id } => Moderation::Deny { peer: peer_id },
        Moderate::Promote { peer_id } => Moderation::Promote { peer: peer_id },
        Moderate::Demote { peer_id } => Moderation::Demote { peer: peer_id },
        Moderate::Mute { peer_id, kind } => Moderation::Mute {
            peer: peer_id,
            kind,
        },
        Moderate::Remove { peer_id } => Moderation::Remove { peer: peer_id },
        Moderate::SetPolicy { policy } => Moderation::SetPolicy { policy },
    }
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

/// Reads `setPreferredLayers`.
fn set_preferred_layers(payload: SetPreferredLayers) -> Result<Request, Refusal> {
    let layers = Layers {
        spatial_layer: payload.spatial_layer,
        temporal_layer: payload.temporal_layer,
    };
    let consumer = consumer(&payload.consumer_id)?;
    Ok(Request::SetPreferredLayers { consumer, layers })
}

/// Reads the payload of `getStats`, which names exactly one object.
fn subject(payload: &SubjectRef) -> Result<StatsSubject, Refusal> {
    let SubjectRef {
        transport_id,
        producer_id,
        consumer_id,
    } = payload;
    match (transport_id, producer_id, consumer_id) {
        (Some(id), None, None) => Ok(StatsSubject::Transport(transport(id)?)),
        (None, Some(id), None) => Ok(StatsSubject::Producer(producer(id)?)),
        (None, None, Some(id)) => Ok(StatsSubject::Consumer(consumer(id)?)),
        _ => Err(Refusal::BadRequest(
            "one of transportId, producerId and consumerId is needed".to_owned(),
        )),
    }
}
