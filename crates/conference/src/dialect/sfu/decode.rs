//! Decodes events as requests.

use serde::Deserialize;
use serde_json::Value;
use watersmeet_wire::params::{DtlsParameters, RtpCapabilities};

use super::{BARE_CAPABILITIES, CAPABILITIES, CREATE_ROOM, Entry, JOIN, LIST, State};
use crate::connect_request::Namespace;
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::media_json::{
    bad_request, parse_consumer_id, parse_producer_id, parse_transport_id,
};
use crate::dialect::socketio_event::SocketIoEvent;
use crate::dialect::transport_events::{
    CONNECT, CONNECT_RECEIVE, CONSUME, CREATE_TRANSPORT, PRODUCE, RESUME, read_connect,
    read_produce,
};
use crate::message::{Direction, JoinRequest, Refusal, Request, TransportKey};

/// Names of all events that clients send.
const EVENTS: [&str; 10] = [
    CAPABILITIES,
    CREATE_ROOM,
    BARE_CAPABILITIES,
    CREATE_TRANSPORT,
    CONNECT,
    PRODUCE,
    CONSUME,
    CONNECT_RECEIVE,
    RESUME,
    LIST,
];

/// `createWebRtcTransport`: to send, to receive one producer, or to receive any. Clients send either
/// `sender` or `producing`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateTransport {
    sender: Option<bool>,
    producing: Option<bool>,
    producer_id: Option<String>,
}

/// `consume`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consume {
    producer_id: Option<String>,
    transport_id: Option<String>,
    rtp_capabilities: RtpCapabilities,
}

/// `transport-recv-connect`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectReceive {
    producer_id: Option<String>,
    dtls_parameters: DtlsParameters,
}

/// `consumer-resume`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resume {
    consumer_id: Option<String>,
}

impl State {
    /// Decodes an event. The first event makes the client enter the room.
    pub(crate) fn decode(&mut self, event: SocketIoEvent) -> Result<Vec<Effect>, Refusal> {
        let tag = event.tag(event.known_name(&EVENTS)?);
        let may_be_nameless =
            self.namespace == Namespace::Mediasoup && matches!(self.entry, Entry::Inside);
        if tag.event == CONSUME && may_be_nameless && names_no_producer(&event.argument) {
            let Consume {
                rtp_capabilities, ..
            } = event.read()?;
            return match self.consume_any(tag.clone(), rtp_capabilities) {
                Ok(effect) => Ok(vec![effect]),
                Err(refusal) => Ok(self.encode_refusal(&tag, &refusal)),
            };
        }
        let request = match self.request(tag.event, event) {
            Ok(request) => request,
            // The form of the refusal depends on the event, and so on the tag.
            Err(refusal) => return Ok(self.encode_refusal(&tag, &refusal)),
        };
        match self.entry {
            Entry::Inside => Ok(vec![Effect::Request(tag, request)]),
            Entry::Joining(..) => Ok(self.encode_refusal(&tag, &Refusal::NotInRoom)),
            Entry::Outside => {
                self.entry = Entry::Joining(tag, Box::new(request));
                let join = Request::Join(Box::new(JoinRequest {
                    room: self.context.room.to_string(),
                    ..JoinRequest::default()
                }));
                Ok(vec![Effect::Request(RequestTag::internal(JOIN), join)])
            }
        }
    }

    /// Reads the argument of an event as a request.
    fn request(&mut self, name: &'static str, event: SocketIoEvent) -> Result<Request, Refusal> {
        Ok(match name {
            CREATE_TRANSPORT => self.create_transport(event.read()?)?,
            CONNECT => read_connect(event, self.send_transport)?,
            PRODUCE => read_produce(event, self.send_transport)?,
            CONSUME => self.consume(event.read()?)?,
            CONNECT_RECEIVE => {
                let ConnectReceive {
                    producer_id,
                    dtls_parameters: dtls,
                } = event.read()?;
                let producer = producer_id.as_deref().map(parse_producer_id).transpose()?;
                let transport = match producer {
                    Some(producer) => self.remote_producers.transport(producer),
                    None => self.nameless_transport,
                };
                let transport = transport.ok_or(Refusal::TransportNotFound)?;
                Request::ConnectTransport { transport, dtls }
            }
            RESUME => {
                let named = event.read::<Resume>()?.consumer_id;
                let named = named.as_deref().map(parse_consumer_id).transpose()?;
                let consumer = named.or(self.newest_consumer);
                Request::PauseConsumer {
                    consumer: consumer.ok_or(Refusal::ConsumerNotFound)?,
                    paused: false,
                }
            }
            LIST => Request::ListParticipants,
            _ => Request::RouterCapabilities,
        })
    }

    /// Reads `createWebRtcTransport`. A second request for the same producer returns the same
    /// transport.
    fn create_transport(&self, payload: CreateTransport) -> Result<Request, Refusal> {
        if payload.sender.or(payload.producing) == Some(true) {
            return Ok(Request::CreateTransport {
                direction: Direction::Send,
                key: None,
            });
        }
        let Some(producer) = payload.producer_id else {
            if self.namespace != Namespace::Mediasoup {
                return Err(bad_request("producerId is missing"));
            }
            return Ok(Request::CreateTransport {
                direction: Direction::Recv,
                key: None,
            });
        };
        let producer = parse_producer_id(&producer)?;
        if !self.remote_producers.contains(producer) {
            return Err(Refusal::ProducerNotFound);
        }
        Ok(Request::CreateTransport {
            direction: Direction::Recv,
            key: Some(TransportKey::RecvProducer(producer)),
        })
    }

    /// Reads `consume`. The client resumes the consumer when it is ready.
    fn consume(&mut self, payload: Consume) -> Result<Request, Refusal> {
        let producer = payload.producer_id.as_deref();
        let producer = producer.ok_or_else(|| bad_request("missing field `producerId`"))?;
        let producer = parse_producer_id(producer)?;
        if !self.remote_producers.contains(producer) {
            return Err(Refusal::ProducerNotFound);
        }
        let named = payload.transport_id.as_deref();
        let named = named.map(parse_transport_id).transpose()?;
        let transport = named.or_else(|| self.remote_producers.transport(producer));
        let transport = transport.ok_or(Refusal::TransportNotFound)?;
        self.remote_producers.set_transport(producer, transport);
        Ok(Request::Consume {
            producer,
            transport: Some(transport),
            capabilities: payload.rtp_capabilities,
            start_paused: true,
        })
    }
}

/// Returns whether the argument of `consume` leaves the choice of the producer to the server.
fn names_no_producer(argument: &Value) -> bool {
    argument.get("producerId").is_none_or(Value::is_null)
}
