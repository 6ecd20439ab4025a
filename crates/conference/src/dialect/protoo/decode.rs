//! Reads requests of the client, and its answers to ours. A notification is a request that nobody
//! waits for.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use watersmeet_engine::command::Layers;
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};

use super::{CREATE_TCP_TRANSPORT, Entry, PREPARE, SETTLE, State};
use crate::dialect::{DecodeError, Effect, RequestTag, json, media_json};
use crate::message::{Direction, Refusal, Request, StatsSubject};

/// `join`. Without capabilities a client receives nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Join {
    display_name: Option<String>,
    rtp_capabilities: Option<RtpCapabilities>,
}

/// `createWebRtcTransport`
#[derive(Deserialize)]
struct CreateTransport {
    #[serde(default)]
    producing: bool,
    #[serde(default)]
    consuming: bool,
}

/// `connectWebRtcTransport`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connect {
    transport_id: String,
    dtls_parameters: DtlsParameters,
}

/// `restartIce`, and statistics.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransportRef {
    transport_id: String,
}

/// What is done to a producer, and statistics.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProducerRef {
    producer_id: String,
}

/// What is done to a consumer, and statistics.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsumerRef {
    consumer_id: String,
}

/// `produce`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Produce {
    transport_id: String,
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    app_data: Option<Value>,
}

/// `setConsumerPreferredLayers`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetPreferredLayers {
    consumer_id: String,
    spatial_layer: u8,
    temporal_layer: Option<u8>,
}

/// `changeDisplayName`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangeDisplayName {
    display_name: String,
}

impl State {
    /// Reads a frame.
    pub(in crate::dialect) fn decode(&mut self, text: &str) -> Result<Vec<Effect>, DecodeError> {
        let reject = |id: Option<Value>, refusal| DecodeError {
            tag: RequestTag { id, event: "" },
            refusal,
        };
        let value = json::parse(text).map_err(|it| reject(None, media_json::explained(&it)))?;
        let is = |key| value.get(key) == Some(&Value::Bool(true));
        let id = value.get("id").and_then(Value::as_u64);
        if is("response") {
            return Ok(id.map_or_else(Vec::new, |id| self.answered(id, is("ok"))));
        }
        let id = id.filter(|_| is("request")).map(Value::from);
        if id.is_none() && !is("notification") {
            let refusal = media_json::explained("neither a request nor a response");
            return Err(reject(None, refusal));
        }
        let Value::Object(mut fields) = value else {
            return Err(reject(None, media_json::explained("not an object")));
        };
        let Some(Value::String(method)) = fields.remove("method") else {
            return Err(reject(id, media_json::explained("missing method")));
        };
        let data = match fields.remove("data") {
            Some(Value::Object(data)) => data,
            None | Some(Value::Null) => Map::new(),
            Some(_) => return Err(reject(id, media_json::explained("data is not an object"))),
        };
        match self.asked(id.clone(), &method, data) {
            Ok(effect) => Ok(vec![effect]),
            Err(refusal) => Err(reject(id, refusal)),
        }
    }

    /// The client has taken a consumer, which may begin; or it has not, and the consumer ends.
    fn answered(&mut self, id: u64, taken: bool) -> Vec<Effect> {
        let offered = u32::try_from(id).ok();
        let Some(consumer) = offered.and_then(|it| self.offered.remove(&it)) else {
            return Vec::new();
        };
        let request = match taken {
            true => Request::PauseConsumer {
                consumer,
                paused: false,
            },
            false => {
                self.consumers.retain(|_, it| it.consumer != consumer);
                Request::CloseConsumer { consumer }
            }
        };
        vec![Effect::Request(RequestTag::internal(SETTLE), request)]
    }

    /// What a request of the client leads to.
    fn asked(
        &mut self,
        id: Option<Value>,
        method: &str,
        data: Map<String, Value>,
    ) -> Result<Effect, Refusal> {
        let mut tag = RequestTag { id, event: "" };
        let request = match method {
            "join" => self.join(read(data)?)?,
            "createWebRtcTransport" => {
                if data.get("forceTcp") == Some(&Value::Bool(true)) {
                    tag.event = CREATE_TCP_TRANSPORT;
                }
                let request = create_transport(&read(data)?)?;
                if matches!(self.entry, Entry::Outside) {
                    return Ok(self.prepare(tag, request));
                }
                request
            }
            _ => request(method, data)?,
        };
        Ok(Effect::Request(tag, request))
    }

    /// Takes a seat in the room first.
    fn prepare(&mut self, tag: RequestTag, request: Request) -> Effect {
        self.entry = Entry::Preparing(tag, Box::new(request));
        let room = self.opened.room.to_string();
        Effect::Request(RequestTag::internal(PREPARE), Request::PrepareJoin { room })
    }

    /// Reads `join`.
    fn join(&mut self, payload: Join) -> Result<Request, Refusal> {
        if matches!(self.entry, Entry::Inside) || self.waiting.is_some() {
            return Err(media_json::explained("joined already"));
        }
        self.capabilities = payload.rtp_capabilities;
        Ok(Request::Join {
            room: self.opened.room.to_string(),
            display_name: payload.display_name,
            token: None,
            user: self.opened.claimed_peer.as_ref().map(|it| it.to_string()),
            policy: None,
        })
    }
}

/// Reads a request that needs nothing of what is remembered.
fn request(method: &str, data: Map<String, Value>) -> Result<Request, Refusal> {
    Ok(match method {
        "getRouterRtpCapabilities" => Request::RouterCapabilities,
        "connectWebRtcTransport" => {
            let payload: Connect = read(data)?;
            Request::ConnectTransport {
                transport: media_json::transport(&payload.transport_id)?,
                dtls: payload.dtls_parameters,
            }
        }
        "restartIce" => {
            let TransportRef { transport_id } = read(data)?;
            let transport = media_json::transport(&transport_id)?;
            Request::RestartIce { transport }
        }
        "produce" => produce(read(data)?)?,
        "pauseProducer" | "resumeProducer" => {
            let ProducerRef { producer_id } = read(data)?;
            Request::PauseProducer {
                producer: media_json::producer(&producer_id)?,
                paused: method == "pauseProducer",
            }
        }
        "closeProducer" => {
            let ProducerRef { producer_id } = read(data)?;
            let producer = media_json::producer(&producer_id)?;
            Request::CloseProducer { producer }
        }
        "pauseConsumer" | "resumeConsumer" => {
            let ConsumerRef { consumer_id } = read(data)?;
            Request::PauseConsumer {
                consumer: media_json::consumer(&consumer_id)?,
                paused: method == "pauseConsumer",
            }
        }
        "setConsumerPreferredLayers" => {
            let payload: SetPreferredLayers = read(data)?;
            let layers = Layers {
                spatial_layer: payload.spatial_layer,
                temporal_layer: payload.temporal_layer,
            };
            let consumer = media_json::consumer(&payload.consumer_id)?;
            Request::SetPreferredLayers { consumer, layers }
        }
        "requestConsumerKeyFrame" => {
            let ConsumerRef { consumer_id } = read(data)?;
            let consumer = media_json::consumer(&consumer_id)?;
            Request::RequestKeyframe { consumer }
        }
        "changeDisplayName" => {
            let ChangeDisplayName { display_name } = read(data)?;
            Request::ChangeDisplayName { display_name }
        }
        "produceData" => return Err(media_json::explained("data channels are not served")),
        "setConsumerPriority" => return Err(media_json::explained("priorities are not served")),
        _ => Request::Stats {
            subject: subject(method, data)?,
        },
    })
}

/// Reads a request for statistics. All there are here are those of this side.
fn subject(method: &str, data: Map<String, Value>) -> Result<StatsSubject, Refusal> {
    Ok(match method {
        "getTransportStats" | "getTransportRemoteStats" | "getTransportLocalStats" => {
            let TransportRef { transport_id } = read(data)?;
            StatsSubject::Transport(media_json::transport(&transport_id)?)
        }
        "getProducerStats" | "getProducerRemoteStats" | "getProducerLocalStats" => {
            let ProducerRef { producer_id } = read(data)?;
            StatsSubject::Producer(media_json::producer(&producer_id)?)
        }
        "getConsumerStats" | "getConsumerRemoteStats" | "getConsumerLocalStats" => {
            let ConsumerRef { consumer_id } = read(data)?;
            StatsSubject::Consumer(media_json::consumer(&consumer_id)?)
        }
        _ => return Err(Refusal::UnknownType),
    })
}

/// Reads `createWebRtcTransport`.
fn create_transport(payload: &CreateTransport) -> Result<Request, Refusal> {
    let direction = match (payload.producing, payload.consuming) {
        (true, false) => Direction::Send,
        (false, true) => Direction::Recv,
        _ => {
            return Err(media_json::explained(
                "either producing or consuming is needed",
            ));
        }
    };
    let key = None;
    Ok(Request::CreateTransport { direction, key })
}

/// Reads `produce`.
fn produce(payload: Produce) -> Result<Request, Refusal> {
    let app_data = media_json::app_data(payload.app_data)?;
    Ok(Request::Produce {
        transport: media_json::transport(&payload.transport_id)?,
        kind: payload.kind,
        rtp: payload.rtp_parameters,
        source: media_json::source(payload.kind, app_data.as_ref()),
        paused: false,
        app_data,
    })
}

/// Reads the data of a request.
fn read<T: DeserializeOwned>(data: Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(data)).map_err(|it| media_json::explained(&it.to_string()))
}
