//! What the Socket.IO dialects and protoo share: how an event is read, and the objects that every
//! mediasoup-client needs, as JSON.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpParameters};

use super::socketio::{self, PacketKind};
use super::{DecodeError, Effect, RequestTag, json};
use crate::connect_request::Namespace;
use crate::message::{CreatedConsumer, CreatedTransport, MediaSource, Refusal, Request};

/// Longest explanation in an error, in characters: it may quote what the client sent.
const EXPLANATION_LEN_MAX: usize = 200;

/// A Socket.IO event of a client.
#[derive(Debug)]
pub(super) struct Event {
    /// Its name.
    pub name: String,
    /// Its first argument; `Null` when there is none.
    pub argument: Value,
    /// What its acknowledgement is known by, if one is wanted.
    pub ack: Option<u64>,
}

impl Event {
    /// The acknowledgement's number, as a tag keeps it.
    pub(super) fn id(&self) -> Option<Value> {
        self.ack.map(Value::from)
    }

    /// The tag of the request that this event is.
    pub(super) fn tag(&self, event: &'static str) -> RequestTag {
        RequestTag {
            id: self.id(),
            event,
        }
    }

    /// Reads the argument; none is an empty object.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, Refusal> {
        let argument = match self.argument {
            Value::Null => Value::Object(Map::new()),
            argument => argument,
        };
        serde_json::from_value(argument).map_err(|error| explained(&error.to_string()))
    }
}

/// `transport-connect` of the dialects that descend from one tutorial: sfu and call.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connect {
    /// Which transport; absent means the one to send on.
    pub transport_id: Option<String>,
    /// The client's DTLS parameters.
    pub dtls_parameters: DtlsParameters,
}

/// `transport-produce` of the same.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Produce {
    transport_id: Option<String>,
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    app_data: Option<Value>,
}

impl Produce {
    /// The request; a client that names no transport means the one it sends on.
    pub(super) fn request(self, sending: Option<TransportId>) -> Result<Request, Refusal> {
        let app_data = app_data(self.app_data)?;
        let named = self.transport_id.as_deref().map(transport).transpose()?;
        Ok(Request::Produce {
            transport: named.or(sending).ok_or(Refusal::TransportNotFound)?,
            kind: self.kind,
            rtp: self.rtp_parameters,
            source: source(self.kind, app_data.as_ref()),
            paused: false,
            app_data,
        })
    }
}

/// Reads a packet as an event; `None` for what needs no answer.
pub(super) fn event(frame: &str) -> Result<Option<Event>, DecodeError> {
    let reject = |ack: Option<u64>, what: &str| DecodeError {
        tag: RequestTag {
            id: ack.map(Value::from),
            event: "",
        },
        refusal: explained(what),
    };
    let packet = socketio::parse(frame).map_err(|error| reject(None, &error.to_string()))?;
    if packet.kind != PacketKind::Event {
        return Ok(None);
    }
    let arguments =
        socketio::parse_arguments(packet.data).map_err(|error| reject(packet.ack, &error))?;
    let mut arguments = arguments.into_iter();
    let Some(Value::String(name)) = arguments.next() else {
        return Err(reject(packet.ack, "an event needs a name"));
    };
    Ok(Some(Event {
        name,
        argument: arguments.next().unwrap_or_default(),
        ack: packet.ack,
    }))
}

/// A refusal that says what is wrong, in few words.
pub(super) fn explained(what: &str) -> Refusal {
    Refusal::BadRequest(what.chars().take(EXPLANATION_LEN_MAX).collect())
}

/// The acknowledgement of a request that wants one.
pub(super) fn acknowledged(namespace: Namespace, tag: &RequestTag, answer: Value) -> Vec<Effect> {
    let ack = tag.id.as_ref().and_then(Value::as_u64);
    ack.map(|ack| Effect::SendFrame(socketio::write_ack(namespace.name(), ack, &[answer])))
        .into_iter()
        .collect()
}

/// The refusal of a request that wants an acknowledgement.
pub(super) fn refused(namespace: Namespace, tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
    acknowledged(namespace, tag, json!({ "error": refusal.to_string() }))
}

/// An event for a client.
pub(super) fn told(namespace: Namespace, name: &str, payload: Value) -> Effect {
    Effect::SendFrame(socketio::write_event(namespace.name(), name, &[payload]))
}

/// What mediasoup-client makes a transport from. It takes `iceServers` from the same object.
pub(super) fn transport_parameters(offer: &CreatedTransport) -> Map<String, Value> {
    let mut parameters = Map::new();
    parameters.insert("id".to_owned(), json!(offer.transport.to_string()));
    parameters.insert("iceParameters".to_owned(), json!(offer.ice));
    parameters.insert("iceCandidates".to_owned(), json!(offer.candidates));
    parameters.insert("dtlsParameters".to_owned(), json!(offer.dtls));
    if !offer.ice_servers.is_empty() {
        parameters.insert("iceServers".to_owned(), json!(*offer.ice_servers));
    }
    parameters
}

/// What mediasoup-client makes a consumer from.
pub(super) fn consumer_parameters(offer: &CreatedConsumer) -> Map<String, Value> {
    let mut parameters = Map::new();
    parameters.insert("id".to_owned(), json!(offer.consumer.to_string()));
    parameters.insert("producerId".to_owned(), json!(offer.producer.to_string()));
    parameters.insert("kind".to_owned(), json!(offer.kind));
    parameters.insert("rtpParameters".to_owned(), json!(offer.rtp));
    parameters
}

/// Reads a transport's id. A text that is none names nothing.
pub(in crate::dialect) fn transport(text: &str) -> Result<TransportId, Refusal> {
    TransportId::parse(text).ok_or(Refusal::TransportNotFound)
}

/// Reads a producer's id.
pub(in crate::dialect) fn producer(text: &str) -> Result<ProducerId, Refusal> {
    ProducerId::parse(text).ok_or(Refusal::ProducerNotFound)
}

/// Reads a consumer's id.
pub(in crate::dialect) fn consumer(text: &str) -> Result<ConsumerId, Refusal> {
    ConsumerId::parse(text).ok_or(Refusal::ConsumerNotFound)
}

/// Checks what a client says of its producer to other clients: an object, if anything.
pub(super) fn app_data(value: Option<Value>) -> Result<Option<Value>, Refusal> {
    let value = value.filter(|it| !it.is_null());
    match &value {
        Some(it) if !it.is_object() => Err(explained("appData is not an object")),
        Some(it) if !json::is_prototype_safe(it) => Err(explained("appData has a forbidden key")),
        _ => Ok(value),
    }
}

/// What a producer shows, when its client says that it is a screen; otherwise its kind tells.
pub(super) fn source(kind: MediaKind, app_data: Option<&Value>) -> Option<MediaSource> {
    let says = |key| app_data.and_then(|it| it.get(key)) == Some(&Value::Bool(true));
    // "share" is protoo's word for it.
    (says("screen") || says("share")).then_some(match kind {
        MediaKind::Audio => MediaSource::ScreenAudio,
        MediaKind::Video => MediaSource::Screen,
    })
}
