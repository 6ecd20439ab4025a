//! Reads events as requests.

use serde::Deserialize;
use watersmeet_wire::params::{DtlsParameters, RtpCapabilities};

use super::{
    CONNECT, CONNECT_RECEIVE, CONSUME, CREATE_TRANSPORT, JOIN, LIST, PRODUCE, RESUME, State,
};
use crate::dialect::Effect;
use crate::dialect::media_json::{self, Connect, Event, Produce};
use crate::message::{Direction, Refusal, Request};

/// `joinRoom`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JoinRoom {
    room_name: Option<String>,
}

/// `createWebRtcTransport`: to receive one producer, or to send.
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
    /// Reads an event.
    pub(in crate::dialect) fn decode(&mut self, event: Event) -> Result<Vec<Effect>, Refusal> {
        let tag = event.tag(name(&event.name).ok_or(Refusal::UnknownType)?);
        Ok(match self.read(tag.event, event) {
            Ok(request) => vec![Effect::Request(tag, request)],
            Err(Refused { refusal, effects }) => {
                // Some refusals have a form of their own, which only the tag knows.
                let mut refused = self.refusal(&tag, &refusal);
                refused.extend(effects);
                refused
            }
        })
    }

    /// Reads the argument of an event.
    fn read(&mut self, name: &'static str, event: Event) -> Result<Request, Refused> {
        Ok(match name {
            JOIN => {
                let named = event.read::<JoinRoom>()?.room_name;
                let named = named.filter(|it| !it.is_empty());
                Request::Join {
                    room: named.unwrap_or_else(|| self.opened.room.to_string()),
                    display_name: None,
                    token: None,
                    user: None,
                    policy: None,
                }
            }
            CREATE_TRANSPORT => Request::CreateTransport {
                direction: match event.read::<CreateTransport>()?.consumer {
                    true => Direction::Recv,
                    false => Direction::Send,
                },
                key: None,
            },
            CONNECT => {
                let Connect {
                    transport_id,
                    dtls_parameters: dtls,
                } = event.read()?;
                let named = transport_id
                    .as_deref()
                    .map(media_json::transport)
                    .transpose()?;
                let transport = named.or(self.sending).ok_or(Refusal::TransportNotFound)?;
                Request::ConnectTransport { transport, dtls }
            }
            PRODUCE => event.read::<Produce>()?.request(self.sending)?,
            CONSUME => self.consume(event.read()?)?,
            CONNECT_RECEIVE => {
                let ConnectReceive {
                    server_consumer_transport_id: id,
                    dtls_parameters: dtls,
                } = event.read()?;
                let transport = media_json::transport(&id)?;
                Request::ConnectTransport { transport, dtls }
            }
            RESUME => Request::PauseConsumer {
                consumer: media_json::consumer(&event.read::<Resume>()?.server_consumer_id)?,
                paused: false,
            },
            _ => Request::ListParticipants,
        })
    }

    /// Reads `consume`. The client resumes when it is ready. When the producer has ended, nothing
    /// will come on the transport that was made for it.
    fn consume(&mut self, payload: Consume) -> Result<Request, Refused> {
        let producer = media_json::producer(&payload.remote_producer_id)?;
        let transport = media_json::transport(&payload.server_consumer_transport_id)?;
        if !self.remotes.arrives(producer, transport) {
            return Err(Refused {
                refusal: Refusal::ProducerNotFound,
                effects: self.remotes.close(transport),
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

/// An event that is refused, and what is done besides.
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

/// The event of this name, if there is one.
fn name(name: &str) -> Option<&'static str> {
    let all = [
        JOIN,
        CREATE_TRANSPORT,
        CONNECT,
        PRODUCE,
        LIST,
        CONSUME,
        CONNECT_RECEIVE,
        RESUME,
    ];
    all.into_iter().find(|it| *it == name)
}
