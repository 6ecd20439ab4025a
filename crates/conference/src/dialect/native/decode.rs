//! Decodes frames as requests. An invalid frame is refused with an explanation, and with its id if
//! that could be read. The conference decides whether a request is allowed.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use watersmeet_engine::command::{ConsumerId, Layers, ProducerId, TransportId};

use super::decode_conversation::conversation_request;
use super::payloads::*;
use super::state::State;
use crate::dialect::effect::{DecodeError, Effect, RequestTag};
use crate::dialect::json;
use crate::dialect::media_json::{
    bad_request, check_app_data, parse_consumer_id, parse_producer_id, parse_transport_id,
    read_value,
};
use crate::message::{
    self, BreakoutsRequest, JoinRequest, Moderation, PageReport, Refusal, Request, ResumeRequest,
    StatsSubject,
};

/// Maximum length of a text `id`, in bytes.
const REQUEST_ID_LEN_MAX: usize = 256;

/// Minimum length of the secret of a client that reconnects, in bytes: nobody guesses 64 random bits.
const RESUME_LEN_MIN: usize = 16;

/// Maximum length of the secret of a client that reconnects, in bytes.
const RESUME_LEN_MAX: usize = 256;

/// Decodes a frame.
///
/// # Errors
/// Returns the refusal of a frame that is not a valid request, with its id if that could be read.
pub(crate) fn decode(state: &mut State, text: &str) -> Result<Vec<Effect>, DecodeError> {
    let tag = |id| RequestTag { id, event: "" };
    let error = |id: Option<Value>, what: &str| DecodeError {
        tag: tag(id),
        refusal: bad_request(what),
    };
    let value = json::parse(text).map_err(|it| error(None, &it))?;
    let Value::Object(mut fields) = value else {
        return Err(error(None, "not an object"));
    };
    let id =
        request_id(&mut fields).ok_or_else(|| error(None, "id is not a short text or a number"))?;
    state.extended |= id.is_some();
    let Some(Value::String(kind)) = fields.remove("type") else {
        return Err(error(id, "missing type"));
    };
    let payload = match fields.remove("payload") {
        Some(Value::Object(payload)) => payload,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(error(id, "payload is not an object")),
    };
    match request(&kind, payload) {
        Ok(request) => Ok(vec![Effect::Request(tag(id), request)]),
        Err(refusal) => Err(DecodeError {
            tag: tag(id),
            refusal,
        }),
    }
}

/// Removes the `id` from a frame. Returns `None` when its type is not allowed.
fn request_id(fields: &mut Map<String, Value>) -> Option<Option<Value>> {
    match fields.remove("id") {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) if text.len() > REQUEST_ID_LEN_MAX => None,
        Some(id @ (Value::String(_) | Value::Number(_))) => Some(Some(id)),
        Some(_) => None,
    }
}

/// Reads the payload of a frame of type `kind`.
fn request(kind: &str, payload: Map<String, Value>) -> Result<Request, Refusal> {
    Ok(match kind {
        "getRouterRtpCapabilities" => Request::RouterCapabilities,
        "joinRoom" => join_room(read(payload)?)?,
        "testConnection" => Request::TestConnection,
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
        "setPriority" => set_priority(read(payload)?)?,
        "requestKeyframe" => Request::RequestKeyframe {
            consumer: named_consumer(payload)?,
        },
        "getStats" => Request::Stats {
            subject: subject(&read(payload)?)?,
        },
        "ping" => Request::Ping {
            seq: read::<Ping>(payload)?.seq,
        },
        "reportQuality" => report_quality(read(payload)?)?,
        "resumeSession" => resume_session(read(payload)?),
        "enterBreakout" => Request::EnterBreakout {
            room: read::<EnterBreakout>(payload)?.room_id,
        },
        "requestToSpeak" => Request::RequestToSpeak,
        "moderate" => Request::Moderate(moderation(read(payload)?)),
        _ => return conversation_request(kind, payload),
    })
}

/// Reads a payload as `T`.
fn read<T: DeserializeOwned>(payload: Map<String, Value>) -> Result<T, Refusal> {
    read_value(Value::Object(payload))
}

/// Reads a payload that names a transport.
fn named_transport(payload: Map<String, Value>) -> Result<TransportId, Refusal> {
    parse_transport_id(&read::<TransportRef>(payload)?.transport_id)
}

/// Reads a payload that names a producer.
fn named_producer(payload: Map<String, Value>) -> Result<ProducerId, Refusal> {
    parse_producer_id(&read::<ProducerRef>(payload)?.producer_id)
}

/// Reads a payload that names a consumer.
fn named_consumer(payload: Map<String, Value>) -> Result<ConsumerId, Refusal> {
    parse_consumer_id(&read::<ConsumerRef>(payload)?.consumer_id)
}

/// Reads `joinRoom`.
fn join_room(payload: JoinRoom) -> Result<Request, Refusal> {
    let JoinRoom {
        room_id,
        display_name,
        token,
        resume,
        resumable,
    } = payload;
    let resume = resume.filter(|it| !it.is_empty());
    if let Some(resume) = &resume
        && !(RESUME_LEN_MIN..=RESUME_LEN_MAX).contains(&resume.len())
    {
        return Err(bad_request("resume is too short or too long"));
    }
    Ok(Request::Join(Box::new(JoinRequest {
        room: room_id,
        display_name,
        token,
        is_resumable: resumable == Some(true) && resume.is_some(),
        resume,
        ..JoinRequest::default()
    })))
}

/// Reads `resumeSession`.
fn resume_session(payload: ResumeSession) -> Request {
    Request::Resume(ResumeRequest {
        peer: payload.peer_id,
        secret: payload.resume,
        seq: payload.seq,
    })
}

/// Checks `reportQuality`.
fn report_quality(report: PageReport) -> Result<Request, Refusal> {
    match report.is_valid() {
        true => Ok(Request::ReportQuality(report)),
        false => Err(bad_request("a number of the report is out of range")),
    }
}

/// Reads `connectTransport`.
fn connect_transport(payload: ConnectTransport) -> Result<Request, Refusal> {
    Ok(Request::ConnectTransport {
        transport: parse_transport_id(&payload.transport_id)?,
        dtls: payload.dtls_parameters,
    })
}

/// Reads `produce`.
fn produce(payload: Produce) -> Result<Request, Refusal> {
    let app_data = check_app_data(payload.app_data)?;
    Ok(Request::Produce {
        transport: parse_transport_id(&payload.transport_id)?,
        kind: payload.kind,
        rtp: payload.rtp_parameters,
        source: payload.source,
        paused: payload.paused.unwrap_or(false),
        app_data,
    })
}

/// Reads `moderate`.
fn moderation(payload: Moderate) -> Moderation {
    match payload {
        Moderate::Admit { peer_id, promote } => Moderation::Admit {
            peer: peer_id,
            promote: promote.unwrap_or(true),
        },
        Moderate::Deny { peer_id, ban } => Moderation::Deny {
            peer: peer_id,
            ban: ban.unwrap_or(false),
        },
        Moderate::Promote { peer_id } => Moderation::Promote { peer: peer_id },
        Moderate::Demote { peer_id } => Moderation::Demote { peer: peer_id },
        Moderate::Mute { peer_id, kind } => Moderation::Mute {
            peer: peer_id,
            kind,
        },
        Moderate::MuteAll { kind } => Moderation::MuteAll { kind },
        Moderate::AskToUnmute { peer_id } => Moderation::AskToUnmute { peer: peer_id },
        Moderate::StopSharing { peer_id } => Moderation::StopSharing { peer: peer_id },
        Moderate::AppointHost { peer_id } => Moderation::AppointHost { peer: peer_id },
        Moderate::Spotlight { peer_id } => Moderation::Spotlight { peer: peer_id },
        Moderate::SetSharing { sharing } => Moderation::SetSharing { sharing },
        Moderate::End {} => Moderation::End,
        Moderate::Remove { peer_id, ban } => Moderation::Remove {
            peer: peer_id,
            ban: ban.unwrap_or(false),
        },
        Moderate::SetPolicy { policy } => Moderation::SetPolicy { policy },
        Moderate::OpenBreakouts { rooms } => {
            let plans = rooms.into_iter().map(|it| message::BreakoutPlan {
                name: it.name,
                peers: it.peer_ids,
            });
            Moderation::Breakouts(BreakoutsRequest::Open(plans.collect()))
        }
        Moderate::AssignBreakout { peer_id, room_id } => {
            let (peer, room) = (peer_id, room_id);
            Moderation::Breakouts(BreakoutsRequest::Assign { peer, room })
        }
        Moderate::TellBreakouts { text } => Moderation::Breakouts(BreakoutsRequest::Tell { text }),
        Moderate::CloseBreakouts { seconds } => {
            Moderation::Breakouts(BreakoutsRequest::Close { seconds })
        }
        Moderate::SetChatPolicy { policy } => Moderation::SetChatPolicy { policy },
    }
}

/// Reads `consume`. The client resumes the consumer when it is ready.
fn consume(payload: Consume) -> Result<Request, Refusal> {
    Ok(Request::Consume {
        producer: parse_producer_id(&payload.producer_id)?,
        transport: payload
            .transport_id
            .as_deref()
            .map(parse_transport_id)
            .transpose()?,
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
    let consumer = parse_consumer_id(&payload.consumer_id)?;
    Ok(Request::SetPreferredLayers { consumer, layers })
}

/// Reads `setPriority`.
fn set_priority(payload: SetPriority) -> Result<Request, Refusal> {
    let consumer = parse_consumer_id(&payload.consumer_id)?;
    let priority = payload.priority;
    Ok(Request::SetPriority { consumer, priority })
}

/// Reads the payload of `getStats`, which names exactly one object.
fn subject(payload: &SubjectRef) -> Result<StatsSubject, Refusal> {
    let SubjectRef {
        transport_id,
        producer_id,
        consumer_id,
    } = payload;
    match (transport_id, producer_id, consumer_id) {
        (Some(id), None, None) => Ok(StatsSubject::Transport(parse_transport_id(id)?)),
        (None, Some(id), None) => Ok(StatsSubject::Producer(parse_producer_id(id)?)),
        (None, None, Some(id)) => Ok(StatsSubject::Consumer(parse_consumer_id(id)?)),
        _ => Err(bad_request(
            "one of transportId, producerId and consumerId is needed",
        )),
    }
}
