//! Decodes requests of the client, and its responses to the server's requests. A notification is
//! decoded as a request without an id, to which no response is sent.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use watersmeet_engine::command::Layers;
use watersmeet_wire::params::RtpCapabilities;

use super::{CREATE_TCP_TRANSPORT, Entry, PREPARE, SETTLE, State};
use crate::dialect::effect::{DecodeError, Effect, RequestTag};
use crate::dialect::json;
use crate::dialect::media_json::{
    ConnectPayload, ProducePayload, bad_request, parse_consumer_id, parse_producer_id,
    parse_transport_id, read_value,
};
use crate::message::{ClientDevice, Direction, JoinRequest, Refusal, Request, StatsSubject};

/// Characters of an unknown id that a refusal repeats.
const DATA_ID_LEN_MAX: usize = 64;

/// `join`. A client without capabilities receives nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Join {
    display_name: Option<String>,
    device: Option<Value>,
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

/// Names a transport: `restartIce` and requests for statistics.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransportRef {
    transport_id: String,
}

/// Names a producer: requests about producers and their statistics.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProducerRef {
    producer_id: String,
}

/// Names a consumer: requests about consumers and their statistics.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsumerRef {
    consumer_id: String,
}

/// `setConsumerPreferredLayers`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetPreferredLayers {
    consumer_id: String,
    spatial_layer: u8,
    temporal_layer: Option<u8>,
}

/// `setConsumerPriority`. mediasoup accepts 1 to 255.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetPriority {
    consumer_id: String,
    priority: u8,
}

/// `getDataProducerStats`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DataProducerRef {
    data_producer_id: String,
}

/// `getDataConsumerStats`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DataConsumerRef {
    data_consumer_id: String,
}

/// `changeDisplayName`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangeDisplayName {
    display_name: String,
}

impl State {
    /// Decodes a frame.
    ///
    /// # Errors
    /// Returns the refusal of a request that is not valid, with its id if that could be read.
    pub(crate) fn decode(&mut self, text: &str) -> Result<Vec<Effect>, DecodeError> {
        let error = |id: Option<Value>, refusal| DecodeError {
            tag: RequestTag { id, event: "" },
            refusal,
        };
        let value = json::parse(text).map_err(|it| error(None, bad_request(&it)))?;
        let is = |key| value.get(key) == Some(&Value::Bool(true));
        let id = value.get("id").and_then(Value::as_u64);
        if is("response") {
            return Ok(id.map_or_else(Vec::new, |id| self.consumer_answered(id, is("ok"))));
        }
        let id = id.filter(|_| is("request")).map(Value::from);
        if id.is_none() && !is("notification") {
            let refusal = bad_request("neither a request nor a response");
            return Err(error(None, refusal));
        }
        let Value::Object(mut fields) = value else {
            return Err(error(None, bad_request("not an object")));
        };
        let Some(Value::String(method)) = fields.remove("method") else {
            return Err(error(id, bad_request("missing method")));
        };
        let data = match fields.remove("data") {
            Some(Value::Object(data)) => data,
            None | Some(Value::Null) => Map::new(),
            Some(_) => return Err(error(id, bad_request("data is not an object"))),
        };
        match self.request(id.clone(), &method, data) {
            Ok(effect) => Ok(vec![effect]),
            Err(refusal) => Err(error(id, refusal)),
        }
    }

    /// Handles the client's response to `newConsumer`: an accepted consumer is resumed, a rejected
    /// one closed.
    fn consumer_answered(&mut self, id: u64, is_accepted: bool) -> Vec<Effect> {
        let id = u32::try_from(id).ok();
        let Some(consumer) = id.and_then(|it| self.unanswered.remove(&it)) else {
            return Vec::new();
        };
        let request = match is_accepted {
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

    /// Reads a request of the client.
    fn request(
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
            _ => stateless_request(method, data)?,
        };
        Ok(Effect::Request(tag, request))
    }

    /// Reserves a place in the room, and stores the request until that is done.
    fn prepare(&mut self, tag: RequestTag, request: Request) -> Effect {
        self.entry = Entry::Preparing(tag, Box::new(request));
        let room = self.context.room.to_string();
        Effect::Request(RequestTag::internal(PREPARE), Request::PrepareJoin { room })
    }

    /// Reads `join`.
    fn join(&mut self, payload: Join) -> Result<Request, Refusal> {
        if matches!(self.entry, Entry::Inside) || self.pending_join.is_some() {
            return Err(bad_request("joined already"));
        }
        self.capabilities = payload.rtp_capabilities;
        Ok(Request::Join(Box::new(JoinRequest {
            room: self.context.room.to_string(),
            display_name: payload.display_name,
            user: self.context.claimed_peer.as_ref().map(|it| it.to_string()),
            device: payload.device.as_ref().and_then(device),
            ..JoinRequest::default()
        })))
    }
}

/// Reads a request that does not depend on the state of the connection.
fn stateless_request(method: &str, data: Map<String, Value>) -> Result<Request, Refusal> {
    Ok(match method {
        "getRouterRtpCapabilities" => Request::RouterCapabilities,
        "connectWebRtcTransport" => read::<ConnectPayload>(data)?.into_request()?,
        "restartIce" => {
            let TransportRef { transport_id } = read(data)?;
            let transport = parse_transport_id(&transport_id)?;
            Request::RestartIce { transport }
        }
        "produce" => read::<ProducePayload>(data)?.into_request()?,
        "pauseProducer" | "resumeProducer" => {
            let ProducerRef { producer_id } = read(data)?;
            Request::PauseProducer {
                producer: parse_producer_id(&producer_id)?,
                paused: method == "pauseProducer",
            }
        }
        "closeProducer" => {
            let ProducerRef { producer_id } = read(data)?;
            let producer = parse_producer_id(&producer_id)?;
            Request::CloseProducer { producer }
        }
        "pauseConsumer" | "resumeConsumer" => {
            let ConsumerRef { consumer_id } = read(data)?;
            Request::PauseConsumer {
                consumer: parse_consumer_id(&consumer_id)?,
                paused: method == "pauseConsumer",
            }
        }
        "setConsumerPreferredLayers" => {
            let payload: SetPreferredLayers = read(data)?;
            let layers = Layers {
                spatial_layer: payload.spatial_layer,
                temporal_layer: payload.temporal_layer,
            };
            let consumer = parse_consumer_id(&payload.consumer_id)?;
            Request::SetPreferredLayers { consumer, layers }
        }
        "requestConsumerKeyFrame" => {
            let ConsumerRef { consumer_id } = read(data)?;
            let consumer = parse_consumer_id(&consumer_id)?;
            Request::RequestKeyframe { consumer }
        }
        "changeDisplayName" => {
            let ChangeDisplayName { display_name } = read(data)?;
            Request::ChangeDisplayName { display_name }
        }
        "produceData" => return Err(bad_request("data channels are not served")),
        "setConsumerPriority" => {
            let payload: SetPriority = read(data)?;
            Request::SetPriority {
                consumer: parse_consumer_id(&payload.consumer_id)?,
                priority: payload.priority,
            }
        }
        "getDataProducerStats" => {
            let DataProducerRef { data_producer_id } = read(data)?;
            return Err(no_data_channel("dataProducer", &data_producer_id));
        }
        "getDataConsumerStats" => {
            let DataConsumerRef { data_consumer_id } = read(data)?;
            return Err(no_data_channel("dataConsumer", &data_consumer_id));
        }
        // The demonstration's server throttles its own network for whoever knows a secret.
        "applyNetworkThrottle" | "resetNetworkThrottle" => return Err(Refusal::Forbidden),
        _ => Request::Stats {
            subject: subject(method, data)?,
        },
    })
}

/// Reads a request for statistics. Requests for remote and local statistics both get the server's.
fn subject(method: &str, data: Map<String, Value>) -> Result<StatsSubject, Refusal> {
    Ok(match method {
        "getTransportStats" | "getTransportRemoteStats" | "getTransportLocalStats" => {
            let TransportRef { transport_id } = read(data)?;
            StatsSubject::Transport(parse_transport_id(&transport_id)?)
        }
        "getProducerStats" | "getProducerRemoteStats" | "getProducerLocalStats" => {
            let ProducerRef { producer_id } = read(data)?;
            StatsSubject::Producer(parse_producer_id(&producer_id)?)
        }
        "getConsumerStats" | "getConsumerRemoteStats" | "getConsumerLocalStats" => {
            let ConsumerRef { consumer_id } = read(data)?;
            StatsSubject::Consumer(parse_consumer_id(&consumer_id)?)
        }
        _ => return Err(Refusal::UnknownType),
    })
}

/// Returns the refusal of a request about a data producer or consumer: a room has none.
fn no_data_channel(kind: &str, id: &str) -> Refusal {
    let id: String = id.chars().take(DATA_ID_LEN_MAX).collect();
    bad_request(&format!("{kind} with id \"{id}\" not found"))
}

/// Reads the `device` of a client; `None` when it has no member that is known and text.
fn device(value: &Value) -> Option<ClientDevice> {
    let member = |name| Some(value.get(name)?.as_str()?.into());
    let device = ClientDevice {
        flag: member("flag"),
        name: member("name"),
        version: member("version"),
    };
    let is_described = device.texts().next().is_some();
    is_described.then_some(device)
}

/// Reads `createWebRtcTransport`.
fn create_transport(payload: &CreateTransport) -> Result<Request, Refusal> {
    let direction = match (payload.producing, payload.consuming) {
        (true, false) => Direction::Send,
        (false, true) => Direction::Recv,
        _ => {
            return Err(bad_request("either producing or consuming is needed"));
        }
    };
    let key = None;
    Ok(Request::CreateTransport { direction, key })
}

/// Reads the data of a request as `T`.
fn read<T: DeserializeOwned>(data: Map<String, Value>) -> Result<T, Refusal> {
    read_value(Value::Object(data))
}
