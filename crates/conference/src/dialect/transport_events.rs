//! Events that the dialects `call` and `sfu` share, because their clients are based on the same
//! tutorial.

use serde::Deserialize;
use serde_json::{Value, json};
use watersmeet_engine::command::TransportId;
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpParameters};

use super::effect::{Effect, RequestTag};
use super::media_json::{check_app_data, parse_transport_id, produce_request};
use super::socketio_event::{SocketIoEvent, acknowledge, acknowledge_refusal};
use crate::connect_request::Namespace;
use crate::message::{ParticipantSummary, PeerId, ProducerSummary, Refusal, Request};

/// Requests a transport.
pub(super) const CREATE_TRANSPORT: &str = "createWebRtcTransport";
/// Sends the client's DTLS parameters for its send transport.
pub(super) const CONNECT: &str = "transport-connect";
/// Requests a producer.
pub(super) const PRODUCE: &str = "transport-produce";
/// Requests a consumer.
pub(super) const CONSUME: &str = "consume";
/// Sends the client's DTLS parameters for a receive transport.
pub(super) const CONNECT_RECEIVE: &str = "transport-recv-connect";
/// Resumes a consumer.
pub(super) const RESUME: &str = "consumer-resume";

/// `transport-connect`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransportConnect {
    transport_id: Option<String>,
    dtls_parameters: DtlsParameters,
}

/// `transport-produce`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransportProduce {
    transport_id: Option<String>,
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    app_data: Option<Value>,
}

/// Reads `transport-connect`. A client that names no transport means `send_transport`.
///
/// # Errors
/// Returns `BadRequest` for another payload, `TransportNotFound` for an invalid id, or without an
/// id and a send transport.
pub(super) fn read_connect(
    event: SocketIoEvent,
    send_transport: Option<TransportId>,
) -> Result<Request, Refusal> {
    let payload: TransportConnect = event.read()?;
    Ok(Request::ConnectTransport {
        transport: choose_transport(payload.transport_id, send_transport)?,
        dtls: payload.dtls_parameters,
    })
}

/// Reads `transport-produce`. A client that names no transport means `send_transport`.
///
/// # Errors
/// Returns `BadRequest` for another payload, `TransportNotFound` for an invalid id, or without an
/// id and a send transport.
pub(super) fn read_produce(
    event: SocketIoEvent,
    send_transport: Option<TransportId>,
) -> Result<Request, Refusal> {
    let payload: TransportProduce = event.read()?;
    let app_data = check_app_data(payload.app_data)?;
    let transport = choose_transport(payload.transport_id, send_transport)?;
    Ok(produce_request(
        transport,
        payload.kind,
        payload.rtp_parameters,
        app_data,
    ))
}

/// Returns the named transport, or the send transport if none is named.
fn choose_transport(
    named: Option<String>,
    send_transport: Option<TransportId>,
) -> Result<TransportId, Refusal> {
    let named = named.as_deref().map(parse_transport_id).transpose()?;
    named.or(send_transport).ok_or(Refusal::TransportNotFound)
}

/// Returns the producers of all participants but `own`.
pub(super) fn producers_of_others<'a>(
    participants: &'a [ParticipantSummary],
    own: &'a PeerId,
) -> impl Iterator<Item = &'a ProducerSummary> {
    let others = participants.iter().filter(move |it| it.peer != *own);
    others.flat_map(|it| &it.producers)
}

/// Encodes a refusal. Where the acknowledgement has `params`, the error is inside of them.
pub(super) fn encode_refusal(
    namespace: Namespace,
    tag: &RequestTag,
    refusal: &Refusal,
) -> Vec<Effect> {
    match tag.event {
        CREATE_TRANSPORT | CONSUME => {
            let error = json!({ "error": refusal.to_string() });
            acknowledge(namespace, tag, json!({ "params": error }))
        }
        _ => acknowledge_refusal(namespace, tag, refusal),
    }
}
