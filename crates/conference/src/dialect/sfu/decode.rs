//! Reads events as requests.

use serde::Deserialize;
use watersmeet_wire::params::{DtlsParameters, RtpCapabilities};

use super::{
    BARE_CAPABILITIES, CAPABILITIES, CONNECT, CONNECT_RECEIVE, CONSUME, CREATE_TRANSPORT, Entry,
    JOIN, LIST, PRODUCE, RESUME, State,
};
use crate::dialect::media_json::{self, Connect, Event, Produce};
use crate::dialect::{Effect, RequestTag};
use crate::message::{Direction, Refusal, Request, TransportKey};

/// `createWebRtcTransport`: to send, or to receive one producer. There are two words for it.
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
    producer_id: String,
    transport_id: Option<String>,
    rtp_capabilities: RtpCapabilities,
}

/// `transport-recv-connect`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectReceive {
    producer_id: String,
    dtls_parameters: DtlsParameters,
}

/// `consumer-resume`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resume {
    consumer_id: Option<String>,
}

impl State {
    /// Reads an event. The first one enters the room.
    pub(in crate::dialect) fn decode(&mut self, event: Event) -> Result<Vec<Effect>, Refusal> {
        let tag = event.tag(name(&event.name).ok_or(Refusal::UnknownType)?);
        let request = match self.read(tag.event, event) {
            Ok(request) => request,
            // Some refusals have a form of their own, which only the tag knows.
            Err(refusal) => return Ok(self.refusal(&tag, &refusal)),
        };
        match self.entry {
            Entry::Inside => Ok(vec![Effect::Request(tag, request)]),
            Entry::Entering(..) => Ok(self.refusal(&tag, &Refusal::NotInRoom)),
            Entry::Outside => {
                self.entry = Entry::Entering(tag, Box::new(request));
                let join = Request::Join {
                    room: self.opened.room.to_string(),
                    display_name: None,
                    token: None,
                    user: None,
                    policy: None,
                };
                Ok(vec![Effect::Request(RequestTag::internal(JOIN), join)])
            }
        }
    }

    /// Reads the argument of an event.
    fn read(&mut self, name: &'static str, event: Event) -> Result<Request, Refusal> {
        Ok(match name {
            CREATE_TRANSPORT => self.create_transport(event.read()?)?,
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
                    producer_id,
                    dtls_parameters: dtls,
                } = event.read()?;
                let transport = self.remotes.transport(media_json::producer(&producer_id)?);
                let transport = transport.ok_or(Refusal::TransportNotFound)?;
                Request::ConnectTransport { transport, dtls }
            }
            RESUME => {
                let named = event.read::<Resume>()?.consumer_id;
                let named = named.as_deref().map(media_json::consumer).transpose()?;
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

    /// Reads `createWebRtcTransport`. Whoever asks again for the same producer is given the same
    /// transport.
    fn create_transport(&self, payload: CreateTransport) -> Result<Request, Refusal> {
        if payload.sender.or(payload.producing) == Some(true) {
            return Ok(Request::CreateTransport {
                direction: Direction::Send,
                key: None,
            });
        }
        let producer = payload.producer_id;
        let producer = producer.ok_or_else(|| media_json::explained("producerId is missing"))?;
        let producer = media_json::producer(&producer)?;
        if !self.remotes.has(producer) {
            return Err(Refusal::ProducerNotFound);
        }
        Ok(Request::CreateTransport {
            direction: Direction::Recv,
            key: Some(TransportKey::RecvProducer(producer)),
        })
    }

    /// Reads `consume`. The client resumes when it is ready.
    fn consume(&mut self, payload: Consume) -> Result<Request, Refusal> {
        let producer = media_json::producer(&payload.producer_id)?;
        if !self.remotes.has(producer) {
            return Err(Refusal::ProducerNotFound);
        }
        let named = payload.transport_id.as_deref();
        let named = named.map(media_json::transport).transpose()?;
        let transport = named.or_else(|| self.remotes.transport(producer));
        let transport = transport.ok_or(Refusal::TransportNotFound)?;
        self.remotes.arrives(producer, transport);
        Ok(Request::Consume {
            producer,
            transport: Some(transport),
            capabilities: payload.rtp_capabilities,
            start_paused: true,
        })
    }
}

/// The event of this name, if there is one.
fn name(name: &str) -> Option<&'static str> {
    let all = [
        CAPABILITIES,
        BARE_CAPABILITIES,
        CREATE_TRANSPORT,
        CONNECT,
        PRODUCE,
        CONSUME,
        CONNECT_RECEIVE,
        RESUME,
        LIST,
    ];
    all.into_iter().find(|it| *it == name)
}
