//! JSON of mediasoup-client that several dialects share: ids, transports, producers and consumers.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpParameters};

use super::json;
use crate::message::{CreatedConsumer, CreatedTransport, MediaSource, Refusal, Request};

/// Maximum length of an explanation in a refusal, in characters: it may quote the client's frame.
const EXPLANATION_LEN_MAX: usize = 200;

/// Payload that connects a transport.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectPayload {
    transport_id: String,
    dtls_parameters: DtlsParameters,
}

impl ConnectPayload {
    /// Converts the payload to a request.
    ///
    /// # Errors
    /// Returns `TransportNotFound` when the id is not valid.
    pub(super) fn into_request(self) -> Result<Request, Refusal> {
        Ok(Request::ConnectTransport {
            transport: parse_transport_id(&self.transport_id)?,
            dtls: self.dtls_parameters,
        })
    }
}

/// Payload that creates a producer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProducePayload {
    transport_id: String,
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    app_data: Option<Value>,
}

impl ProducePayload {
    /// Converts the payload to a request.
    ///
    /// # Errors
    /// Returns `BadRequest` when `appData` is not valid, `TransportNotFound` when the id is not.
    pub(super) fn into_request(self) -> Result<Request, Refusal> {
        let app_data = check_app_data(self.app_data)?;
        let transport = parse_transport_id(&self.transport_id)?;
        Ok(produce_request(
            transport,
            self.kind,
            self.rtp_parameters,
            app_data,
        ))
    }
}

/// Returns the request for a producer, with the capture source given by its `appData`.
pub(super) fn produce_request(
    transport: TransportId,
    kind: MediaKind,
    rtp: RtpParameters,
    app_data: Option<Value>,
) -> Request {
    Request::Produce {
        transport,
        kind,
        rtp,
        source: screen_source(kind, app_data.as_ref()),
        paused: false,
        app_data,
    }
}

/// Returns a `BadRequest` refusal with the explanation `what`, truncated to 200 characters.
pub(super) fn bad_request(what: &str) -> Refusal {
    Refusal::BadRequest(what.chars().take(EXPLANATION_LEN_MAX).collect())
}

/// Reads a payload as `T`.
///
/// # Errors
/// Returns `BadRequest` when the payload has another shape.
pub(super) fn read_value<T: DeserializeOwned>(payload: Value) -> Result<T, Refusal> {
    serde_json::from_value(payload).map_err(|error| bad_request(&error.to_string()))
}

/// Returns the members from which mediasoup-client creates a transport, `iceServers` included.
pub(super) fn transport_parameters(created: &CreatedTransport) -> Map<String, Value> {
    let mut parameters = Map::new();
    parameters.insert("id".to_owned(), json!(created.transport.to_string()));
    parameters.insert("iceParameters".to_owned(), json!(created.ice));
    parameters.insert("iceCandidates".to_owned(), json!(created.candidates));
    parameters.insert("dtlsParameters".to_owned(), json!(created.dtls));
    if !created.ice_servers.is_empty() {
        parameters.insert("iceServers".to_owned(), json!(*created.ice_servers));
    }
    parameters
}

/// Returns the members from which mediasoup-client creates a consumer.
pub(super) fn consumer_parameters(created: &CreatedConsumer) -> Map<String, Value> {
    let mut parameters = Map::new();
    parameters.insert("id".to_owned(), json!(created.consumer.to_string()));
    parameters.insert("producerId".to_owned(), json!(created.producer.to_string()));
    parameters.insert("kind".to_owned(), json!(created.kind));
    parameters.insert("rtpParameters".to_owned(), json!(created.rtp));
    parameters
}

/// Parses the id of a transport.
///
/// # Errors
/// Returns `TransportNotFound` for text that is not an id, as for an unknown id.
pub(super) fn parse_transport_id(text: &str) -> Result<TransportId, Refusal> {
    TransportId::parse(text).ok_or(Refusal::TransportNotFound)
}

/// Parses the id of a producer.
///
/// # Errors
/// Returns `ProducerNotFound` for text that is not an id, as for an unknown id.
pub(super) fn parse_producer_id(text: &str) -> Result<ProducerId, Refusal> {
    ProducerId::parse(text).ok_or(Refusal::ProducerNotFound)
}

/// Parses the id of a consumer.
///
/// # Errors
/// Returns `ConsumerNotFound` for text that is not an id, as for an unknown id.
pub(super) fn parse_consumer_id(text: &str) -> Result<ConsumerId, Refusal> {
    ConsumerId::parse(text).ok_or(Refusal::ConsumerNotFound)
}

/// Checks the free-form `appData` of a producer. Returns `None` for null.
///
/// # Errors
/// Returns `BadRequest` when it is not an object, or has a key that could pollute a prototype.
pub(super) fn check_app_data(value: Option<Value>) -> Result<Option<Value>, Refusal> {
    let value = value.filter(|it| !it.is_null());
    match &value {
        Some(it) if !it.is_object() => Err(bad_request("appData is not an object")),
        Some(it) if !json::is_prototype_safe(it) => Err(bad_request("appData has a forbidden key")),
        _ => Ok(value),
    }
}

/// Returns the screen as the source when `appData` says so. `None` leaves it to the kind.
pub(super) fn screen_source(kind: MediaKind, app_data: Option<&Value>) -> Option<MediaSource> {
    let is_true = |key| app_data.and_then(|it| it.get(key)) == Some(&Value::Bool(true));
    // The mediasoup demo calls it "share".
    (is_true("screen") || is_true("share")).then_some(match kind {
        MediaKind::Audio => MediaSource::ScreenAudio,
        MediaKind::Video => MediaSource::Screen,
    })
}
