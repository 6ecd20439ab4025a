//! Reads events as requests.

use serde::Deserialize;
use serde_json::Value;
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};

use super::{
    CONNECT, CONNECT_RECEIVE, CONSUME, CREATE_TRANSPORT, JOIN, LIST, PRODUCE, RESUME, State,
};
use crate::dialect::Effect;
use crate::dialect::shapes::{self, Event};
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

/// `transport-connect`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connect {
    transport_id: Option<String>,
    dtls_parameters: DtlsParameters,
}

/// `transport-produce`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Produce {
    transport_id: Option<String>,
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    app_data: Option<Value>,
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
            Ok(request) => vec![Effect::Ask(tag, request)],
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
                let named = transport_id.as_deref().map(shapes::transport).transpose()?;
                let transport = named.or(self.sending).ok_or(Refusal::TransportNotFound)?;
                Request::ConnectTransport { transport, dtls }
            }
            PRODUCE => self.produce(event.read()?)?,
            CONSUME => self.consume(event.read()?)?,
            CONNECT_RECEIVE => {
                let ConnectReceive {
                    server_consumer_transport_id: id,
                    dtls_parameters: dtls,
                } = event.read()?;
                let transport = shapes::transport(&id)?;
                Request::ConnectTransport { transport, dtls }
            }
            RESUME => Request::PauseConsumer {
                consumer: shapes::consumer(&event.read::<Resume>()?.server_consumer_id)?,
                paused: false,
            },
            _ => Request::ListParticipants,
        })
    }

    /// Reads `transport-produce`.
    fn produce(&self, payload: Produce) -> Result<Request, Refusal> {
        let app_data = shapes::app_data(payload.app_data)?;
        let named = payload.transport_id.as_deref();
        let named = named.map(shapes::transport).transpose()?;
        Ok(Request::Produce {
            transport: named.or(self.sending).ok_or(Refusal::TransportNotFound)?,
            kind: payload.kind,
            rtp: payload.rtp_parameters,
            source: shapes::source(payload.kind, app_data.as_ref()),
            paused: false,
            app_data,
        })
    }

    /// Reads `consume`. The client resumes when it is ready. When the producer has ended, nothing
    /// will come on the transport that was made for it.
    fn consume(&mut self, payload: Consume) -> Result<Request, Refused> {
        let producer = shapes::producer(&payload.remote_producer_id)?;
        let transport = shapes::transport(&payload.server_consumer_transport_id)?;
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
