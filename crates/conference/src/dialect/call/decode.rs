//! Decodes events as requests.

use serde::Deserialize;
use watersmeet_wire::params::{DtlsParameters, RtpCapabilities};

use super::{JOIN, LIST, State};
use crate::dialect::effect::Effect;
use crate::dialect::media_json::{parse_consumer_id, parse_producer_id, parse_transport_id};
use crate::dialect::socketio_event::SocketIoEvent;
use crate::dialect::transport_events::{
    CONNECT, CONNECT_RECEIVE, CONSUME, CREATE_TRANSPORT, PRODUCE, RESUME, read_connect,
    read_produce,
};
use crate::message::{Direction, JoinRequest, Refusal, Request};

/// Names of all events that clients send.
const EVENTS: [&str; 8] = [
    JOIN,
    CREATE_TRANSPORT,
    CONNECT,
    PRODUCE,
    LIST,
    CONSUME,
    CONNECT_RECEIVE,
    RESUME,
];

/// `joinRoom`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JoinRoom {
    room_name: Option<String>,
}

/// `createWebRtcTransport`: true to receive one producer, false to send.
#[derive(Deserialize)]
struct CreateTransport {
    consumer: bool,
}

/// `consume`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consume {
    remote_producer_id: String,
    server_consumer_transport_id: String,
    rtp_capabilities: RtpCapabilities,
}

/// `transport-recv-connect`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectReceive {
    server_consumer_transport_id: String,
    dtls_parameters: DtlsParameters,
}

/// `consumer-resume`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resume {
    server_consumer_id: String,
}

impl State {
    /// Decodes an event.
    pub(crate) fn decode(&mut self, event: SocketIoEvent) -> Result<Vec<Effect>, Refusal> {
        let tag = event.tag(event.known_name(&EVENTS)?);
        Ok(match self.request(tag.event, event) {
            Ok(request) => vec![Effect::Request(tag, request)],
            Err(Refused { refusal, effects }) => {
                // The form of the refusal depends on the event, and so on the tag.
                let mut refused = self.encode_refusal(&tag, &refusal);
                refused.extend(effects);
                refused
            }
        })
    }

    /// Reads the argument of an event as a request.
    fn request(&mut self, name: &'static str, event: SocketIoEvent) -> Result<Request, Refused> {
        Ok(match name {
            JOIN => {
                let named = event.read::<JoinRoom>()?.room_name;
                let named = named.filter(|it| !it.is_empty());
                Request::Join(Box::new(JoinRequest {
                    room: named.unwrap_or_else(|| self.context.room.to_string()),
                    ..JoinRequest::default()
                }))
            }
            CREATE_TRANSPORT => Request::CreateTransport {
                direction: match event.read::<CreateTransport>()?.consumer {
                    true => Direction::Recv,
                    false => Direction::Send,
                },
                key: None,
            },
            CONNECT => read_connect(event, self.send_transport)?,
            PRODUCE => read_produce(event, self.send_transport)?,
            CONSUME => self.consume(event.read()?)?,
            CONNECT_RECEIVE => {
                let ConnectReceive {
                    server_consumer_transport_id: id,
                    dtls_parameters: dtls,
                } = event.read()?;
                let transport = parse_transport_id(&id)?;
                Request::ConnectTransport { transport, dtls }
            }
            RESUME => Request::PauseConsumer {
                consumer: parse_consumer_id(&event.read::<Resume>()?.server_consumer_id)?,
                paused: false,
            },
            _ => Request::ListParticipants,
        })
    }

    /// Reads `consume`. The client resumes the consumer when it is ready. If the producer was
    /// closed meanwhile, the transport that the client created for it is closed as well.
    fn consume(&mut self, payload: Consume) -> Result<Request, Refused> {
        let producer = parse_producer_id(&payload.remote_producer_id)?;
        let transport = parse_transport_id(&payload.server_consumer_transport_id)?;
        if !self.remote_producers.set_transport(producer, transport) {
            return Err(Refused {
                refusal: Refusal::ProducerNotFound,
                effects: self.remote_producers.close_unused(transport),
            });
        }
        Ok(Request::Consume {
            producer,
            transport: Some(transport),
            capabilities: payload.rtp_capabilities,
            start_paused: true,
        })
    }
}

/// A refused event, with effects besides the refusal.
struct Refused {
    refusal: Refusal,
    effects: Vec<Effect>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let effects = Vec::new();
        Self { refusal, effects }
    }
}
